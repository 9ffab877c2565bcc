import type { ResolvedAgent } from '../config/resolve.ts';
import { typeOf, type DeadLetters, type Evidence } from '../dead-letters/dead-letters.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { HoldfastError } from '../base/errors.ts';
import { issuesInWords, type EventIssue } from '../base/event-issue.ts';
import { invalid, refusal } from '../dead-letters/refusal.ts';
import { shownEvidence } from '../dead-letters/shown-evidence.ts';
import { suspicion } from '../dead-letters/suspicion.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import type { Mark } from '../mailbox/mark.ts';
import type { Tag } from '../mailbox/tag.ts';
import { anyMarked, hasMoved, setMoved } from '../mailbox/transfer.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { KeptRow } from '../store/kept-row.ts';
import type { Ledger } from '../store/ledger.ts';
import { letterIdOf } from '../store/row-letter.ts';
import { encodeEvent } from '../wire/encoded-state.ts';
import { encodeError } from '../wire/errors.ts';

export interface UnhandledOptions {
  readonly agent: Pick<ResolvedAgent, 'threadId'>;
  readonly address: string;
  readonly waiting: Waiting;
  readonly deadLetters: DeadLetters;
  /** Keeps rows, when the instance is durable. */
  readonly ledger: Ledger | undefined;
  readonly incarnation: number;
  /** Returns the error for senders while the instance is quarantined or the runtime drains; `undefined` otherwise. */
  shut(): Error | undefined;
}

/** The envelopes that an incarnation was sent and left behind. */
export interface Left {
  readonly mailbox: Mailbox;
  readonly incarnation: number;
}

/**
 * What becomes of the events that an instance does not handle: a dead letter, here and in the store, and an error for
 * whoever waits for them.
 */
export class Unhandled {
  readonly #options: UnhandledOptions;
  readonly #mailbox: Mailbox;

  constructor(options: UnhandledOptions, mailbox: Mailbox) {
    this.#options = options;
    this.#mailbox = mailbox;
  }

  /** Makes a dead letter of an event that the process has ended with, again and again. */
  killed(row: KeptRow, event: unknown): void {
    const { address, agent, deadLetters, incarnation, waiting } = this.#options;
    const error = killsProcess(address);
    const evidence: Evidence = { cause: 'exit', thread: `holdfast:${agent.threadId}`, error };
    const kept = this.#letterOf(row, 'poison', error, { evidence: shownEvidence(evidence) });
    deadLetters.add({ address, event, incarnation, kept, reason: 'poison', evidence }, 0);
    const { tag = 0 } = row.id ?? {};
    if (tag !== 0) waiting.reject(tag, error);
  }

  /** Makes a dead letter of an event, and rejects whoever waits for it. */
  refuse(
    event: unknown,
    tag: Tag,
    reason: DeadLetterReason,
    cause?: unknown,
    why?: string,
    incarnation: number = this.#options.incarnation,
    mark?: Mark,
  ): DeadLetterReason {
    const { address, deadLetters, waiting } = this.#options;
    const kept = mark && this.#letterOf(mark, reason, refusal(address, reason, cause, why));
    deadLetters.add({ address, reason, event, incarnation, kept, ...(why !== undefined && { why }) }, tag);
    if (tag === 0) return reason;
    const shut = reason === 'stopped' ? this.#options.shut() : undefined;
    const error = shut ?? refusal(address, reason, cause, why);
    // Nobody knows how far the envelope in hand came before the end.
    if (reason === 'crashed' || reason === 'poison') waiting.reject(tag, error);
    else waiting.refuse(tag, error);
    return reason;
  }

  /**
   * Makes the suspect a dead letter: the envelope that was in hand when its handling, or the thread, ended. It is the
   * first of the mailbox, or the one that is `behind` places after it. What is promised to be kept is tried again, up to
   * five times; where the runtime itself ended the thread, it is no suspect.
   */
  suspect(evidence: Evidence, behind = 0, { mailbox, incarnation }: Left = this.#own()): void {
    const { address, deadLetters, ledger, waiting } = this.#options;
    const reason = suspicion(evidence);
    const row = mailbox === this.#mailbox ? (mailbox.markAt(behind) as KeptRow | undefined) : undefined;
    if (row !== undefined && ledger !== undefined) {
      if (reason.reason !== 'poison' || !ledger.attempted(row)) return;
    }
    mailbox.discardAt(behind, (event, tag, mark) => {
      const error = mark && refusal(address, reason.reason, evidence.error);
      const kept = error && this.#letterOf(mark, reason.reason, error, { evidence: shownEvidence(evidence) });
      deadLetters.add({ address, event, incarnation, kept, ...reason }, tag);
      if (tag !== 0) waiting.reject(tag, evidence.error);
    });
  }

  /**
   * Takes out the envelope whose turn failed, `behind` places after the first. It counts as handled; what was promised to
   * be kept becomes a letter, and its id keeps the error.
   */
  threw(behind: number, error: unknown): void {
    const { address, deadLetters, incarnation, waiting } = this.#options;
    const delivered = (tag: Tag): void => waiting.resolve(tag);
    const what = error instanceof Error ? error.message : 'something that is not an Error';
    const why = `its turn failed: ${what}`;
    this.#mailbox.acknowledgeTo(behind, delivered, (event, mark) => {
      const kept = this.#letterOf(mark, 'crashed', refusal(address, 'crashed', error, why), { threw: error });
      deadLetters.add({ address, reason: 'crashed', event, incarnation, kept, why });
    });
  }

  /**
   * Makes a letter of what the store has, or is to have, of an event, and returns its id. The id that its caller gave the
   * event keeps the error when its turn threw, and when its row was promised to be handled.
   */
  #letterOf(
    mark: Mark,
    reason: DeadLetterReason,
    error: HoldfastError,
    more: { readonly evidence?: object; readonly threw?: unknown } = {},
  ): string | undefined {
    const keeps = 'threw' in more || mark.n > 0;
    const failure = keeps ? encodeEvent(encodeError(more.threw ?? error)) : undefined;
    return this.#options.ledger?.refused(mark as KeptRow, reason, error, {
      failure,
      evidence: more.evidence,
    });
  }

  /** Makes a dead letter of an ask whose deadline the thread found passed. `whole`: the thread sent back the whole event. */
  expiredInThread(event: unknown, whole: boolean): void {
    this.#mailbox.unhandled();
    if (!whole && typeof event === 'object' && event !== null) setMoved(event);
    this.refuse(event, 0, 'expired');
  }

  /**
   * Makes a dead letter of the envelope `behind` places after the first, which its thread found not to fit its schema, and
   * rejects whoever waits for it. Returns `false` when the thread was sent no such event.
   */
  invalid({ mailbox, incarnation }: Left, behind: number, issues: readonly EventIssue[]): boolean {
    const sent = mailbox.sentAt(behind);
    if (sent === undefined) return false;
    const { address, deadLetters, waiting } = this.#options;
    const { event, tag, mark } = sent;
    const type = typeOf(event) ?? '';
    mailbox.unhandled();
    const why = issuesInWords(type, issues);
    if (mark !== undefined) this.#letterOf(mark, 'invalid', invalid(address, type, issues));
    deadLetters.add({ address, reason: 'invalid', event, incarnation, why }, tag);
    if (tag !== 0) waiting.refuse(tag, invalid(address, type, issues));
    return true;
  }

  /** Refuses, after an incarnation ended, the events whose memory had moved to its thread and is gone with it. */
  refuseMoved(cause: unknown): void {
    if (!anyMarked()) return;
    this.#mailbox.discardUnless(
      (event) => !hasMoved(event),
      (event, tag, mark) => this.refuse(event, tag, 'crashed', cause, undefined, undefined, mark),
    );
  }

  /**
   * Refuses everything that waits in the mailbox, or in one that the instance left behind with a thread. What the store
   * has stays there until the end of the instance is committed. `paused`: the instance goes on in another process, and
   * what is to be stored still is.
   */
  close({ mailbox, incarnation }: Left = this.#own(), paused = false): void {
    const { address, deadLetters, ledger, waiting } = this.#options;
    mailbox.clear((event, tag, mark) => {
      if (mark === undefined) {
        this.refuse(event, tag, 'stopped', undefined, undefined, incarnation);
        return;
      }
      const row = mark as KeptRow;
      const kept = row.n > 0 && row.state === 'stored' ? letterIdOf(row.n) : undefined;
      ledger?.left(row, paused ? undefined : refusal(address, 'stopped'));
      if (paused && row.n > 0) {
        if (tag !== 0) waiting.reject(tag, refusal(address, 'stopped'));
        return;
      }
      deadLetters.add({ address, reason: 'stopped', event, incarnation, kept }, tag);
      if (tag !== 0) waiting.refuse(tag, refusal(address, 'stopped'));
    });
  }

  /** Rejects whoever waits for something in the mailbox, because nothing more of the instance is told. */
  untold(error: Error): void {
    for (const tag of this.#mailbox.awaited()) this.#options.waiting.reject(tag, error);
  }

  /**
   * Makes dead letters of everything that somebody waits for, who gets that error: nobody knows how far it would have come
   * without it. The rest of the mailbox waits on, and so does what is kept. `others` have no place in it.
   */
  unanswered(error: Error, others: readonly { readonly event: object; readonly tag: Tag }[] = []): void {
    const { address, deadLetters, waiting, incarnation } = this.#options;
    const discard = (event: unknown, tag: Tag): void => {
      deadLetters.add({ address, reason: 'crashed', event, incarnation }, tag);
      waiting.reject(tag, error);
    };
    this.#mailbox.discardAwaited(discard);
    for (const { event, tag } of others) discard(event, tag);
    this.untold(error);
  }

  #own(): Left {
    return { mailbox: this.#mailbox, incarnation: this.#options.incarnation };
  }
}

function killsProcess(address: string): HoldfastError {
  return new HoldfastError(
    'PROCESS_CRASHED',
    `${address}: the process has ended again and again while it handled this event; find out why before you replay its dead letter`,
  );
}
