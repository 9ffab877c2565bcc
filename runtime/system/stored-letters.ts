import type { Clock } from '../base/clock.ts';
import { isDeadLetterReason } from '../base/dead-letter-reason.ts';
import { within } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { DeadLetter, DeadLetters, Evidence } from '../dead-letters/dead-letters.ts';
import { refusal } from '../dead-letters/refusal.ts';
import type { Instance } from '../instance/instance.ts';
import type { DurableStore, KeptLetter, LetterPlace } from '../store/durable-store.ts';
import type { Ledgers } from '../store/ledgers.ts';
import { decodeEvent, encodeEvent } from '../wire/encoded-state.ts';
import { isUnbegun, UnbegunStarts, type UnbegunStartsOptions } from './unbegun-starts.ts';

/** Milliseconds for which the store keeps a letter: 7 days. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
/** Milliseconds between two times that old letters and ids are dropped. */
const TIDY_MS = 60 * 60 * 1000;
/** The letters that are read at a time. */
const PAGE = 1000;
/** Deadline of a replay in milliseconds, as for `deliver`. */
const REPLAY_MS = 30_000;

export interface StoredLettersOptions extends Pick<UnbegunStartsOptions, 'owns' | 'perSecond' | 'poolOf'> {
  readonly store: Pick<DurableStore, 'letters' | 'load' | 'tidy'>;
  readonly ledgers: UnbegunStartsOptions['ledgers'] & Pick<Ledgers, 'replay'>;
  readonly letters: DeadLetters;
  readonly clock: Clock;
  readonly instanceAt: (address: string) => Instance | undefined;
  readonly warn: (fields: object, message: string) => void;
}

/** The dead letters of events that were in the store, which outlive the process as the events did. */
export class StoredLetters {
  readonly #options: StoredLettersOptions;
  #timer: unknown;
  /** Whether there are letters of events whose recipients were to be started when the process before ended. */
  #isUnbegun = false;
  readonly #starts: UnbegunStarts;

  constructor(options: StoredLettersOptions) {
    this.#options = options;
    this.#starts = new UnbegunStarts(options);
  }

  /** Reads what the process before has left, and drops what is too old from now on. */
  async start(): Promise<void> {
    await this.#tidy();
    try {
      await this.#read();
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'STORE_CORRUPT') throw error;
      this.#options.warn(
        { error },
        'dead letters of before cannot be read from the store, and are not listed',
      );
    }
  }

  async #read(): Promise<void> {
    const { store, letters } = this.#options;
    let after: LetterPlace | undefined;
    for (let isLast = false; !isLast;) {
      const page = await store.letters(after, PAGE);
      for (const kept of page) {
        letters.restored(letterOf(kept));
        this.#isUnbegun ||= isUnbegun(kept);
      }
      isLast = page.length < PAGE;
      after = page.at(-1);
    }
  }

  /** Whether whoever was to be started when the process before ended has been. */
  get isThrough(): boolean {
    return this.#starts.isThrough;
  }

  /** Starts those to whom agents had sent something that was to start them, when the process before ended. */
  async begin(): Promise<void> {
    if (!this.#isUnbegun) return;
    this.#isUnbegun = false;
    await this.#starts.start();
  }

  stop(): void {
    this.#starts.stop();
    this.#options.clock.clearTimeout(this.#timer);
  }

  /** Puts the event of a letter back into its mailbox; resolves when that is committed. */
  async replay(letter: DeadLetter): Promise<void> {
    const { id, address, event, truncated } = letter;
    const { store, ledgers, letters, clock, instanceAt } = this.#options;
    if (truncated === true)
      throw new HoldfastError(
        'REPLAY_REFUSED',
        `dead letter ${id} cannot be replayed: its event is not kept`,
      );
    const instance = instanceAt(address);
    if (instance?.quarantine !== undefined) throw instance.quarantine;
    const isThere = instance === undefined ? await store.load(address) : instance.continuation.durable;
    if (isThere === undefined || isThere === false) throw refusal(address, 'stopped');
    const late = (): Error =>
      new HoldfastError(
        'STORE_FAILED',
        `nobody knows whether dead letter ${id} was replayed within ${REPLAY_MS} ms; see status().store`,
      );
    const encoded = encodeEvent(event);
    // It is replayed once, whoever asks meanwhile.
    letters.removeStored(id);
    const became = (another: string): void =>
      letters.restored({ ...letter, id: another, reason: 'unknown-address', at: clock.date() });
    const replayed = ledgers.replay(id, address, encoded, became).catch((error: HoldfastError) => {
      if (error.code !== 'AGENT_STOPPED' && error.code !== 'REPLAY_REFUSED') letters.restored(letter);
      throw error;
    });
    await within(clock, REPLAY_MS, replayed, late);
  }

  async #tidy(): Promise<void> {
    const { store, clock, warn } = this.#options;
    try {
      await store.tidy(clock.date(), clock.date() - KEPT_MS);
    } catch (error) {
      warn({ error }, 'what is too old could not be dropped from the store, which is tried again in an hour');
    }
    this.#timer = clock.setTimeout(() => void this.#tidy(), TIDY_MS);
    clock.unref?.(this.#timer);
  }
}

function letterOf({ id, address, reason, event, meta, at }: KeptLetter): DeadLetter {
  const { evidence } = JSON.parse(meta) as { readonly evidence?: Evidence };
  const known = { id, address, at, replays: 0, incarnation: 0, stored: true } as const;
  const why = isDeadLetterReason(reason) ? reason : 'crashed';
  try {
    return { ...known, reason: why, event: decodeEvent(event), ...(evidence && { evidence }) };
  } catch {
    return { ...known, reason: why, event: undefined, truncated: true };
  }
}
