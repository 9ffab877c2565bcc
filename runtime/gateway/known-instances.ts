import type { Logger } from '../base/logger.ts';
import type { InstancesChanged } from './messages.ts';

/** The most names that are kept of a process: enough to see what is gone, and no burden. */
export const NAMED = 1000;

/** The instances that were lost with a process. */
export interface Gone {
  /** The number of all that nobody starts again. */
  readonly count: number;
  /** Their addresses, as far as they are known: at most a thousand. */
  readonly instances: readonly string[];
  /** Instances that the config lists, which begin anew. */
  readonly again: readonly string[];
}

/** The instances of a service process, as far as the front has been told. */
export class KnownInstances {
  readonly #names = new Set<string>();
  #count = 0;
  #lasting = 0;

  told({ begun, ended, count, lasting }: InstancesChanged): void {
    for (const address of ended) this.#names.delete(address);
    for (const address of begun) this.#names.add(address);
    this.#count = count;
    this.#lasting = lasting;
  }

  get count(): number {
    return this.#count;
  }

  /** Returns what is lost with the end of the process: nothing of what outlives it. `standing`: the addresses that are started again. */
  lost(standing: ReadonlySet<string>): Gone {
    const again = [...this.#names].filter((address) => standing.has(address));
    const instances = [...this.#names].filter((address) => !standing.has(address));
    return {
      count: Math.max(instances.length, this.#count - this.#lasting - again.length),
      instances,
      again,
    };
  }
}

/** Instances that were on their way to a process that failed to start. */
export function goneOf(addresses: readonly string[]): Gone {
  return { count: addresses.length, instances: addresses.slice(0, NAMED), again: [] };
}

export function logGone(logger: Logger, { count, instances, again }: Gone): void {
  if (count > 0) {
    const message =
      'instances ended with the process that they ran in; one that is started again continues from its record in the store';
    logger.error({ count, instances }, message);
  }
  if (again.length > 0) {
    const message = 'instances that the config lists ended with their process; they are started again';
    logger.warn({ instances: again }, message);
  }
}
