/** What {@link measure} found out about a value. */
export type Size = number | 'too-large';

const OBJECT = 16;
const NUMBER = 8;
/** Below this many nodes a cycle ends by itself at the limit; above it, visited objects are remembered. */
const TRACK_AFTER = 256;

/**
 * Estimates how many bytes a value takes on the wire and stops as soon as `limit` is exceeded. An estimate by
 * a bounded walk, because serializing just to measure costs fifty times as much. Shared references count once
 * in large values, like in structured clone.
 */
export function measure(value: unknown, limit: number): Size {
  let bytes = 0;
  let nodes = 0;
  let seen: Set<object> | undefined;
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const next = stack.pop();
    if (typeof next === 'string') bytes += next.length;
    else if (typeof next !== 'object') bytes += NUMBER;
    else if (next !== null && !seen?.has(next)) {
      if (++nodes > TRACK_AFTER) (seen ??= new Set()).add(next);
      bytes += OBJECT + visit(next, stack, limit);
    }
    if (bytes > limit) return 'too-large';
  }
  return bytes;
}

/** Pushes what the object holds and returns the bytes it takes itself. */
function visit(object: object, stack: unknown[], limit: number): number {
  if (Array.isArray(object)) {
    if (object.length > limit) return object.length;
    for (let i = 0; i < object.length; i++) stack.push(object[i]);
    return 0;
  }
  if (ArrayBuffer.isView(object)) return object.byteLength;
  if (object instanceof ArrayBuffer) return object.byteLength;
  if (object instanceof Map) {
    for (const [key, value] of object) stack.push(key, value);
    return 0;
  }
  if (object instanceof Set) {
    for (const value of object) stack.push(value);
    return 0;
  }
  let bytes = 0;
  for (const key in object) {
    if (!Object.hasOwn(object, key)) continue;
    bytes += key.length;
    stack.push((object as Record<string, unknown>)[key]);
  }
  return bytes;
}
