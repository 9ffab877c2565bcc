/** The fewest events that are worth their header. */
const MIN_PACKED = 4;

/** Events of one shape, column by column: a column is an array, or the one value that all of them share. */
export interface PackedRun {
  readonly length: number;
  readonly keys: readonly string[];
  readonly columns: readonly unknown[];
}

/**
 * Packs the events from `from` on, as long as they are plain objects with the same keys in the same order and
 * primitive values only; `undefined` when fewer than four are. Structured clone spells out every key of every object,
 * and agents are sent many events of few shapes: in a packed run the keys and whatever never changes, such as `type`,
 * cross once. {@link unpackEvent} returns what structured clone would have made.
 */
export function packRun(events: (at: number) => unknown, from: number, to: number): PackedRun | undefined {
  if (to - from < MIN_PACKED) return undefined;
  try {
    const keys = keysOf(events(from));
    if (keys === undefined) return undefined;
    const columns: unknown[][] = keys.map(() => []);
    let at = from;
    while (at < to && append(events(at), keys, columns, at - from)) at += 1;
    const length = at - from;
    if (length < MIN_PACKED) return undefined;
    return { length, keys, columns: columns.map((column) => condensed(column, length)) };
  } catch {
    // A getter or proxy threw: structured clone will report it, event by event.
    return undefined;
  }
}

/** Event number `i` of a packed run, as an object of its own. */
export function unpackEvent(
  keys: readonly string[],
  columns: readonly unknown[],
  i: number,
): Record<string, unknown> {
  const event: Record<string, unknown> = {};
  for (let k = 0; k < keys.length; k++) {
    const column = columns[k];
    event[keys[k] as string] =
      typeof column === 'object' && column !== null ? (column as unknown[])[i] : column;
  }
  return event;
}

function keysOf(event: unknown): string[] | undefined {
  if (!isPlain(event)) return undefined;
  const keys = Object.keys(event);
  // An assignment would set the prototype.
  return keys.includes('__proto__') ? undefined : keys;
}

/** Appends the event's values to the columns; returns `false`, and keeps nothing, when it has another shape. */
function append(event: unknown, keys: readonly string[], columns: unknown[][], row: number): boolean {
  if (!isPlain(event)) return false;
  let k = 0;
  for (const key in event) {
    const value = event[key];
    if (key !== keys[k] || !isPrimitive(value)) return drop(columns, row);
    (columns[k] as unknown[]).push(value);
    k += 1;
  }
  return k === keys.length || drop(columns, row);
}

function drop(columns: readonly unknown[][], row: number): false {
  for (const column of columns) column.length = row;
  return false;
}

/** Replaces a column of one value by that value. `Object.is` compares, so `-0` and `NaN` are kept apart. */
export function condensed(column: readonly unknown[], length: number): unknown {
  const first = column[0];
  for (let i = 1; i < length; i++) if (!Object.is(column[i], first)) return column;
  return first;
}

function isPlain(event: unknown): event is Record<string, unknown> {
  return typeof event === 'object' && event !== null && Object.getPrototypeOf(event) === Object.prototype;
}

/** Accepts what structured clone copies as it is. It refuses symbols, so they must reach it unpacked. */
function isPrimitive(value: unknown): boolean {
  const type = typeof value;
  return value === null || (type !== 'object' && type !== 'function' && type !== 'symbol');
}
