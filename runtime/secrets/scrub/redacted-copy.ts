import { findCarrier, hasToJson, jsonOf, ownKeys, read, textOf, type Carries } from './found-parts.ts';

/** The mark in place of a value. It tells neither the length of the value nor which it was. */
export const REDACTED = '<redacted:secret>';

export interface Redaction {
  /** The text without values. */
  readonly scrubText: (text: string) => string;
  readonly carries: Carries;
}

/** The most levels that are copied; a part further down that carries a value is replaced as a whole. */
const DEEPEST = 200;

/**
 * A copy of `root` without values; parts that carry none are the same as before. Errors keep their class, stack, cause
 * and fields, other objects their class and own enumerable fields. Bytes, patterns and objects that show their text by
 * other means are replaced as a whole, and an object whose `toJSON` would reveal a value becomes the result of that.
 */
export function redactedCopy(root: unknown, { scrubText, carries }: Redaction): unknown {
  const copies = new Map<object, unknown>();

  const copy = (found: unknown, level: number): unknown => {
    if (typeof found === 'string') return scrubText(found);
    if (typeof found !== 'object' || found === null) return hidden(found);
    if (copies.has(found)) return copies.get(found);
    if (findCarrier(found, carries) === undefined) return found;
    if (level > DEEPEST || textOf(found) !== undefined) return REDACTED;
    if (found instanceof Map) return mapCopy(found, level);
    if (found instanceof Set) return setCopy(found, level);
    if (found instanceof Headers || found instanceof URLSearchParams) return REDACTED;
    if (!(found instanceof Error) && hasToJson(found)) {
      const json = jsonOf(found);
      if (findCarrier(json, carries) !== undefined) return json === found ? REDACTED : copy(json, level + 1);
    }
    return fieldsCopy(found, empty(found), level);
  };

  const hidden = (found: unknown): unknown => {
    const text = textOf(found);
    return text !== undefined && carries(text) ? REDACTED : found;
  };

  const mapCopy = (found: Map<unknown, unknown>, level: number): unknown => {
    const made = new Map<unknown, unknown>();
    copies.set(found, made);
    for (const [key, value] of found) made.set(copy(key, level + 1), copy(value, level + 1));
    return fieldsCopy(found, made, level);
  };

  const setCopy = (found: Set<unknown>, level: number): unknown => {
    const made = new Set<unknown>();
    copies.set(found, made);
    for (const item of found) made.add(copy(item, level + 1));
    return fieldsCopy(found, made, level);
  };

  const fieldsCopy = (found: object, made: object, level: number): object => {
    copies.set(found, made);
    for (const key of ownKeys(found)) {
      const value = copy(read(found, key), level + 1);
      const enumerable = Object.prototype.propertyIsEnumerable.call(found, key);
      // The class supplies it.
      if (key === 'name' && !Object.hasOwn(found, key) && value === read(found, key)) continue;
      define(made, keyCopy(key), { value, enumerable, writable: true, configurable: true });
    }
    return made;
  };

  const keyCopy = (key: string | symbol): string | symbol => {
    if (typeof key === 'string') return scrubText(key);
    return carries(key.description ?? '') ? Symbol(REDACTED) : key;
  };

  try {
    return copy(root, 0);
  } catch {
    // A proxy threw. It carries a value, so it is not shown.
    return REDACTED;
  }
}

/** A new object of the same class. */
function empty(found: object): object {
  if (Array.isArray(found)) {
    const list: unknown[] = [];
    // Holes stay holes, because there may be four thousand million.
    list.length = found.length;
    return list;
  }
  const prototype = Object.getPrototypeOf(found) as object | null;
  // Only a real error prints as one and can be cloned as one.
  if (found instanceof Error) return Object.setPrototypeOf(new Error('', {}), prototype) as object;
  return Object.create(prototype) as object;
}

function define(made: object, key: string | symbol, descriptor: PropertyDescriptor): void {
  try {
    Object.defineProperty(made, key, descriptor);
  } catch {
    // A class that fixes the field: the field is not shown.
  }
}
