import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { IN_PARTS, LARGEST_WHOLE, ROOM, UNASKED } from '../wire/request-bodies.ts';
import { isPlain } from '../wire/shapes.ts';

/** Milliseconds to wait for room: for as long as a service may be silent by default. */
export const ROOM_MS = 300_000;
/** The most requests that wait for it: as many as one instance may have under way. */
const MOST_WAITING = 4096;

interface Waiting {
  readonly bytes: number;
  readonly granted: () => void;
  readonly refused: (reason: unknown) => void;
  readonly timer: unknown;
}

/**
 * The room for the bodies of the requests that one thread has under way, by the numbers of their uses. A thread asks for it
 * before it sends a body, which so waits with its agent, and in the order of asking.
 */
export class BodyRoom {
  readonly #clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
  readonly #held = new Map<number, number>();
  readonly #waiting = new Map<number, Waiting>();
  #left = ROOM;

  constructor(clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>) {
    this.#clock = clock;
  }

  /** Resolves when there is room for so many bytes; `undefined`: no thread asks for that. */
  ask(n: number, bytes: number): Promise<void> | undefined {
    if (bytes <= UNASKED || bytes > LARGEST_WHOLE || this.#waiting.size >= MOST_WAITING) return undefined;
    if (this.#held.has(n) || this.#waiting.has(n)) return undefined;
    if (this.#waiting.size === 0 && bytes <= this.#left) {
      this.#take(n, bytes);
      return Promise.resolve();
    }
    return new Promise((granted, refused) => {
      const timer = this.#clock.setTimeout(() => this.#refuse(n, noRoom()), ROOM_MS);
      this.#waiting.set(n, { bytes, granted, refused, timer });
    });
  }

  /** Whether the body of a request, as its thread has sent it, has the room that it takes. */
  hasFor(n: number, input: unknown): boolean {
    const { body, uploads } = isPlain(input) ? input : {};
    const whole = body instanceof Uint8Array ? body.byteLength : 0;
    const bytes = uploads === true ? Math.max(whole, IN_PARTS) : whole;
    return bytes <= UNASKED || bytes <= (this.#held.get(n) ?? 0);
  }

  /** The request is over, or nobody waits for it any more. */
  over(n: number): void {
    const held = this.#held.get(n);
    if (held === undefined && !this.#waiting.has(n)) return;
    this.#left += held ?? 0;
    this.#held.delete(n);
    if (held === undefined) this.#refuse(n, noRoom());
    for (const [next, { bytes, granted, timer }] of this.#waiting) {
      if (bytes > this.#left) break;
      this.#waiting.delete(next);
      this.#clock.clearTimeout(timer);
      this.#take(next, bytes);
      granted();
    }
  }

  /** The thread is gone. */
  close(reason: unknown): void {
    for (const n of this.#waiting.keys()) this.#refuse(n, reason);
  }

  #take(n: number, bytes: number): void {
    this.#held.set(n, bytes);
    this.#left -= bytes;
  }

  #refuse(n: number, reason: unknown): void {
    const waiting = this.#waiting.get(n);
    if (waiting === undefined) return;
    this.#waiting.delete(n);
    this.#clock.clearTimeout(waiting.timer);
    waiting.refused(reason);
  }
}

function noRoom(): HoldfastError {
  return new HoldfastError(
    'FETCH_FAILED',
    `The request was not sent: other requests of its thread had ${ROOM / 1024 / 1024} MiB of bodies under way for ` +
      `${ROOM_MS / 1000} s. Try again, or end those that nobody reads.`,
  );
}
