import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Tag } from '../mailbox/tag.ts';
import { bytesIn, measure } from '../mailbox/size.ts';
import { hasMoved } from '../mailbox/transfer.ts';
import { isReserved, reservedAdvice } from '../base/reserved-types.ts';
import { TYPE_LENGTH } from '../base/type-length.ts';
import type { StopReason } from '../base/endings.ts';

/** The evidence against an envelope that was in hand when the instance, or its thread, ended. */
export interface Evidence {
  /** The cause of that end. */
  readonly cause: StopReason;
  /** `holdfast:<threadId>:<n>`, without `n` where the whole process ended. */
  readonly thread: string;
  /** The error that the instance or its thread failed with; `PROCESS_CRASHED` where the whole process ended. */
  readonly error: unknown;
}

/** An envelope that was not handled. */
export interface DeadLetter {
  /** The id, unique within the runtime; a letter keeps it when a replay fails. */
  readonly id: string;
  /** `agent/id`. */
  readonly address: string;
  readonly reason: DeadLetterReason;
  /**
   * The event as it was sent, by reference. An event that carries the value of a secret is shown as a copy without the
   * value, and replayed whole. In a truncated letter it is `{ type }`, or `undefined` if the type was not a string or
   * had more than 256 characters; an event whose memory `transfer` moved keeps the rest.
   */
  readonly event: unknown;
  readonly incarnation: number;
  /** Milliseconds since the epoch; for a letter whose replay failed, the time of that failure. */
  readonly at: number;
  /** The number of replays that failed. */
  readonly replays: number;
  /**
   * For an `unclonable` letter: the part of the event that cannot cross, with the keys that lead to it and without a
   * value. For an `invalid` letter: what does not fit, in the same way. For a letter that an agent sent with `activate`: why no instance could be started.
   */
  readonly why?: string;
  /** Only in a `poison` letter: why it is suspected. `replay` gives it another attempt. */
  readonly evidence?: Evidence;
  /** The instance at `address` sent it to its parent, which does not exist, or which may not be sent that event. */
  readonly toParent?: true;
  /**
   * The number of events that this letter stands for, when they were lost with the thread of the agent that sent or
   * emitted them, or were emitted on another node faster than this one took them. They were counted, and cannot be shown.
   */
  readonly lost?: number;
  /** Only with `lost`: the instance at `address` had emitted the events, or sent them to its parent. */
  readonly toHost?: true;
  /** The store keeps it, for 7 days: its event was in the store, or was promised to be. Its replay puts it back there. */
  readonly stored?: true;
  /**
   * The body of the event is not kept: it was too large, could not be read, had to make room for later ones, or has
   * moved to the thread (`transfer`).
   */
  readonly truncated?: true;
}

/** A dead letter as it is reported; `inPart`: only the type of the event is known. */
export type NewDeadLetter = Omit<DeadLetter, 'id' | 'at' | 'replays' | 'truncated' | 'stored'> & {
  readonly inPart?: boolean;
  /** The id under which the store keeps it. */
  readonly kept?: string | undefined;
};

/** The most dead letters that are kept; the oldest go first. The number is Pekko-like, see DEFAULTS in the design. */
const KEPT = 1000;
/** Milliseconds for which a dead letter is kept: 1 h, see DEFAULTS in the design. */
const KEPT_MS = 60 * 60 * 1000;
/** The most bytes of all kept events together, as `measure` estimates them: sixteen events of the largest size. */
const KEPT_BYTES = 16 * 1024 * 1024;
/** The most replays of one letter, see DEFAULTS in the design. */
const MAX_REPLAYS = 3;

interface Entry {
  letter: DeadLetter;
  /** The estimate for the body; 0 when it is not kept. */
  bytes: number;
  /** Read when the letter is added, so that no foreign code runs when the body goes. */
  readonly type: string | undefined;
}

/** Called with each letter as it is kept, and with the type of its event if that is a string of at most 256 characters. */
export type Added = (letter: DeadLetter, type: string | undefined) => void;

/** Sends a letter's event again and settles when it was handled or refused; `begun` gets the tag of the envelope. */
export type Redeliver = (letter: DeadLetter, begun: (tag: Tag) => void) => Promise<unknown>;

/**
 * The letters of all envelopes that were not handled, each with its reason; nothing is lost silently. The last 1000 are
 * kept for 1 h, and the last 16 MiB of their events; a letter that is too old goes when one is added or the list is read.
 */
export class DeadLetters {
  readonly #added: Added;
  readonly #now: () => number;
  /** The letters by place, oldest first: from `#oldest` to `#last`, except those whose replay was handled. */
  readonly #entries = new Map<number, Entry>();
  /** The places of letters whose replay failed, by id; for all others the id is the place. */
  readonly #moved = new Map<string, number>();
  /** The letters that are being replayed, by id and by the tag of their envelope. */
  readonly #replays = new Map<string, DeadLetter>();
  readonly #replaysByTag = new Map<Tag, DeadLetter>();
  /** Those that the store keeps, by id; the oldest go from memory alone. */
  readonly #stored = new Map<string, { letter: DeadLetter; readonly bytes: number }>();
  #storedBytes = 0;
  /** How many letters there are of suspects, by address. */
  readonly #suspects = new Map<string, number>();
  #total = 0;
  #last = 0;
  #oldest = 1;
  /** The first place that may have a body; the letters before it have none. */
  #oldestBody = 1;
  #bytes = 0;

  /** `now` is in milliseconds since the epoch. */
  constructor(added: Added, now: () => number = Date.now) {
    this.#added = added;
    this.#now = now;
  }

  /** The number of all letters so far, also those no longer kept. */
  get total(): number {
    return this.#total;
  }

  /**
   * Keeps the letter; its event only if it is not `too-large`, can be measured, and fits into 16 MiB. With the `tag`
   * of a replay, the letter takes over the id of the one that was replayed.
   */
  add({ inPart = false, kept, ...letter }: NewDeadLetter, tag: Tag = 0): void {
    // Read first, because getters of the event may run and add letters themselves.
    const type = typeOf(letter.event);
    const none = inPart || letter.reason === 'too-large' || letter.lost !== undefined;
    const bytes = none ? undefined : bytesOf(letter.event);
    const at = this.#now();
    const before = tag === 0 ? undefined : this.#replaysByTag.get(tag);
    const place = ++this.#last;
    let [id, replays] = [String(place), 0];
    if (before === undefined) {
      this.#total += 1;
    } else {
      ({ id } = before);
      replays = before.replays + 1;
      this.#remove(id);
      this.#moved.set(id, place);
      // From here on the letter may be replayed again, by a listener too.
      this.#replays.delete(id);
    }
    if (kept !== undefined && before === undefined) {
      const known: DeadLetter = { ...letter, id: kept, at, replays, stored: true };
      this.restored(bytes === undefined ? truncate(known, type) : known, bytes);
      return this.#added(known, type);
    }
    const whole: DeadLetter = { ...letter, id, at, replays };
    const shown =
      bytes === undefined ? truncate(whole, type) : hasMoved(letter.event) ? leftOf(whole) : whole;
    this.#entries.set(place, { letter: shown, bytes: bytes ?? 0, type });
    this.#count(shown, 1);
    this.#bytes += bytes ?? 0;
    this.#dropLetters(at);
    this.#dropBodies();
    this.#added(shown, type);
  }

  /** Replaces each letter for good by what `shown` returns for it. */
  replaceAll(shown: (letter: DeadLetter) => DeadLetter): void {
    for (const entry of [...this.#entries.values(), ...this.#stored.values()])
      entry.letter = shown(entry.letter);
  }

  /**
   * Returns the last 1000 letters of the last hour, and those that the store keeps, oldest first, with their events as
   * they were sent.
   */
  list(): DeadLetter[] {
    this.#dropLetters(this.#now());
    const plain = Array.from(this.#entries.values(), ({ letter }) => letter);
    if (this.#stored.size === 0) return plain;
    const stored = Array.from(this.#stored.values(), ({ letter }) => letter);
    return [...stored, ...plain].toSorted((a, b) => a.at - b.at);
  }

  /** Takes a letter that the store keeps; the last 1000 of them are listed, and the last 16 MiB of their events. */
  restored(letter: DeadLetter, bytes = bytesOf(letter.event) ?? 0): void {
    this.removeStored(letter.id);
    this.#stored.set(letter.id, { letter, bytes });
    this.#count(letter, 1);
    this.#storedBytes += bytes;
    for (const [id] of this.#stored) {
      if (this.#stored.size <= KEPT && this.#storedBytes <= KEPT_BYTES) return;
      this.removeStored(id);
    }
  }

  /** The letter that the store keeps under that id. */
  stored(id: string): DeadLetter | undefined {
    return this.#stored.get(id)?.letter;
  }

  /** The store keeps the letter no more. */
  removeStored(id: string): void {
    const known = this.#stored.get(id);
    if (known === undefined) return;
    this.#storedBytes -= known.bytes;
    this.#stored.delete(id);
    this.#count(known.letter, -1);
  }

  /**
   * Returns the last letter of an event that an incarnation had in hand when it ended. Of most there is none: a thread dies
   * with thousands, and one of them had something in hand.
   */
  suspectOf(address: string, incarnation: number): DeadLetter | undefined {
    if (!this.#suspects.has(address)) return undefined;
    return this.list().findLast(
      (letter) => letter.address === address && letter.incarnation === incarnation && isSuspect(letter),
    );
  }

  #count(letter: DeadLetter, by: 1 | -1): void {
    if (!isSuspect(letter)) return;
    const { address } = letter;
    const count = (this.#suspects.get(address) ?? 0) + by;
    if (count > 0) this.#suspects.set(address, count);
    else this.#suspects.delete(address);
  }

  /**
   * Replays a letter: `redeliver` sends its event again. When the event is handled, the letter goes; when it is refused,
   * the letter stays, with its id and one replay more; when it is not sent at all, the letter stays as it is. Rejects
   * with `REPLAY_REFUSED` for a letter that is not kept, is being replayed, or cannot be replayed.
   */
  async replay(id: string, redeliver: Redeliver): Promise<void> {
    const letter = this.#replayable(id);
    this.#replays.set(id, letter);
    let sent: Tag = 0;
    try {
      await redeliver(letter, (tag) => {
        sent = tag;
        this.#replaysByTag.set(tag, letter);
      });
      this.#remove(id);
    } finally {
      this.#replaysByTag.delete(sent);
      if (this.#replays.get(id) === letter) this.#replays.delete(id);
    }
  }

  #replayable(id: string): DeadLetter {
    this.#dropLetters(this.#now());
    const letter = this.#entries.get(this.#placeOf(id))?.letter;
    if (letter?.id !== id)
      throw refused(id, 'it is not kept, or was replayed; deadLetters.list() has those that are kept');
    if (this.#replays.has(id)) throw refused(id, 'it is being replayed; await that first');
    if (letter.truncated) throw refused(id, 'its event is not kept; send the event itself again');
    if (letter.toParent)
      throw refused(id, 'it was sent to a parent, and there is none; run the agent in a machine');
    // A thread says what its letters hold, and a replay would be the host's word for it.
    const type = textTypeOf(letter.event);
    if (type !== undefined && isReserved(type)) throw refused(id, reservedAdvice(type));
    if (letter.replays >= MAX_REPLAYS) {
      throw refused(
        id,
        `it failed after ${MAX_REPLAYS} replays; find out why, and send the event itself again`,
      );
    }
    return letter;
  }

  #placeOf(id: string): number {
    return this.#moved.get(id) ?? Number(id);
  }

  #remove(id: string): void {
    const place = this.#placeOf(id);
    const entry = this.#entries.get(place);
    if (entry?.letter.id === id) this.#drop(place, entry);
  }

  #drop(place: number, { letter, bytes }: Entry): void {
    this.#entries.delete(place);
    this.#count(letter, -1);
    this.#moved.delete(letter.id);
    this.#bytes -= bytes;
  }

  #dropLetters(now: number): void {
    for (; this.#oldest <= this.#last; this.#oldest += 1) {
      const entry = this.#entries.get(this.#oldest);
      if (entry === undefined) continue;
      if (this.#entries.size <= KEPT && now - entry.letter.at <= KEPT_MS) return;
      this.#drop(this.#oldest, entry);
    }
  }

  #dropBodies(): void {
    this.#oldestBody = Math.max(this.#oldestBody, this.#oldest);
    for (; this.#bytes > KEPT_BYTES; this.#oldestBody += 1) {
      const entry = this.#entries.get(this.#oldestBody);
      if (entry === undefined) continue;
      this.#bytes -= entry.bytes;
      entry.bytes = 0;
      entry.letter = truncate(entry.letter, entry.type);
    }
  }
}

function isSuspect({ reason, lost }: DeadLetter): boolean {
  return lost === undefined && (reason === 'poison' || reason === 'crashed');
}

function refused(id: string, why: string): HoldfastError {
  return new HoldfastError('REPLAY_REFUSED', `dead letter ${id} cannot be replayed: ${why}`);
}

/** Returns a new letter without the body, because a listener may hold the old one. */
function truncate(letter: DeadLetter, type: string | undefined): DeadLetter {
  return { ...letter, event: type === undefined ? undefined : { type }, truncated: true };
}

/** Returns a letter with what is left of an event whose memory has moved, and which cannot be sent again. */
function leftOf(letter: DeadLetter): DeadLetter {
  return { ...letter, truncated: true };
}

/** Returns the size of an event; `undefined` if it does not fit, or throws when it is read. */
function bytesOf(event: unknown): number | undefined {
  try {
    return bytesIn(measure(event, KEPT_BYTES));
  } catch {
    return undefined;
  }
}

/** The type of an event, if it is a string of a sane length and can be read. */
export function typeOf(event: unknown): string | undefined {
  const type = textTypeOf(event);
  return type !== undefined && type.length <= TYPE_LENGTH ? type : undefined;
}

function textTypeOf(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null) return undefined;
  try {
    const { type } = event as { readonly type?: unknown };
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}
