/** Deeper than that nobody reads, and a cycle has no end. */
const DEEPEST = 64;

/** A value as JSON shows it: maps as objects, sets as arrays, large numbers and errors as text. Never throws. */
export function plainJson(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEPEST) return '…';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof URL || value instanceof RegExp) return String(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`;
  if (value instanceof Set) return Array.from(value, (item) => plainJson(item, depth + 1) ?? null);
  if (Array.isArray(value)) return value.map((item) => plainJson(item, depth + 1) ?? null);
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
  return Object.fromEntries(
    Array.from(entries, ([key, member]) => [String(key), plainJson(member, depth + 1)]),
  );
}
