import { isSparse } from '../base/sparse.ts';

/** The most levels that are shown: nobody reads deeper, and a cycle has no end. */
const DEEPEST = 64;

/**
 * The most objects that are shown again where they stand once more: JSON has no other way to say that, and each layer
 * of shared ones would double it.
 */
const MOST_AGAIN = 10_000;

/** A value as JSON shows it: maps as objects, sets as arrays, large numbers and errors as text. Never throws. */
export function plainJson(value: unknown): unknown {
  return plain(value, 0, { shown: new Set(), again: 0 });
}

interface Shown {
  readonly shown: Set<object>;
  again: number;
}

function plain(value: unknown, depth: number, so: Shown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEPEST) return '…';
  if (so.shown.has(value) && (so.again += 1) > MOST_AGAIN) return '…';
  so.shown.add(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof URL || value instanceof RegExp) return String(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`;
  if (value instanceof Set) return Array.from(value, (item) => plain(item, depth + 1, so) ?? null);
  // JSON has no holes, and a list may have four thousand million of them.
  if (Array.isArray(value) && isSparse(value)) return `<list of ${value.length} that is mostly empty>`;
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1, so) ?? null);
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
  return Object.fromEntries(
    Array.from(entries, ([key, member]) => [String(key), plain(member, depth + 1, so)]),
  );
}
