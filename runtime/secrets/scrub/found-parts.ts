import { isStringObject } from 'node:util/types';

/** The place of a part in a value: keys from the root. */
export type PathTo = readonly string[];

/** Whether a text carries a value that is searched for. Bytes come as latin1 text, so that each is one character. */
export type Carries = (text: string) => boolean;

/**
 * The path to the first part of `root` that carries a searched value; undefined when none does. Searches strings,
 * keys, bytes, big numbers, arrays, maps, sets, errors with everything they hold, objects with all their own
 * enumerable fields, and the results of `toJSON`. A part that throws when it is read is passed over. Reads only;
 * getters run.
 */
export function findCarrier(root: unknown, carries: Carries): PathTo | undefined {
  // Iterative, because a value may be nested deeper than the stack.
  const open: Place[] = [{ found: root, key: '', from: undefined }];
  const seen = new Set<unknown>();
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { found } = place;
    // Getters may make new objects for ever, and a value that cannot be searched must not pass.
    if (seen.size > MOST_OBJECTS) return [];
    const text = textOf(found);
    if (text !== undefined) {
      if (carries(text)) return pathTo(place);
    } else if (typeof found === 'object' && found !== null && !seen.has(found)) {
      seen.add(found);
      for (const [key, part] of readable(found)) {
        const isField = typeof key === 'string';
        if (isField && carries(key)) return pathTo(place);
        open.push({ found: part, key: isField ? key : '', from: place });
      }
    }
  }
  return undefined;
}

/** The most objects in one value: far beyond what structured clone takes in a second. */
const MOST_OBJECTS = 2_000_000;

interface Place {
  readonly found: unknown;
  readonly key: string;
  readonly from: Place | undefined;
}

function pathTo(place: Place): PathTo {
  const path: string[] = [];
  for (let at = place; at.from !== undefined; at = at.from) path.push(at.key);
  return path.toReversed();
}

/** The text that a part without parts of its own shows when it is printed; undefined for all others. */
export function textOf(found: unknown): string | undefined {
  if (typeof found === 'string') return found;
  if (typeof found === 'number' || typeof found === 'bigint') return String(found);
  if (typeof found === 'symbol') return found.description;
  return typeof found === 'object' && found !== null ? textOfObject(found) : undefined;
}

function textOfObject(found: object): string | undefined {
  if (ArrayBuffer.isView(found)) return latin1(found.buffer, found.byteOffset, found.byteLength);
  if (found instanceof ArrayBuffer || found instanceof SharedArrayBuffer) return latin1(found);
  if (isStringObject(found)) return String.prototype.valueOf.call(found);
  return found instanceof RegExp ? found.source : undefined;
}

function latin1(memory: ArrayBufferLike, ...place: readonly [number?, number?]): string {
  return Buffer.from(memory, ...place).toString('latin1');
}

/** The key and part of everything that belongs to an object; a key that belongs to no path is undefined. */
type Parts = Iterable<readonly [string | undefined, unknown]>;

function* readable(found: object): Parts {
  try {
    yield* partsOf(found);
  } catch {
    // A proxy or an iterator threw; whoever prints it gets no further either.
  }
}

function* partsOf(found: object): Parts {
  if (found instanceof Map || found instanceof Headers || found instanceof URLSearchParams) {
    for (const [key, value] of found as Iterable<[unknown, unknown]>) {
      yield [typeof key === 'string' ? key : undefined, value];
      if (typeof key !== 'string') yield [undefined, key];
    }
  } else if (found instanceof Set) {
    for (const item of found) yield [undefined, item];
  }
  for (const key of ownKeys(found)) {
    if (typeof key === 'symbol') yield [undefined, key.description];
    yield [typeof key === 'string' ? key : undefined, read(found, key)];
  }
  if (hasToJson(found)) yield [undefined, jsonOf(found)];
}

/** An error's message, stack, cause and errors are its own fields, but not enumerable ones. */
export function ownKeys(found: object): (string | symbol)[] {
  if (found instanceof Error) return ['name', ...Reflect.ownKeys(found)];
  if (Array.isArray(found) || Object.getOwnPropertySymbols(found).length === 0) return Object.keys(found);
  return Reflect.ownKeys(found).filter((key) => Object.prototype.propertyIsEnumerable.call(found, key));
}

/** Undefined when a getter throws. */
export function read(found: object, key: string | symbol): unknown {
  try {
    return (found as Record<string | symbol, unknown>)[key];
  } catch {
    return undefined;
  }
}

interface HasToJson {
  toJSON(): unknown;
}

/** Some objects hold their text in no field, such as a URL. */
export function hasToJson(found: object): found is HasToJson {
  return typeof read(found, 'toJSON') === 'function';
}

/** Undefined when `toJSON` throws. */
export function jsonOf(found: HasToJson): unknown {
  try {
    return found.toJSON();
  } catch {
    return undefined;
  }
}
