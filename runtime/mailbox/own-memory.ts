import { entriesOf, kindOf, partOf, tagOf, typedArrayOf, valuesOf, type Part } from './kinds.ts';
import { markAlike, markOf } from './transfer.ts';

/** A value that shows only a part of the memory behind it. */
export interface Foreign {
  /** Estimate for the whole value, with the bytes that it shows. */
  readonly bytes: number;
  /** The parts that are shown, keyed by the memory. */
  readonly views: ReadonlyMap<ArrayBufferLike, readonly Part[]>;
  /** Includes the memory that the value shows whole. */
  readonly whole: ReadonlySet<object> | undefined;
}

/** A stretch of memory, in bytes. */
interface Segment {
  readonly from: number;
  to: number;
}

/** A segment in its new place: an offset in the old memory is this much less in the new one. */
interface Moved extends Segment {
  readonly buffer: ArrayBuffer;
  readonly by: number;
}

/**
 * The segments that views of one memory show together, in order. Segments that only touch stay apart: neither shows
 * anything of the other.
 */
export function segmentsOf(parts: readonly Part[]): Segment[] {
  const segments: Segment[] = [];
  const inOrder = parts.length === 1 ? parts : parts.toSorted((a, b) => a.from - b.from);
  for (const { from, to } of inOrder) {
    const last = segments.at(-1);
    if (last === undefined || from >= last.to) segments.push({ from, to });
    else last.to = Math.max(last.to, to);
  }
  return segments;
}

/**
 * Returns the value as it may leave: with nothing behind its views but what they show. Small buffers are cut from one
 * pool, and structured clone sends the whole memory behind a view: with `Buffer.from('ok')`, whatever else the program
 * has put through buffers, a secret for example. Views that shared bytes still share them, and repeated or circular
 * references are kept. A value with such a view is copied, as structured clone would copy it. A getter may return
 * another view than before: an unknown view gets a copy of what it shows. `copies` holds what is to stay as it is,
 * because it moves.
 *
 * Recursive: for values of at most {@link MAX_LEVELS} levels, which {@link measure} has checked.
 */
export function withOwnMemory(
  root: unknown,
  { views, whole }: Foreign,
  copies = new Map<object, unknown>(),
): unknown {
  const moved = new Map<ArrayBufferLike, Moved[]>();
  for (const [buffer, those] of views)
    moved.set(
      buffer,
      segmentsOf(those).map((segment) => own(segment, those, buffer)),
    );

  const copy = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const known = copies.get(value);
    if (known !== undefined) return known;
    if (Array.isArray(value)) return fields(value, []);
    const kind = kindOf(value);
    if (kind === 'view') {
      const view = viewOf(value as ArrayBufferView);
      copies.set(value, view);
      return view;
    }
    if (kind === 'map') {
      const made = new Map<unknown, unknown>();
      copies.set(value, made);
      for (const [key, item] of entriesOf(value)) made.set(copy(key), copy(item));
      return made;
    }
    if (kind === 'set') {
      const made = new Set<unknown>();
      copies.set(value, made);
      for (const item of valuesOf(value)) made.add(copy(item));
      return made;
    }
    if (kind === 'error') return error(value as Error);
    if (kind !== 'fields') return value;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null || holdsObjects(value)) return fields(value, {});
    // The content of a blob or a key is in no field.
    return value;
  };

  const viewOf = (view: ArrayBufferView): ArrayBufferView => {
    const part = partOf(view);
    const { buffer, from, to } = part;
    const segment = moved.get(buffer)?.find((segment) => from >= segment.from && to <= segment.to);
    if (segment !== undefined) return viewInto(segment, view, part);
    const isWhole = to - from === buffer.byteLength || whole?.has(buffer) === true || copies.has(buffer);
    if (isWhole || tagOf(buffer) !== 'ArrayBuffer') return view;
    return viewInto(own({ from, to }, [part], buffer), view, part);
  };

  const fields = (from: object, made: object): object => {
    copies.set(from, made);
    for (const key of Object.keys(from))
      define(made, key, copy((from as Record<string, unknown>)[key]), true);
    if (Array.isArray(from)) (made as unknown[]).length = from.length;
    return made;
  };

  const error = (from: Error): Error => {
    const name = from.name as keyof typeof kinds;
    const made = new (Object.hasOwn(kinds, name) ? kinds[name] : Error)(from.message);
    copies.set(from, made);
    define(made, 'name', from.name);
    define(made, 'stack', from.stack);
    if (from.cause !== undefined) define(made, 'cause', copy(from.cause));
    return made;
  };

  return copy(root);
}

/**
 * An event as it waits in a mailbox: without the memory behind its views, which is free again, and marked as before.
 */
export function ownEvent<T extends object>(event: T, foreign: Foreign): T {
  const moves = [...(markOf(event)?.list ?? [])] as object[];
  const own = withOwnMemory(event, foreign, new Map(moves.map((item) => [item, item]))) as T;
  markAlike(own, event);
  return own;
}

const kinds = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function holdsObjects(value: object): boolean {
  return Object.values(value).some((part) => typeof part === 'object' && part !== null);
}

/** Copies the segment; each view keeps the alignment that its numbers need. */
function own({ from, to }: Segment, parts: readonly Part[], buffer: ArrayBufferLike): Moved {
  const within = parts.filter((part) => part.from >= from && part.from <= to);
  const isAligned = within.every((part) => (part.from - from) % part.unit === 0);
  const lead = isAligned ? 0 : from % 8;
  const bytes = new Uint8Array(lead + to - from);
  bytes.set(new Uint8Array(buffer, from, to - from), lead);
  return { from, to, buffer: bytes.buffer, by: from - lead };
}

function viewInto({ buffer, by }: Moved, view: ArrayBufferView, { from, to, unit }: Part): ArrayBufferView {
  const name = typedArrayOf(view) as keyof typeof globalThis | undefined;
  if (name === undefined) return new DataView(buffer, from - by, to - from);
  const View = globalThis[name] as Uint8ArrayConstructor;
  return new View(buffer, from - by, (to - from) / unit);
}

/** Never by assignment: `__proto__` is a name like any other. */
function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable });
}
