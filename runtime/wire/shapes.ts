import type { AnyEventObject } from 'xstate';
import { stepKey } from '../base/call-check.ts';
import { areEventIssues } from '../base/event-issue.ts';
import { TYPE_LENGTH } from '../base/type-length.ts';
import { WINDOW_CHUNKS } from '../mailbox/stream-window.ts';
import { MAX_DEPTH } from '../mailbox/terms.ts';
import { isHeaders } from '../mailbox/trace.ts';
import type { PersistedState, StartOf } from '../xstate/persisted-timer.ts';
import type { WireError } from './errors.ts';
import type { ErrorsWithin } from './errors-within.ts';
import {
  MOST_USES,
  START_LENGTH,
  USE_FIELDS,
  type CapabilityUses,
  type CarriedAsk,
  type ChunksReport,
  type Departed,
  type DoneReport,
  type ErrorReport,
  type InvalidReport,
  type LogReport,
  type AnswerOf,
  type EncodedState,
  type SendOf,
  type StartOutcome,
  type StateOf,
  type StepOf,
  type TurnOf,
  type TraceReport,
  type WaitOf,
  type WireEvidence,
} from './protocol.ts';
import type { WireChild, WireSnapshot } from './snapshot.ts';

// The host checks whatever a thread says, because code in a thread can say anything. Lists are walked up to their
// first hole: a list with four thousand million of them takes no memory.

/** An object with fields, as structured clone makes it; no list, map, date or memory. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Whether the value is an event; its type is not checked here. */
export function isEvent(value: unknown): value is AnyEventObject {
  return (
    typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
  );
}

/** Whether `fits` accepts every item of a list. */
export function isListOf<T>(value: unknown, fits: (item: unknown) => item is T): value is readonly T[] {
  if (!Array.isArray(value)) return false;
  for (let i = 0; i < value.length; i++) if (!fits(value[i])) return false;
  return true;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The fields of the error are checked when it is decoded. */
export function isWireError(value: unknown): value is WireError {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isStartOutcome(value: unknown): value is StartOutcome {
  return value === 0 || isWireError(value);
}

/** The entries are checked further when the errors are put back. */
export function isErrorsWithin(value: unknown): value is ErrorsWithin {
  return isListOf(value, (entry): entry is ErrorsWithin[number] => Array.isArray(entry));
}

export function isWireSnapshot(value: unknown): value is WireSnapshot {
  if (!isPlain(value)) return false;
  const { status, tags, children, errors, error } = value;
  return (
    isTextOrNone(status) &&
    (tags === undefined || isListOf(tags, isTag)) &&
    (children === undefined || (isPlain(children) && Object.values(children).every(isWireChild))) &&
    (error === undefined || isWireError(error)) &&
    (errors === undefined ||
      (isPlain(errors) && isErrorsOrNone(errors['context']) && isErrorsOrNone(errors['output'])))
  );
}

export function isPersistedState(value: unknown): value is PersistedState {
  if (!isPlain(value) || !('snapshot' in value) || !isListOf(value['timers'], isPlain)) return false;
  const { starts } = value;
  if (starts !== undefined && !isListOf(starts, isStartOf)) return false;
  return typeof value['version'] !== 'object' || value['version'] === null;
}

function isStartOf(value: unknown): value is StartOf {
  return Array.isArray(value) && value.length === 2 && isListOf(value[0], isText) && isText(value[1]);
}

export function isDeparted(value: unknown): value is Departed {
  if (!isPersistedState(value)) return false;
  const { asks } = value as Departed;
  return asks === undefined || isListOf(asks, isCarriedAsk);
}

export function isCarriedAsk(value: unknown): value is CarriedAsk {
  if (!isPlain(value)) return false;
  const { incarnation, ask, tag, deadline, type, kept } = value;
  return (
    (kept === undefined || typeof kept === 'boolean') &&
    (type === undefined || (typeof type === 'string' && type.length <= TYPE_LENGTH)) &&
    isCount(incarnation) &&
    isCount(ask) &&
    isCount(tag) &&
    typeof deadline === 'number'
  );
}

export function isStateOf(value: unknown): value is StateOf {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [state, handled] = value as readonly unknown[];
  return (state === undefined || isPersistedState(state)) && Number.isSafeInteger(handled);
}

export function isTurnOf(value: unknown): value is TurnOf {
  if (!Array.isArray(value) || value.length < 7 || value.length > 10) return false;
  const [handled, state, version, dueAt, wakes, sends, answers, ended, texts, links] =
    value as readonly unknown[];
  return (
    Number.isSafeInteger(handled) &&
    (state === undefined || isEncodedState(state)) &&
    isTextOrNone(version) &&
    (dueAt === null || typeof dueAt === 'number') &&
    typeof wakes === 'boolean' &&
    (sends === undefined || isListOf(sends, isSendOf)) &&
    (answers === undefined || isListOf(answers, isAnswerOf)) &&
    (ended === undefined || isListOf(ended, isText)) &&
    (texts === undefined || isListOf(texts, isTextOrNumber)) &&
    (links === undefined || (isListOf(links, isWhole) && links.length % 2 === 0))
  );
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

export function isStepOf(value: unknown): value is StepOf {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [start, key, what] = value as readonly unknown[];
  return isText(start) && start.length <= START_LENGTH && stepKey.is(key) && isEncodedState(what);
}

function isSendOf(value: unknown): value is SendOf {
  if (!Array.isArray(value) || value.length < 4 || value.length > 5) return false;
  const [to, event, headers, activate, wait] = value as readonly unknown[];
  return (
    typeof to === 'string' &&
    isEncodedState(event) &&
    (headers === undefined || isHeaders(headers)) &&
    typeof activate === 'boolean' &&
    (wait === undefined || isWaitOf(wait))
  );
}

function isWaitOf(value: unknown): value is WaitOf {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [tag, deadline, depth] = value as readonly unknown[];
  if (!Number.isSafeInteger(tag) || tag === 0 || !isCount(depth) || depth > MAX_DEPTH) return false;
  return typeof deadline === 'number' && deadline >= 0;
}

function isAnswerOf(value: unknown): value is AnswerOf {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [tag, outcome, what] = value as readonly unknown[];
  if (!Number.isSafeInteger(tag)) return false;
  if (outcome === 'done') return what === null || isEncodedState(what);
  return outcome === 'failed' ? isWireError(what) : outcome === 'put-off' && Number.isSafeInteger(what);
}

/** Bytes that the thread can change no more are a state's as well as a text. */
function isEncodedState(value: unknown): value is EncodedState {
  return typeof value === 'string' || (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer);
}

export function isInvalidReport(value: unknown): value is InvalidReport {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [handled, issues] = value as readonly unknown[];
  return Number.isSafeInteger(handled) && areEventIssues(issues);
}

/** The state in the report is checked separately: the instance has ended in any case. */
export function isDoneReport(value: unknown): value is DoneReport {
  return isPlain(value) && isPlain(value['snapshot']);
}

/** The state in the report is checked separately, as for `isDoneReport`. */
export function isErrorReport(value: unknown): value is ErrorReport {
  return isPlain(value) && isWireError(value['error']);
}

/** `withErrors`: one chunk, and the errors in it. */
export function isChunksReport(value: unknown, withErrors: boolean): value is ChunksReport {
  if (!Array.isArray(value)) return false;
  const [tag, bytes, , errors] = value as readonly unknown[];
  const count = value.length - 2;
  const isWhole = withErrors ? count === 2 && isErrorsWithin(errors) : count > 0 && count <= WINDOW_CHUNKS;
  return isWhole && isCount(tag) && typeof bytes === 'number' && bytes >= 0;
}

export function isLogReport(value: unknown): value is LogReport {
  if (!Array.isArray(value) || value.length < 3) return false;
  const [level, message, fields, errors] = value as readonly unknown[];
  const isLevel = level === 'debug' || level === 'info' || level === 'warn' || level === 'error';
  // The fields of a line are spread, and bytes would be a field each.
  const areFields = typeof fields === 'object' && fields !== null && !ArrayBuffer.isView(fields);
  return isLevel && typeof message === 'string' && areFields && isErrorsOrNone(errors);
}

export function isEvidence(value: unknown): value is WireEvidence {
  if (!isPlain(value)) return false;
  const { cause, thread, error } = value;
  return typeof cause === 'string' && typeof thread === 'string' && isWireError(error);
}

export function isTraceReport(value: unknown): value is TraceReport {
  if (!isPlain(value)) return false;
  const { address, from, headers, sentAt, startedAt, endedAt } = value;
  if (typeof address !== 'string' || !isTextOrNone(from)) return false;
  if (!(headers === null || isHeaders(headers))) return false;
  return [sentAt, startedAt, endedAt].every((at) => Number.isFinite(at));
}

function isWireChild(value: unknown): value is WireChild {
  if (!isPlain(value)) return false;
  const { id, sessionId, src, status } = value;
  return typeof id === 'string' && typeof sessionId === 'string' && isTextOrNone(src) && isTextOrNone(status);
}

function isErrorsOrNone(value: unknown): boolean {
  return value === undefined || isErrorsWithin(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isTextOrNumber(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

/** A hole is no tag. */
function isTag(value: unknown): value is string {
  return value !== undefined && typeof value !== 'object';
}

/** Whether these are uses that an instance may ask for, as far as that is not said when each is made. */
export function areUses(value: unknown): value is CapabilityUses {
  if (!Array.isArray(value) || value.length > MOST_USES * USE_FIELDS || value.length % USE_FIELDS !== 0)
    return false;
  for (let i = 0; i < value.length; i += USE_FIELDS)
    if (
      !isCount(value[i]) ||
      !isCount(value[i + 1]) ||
      typeof value[i + 2] !== 'string' ||
      !isCount(value[i + 5])
    )
      return false;
  return true;
}
