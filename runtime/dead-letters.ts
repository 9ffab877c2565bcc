/** Why an envelope was not handled. */
export type DeadLetterReason =
  | 'mailbox-full'
  | 'unclonable'
  | 'too-large'
  | 'expired'
  | 'stopped'
  | 'poison'
  | 'crashed'
  | 'stale-incarnation'
  | 'unknown-address';

/** An envelope that was not handled. */
export interface DeadLetter {
  /** Unique within the runtime. */
  readonly id: string;
  /** `agent/id`. */
  readonly address: string;
  readonly reason: DeadLetterReason;
  /** The event, as it was sent. */
  readonly event: unknown;
  readonly incarnation: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Dead letters kept at most; the oldest go first. The number is Pekko-like, see DEFAULTS in the design. */
const KEPT = 1000;

/** Every envelope that was not handled ends here, with its reason; nothing is lost silently. */
export class DeadLetters {
  readonly #added: (letter: DeadLetter) => void;
  #letters: DeadLetter[] = [];
  #total = 0;

  constructor(added: (letter: DeadLetter) => void) {
    this.#added = added;
  }

  /** All that were ever added, also those no longer kept. */
  get total(): number {
    return this.#total;
  }

  add(letter: Omit<DeadLetter, 'id' | 'at'>): void {
    this.#total += 1;
    const kept: DeadLetter = { ...letter, id: String(this.#total), at: Date.now() };
    this.#letters.push(kept);
    if (this.#letters.length >= KEPT * 2) this.#letters = this.#letters.slice(-KEPT);
    this.#added(kept);
  }

  /** The last 1000, oldest first. */
  list(): DeadLetter[] {
    return this.#letters.slice(-KEPT);
  }
}
