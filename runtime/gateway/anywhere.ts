import { HoldfastError } from '../base/errors.ts';
import type { Runtime, ServedSystem } from '../runtime.ts';

/**
 * Milliseconds by which what another node does ends before the request that waits for it: so the client is told that the node
 * is not reached, and not that nothing came.
 */
const BEFORE_MS = 100;

/** What requests need of the system, on whatever node the instance is that they name. */
export type Anywhere = Pick<ServedSystem, 'keep' | 'keeps' | 'keepStream' | 'open' | 'away'>;

/** The calls of a system, for instances of this node and of others. */
export function anywhere(runtime: Pick<Runtime, 'get'>, system: Anywhere): Anywhere {
  return {
    away: (address) => system.away(address),
    // Whatever is away is in the store.
    keeps: (address) => system.away(address) !== undefined || system.keeps(address),
    keep: (address, kind, event, given, wait) =>
      (system.away(address) ?? system).keep(address, kind, event, given, wait),
    keepStream: (address, event, given, wait) =>
      (system.away(address) ?? system).keepStream(address, event, given, wait),
    open(address, kind, event, wait) {
      const ref = system.away(address) === undefined ? undefined : runtime.get(address);
      if (ref === undefined) return system.open(address, kind, event, wait);
      const { timeoutMs, signal } = wait;
      const time = { timeoutMs: timeBefore(timeoutMs), ...(signal && { signal }) };
      return kind === 'ask' ? ref.ask(event, time) : ref.deliver(event, time);
    },
  };
}

/** The time that another node has for what a request waits for so long. */
export function timeBefore(ms: number): number {
  return Math.max(1, ms - BEFORE_MS);
}

/** Whether the node that has an instance could not be asked, so that nobody knows whether there is one. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'NODE_UNREACHABLE';
}
