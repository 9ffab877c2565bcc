/**
 * The value with every view of a larger memory replaced by a copy of its own. Small buffers are cut from a shared
 * pool, and structured clone sends the whole memory behind a view: with `Buffer.from('ok')` whatever the host had
 * put beside it, a secret for example.
 */
export function ownMemory(value: unknown, seen = new Map<object, unknown>()): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return value.byteLength === value.buffer.byteLength ? value : copied(value);
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (const item of value) copy.push(ownMemory(item, seen));
    return copy;
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    seen.set(value, copy);
    for (const [key, item] of value) copy.set(ownMemory(key, seen), ownMemory(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>();
    seen.set(value, copy);
    for (const item of value) copy.add(ownMemory(item, seen));
    return copy;
  }
  if (value instanceof Error || value instanceof Date || value instanceof RegExp) return value;
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return value;
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const [key, item] of Object.entries(value)) {
    const own = ownMemory(item, seen);
    Object.defineProperty(copy, key, { value: own, enumerable: true, writable: true, configurable: true });
  }
  return copy;
}

function copied(view: ArrayBufferView): ArrayBufferView {
  const bytes = new Uint8Array(view.byteLength);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  if (view instanceof Uint8Array) return bytes;
  return new (view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView)(bytes.buffer);
}
