import type { AnyEventObject } from 'xstate';
import { isDeadLetterReason } from './dead-letters.ts';
import type { ResolvedPool } from './config/resolve.ts';
import type { Logger } from './logger.ts';
import { isReserved, reservedAdvice } from './reserved-types.ts';
import type { Seat, Seats } from './seats.ts';
import { sharedMemoryAdvice, sharesMemory } from './shared-memory.ts';
import type { MessageTelemetry } from './telemetry/messages.ts';
import { decodeError } from './wire/errors.ts';
import { restoreErrors, type ErrorsWithin } from './wire/errors-within.ts';
import {
  REPORT,
  type DoneReport,
  type ErrorReport,
  type LetterReport,
  type LogReport,
  type StateOf,
  type WireEvidence,
} from './wire/protocol.ts';
import { toUnshared, withoutSharedMemory, type WireSnapshot } from './wire/snapshot.ts';

export interface ThreadReportsOptions {
  /** Name of the thread. */
  readonly name: string;
  readonly pool: ResolvedPool;
  readonly seats: Seats;
  readonly warn: (fields: object, message: string) => void;
  /** The host's log. */
  readonly logger: Logger;
  /** What one agent sent another came to nothing. */
  readonly letter: (letter: LetterReport) => void;
  /** A traced envelope was handled; it may be anything. */
  readonly messages?: Pick<MessageTelemetry, 'handled'> | undefined;
}

/** What a thread tells its host, taken with care: it may be anything. */
export class ThreadReports {
  readonly #options: ThreadReportsOptions;

  constructor(options: ThreadReportsOptions) {
    this.#options = options;
  }

  /** Flat triples; whatever does not look like that comes from somebody who is not our thread code. */
  take(items: readonly unknown[]): void {
    if (!Array.isArray(items))
      return this.#options.warn({ thread: this.#options.name }, 'refused a malformed report');
    for (let i = 0; i + 2 < items.length; i += 3) {
      const [kind, slot]: unknown[] = [items[i], items[i + 1]];
      if (typeof kind !== 'number' || typeof slot !== 'number') {
        return this.#options.warn({ thread: this.#options.name }, 'refused the rest of a malformed report');
      }
      const seat = this.#options.seats.at(slot);
      if (kind === REPORT.warning) this.#warning(seat, items[i + 2]);
      else if (kind === REPORT.log) this.#log(seat, items[i + 2]);
      else if (kind === REPORT.traced) this.#options.messages?.handled(items[i + 2]);
      else if (kind === REPORT.letter) this.#letter(items[i + 2]);
      else if (seat?.instance.holds(seat)) this.#safely(kind, seat, items[i + 2]);
    }
  }

  /** What one report does wrong costs none of the others. */
  #safely(kind: number, seat: Seat, payload: unknown): void {
    try {
      const shares = !this.#options.pool.sharedMemory && sharesMemory(payload);
      if (shares) this.#reportedShared(kind, seat, payload);
      else this.#reported(kind, seat, payload);
    } catch (error) {
      const fields = { thread: this.#options.name, address: seat.instance.address, error };
      this.#options.warn(fields, 'a report of a thread could not be followed');
    }
  }

  /** As with what cannot be cloned: of a state that part is left out, an event stays behind. */
  #reportedShared(kind: number, seat: Seat, payload: unknown): void {
    const { threadId } = this.#options.pool;
    if (kind === REPORT.snapshot || kind === REPORT.ahead)
      return this.#reported(kind, seat, toUnshared(payload as WireSnapshot));
    if (kind === REPORT.state) return seat.instance.cannotKeep(sharedMemoryAdvice(threadId));
    if (kind === REPORT.emitted || kind === REPORT.parentEvent || kind === REPORT.withErrors) {
      return this.#warning(seat, `an event was left behind in the thread: ${sharedMemoryAdvice(threadId)}`);
    }
    this.#reported(kind, seat, withoutSharedMemory(payload));
    if (kind !== REPORT.done) return;
    this.#warning(seat, `part of the output or context was left behind: ${sharedMemoryAdvice(threadId)}`);
  }

  #reported(kind: number, seat: Seat, payload: unknown): void {
    const { instance } = seat;
    if (kind === REPORT.snapshot) instance.mirrored(payload as WireSnapshot | undefined);
    else if (kind === REPORT.ahead) instance.mirroredAhead(payload as WireSnapshot);
    else if (kind === REPORT.withErrors) {
      const [inner, event, errors] = payload as [number, unknown, ErrorsWithin];
      this.#event(inner, seat, restoreErrors(event, errors));
    } else if (kind === REPORT.emitted || kind === REPORT.parentEvent) this.#event(kind, seat, payload);
    else if (kind === REPORT.expired) instance.inbox.expiredInThread(payload, true);
    else if (kind === REPORT.expiredInPart) instance.inbox.expiredInThread(payload, false);
    else if (kind === REPORT.state) this.#kept(seat, payload);
    else if (kind === REPORT.stateless) instance.cannotKeep(textOf(payload) ?? 'it said no more');
    else if (kind === REPORT.done) {
      this.#options.seats.vacate(seat);
      instance.done(payload as DoneReport);
    } else if (kind === REPORT.error) {
      const { error: wire, snapshot, inTurn } = payload as ErrorReport;
      const error = decodeError(wire);
      this.#options.seats.vacate(seat, { ending: error, failed: inTurn === true ? 'in-turn' : 'between' });
      instance.failed(error, 'error', snapshot);
    }
  }

  /** What a thread has the host's actors hear: it speaks for its instance, and not for XState or the runtime. */
  #event(kind: number, seat: Seat, event: unknown): void {
    const { instance } = seat;
    if (!isEvent(event)) return this.#warning(seat, 'refused an event without a type');
    const reserved = isReserved(event.type);
    if (kind === REPORT.parentEvent) {
      if (reserved) instance.refusedToParent(event, 'reserved');
      else instance.sentToParent(event);
    } else if (kind === REPORT.emitted) {
      if (reserved)
        this.#warning(seat, `an event was left behind in the thread: ${reservedAdvice(event.type)}`);
      else instance.emitted(event);
    }
  }

  /** What a thread says it has handled, it has been sent. */
  #kept(seat: Seat, payload: unknown): void {
    const [state, handled] = payload as StateOf;
    // One whose time was up is told before it is counted.
    const most = this.#options.seats.handled(seat) + 1;
    seat.kept = Math.max(seat.kept, Math.min(most, (handled - seat.base) | 0));
    if (state !== undefined) seat.instance.keep(state);
  }

  #letter(payload: unknown): void {
    const { address, reason, event, evidence } = (payload ?? {}) as Partial<LetterReport>;
    if (typeof address !== 'string' || !isDeadLetterReason(reason)) {
      return this.#options.warn({ thread: this.#options.name }, 'refused a malformed dead letter');
    }
    const { sharedMemory } = this.#options.pool;
    const whole = sharedMemory ? event : withoutSharedMemory(event);
    this.#options.letter({ address, reason, event: whole, ...(isEvidence(evidence) && { evidence }) });
  }

  #log(seat: Seat | undefined, payload: unknown): void {
    const { name, pool, logger, warn } = this.#options;
    const [level, message, fields, errors] = (Array.isArray(payload)
      ? payload
      : []) as unknown as Partial<LogReport>;
    const isLevel = level === 'debug' || level === 'info' || level === 'warn' || level === 'error';
    if (!isLevel || typeof message !== 'string' || typeof fields !== 'object' || fields === null)
      return warn({ thread: name }, 'refused a malformed line for the log');
    const shown = pool.sharedMemory ? fields : withoutSharedMemory(fields);
    const whole = errors === undefined ? shown : (restoreErrors(shown, errors) as object);
    const { instance } = seat ?? {};
    const whose = instance && {
      address: instance.address,
      agent: instance.agent.name,
      incarnation: instance.incarnation,
    };
    try {
      logger[level]({ ...whole, ...whose, threadId: pool.threadId, thread: name }, message);
    } catch {
      // A logger that throws has nobody to tell it to, and the other reports are to be followed.
    }
  }

  #warning(seat: Seat | undefined, message: unknown): void {
    const fields = { thread: this.#options.name, ...(seat && { address: seat.instance.address }) };
    this.#options.warn(fields, typeof message === 'string' ? message : 'a thread sent a malformed warning');
  }
}

function isEvent(value: unknown): value is AnyEventObject {
  return typeof (value as { readonly type?: unknown } | null | undefined)?.type === 'string';
}

function isEvidence(value: unknown): value is WireEvidence {
  const { error } = (value ?? {}) as Partial<WireEvidence>;
  return typeof error === 'object' && error !== null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
