import { agentOf } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { DeadLetters, Evidence } from '../dead-letters/dead-letters.ts';
import { shownEvidence } from '../dead-letters/shown-evidence.ts';
import { ALONE_MS, type CarefulStart, MOST_STARTS } from '../store/careful-start.ts';
import type { DurableStore, KeptLetter, LetterPlace, MailboxRow } from '../store/durable-store.ts';
import type { Ledgers } from '../store/ledgers.ts';
import type { SentEvent } from '../store/sent-event.ts';
import { decodeEvent } from '../wire/encoded-state.ts';

/** The letters that are read at a time. */
const PAGE = 1000;
/** The letters whose recipients are started together, at least; and the most recipients in a careful start. */
const STARTED = 64;
const LEFT =
  'events that were to start their recipients when the process before ended are dead letters until the next start: wait for that, or spawn those and replay the letters';

/** A letter of an event whose recipient was to be started. */
interface Unbegun {
  readonly kept: KeptLetter;
  readonly sent: SentEvent;
  /** The starts of its recipient with which the process has ended, as far as they were written down. */
  readonly starts: number;
}

/** The letters of one recipient, in the order in which they were sent. */
type OfRecipient = readonly [Unbegun, ...Unbegun[]];

export interface UnbegunStartsOptions {
  readonly store: Pick<DurableStore, 'letters'>;
  readonly ledgers: Pick<Ledgers, 'careful' | 'wasSentBefore' | 'keepLetters' | 'sentBefore'>;
  readonly letters: Pick<DeadLetters, 'add' | 'removeStored'>;
  readonly clock: Clock;
  /** The most instances that are started in a second. */
  readonly perSecond: number;
  /** The pool of the agent of that name. */
  readonly poolOf: (agent: string) => string | undefined;
  /** Whether instances of an address run in this process. */
  readonly owns: (address: string) => boolean;
  readonly warn: (fields: object, message: string) => void;
}

/**
 * Starts those to whom agents had sent something that was to start them, when the process before ended. There is no record
 * that could say that such a start is about to happen: in a careful start the first letter of the recipient says it. One
 * with which the process has ended three times is not started any more, and its letters say why.
 */
export class UnbegunStarts {
  readonly #options: UnbegunStartsOptions;
  /** The recipients that are not started any more. */
  readonly #given = new Map<string, HoldfastError>();
  #state: 'idle' | 'starting' | 'stopped' = 'idle';

  constructor(options: UnbegunStartsOptions) {
    this.#options = options;
  }

  /** Whether nobody is still to be started. */
  get isThrough(): boolean {
    return this.#state !== 'starting';
  }

  async start(): Promise<void> {
    const { clock, perSecond, warn } = this.#options;
    if (this.#state !== 'idle') return;
    this.#state = 'starting';
    try {
      for await (const all of this.#unbegun()) {
        await this.#startAll(byRecipient(all));
        const ms = Math.ceil((all.length * 1000) / perSecond);
        await new Promise<void>((resolve) => clock.unref?.(clock.setTimeout(resolve, ms)));
        if (this.#isStopped) return;
      }
    } catch (error) {
      warn({ error }, LEFT);
    }
    if (!this.#isStopped) this.#state = 'idle';
  }

  stop(): void {
    this.#state = 'stopped';
  }

  get #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** All such letters, in the order in which they were sent. */
  async *#unbegun(): AsyncGenerator<readonly Unbegun[]> {
    const { ledgers, owns, store } = this.#options;
    let found: Unbegun[] = [];
    let after: LetterPlace | undefined;
    for (let isLast = false; !isLast;) {
      const page = await store.letters(after, PAGE);
      isLast = page.length < PAGE;
      for (const kept of page) {
        // Those of one time are of one transaction, and their numbers say in which order they were sent.
        if (found.length >= STARTED && kept.at !== after?.at) {
          yield found;
          found = [];
        }
        const unbegun = unbegunIn(kept);
        if (unbegun !== undefined) {
          const { n, to } = unbegun.sent.row;
          if (ledgers.wasSentBefore(n, owns(to))) found.push(unbegun);
        }
        after = kept;
      }
    }
    yield found;
  }

  async #startAll(recipients: readonly OfRecipient[]): Promise<void> {
    const left = recipients.filter((one) => !this.#givesUp(one));
    const { careful } = this.#options.ledgers;
    if (careful === undefined) for (const one of left) void this.#start(one);
    else await this.#startCarefully(left, careful);
  }

  /** Those that are under suspicion start one after the other, each alone; the others together. */
  async #startCarefully(
    recipients: readonly OfRecipient[],
    careful: Pick<CarefulStart, 'alone'>,
  ): Promise<void> {
    const suspects = recipients.filter((one) => startsOf(one) > 0);
    const others = recipients.filter((one) => startsOf(one) === 0);
    for (let i = 0; i < others.length && !this.#isStopped; i += STARTED)
      await this.#startNoted(others.slice(i, i + STARTED));
    for (const suspect of suspects) {
      if (this.#isStopped) return;
      const over = await careful.alone();
      await this.#startNoted([suspect]);
      over();
    }
  }

  /** Writes down that they are about to start, and waits until they have, or do not. */
  async #startNoted(recipients: readonly OfRecipient[]): Promise<void> {
    const { clock, ledgers } = this.#options;
    await ledgers.keepLetters(recipients.map((one) => withStarts(one[0].kept, startsOf(one) + 1)));
    if (this.#isStopped) return;
    let timer: unknown;
    const late = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, ALONE_MS)));
    clock.unref?.(timer);
    await Promise.race([late, Promise.all(recipients.map((one) => this.#start(one)))]);
    clock.clearTimeout(timer);
  }

  /** Resolves when the events are rows of their recipient, or stay letters. */
  async #start(recipient: OfRecipient): Promise<void> {
    const { ledgers, letters, warn } = this.#options;
    try {
      const all = recipient.map(({ kept, sent }) => {
        letters.removeStored(kept.id);
        return ledgers.sentBefore(sent);
      });
      await Promise.all(all);
    } catch (error) {
      warn({ error }, LEFT);
    }
  }

  /** Whether the recipient is not started any more. */
  #givesUp(recipient: OfRecipient): boolean {
    const { ledgers, letters, poolOf } = this.#options;
    const { to } = recipient[0].sent.row;
    const starts = startsOf(recipient);
    if (starts >= MOST_STARTS && !this.#given.has(to)) this.#given.set(to, killsProcess(to, starts));
    const error = this.#given.get(to);
    if (error === undefined) return false;
    const pool = poolOf(agentOf(to));
    const thread = pool === undefined ? 'holdfast' : `holdfast:${pool}`;
    const evidence: Evidence = { cause: 'exit', thread, error };
    void ledgers.keepLetters(recipient.map(({ kept }) => withEvidence(kept, evidence)));
    for (const { kept, sent } of recipient) {
      letters.removeStored(kept.id);
      const { event } = sent;
      letters.add({ address: to, reason: 'poison', event, incarnation: 0, kept: kept.id, evidence });
    }
    return true;
  }
}

/** The event of a letter whose recipient was to be started; undefined for any other letter. */
function unbegunIn(kept: KeptLetter): Unbegun | undefined {
  const { address: to, reason, event: encoded } = kept;
  if (reason !== 'unknown-address') return undefined;
  const { n, from, activate, starts = 0 } = metaOf(kept);
  if (n === undefined || activate !== true) return undefined;
  try {
    const event = decodeEvent(encoded) as object;
    const row = { n, to, from, event: encoded, dueAt: 0, attempts: 0, activate };
    const sent = { row, event, isPlain: false, activate, headers: undefined, awaited: undefined };
    return { kept, starts, sent };
  } catch {
    return undefined;
  }
}

/** Whether the recipient of the event of a letter was to be started. */
export function isUnbegun(kept: KeptLetter): boolean {
  return unbegunIn(kept) !== undefined;
}

/** What a letter says beside its event. */
function metaOf({ meta }: KeptLetter): Partial<MailboxRow> & { readonly starts?: number } {
  return JSON.parse(meta) as Partial<MailboxRow> & { readonly starts?: number };
}

function withStarts(kept: KeptLetter, starts: number): KeptLetter {
  return { ...kept, meta: JSON.stringify({ ...metaOf(kept), starts }) };
}

/** The letter as it stays: it starts nobody. */
function withEvidence(kept: KeptLetter, evidence: Evidence): KeptLetter {
  const { activate: _, ...meta } = metaOf(kept);
  const shown = { ...meta, evidence: shownEvidence(evidence) };
  return { ...kept, reason: 'poison', meta: JSON.stringify(shown) };
}

function byRecipient(all: readonly Unbegun[]): readonly OfRecipient[] {
  const inOrder = all.toSorted((a, b) => a.sent.row.n - b.sent.row.n);
  return [...Map.groupBy(inOrder, ({ sent }) => sent.row.to).values()] as unknown as readonly OfRecipient[];
}

function startsOf(recipient: OfRecipient): number {
  return Math.max(...recipient.map(({ starts }) => starts));
}

function killsProcess(address: string, starts: number): HoldfastError {
  return new HoldfastError(
    'PROCESS_CRASHED',
    `the process has ended with each of the last ${starts} starts of ${address}, which this event was to bring about; find out why before you spawn it and replay the dead letter`,
  );
}
