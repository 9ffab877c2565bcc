import { markOf } from '../mailbox/transfer.ts';

/** What is not flat. */
export const NOT_FLAT: unique symbol = Symbol('not flat');

/** The most fields of an object that is copied; copying a larger one costs as much as cloning it. */
const MOST_FIELDS = 16;

/**
 * The value as it is now, in memory of its own, if that takes a moment: a text, a number or the like, or a plain object
 * of such. It may wait for others to cross with it: nothing that its owner does changes it, and it can always be cloned.
 * Everything else is {@link NOT_FLAT}. May throw where reading a field does.
 */
export function flatCopy(value: unknown): unknown {
  if (isSimple(value)) return value;
  if (typeof value !== 'object' || value === null) return NOT_FLAT;
  if (Object.getPrototypeOf(value) !== Object.prototype || markOf(value) !== undefined) return NOT_FLAT;
  const copy: Record<string, unknown> = {};
  let fields = 0;
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key];
    fields += 1;
    // A field of that name would set the prototype.
    if (!isSimple(field) || fields > MOST_FIELDS || key === '__proto__') return NOT_FLAT;
    copy[key] = field;
  }
  return copy;
}

function isSimple(value: unknown): boolean {
  if (typeof value === 'object') return value === null;
  return typeof value !== 'function' && typeof value !== 'symbol';
}
