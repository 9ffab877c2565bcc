import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { HttpError } from './http-error.ts';

/** An answer as it is kept. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
}

/** One that is handed to the next process, with the milliseconds it is still good for. */
export type HandedAnswer = readonly [key: string, fingerprint: string, leftMs: number, answer: KeptAnswer];

/** Long enough for any client that tries again. */
const KEPT_MS = 10 * 60_000;
/** Answers that are kept at most; the oldest go first. */
const MOST = 10_000;

interface Entry {
  readonly fingerprint: string;
  readonly until: number;
  readonly answer: Promise<KeptAnswer>;
  settled: KeptAnswer | undefined;
}

/** Answers a request that comes again with the same `Idempotency-Key` with what the first got, and does nothing else. */
export class Idempotency {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /**
   * Runs the request, unless one with that key was there. `request` is all that makes it what it is.
   *
   * @throws {HttpError} 422 when the key came with another request
   */
  async once(
    key: string,
    request: string,
    run: () => Promise<KeptAnswer>,
  ): Promise<KeptAnswer & { readonly isReplay: boolean }> {
    const fingerprint = createHash('sha256').update(request).digest('base64url');
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > this.#clock.now()) {
      if (known.fingerprint !== fingerprint) {
        const message = 'this Idempotency-Key came with another request; take a new key for each';
        throw new HttpError(422, 'IDEMPOTENCY_KEY_REUSED', message);
      }
      return { ...(await known.answer), isReplay: true };
    }
    const answer = run();
    const entry: Entry = { fingerprint, until: this.#clock.now() + KEPT_MS, answer, settled: undefined };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#forgetOld();
    try {
      const settled = await answer;
      // What may go better the next time is tried again.
      if (settled.status >= 500 || settled.status === 429) this.#entries.delete(key);
      else entry.settled = settled;
      return { ...settled, isReplay: false };
    } catch (error) {
      this.#entries.delete(key);
      throw error;
    }
  }

  /** All that is kept, for another process. */
  handOver(): HandedAnswer[] {
    const now = this.#clock.now();
    return Array.from(this.#entries).flatMap(([key, { fingerprint, until, settled }]) =>
      settled === undefined || until <= now ? [] : [[key, fingerprint, until - now, settled] as const],
    );
  }

  take(handed: readonly HandedAnswer[]): void {
    for (const [key, fingerprint, leftMs, settled] of handed) {
      const until = this.#clock.now() + leftMs;
      this.#entries.set(key, { fingerprint, until, answer: Promise.resolve(settled), settled });
    }
  }

  #forgetOld(): void {
    for (const [key, { until }] of this.#entries) {
      if (this.#entries.size <= MOST && until > this.#clock.now()) return;
      this.#entries.delete(key);
    }
  }
}
