import type { ResolvedPool } from '../config/resolve.ts';
import { isHeaders, type TraceHeaders } from '../mailbox/trace.ts';
import type { Caller } from '../secrets/secret-use.ts';
import type { SecretUseName } from '../wire/protocol.ts';
import { withoutShared } from '../wire/shared-memory.ts';
import type { Seats } from './seats.ts';
import { nobodyWaits } from './thread-errors.ts';

/** Uses a secret on behalf of an instance. */
export type UseSecret = (
  caller: Caller,
  use: SecretUseName,
  input: unknown,
  signal: AbortSignal,
  /** The trace that the use is a part of. */
  headers: TraceHeaders | undefined,
) => Promise<unknown>;

export interface SecretUsesOptions {
  readonly pool: Pick<ResolvedPool, 'threadId' | 'sharedMemory'>;
  readonly seats: Pick<Seats, 'at'>;
  readonly useSecret: UseSecret;
}

/** A thread's request to use a secret; every field is the thread's own word. */
export interface SecretRequest {
  readonly slot: number;
  readonly incarnation: number;
  readonly use: SecretUseName;
  readonly input: unknown;
  /** The number of the use in its thread. */
  readonly n: number;
  readonly trace: unknown;
}

/** The uses of secrets that the instances of one thread wait for. */
export class SecretUses {
  readonly #options: SecretUsesOptions;
  /** The uses by their number in the thread. */
  readonly #waiting = new Map<number, AbortController>();

  constructor(options: SecretUsesOptions) {
    this.#options = options;
  }

  async use({ slot, incarnation, use, input, n, trace }: SecretRequest): Promise<unknown> {
    const { pool, seats, useSecret } = this.#options;
    const seat = seats.at(slot);
    const here = seat !== undefined && seat.instance.holds(seat) ? seat.instance : undefined;
    // An instance that is not on this thread, or no longer, has no grants.
    const caller = { address: here?.address ?? '', incarnation, pool: pool.threadId };
    withoutShared(input, pool, 'MESSAGE_UNCLONABLE', `what ${caller.address} gave to be used with a secret`);
    const ending = new AbortController();
    this.#waiting.set(n, ending);
    try {
      const headers = isHeaders(trace) ? trace : undefined;
      const result = await useSecret(caller, use, input, ending.signal, headers);
      return withoutShared(result, pool, 'REPLY_UNCLONABLE', `what ${caller.address} is given`);
    } finally {
      this.#waiting.delete(n);
    }
  }

  /** Aborts a use that nobody in the thread waits for any more. */
  giveUp(n: number): void {
    this.#waiting.get(n)?.abort(nobodyWaits());
  }
}
