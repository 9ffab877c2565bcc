import { markOf } from './transfer.ts';

/** What {@link measure} found out about a value. */
export type Size = number | 'too-large' | 'shared';

const OBJECT = 16;
const NUMBER = 8;
const STRING = 2;
/** Below this many nodes a cycle ends by itself at the limit; above it, visited objects are remembered. */
const TRACK_AFTER = 256;

/** Not there with `--jitless`. */
const { Memory } = (
  globalThis as { WebAssembly?: { Memory?: new () => { readonly buffer: ArrayBufferLike } } }
).WebAssembly ?? { Memory: undefined };

/**
 * Estimates how many bytes a value takes on the wire and stops as soon as `limit` is exceeded. An estimate by
 * a bounded walk, because serializing just to measure costs fifty times as much. Shared references count once
 * in large values, like in structured clone. What is to move with the value takes none. Unless it `mayShare`, it is
 * `shared` as soon as memory is found in it that threads share.
 */
export function measure(value: unknown, limit: number, mayShare = true): Size {
  const moves = markOf(value)?.list;
  const flat = measureFlat(value, limit);
  if (flat !== undefined) return flat > limit ? 'too-large' : flat;
  let bytes = 0;
  let nodes = 0;
  let seen: Set<object> | undefined;
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const next = stack.pop();
    if (typeof next === 'string') bytes += STRING + next.length;
    else if (typeof next !== 'object' || next === null)
      bytes += typeof next === 'bigint' ? width(next) : NUMBER;
    else if (!seen?.has(next)) {
      const own = moves?.has(next) ? 0 : visit(next, stack, limit, mayShare);
      if (Number.isNaN(own)) return 'shared';
      // Memory is remembered at once: many small views share one.
      if (++nodes > TRACK_AFTER || own < 0) (seen ??= new Set()).add(next);
      bytes += OBJECT + Math.abs(own);
    }
    if (bytes > limit) return 'too-large';
  }
  return bytes;
}

/** Whether structured clone would hand over memory that both sides write then. */
export function sharesMemory(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return measure(value, Infinity, false) === 'shared';
  } catch {
    // What cannot be read cannot be cloned.
    return false;
  }
}

/** The common case without an allocation: an event whose fields are all primitive; `undefined` for others. */
function measureFlat(value: unknown, limit: number): number | undefined {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return undefined;
  }
  let bytes = OBJECT;
  for (const key in value) {
    const field: unknown = (value as Record<string, unknown>)[key];
    if (typeof field === 'string') bytes += STRING + field.length;
    else if (typeof field === 'number' || typeof field === 'boolean' || field === undefined || field === null)
      bytes += NUMBER;
    else return undefined;
    bytes += key.length;
    if (bytes > limit) return bytes;
  }
  return bytes;
}

/** Pushes what the object holds and returns the bytes it takes itself; as a negative number for memory. */
function visit(object: object, stack: unknown[], limit: number, mayShare: boolean): number {
  if (Array.isArray(object)) {
    if (object.length > limit) return object.length;
    if (!mayShare) {
      // With what has a name, which crosses too, and without holes, of which a thread may send four thousand million.
      for (const item of Object.values(object)) stack.push(item);
      return 0;
    }
    for (let i = 0; i < object.length; i++) stack.push(object[i]);
    return 0;
  }
  if (Object.getPrototypeOf(object) !== Object.prototype) return exotic(object, stack, limit, mayShare);
  // Nothing is inherited by a plain object, so that its keys need no second look.
  let bytes = 0;
  for (const key in object) {
    bytes += STRING + key.length;
    if (bytes > limit) break;
    stack.push((object as Record<string, unknown>)[key]);
  }
  return bytes;
}

/** Everything that is neither an array nor a plain object. */
function exotic(object: object, stack: unknown[], limit: number, mayShare: boolean): number {
  if (ArrayBuffer.isView(object)) {
    // The whole memory behind it crosses, also for a small view; once, however many views there are.
    stack.push(object.buffer);
    return 0;
  }
  if (object instanceof ArrayBuffer) return -object.byteLength;
  if (!mayShare && isShared(object)) return NaN;
  if (object instanceof Map) {
    if (object.size > limit) return object.size;
    for (const [key, value] of object) stack.push(key, value);
    return 0;
  }
  if (object instanceof Set) {
    if (object.size > limit) return object.size;
    for (const value of object) stack.push(value);
    return 0;
  }
  if (object instanceof RegExp) return object.source.length;
  // These are not enumerable, and they cross.
  if (object instanceof Error) stack.push(object.message, object.stack, object.cause);
  let bytes = 0;
  for (const key of Object.keys(object)) {
    bytes += STRING + key.length;
    if (bytes > limit) break;
    stack.push((object as Record<string, unknown>)[key]);
  }
  return bytes;
}

function isShared(object: object): boolean {
  if (object instanceof SharedArrayBuffer) return true;
  // Crosses itself when its memory is shared.
  return Memory !== undefined && object instanceof Memory && object.buffer instanceof SharedArrayBuffer;
}

function width(integer: bigint): number {
  return NUMBER + integer.toString(16).length / 2;
}
