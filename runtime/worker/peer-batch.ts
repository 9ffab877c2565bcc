import { runAt, runCount, traceAt, type Batch } from '../mailbox/batch.ts';
import { isTrace } from '../mailbox/trace.ts';
import { isReserved } from '../base/reserved-types.ts';

/** A batch holds no more envelopes of one instance than the sender's mailbox did. */
const MAX_RUN = 1_000_000;

/**
 * Whether a message of another thread is a batch. Threads of other pools are not trusted: a value that is no event
 * would throw in a turn, and so end this thread with all its instances.
 */
export function isBatch(value: unknown): value is Batch {
  if (!Array.isArray(value) || value.length % 5 !== 0) return false;
  for (let i = 0; i < runCount(value); i++) {
    if (isOneEvent(value, i * 5)) continue;
    const trace = traceAt(value, i);
    if (trace !== undefined) {
      if (!isTrace(trace)) return false;
      continue;
    }
    const { slot, length, asks, keys, events } = runAt(value, i);
    if (!isCount(slot) || !isCount(length) || length === 0 || length > MAX_RUN) return false;
    if (!Array.isArray(events) || !(asks === null || isAsks(asks, length))) return false;
    const fits =
      keys === null || keys === undefined ? areEvents(events, length) : arePacked(keys, events, length);
    if (!fits) return false;
  }
  return true;
}

/** Whether the row holds one event, as most do; other rows, and rows that are wrong, have a longer look. */
function isOneEvent(batch: Batch, at: number): boolean {
  if (batch[at + 1] !== 1 || batch[at + 2] !== 0 || !isCount(batch[at])) return false;
  const event = batch[at + 4] as { readonly type?: unknown } | null | undefined;
  return typeof event === 'object' && event !== null && isType(event.type);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAsks(asks: unknown, length: number): boolean {
  if (!Array.isArray(asks) || !Array.isArray(asks[0]) || asks[0].length !== length) return false;
  const [tags, terms] = asks as [unknown[], unknown];
  if (typeof terms !== 'number' && !(Array.isArray(terms) && terms.length === length)) return false;
  for (let i = 0; i < length; i++) if (typeof tags[i] !== 'number') return false;
  return true;
}

function areEvents(events: readonly unknown[], length: number): boolean {
  if (events.length !== length) return false;
  for (let i = 0; i < length; i++) {
    const event = events[i] as { readonly type?: unknown } | null | undefined;
    if (typeof event !== 'object' || event === null || !isType(event.type)) return false;
  }
  return true;
}

function arePacked(keys: unknown, columns: readonly unknown[], length: number): boolean {
  if (!Array.isArray(keys) || keys.length !== columns.length || !keys.every(isKey)) return false;
  const at = keys.indexOf('type');
  // An unpacked event would have the last of several types.
  if (keys.includes('type', at + 1)) return false;
  const types = columns[at];
  if (!Array.isArray(types)) return isType(types);
  for (let i = 0; i < length; i++) if (!isType(types[i])) return false;
  return true;
}

function isKey(key: unknown): boolean {
  return typeof key === 'string' && key !== '__proto__';
}

/** The thread of an honest agent sends no event whose type is reserved. */
function isType(type: unknown): boolean {
  return typeof type === 'string' && !isReserved(type);
}
