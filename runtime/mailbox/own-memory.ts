import { markAlike, markOf } from './transfer.ts';

/** Memory behind a value of which the value shows only a part. */
export interface Foreign {
  /** Estimate for the whole value, with the bytes that it shows. */
  readonly bytes: number;
  /** Those that show the part, by that memory. */
  readonly views: ReadonlyMap<ArrayBufferLike, readonly ArrayBufferView[]>;
}

/** A stretch of memory, in bytes. */
interface Segment {
  readonly from: number;
  to: number;
}

/** Where a segment has gone: an offset in the old memory is this much less in the new one. */
interface Moved extends Segment {
  readonly buffer: ArrayBuffer;
  readonly by: number;
}

/** Says of every typed array what it is, also of a subclass such as `Buffer`. */
const kindOfView = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
);

/** `ArrayBuffer` or `SharedArrayBuffer`, of whatever realm. */
export function tagOf(buffer: ArrayBufferLike): string {
  return buffer[Symbol.toStringTag];
}

/** What views of one memory show together, in order. Those that only touch stay apart: one shows nothing of the other. */
export function segmentsOf(views: readonly ArrayBufferView[]): Segment[] {
  const segments: Segment[] = [];
  const inOrder = views.length === 1 ? views : views.toSorted((a, b) => a.byteOffset - b.byteOffset);
  for (const { byteOffset: from, byteLength } of inOrder) {
    const last = segments.at(-1);
    if (last === undefined || from >= last.to) segments.push({ from, to: from + byteLength });
    else last.to = Math.max(last.to, from + byteLength);
  }
  return segments;
}

/**
 * The value as it may leave: with nothing behind its views but what they show. Small buffers are cut from one pool, and
 * structured clone sends the whole memory behind a view: with `Buffer.from('ok')` whatever else the program has
 * put through buffers, a secret for example. Views that show the same bytes still do; what stands in the value twice, or
 * leads back to it, still does. Where there is such a view the value is a copy, as structured clone would make it; `copies`
 * has the copies of what stands in several values.
 *
 * Recursive: for values of {@link MAX_LEVELS} levels at most, which {@link measure} has seen to.
 */
export function withOwnMemory(
  root: unknown,
  { views }: Foreign,
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
    if (ArrayBuffer.isView(value)) {
      const view = viewOf(value, moved.get(value.buffer));
      copies.set(value, view);
      return view;
    }
    if (Array.isArray(value)) return fields(value, []);
    if (value instanceof Map) {
      const made = new Map<unknown, unknown>();
      copies.set(value, made);
      for (const [key, item] of value) made.set(copy(key), copy(item));
      return made;
    }
    if (value instanceof Set) {
      const made = new Set<unknown>();
      copies.set(value, made);
      for (const item of value) made.add(copy(item));
      return made;
    }
    if (value instanceof Error) return error(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null || holdsObjects(value)) return fields(value, {});
    // A date, a blob, a key: what it is made of is in no field.
    return value;
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

/** An event as it waits in a mailbox: without what lies behind its views, which is free again, and marked as before. */
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

/** A copy of the segment; each view keeps the alignment that its numbers need. */
function own({ from, to }: Segment, views: readonly ArrayBufferView[], buffer: ArrayBufferLike): Moved {
  const within = views.filter(({ byteOffset }) => byteOffset >= from && byteOffset <= to);
  const isAligned = within.every((view) => (view.byteOffset - from) % unitOf(view) === 0);
  const lead = isAligned ? 0 : from % 8;
  const bytes = new Uint8Array(lead + to - from);
  bytes.set(new Uint8Array(buffer, from, to - from), lead);
  return { from, to, buffer: bytes.buffer, by: from - lead };
}

function unitOf(view: ArrayBufferView): number {
  return (view as Partial<Uint8Array>).BYTES_PER_ELEMENT ?? 1;
}

function viewOf(view: ArrayBufferView, moved: readonly Moved[] | undefined): ArrayBufferView {
  const { byteOffset, byteLength } = view;
  const to = moved?.find((segment) => byteOffset >= segment.from && byteOffset + byteLength <= segment.to);
  if (to === undefined) return view;
  const tag = kindOfView?.get?.call(view) as keyof typeof globalThis | undefined;
  const at = byteOffset - to.by;
  if (tag === undefined) return new DataView(to.buffer, at, byteLength);
  const View = globalThis[tag] as Uint8ArrayConstructor;
  return new View(to.buffer, at, byteLength / View.BYTES_PER_ELEMENT);
}

/** Never by assignment: `__proto__` is a name like any other. */
function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable });
}
