import type { AnyEventObject } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { isDeadLetterReason } from '../base/dead-letter-reason.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import type { Logger } from '../base/logger.ts';
import type { Ticket } from '../base/ticket.ts';
import { isReserved, reservedAdvice } from '../base/reserved-types.ts';
import type { AskOutcomes } from './ask-outcomes.ts';
import { takeChunks } from './chunk-reports.ts';
import type { HeldOutputs } from './held-outputs.ts';
import type { Seat } from './seat.ts';
import type { Seats } from './seats.ts';
import { sharedMemoryAdvice, sharesMemory } from '../wire/shared-memory.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Marked } from '../mailbox/mark.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';
import { decodeError } from '../wire/errors.ts';
import { restoreErrors, type ErrorsWithin } from '../wire/errors-within.ts';
import {
  REPORT,
  type DoneReport,
  type ErrorReport,
  type InvalidReport,
  type LetterReport,
  type StateOf,
  tellsEvent,
} from '../wire/protocol.ts';
import {
  isDoneReport,
  isErrorReport,
  isErrorsWithin,
  isEvent,
  isEvidence,
  isInvalidReport,
  isLogReport,
  isStateOf,
  isTraceReport,
  isTurnOf,
  isWireError,
  isWireSnapshot,
} from '../wire/shapes.ts';
import { toUnshared, withoutSharedMemory, type WireSnapshot } from '../wire/snapshot.ts';

/** The most characters of a letter's `why`: more than our thread code sends. */
const LONGEST_WHY = 1000;

export interface ThreadReportsOptions {
  /** The name of the thread. */
  readonly name: string;
  readonly pool: ResolvedPool;
  readonly seats: Seats;
  readonly waiting: Pick<Waiting, 'isOf' | 'ownerOf' | 'streamOf' | 'reject'>;
  readonly warn: (fields: object, message: string) => void;
  /** Called when something malformed was left out. */
  readonly violated: (what: string, fields?: object) => void;
  /** Called when, in addition, the state of an instance or of several can no longer be known. */
  readonly lost: (what: string, fields?: object) => void;
  /** The instance on the seat is in a state that cannot be committed: it ends there, and nothing of that is told. */
  readonly unfit: (seat: Seat, error: HoldfastError) => void;
  /** Takes the error with which the thread is about to end. */
  readonly uncaught: (thrown: unknown) => void;
  /** Tells the thread what became of the asks and deliveries of its durable instances. */
  readonly outcomes: Pick<AskOutcomes, 'answered' | 'failed'>;
  /** The host's log. */
  readonly logger: Logger;
  /** Whether instances of the thread may be durable, and tell turns. */
  readonly durable?: boolean | undefined;
  /** Takes the dead letter of an event that one agent sent another. */
  readonly letter: (letter: LetterReport) => void;
  /** Observes the handling of traced envelopes; absent when nobody listens. */
  readonly messages?: Pick<MessageObserver, 'handled'> | undefined;
}

const NAMES = new Map<number, string>(Object.entries(REPORT).map(([name, kind]) => [kind, name]));

/** A seat whose instance is in a state that cannot be committed. */
export interface Unfit {
  readonly seat: Seat;
  readonly error: HoldfastError;
}

/** The reports that are committed before they are told. */
const COMMITTED: ReadonlySet<unknown> = new Set([REPORT.turn, REPORT.stateless, REPORT.done, REPORT.error]);

/**
 * Receives the reports of a thread, which may be anything. A malformed report is left out and counted. Where it was about
 * the state of an instance, nobody knows that state any more, and the thread is of no use.
 */
export class ThreadReports {
  readonly #options: ThreadReportsOptions;
  /** How many reports of chunks are held, by the tag of their ask. */
  readonly #heldChunks = new Map<unknown, number>();

  constructor(options: ThreadReportsOptions) {
    this.#options = options;
  }

  /**
   * Handles reports, as flat triples of kind, slot and payload; our thread code sends nothing else. Of what is `unfit` it
   * handles none: it rests on a state that is not committed. `held`: they were held until now.
   */
  receive(items: readonly unknown[], unfit: readonly Unfit[] = [], held = false): void {
    for (const { seat, error } of unfit) this.#options.unfit(seat, error);
    const { seats, lost } = this.#options;
    if (!Array.isArray(items)) return lost('a malformed report');
    for (let i = 0; i < items.length; i += 3) {
      const [kind, slot]: unknown[] = [items[i], items[i + 1]];
      if (typeof kind !== 'number' || typeof slot !== 'number' || i + 2 >= items.length)
        return lost('the rest of a malformed report');
      const seat = seats.at(slot);
      if (kind === REPORT.warning) this.#warning(seat, items[i + 2]);
      else if (kind === REPORT.log) this.#log(seat, items[i + 2]);
      else if (kind === REPORT.traced) this.#traced(items[i + 2]);
      else if (kind === REPORT.uncaught) this.#uncaught(items[i + 2]);
      else if (kind === REPORT.letter) this.#letter(items[i + 2]);
      // Where instances are durable, it was committed when it came.
      else if (kind === REPORT.turn && this.#options.durable === true) continue;
      else if (!NAMES.has(kind)) this.#options.violated('a report of an unknown kind');
      else if (isChunks(kind)) {
        if (held) this.#countHeld(items[i + 2], -1);
        takeChunks(items[i + 2], kind === REPORT.chunkWithErrors, seat, this.#options);
      } else if (seat?.instance.holds(seat) === true && !seat.instance.continuation.isFenced) {
        if (tellsEvent(kind)) seat.heard += 1;
        this.#safely(kind, seat, items[i + 2]);
      }
    }
  }

  /**
   * Takes the chunks that need not wait, and returns the rest. The first one of a stream is held until the turn that was
   * asked is committed; those after it pass as they come, unless some before them are held.
   */
  pass(items: readonly unknown[]): readonly unknown[] {
    if (!Array.isArray(items) || !items.some((item, i) => i % 3 === 0 && isChunks(item))) return items;
    const rest: unknown[] = [];
    for (let i = 0; i < items.length; i += 3) {
      const [kind, slot, payload]: unknown[] = items.slice(i, i + 3);
      const tag = isChunks(kind) && i + 2 < items.length ? tagOf(payload) : undefined;
      const seat = typeof slot === 'number' ? this.#options.seats.at(slot) : undefined;
      if (tag !== undefined && this.#passes(seat, tag))
        takeChunks(payload, kind === REPORT.chunkWithErrors, seat, this.#options);
      else {
        if (tag !== undefined) this.#countHeld(payload, 1);
        rest.push(...items.slice(i, i + 3));
      }
    }
    return rest;
  }

  #passes(seat: Seat | undefined, tag: number): boolean {
    if (seat === undefined || seat.unfit || seat.instance.continuation.isFenced) return false;
    return this.#options.waiting.streamOf(tag)?.begun === true && !this.#heldChunks.has(tag);
  }

  #countHeld(payload: unknown, by: 1 | -1): void {
    const tag = tagOf(payload);
    const count = (this.#heldChunks.get(tag) ?? 0) + by;
    if (count > 0) this.#heldChunks.set(tag, count);
    else this.#heldChunks.delete(tag);
  }

  /**
   * Ends the durable instances that reports are of for which there is no room while the store fails, and returns the rest:
   * where something is not told, nothing after it is told either.
   */
  overflow(items: readonly unknown[]): readonly unknown[] {
    const rest: unknown[] = [];
    for (let i = 0; i + 2 < items.length; i += 3) {
      const continuation = this.#options.seats.at(items[i + 1] as number)?.instance.continuation;
      if (continuation?.durable === true) {
        if (isChunks(items[i])) this.#countHeld(items[i + 2], -1);
        continuation.overflown();
      } else rest.push(items[i], items[i + 1], items[i + 2]);
    }
    return rest;
  }

  /** Commits the states of durable instances, for which what follows is held; returns those that cannot be committed. */
  commit(items: readonly unknown[], held: Pick<HeldOutputs, 'hold'>): readonly Unfit[] {
    const unfit: Unfit[] = [];
    if (!Array.isArray(items)) return unfit;
    for (let i = 0; i + 2 < items.length; i += 3) {
      const [kind, slot, payload]: unknown[] = [items[i], items[i + 1], items[i + 2]];
      if (!COMMITTED.has(kind) || typeof slot !== 'number') continue;
      const seat = this.#options.seats.at(slot);
      if (seat?.instance.holds(seat) !== true || seat.unfit) continue;
      const committed = this.#committed(kind, seat, payload);
      if (committed instanceof HoldfastError) {
        seat.unfit = true;
        unfit.push({ seat, error: committed });
      } else if (committed !== undefined) held.hold(committed);
    }
    return unfit;
  }

  #committed(kind: unknown, seat: Seat, payload: unknown): Ticket | HoldfastError | undefined {
    const { address, continuation } = seat.instance;
    if (kind === REPORT.done) return continuation.commitDone(this.#marksBefore(seat));
    if (!continuation.durable) return undefined;
    if (kind === REPORT.error) return isErrorReport(payload) ? unfitState(payload) : undefined;
    if (kind === REPORT.stateless && typeof payload === 'string') return unsavable(address, payload);
    if (kind === REPORT.turn && Number.isSafeInteger(payload))
      return this.#unchanged(seat, payload as number);
    if (kind === REPORT.stateless || !isTurnOf(payload)) {
      // The instance goes on from the last state that it has told.
      this.#options.lost(`a malformed report (${NAMES.get(kind as number)})`, { address });
      return undefined;
    }
    const [handled, state, version, dueAt, wakes, sends, answers, endedStarts, texts, links] = payload;
    const { attachment, kept } = seat;
    this.#count(seat, handled);
    const marked = attachment?.mailbox.marksSent(kept - attachment.acked, seat.kept - attachment.acked);
    const isKept = marked !== undefined || answers !== undefined;
    let committed: Ticket | HoldfastError | undefined;
    if (state !== undefined) {
      const told = { state, texts, version, dueAt: dueAt ?? undefined, wakes };
      committed = continuation.commit(told, marked, answers);
    } else if (isKept) committed = continuation.handled(marked, answers);
    // What led to it was not handled.
    if (committed instanceof HoldfastError) {
      seat.kept = kept;
      return committed;
    }
    if (links !== undefined) countLinks(seat, links);
    if (endedStarts !== undefined) continuation.endSteps(endedStarts);
    if (sends !== undefined) return continuation.commitSends(sends, this.#options.outcomes);
    return committed;
  }

  /** Turns that left the state as it was, and nothing else behind. */
  #unchanged(seat: Seat, handled: number): Ticket | undefined {
    const { attachment, instance, kept } = seat;
    this.#count(seat, handled);
    const marked = attachment?.mailbox.marksSent(kept - attachment.acked, seat.kept - attachment.acked);
    return marked && instance.continuation.handled(marked);
  }

  /** The marks of what an instance that is done has handled since its last state was told. */
  #marksBefore(seat: Seat): readonly Marked[] | undefined {
    const { attachment, kept } = seat;
    const handled = this.#options.seats.handled(seat);
    return attachment?.mailbox.marksSent(kept - attachment.acked, handled - attachment.acked);
  }

  /** Handles one report; a fault in it costs none of the others. */
  #safely(kind: number, seat: Seat, payload: unknown): void {
    try {
      const shares = !this.#options.pool.sharedMemory && sharesMemory(payload);
      if (shares) this.#reportedShared(kind, seat, payload);
      else this.#reported(kind, seat, payload);
    } catch (error) {
      const { address } = seat.instance;
      const fields = { thread: this.#options.name, address, error };
      this.#options.warn(fields, 'a report of a thread could not be followed');
      // The end of the instance is now half done.
      if (kind === REPORT.done || kind === REPORT.error)
        this.#options.lost('a report of an end', { address });
    }
  }

  /** Handles a report with shared memory as one that cannot be cloned: leaves the part out of a state, drops an event. */
  #reportedShared(kind: number, seat: Seat, payload: unknown): void {
    const { threadId } = this.#options.pool;
    if (kind === REPORT.snapshot || kind === REPORT.ahead)
      return isWireSnapshot(payload)
        ? this.#reported(kind, seat, toUnshared(payload))
        : this.#malformed(kind, seat);
    if (kind === REPORT.state) return seat.instance.continuation.cannotKeep(sharedMemoryAdvice(threadId));
    if (kind === REPORT.emitted || kind === REPORT.parentEvent || kind === REPORT.withErrors) {
      return this.#warning(seat, `an event was left behind in the thread: ${sharedMemoryAdvice(threadId)}`);
    }
    this.#reported(kind, seat, withoutSharedMemory(payload));
    if (kind !== REPORT.done) return;
    this.#warning(seat, `part of the output or context was left behind: ${sharedMemoryAdvice(threadId)}`);
  }

  #reported(kind: number, seat: Seat, payload: unknown): void {
    const { instance } = seat;
    if (kind === REPORT.snapshot && (payload === undefined || isWireSnapshot(payload)))
      instance.twin.mirrored(payload);
    else if (kind === REPORT.ahead && isWireSnapshot(payload)) instance.twin.mirroredAhead(payload);
    else if (kind === REPORT.withErrors && isEventWithErrors(payload)) {
      const [inner, event, errors] = payload;
      this.#event(inner, seat, restoreErrors(event, errors) as AnyEventObject);
    } else if ((kind === REPORT.emitted || kind === REPORT.parentEvent) && isEvent(payload))
      this.#event(kind, seat, payload);
    else if (kind === REPORT.expired && isEvent(payload))
      instance.inbox.unhandled.expiredInThread(payload, true);
    else if (kind === REPORT.expiredInPart && isEvent(payload))
      instance.inbox.unhandled.expiredInThread(payload, false);
    else if (kind === REPORT.invalid && isInvalidReport(payload)) this.#invalid(seat, payload);
    else if (kind === REPORT.state && isStateOf(payload)) this.#kept(seat, payload);
    else if (kind === REPORT.stateless && typeof payload === 'string')
      instance.continuation.cannotKeep(payload);
    else if (kind === REPORT.done && isDoneReport(payload)) this.#done(seat, payload);
    else if (kind === REPORT.error && isErrorReport(payload)) this.#failed(seat, payload);
    else this.#malformed(kind, seat);
  }

  #done(seat: Seat, { output, snapshot }: DoneReport): void {
    this.#options.seats.vacate(seat);
    seat.instance.done({ output, snapshot: this.#lastState(seat, snapshot) ?? { status: 'done' } });
  }

  #failed(seat: Seat, { error: wire, snapshot, inTurn, link }: ErrorReport): void {
    const error = decodeError(wire);
    const failed = inTurn === true ? 'in-turn' : 'between';
    this.#options.seats.vacate(seat, { ending: error, failed, link });
    seat.instance.failed(error, 'error', this.#lastState(seat, snapshot));
  }

  /** Returns the last state; the end is believed even when the state is malformed. */
  #lastState(seat: Seat, snapshot: unknown): WireSnapshot | undefined {
    if (isWireSnapshot(snapshot)) return snapshot;
    this.#options.violated('a malformed last state', { address: seat.instance.address });
    return undefined;
  }

  #malformed(kind: number, seat: Seat): void {
    const { violated, lost } = this.#options;
    const { instance } = seat;
    const { address } = instance;
    const what = `a malformed report (${NAMES.get(kind)})`;
    if (kind === REPORT.done || kind === REPORT.error) return lost(what, { address });
    violated(what, { address });
    // The state has changed, and nobody knows to what.
    if (kind === REPORT.state || kind === REPORT.stateless || kind === REPORT.turn)
      instance.continuation.cannotKeep('its thread told a malformed one');
  }

  /** Passes an event to the host's actors; a thread speaks for its instance, and not for XState or the runtime. */
  #event(kind: number, seat: Seat, event: AnyEventObject): void {
    const { instance } = seat;
    const reserved = isReserved(event.type);
    if (kind === REPORT.parentEvent) {
      if (reserved) instance.twin.refusedToParent(event, 'reserved');
      else instance.twin.sentToParent(event);
    } else if (reserved)
      this.#warning(seat, `an event was left behind in the thread: ${reservedAdvice(event.type)}`);
    else instance.twin.emitted(event);
  }

  /** Keeps a state; the count of handled events that comes with it cannot exceed what the thread has counted. */
  #kept(seat: Seat, [state, handled]: StateOf): void {
    this.#count(seat, handled);
    if (state !== undefined) seat.instance.continuation.keep(state);
  }

  #count(seat: Seat, handled: number): void {
    // An expired envelope is reported before it is counted.
    const most = this.#options.seats.handled(seat) + 1;
    seat.kept = Math.max(seat.kept, Math.min(most, (handled - seat.base) | 0));
  }

  /** Makes a dead letter of an event that the thread has refused: one that it was sent, and each only once. */
  #invalid(seat: Seat, [handled, issues]: InvalidReport): void {
    const { attachment, instance } = seat;
    const at = (handled - seat.base) | 0;
    const isNew = attachment !== undefined && at >= seat.refused;
    const left = attachment && { mailbox: attachment.mailbox, incarnation: seat.incarnation };
    if (
      !isNew ||
      left === undefined ||
      !instance.inbox.unhandled.invalid(left, at - attachment.acked, issues)
    )
      return this.#options.violated('a malformed report (invalid)', { address: instance.address });
    seat.refused = at + 1;
  }

  #letter(payload: unknown): void {
    const { address, reason, event, inPart, why, evidence } = (payload ?? {}) as Partial<LetterReport>;
    if (typeof address !== 'string' || !isDeadLetterReason(reason))
      return this.#options.violated('a malformed report (letter)');
    const { sharedMemory } = this.#options.pool;
    const whole = sharedMemory ? event : withoutSharedMemory(event);
    this.#options.letter({
      address,
      reason,
      event: whole,
      inPart: inPart === true,
      ...(typeof why === 'string' && { why: why.slice(0, LONGEST_WHY) }),
      ...(isEvidence(evidence) && { evidence }),
    });
  }

  #log(seat: Seat | undefined, payload: unknown): void {
    const { name, pool, logger, violated } = this.#options;
    if (!isLogReport(payload)) return violated('a malformed report (log)');
    const [level, message, fields, errors] = payload;
    const shown = pool.sharedMemory ? fields : withoutSharedMemory(fields);
    const whole = errors === undefined ? shown : (restoreErrors(shown, errors) as object);
    const { instance } = seat ?? {};
    const whose = instance && {
      address: instance.address,
      agent: instance.agent.name,
      incarnation: instance.incarnation,
    };
    logger[level]({ ...whole, ...whose, threadId: pool.threadId, thread: name }, message);
  }

  #uncaught(payload: unknown): void {
    const { uncaught, violated } = this.#options;
    if (isWireError(payload)) uncaught(decodeError(payload));
    else violated('a malformed report (uncaught)');
  }

  #traced(payload: unknown): void {
    const { messages, pool, violated } = this.#options;
    if (isTraceReport(payload)) messages?.handled(payload, pool.threadId);
    else violated('a malformed report (traced)');
  }

  #warning(seat: Seat | undefined, message: unknown): void {
    const { name, warn, violated } = this.#options;
    if (typeof message !== 'string') return violated('a malformed report (warning)');
    warn({ thread: name, ...(seat && { address: seat.instance.address }) }, message);
  }
}

function isChunks(kind: unknown): boolean {
  return kind === REPORT.chunks || kind === REPORT.chunkWithErrors;
}

/** The tag of a report of chunks, which may be anything; `undefined` for none. */
function tagOf(payload: unknown): number | undefined {
  const [tag]: unknown[] = Array.isArray(payload) ? payload : [];
  return typeof tag === 'number' ? tag : undefined;
}

/** Counts what a told state contains of the events of other agents: `link, handled` pairs. */
function countLinks({ links }: Seat, told: readonly number[]): void {
  for (let i = 0; i < told.length; i += 2) {
    const link = links?.get(told[i] as number);
    if (link === undefined) continue;
    link.kept = Math.max(link.kept, ((told[i + 1] as number) - link.base) | 0);
  }
}

/** An emitted event, or one for the parent, with the errors that stand in it. */
function isEventWithErrors(
  payload: unknown,
): payload is [kind: number, event: AnyEventObject, errors: ErrorsWithin] {
  if (!Array.isArray(payload)) return false;
  const [kind, event, errors] = payload as unknown[];
  return (kind === REPORT.emitted || kind === REPORT.parentEvent) && isEvent(event) && isErrorsWithin(errors);
}

function unsavable(address: string, why: string): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `the state of ${address} cannot be stored: ${why}; keep in it what structured clone takes, and children with a string src`,
  );
}

/** The error of a state that does not fit its machine; undefined for another. */
function unfitState({ error: wire, unfit }: ErrorReport): HoldfastError | undefined {
  const error = unfit === true ? decodeError(wire) : undefined;
  return error instanceof HoldfastError && error.code === 'STATE_INCOMPATIBLE' ? error : undefined;
}
