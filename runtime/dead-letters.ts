import { measure } from './mailbox/size.ts';

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
  /**
   * The event, as it was sent, by reference. Of a truncated letter it is `{ type }`, or undefined if the event had
   * no string as its type, or one of more than 256 characters.
   */
  readonly event: unknown;
  readonly incarnation: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The body of the event is not kept: it was too large, could not be read, or made room for later ones. */
  readonly truncated?: true;
}

/** What whoever refuses an envelope tells of it. */
export type NewDeadLetter = Omit<DeadLetter, 'id' | 'at' | 'truncated'>;

/** Dead letters kept at most; the oldest go first. The number is Pekko-like, see DEFAULTS in the design. */
const KEPT = 1000;
/** Milliseconds a dead letter is kept at most: 1 h, see DEFAULTS in the design. */
const KEPT_MS = 60 * 60 * 1000;
/** Bytes of all kept events together, as `measure` estimates them: sixteen events of the largest size. */
const KEPT_BYTES = 16 * 1024 * 1024;
/** Characters of a type that outlives its event; a longer one is data. */
const TYPE_LENGTH = 256;

interface Entry {
  letter: DeadLetter;
  /** The estimate for the body; 0 when it is not kept. */
  bytes: number;
  /** Read when the letter is added, so that no foreign code runs when the body goes. */
  readonly type: string | undefined;
}

/**
 * Every envelope that was not handled ends here, with its reason; nothing is lost silently. Kept are the last 1000
 * for 1 h, and of their events the last 16 MiB; what is too old goes when a letter is added or the list is read.
 */
export class DeadLetters {
  readonly #added: (letter: DeadLetter) => void;
  readonly #now: () => number;
  /** By number, which is the id: without gaps from `#oldest` to `#total`. */
  readonly #entries = new Map<number, Entry>();
  #total = 0;
  #oldest = 1;
  /** All before it are without a body. */
  #oldestBody = 1;
  #bytes = 0;

  /** `added` hears of each letter, as it is kept then; `now` is in milliseconds since the epoch. */
  constructor(added: (letter: DeadLetter) => void, now: () => number = Date.now) {
    this.#added = added;
    this.#now = now;
  }

  /** All that were ever added, also those no longer kept. */
  get total(): number {
    return this.#total;
  }

  /** Keeps the letter; its event only if it is not `too-large`, can be measured, and fits into 16 MiB. */
  add(letter: NewDeadLetter): void {
    // First of all, because getters of the event may run and add letters themselves.
    const type = typeOf(letter.event);
    const bytes = letter.reason === 'too-large' ? undefined : bytesOf(letter.event);
    const at = this.#now();
    this.#total += 1;
    const whole: DeadLetter = { ...letter, id: String(this.#total), at };
    const kept = bytes === undefined ? truncate(whole, type) : whole;
    this.#entries.set(this.#total, { letter: kept, bytes: bytes ?? 0, type });
    this.#bytes += bytes ?? 0;
    this.#dropLetters(at);
    this.#dropBodies();
    this.#added(kept);
  }

  /** The last 1000 of the last hour, oldest first. */
  list(): DeadLetter[] {
    this.#dropLetters(this.#now());
    return Array.from(this.#entries.values(), ({ letter }) => letter);
  }

  #dropLetters(now: number): void {
    for (let entry; (entry = this.#entries.get(this.#oldest)) !== undefined; this.#oldest += 1) {
      if (this.#entries.size <= KEPT && now - entry.letter.at <= KEPT_MS) return;
      this.#entries.delete(this.#oldest);
      this.#bytes -= entry.bytes;
    }
  }

  #dropBodies(): void {
    this.#oldestBody = Math.max(this.#oldestBody, this.#oldest);
    for (; this.#bytes > KEPT_BYTES; this.#oldestBody += 1) {
      const entry = this.#entries.get(this.#oldestBody);
      if (entry === undefined) return;
      this.#bytes -= entry.bytes;
      entry.bytes = 0;
      entry.letter = truncate(entry.letter, entry.type);
    }
  }
}

/** A new letter: the other one may be in the hands of a listener. */
function truncate(letter: DeadLetter, type: string | undefined): DeadLetter {
  return { ...letter, event: type === undefined ? undefined : { type }, truncated: true };
}

/** Undefined if the event does not fit, or throws when it is read. */
function bytesOf(event: unknown): number | undefined {
  try {
    const size = measure(event, KEPT_BYTES);
    return size === 'too-large' ? undefined : size;
  } catch {
    return undefined;
  }
}

/** The type of an event, if it is a string of a sane length and can be read. */
function typeOf(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null) return undefined;
  try {
    const { type } = event as { readonly type?: unknown };
    return typeof type === 'string' && type.length <= TYPE_LENGTH ? type : undefined;
  } catch {
    return undefined;
  }
}
