import { hash } from 'node:crypto';
import type { EncodedState, KeptId } from './durable-store.ts';

/** How an event with an id has ended, as far as it is kept. */
export type Outcome = Pick<KeptId, 'outcome' | 'value'>;

/** What those get who wait for an event with an id: the answer itself, or what is kept of it. */
export type Settled = { readonly answer: unknown } | Outcome;

/** The names of an id: it is unique for an address and a caller. */
export type IdNames = Pick<KeptId, 'address' | 'caller' | 'id' | 'hash'>;

/** An id that is in use: its event waits, or is handled, or was asked and put off. */
export class IdInUse {
  readonly names: IdNames;
  /** Whether the answer of its event is waited for. */
  isAsk = false;
  /** The tag of what waits for the event in this process; 0: nothing does. */
  tag = 0;
  /** Whether somebody waits for how the event ends. */
  isAwaited = false;
  /** Resolves when the store has its row; undefined for an event without one. */
  kept: Promise<void> | undefined;
  /** Settles as the event does. */
  readonly settled: Promise<Settled>;
  settle: (settled: Settled) => void = () => {};
  fail: (error: unknown) => void = () => {};
  /** The id may come again: of its event nothing is kept that is not committed. */
  isFree = false;
  /** Its outcome is told, and is being committed. */
  isTold = false;
  /** Why nobody knows the answer but the store. */
  failure: { readonly error: unknown } | undefined;

  constructor(names: IdNames) {
    this.names = names;
    this.settled = new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
    });
    // Perhaps nobody waits any more.
    this.settled.catch(() => {});
  }
}

/** What tells one event from another: an id that comes again has to come with the same one. */
export function hashOf(event: EncodedState): string {
  return hash('sha256', event, 'base64url');
}
