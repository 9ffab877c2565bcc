import type { Acks } from './acks.ts';

/**
 * Milliseconds after which an ack leaves that nobody waits for and that no batch took along: seldom enough that its
 * message costs nothing beside the events.
 */
const LATE_MS = 50;

export interface AckPaceOptions {
  readonly acks: Acks;
  /** Sends what there is to acknowledge, with what {@link AckPace.take} returns. */
  readonly tell: () => void;
  /** Runs something after so many milliseconds. */
  readonly later: (run: () => void, ms: number) => void;
}

/**
 * The pace of the acks to a sender that counts its batches instead of hearing of each. An ack that somebody waits for
 * leaves after what the turns have sent; any other goes with the next batch to the same thread, or after a while. So a
 * conversation needs no messages but its own.
 */
export class AckPace {
  readonly #options: AckPaceOptions;
  /** Batches that came and are not completed. */
  #open = 0;
  /** Batches that are completed and not acknowledged. */
  #completed = 0;
  #isPulled = false;
  #isSoon = false;
  #isLate = false;

  constructor(options: AckPaceOptions) {
    this.#options = options;
  }

  /** Whether there is anything to acknowledge. */
  get pending(): boolean {
    return this.#completed > 0 || this.#options.acks.pending;
  }

  /** Whether no batch is under way: what is to be acknowledged leaves at its time. */
  get isIdle(): boolean {
    return this.#open === 0;
  }

  /** A batch has come. */
  began(): void {
    this.#open += 1;
  }

  /** All of a batch was handled. */
  completed(urgent: boolean): void {
    this.#open -= 1;
    this.#completed += 1;
    if (urgent || this.#isPulled || !this.#options.acks.isPlain) this.#soon();
    else this.#late();
  }

  /** The sender wants to know what was handled: now, and when the batches that are under way are completed. */
  pull(): void {
    this.#isPulled = this.#open > 0;
    this.#soon();
  }

  /** The number of batches completed since the last call. */
  take(): number {
    const completed = this.#completed;
    this.#completed = 0;
    if (this.#open === 0) this.#isPulled = false;
    return completed;
  }

  /** After what the turns have sent has left, and perhaps taken it along. */
  #soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    queueMicrotask(() => {
      this.#isSoon = false;
      if (this.pending) this.#options.tell();
    });
  }

  #late(): void {
    if (this.#isLate) return;
    this.#isLate = true;
    this.#options.later(() => {
      this.#isLate = false;
      if (this.pending) this.#options.tell();
    }, LATE_MS);
  }
}
