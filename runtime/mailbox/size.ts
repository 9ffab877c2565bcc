import { entriesOf, kindOf, partOf, sizeOfMap, sizeOfSet, tagOf, valuesOf, type Part } from './kinds.ts';
import { segmentsOf, type Foreign } from './own-memory.ts';
import { markOf } from './transfer.ts';

/**
 * The result of {@link measure}: the bytes of a value, as an object when memory lies behind it that it does not show,
 * or the reason why it cannot be sent.
 */
export type Size = number | Foreign | 'too-large' | 'too-deep' | 'shared';

/**
 * The deepest nesting of objects that may cross. A thread writes 13,000 levels of objects, but the main thread of Node
 * 22 and 24 was found to read only 1,500, and a frame that it cannot read is lost with everything in it. A third of
 * that leaves room for the callers of the reader and for a pool with a smaller `stackSizeMb`.
 */
export const MAX_LEVELS = 500;

const OBJECT = 16;
const NUMBER = 8;
const STRING = 2;
/**
 * With fewer objects than this nothing is nested too deep; with more, the walk begins anew and remembers what it has
 * visited.
 */
const TRACK_AFTER = 256;

/**
 * Estimates how many bytes a value takes on the wire and stops as soon as `limit` is exceeded. The walk is bounded and
 * only estimates, because serializing just to measure costs fifty times as much. Shared references count once in large
 * values, as in structured clone. Memory counts as far as the value shows it, because no more leaves ({@link
 * withOwnMemory}); what moves with the value counts nothing. Unless it `mayShare`, the value is `shared` as soon as it
 * is found to hold memory that threads share.
 */
export function measure(value: unknown, limit: number, mayShare = true): Size {
  const flat = measureFlat(value, limit);
  if (flat !== undefined) return flat > limit ? 'too-large' : flat;
  return walk(value, { limit, mayShare, moves: markOf(value)?.list, maxLevels: MAX_LEVELS });
}

/** Measures a value that leaves at once with what `moves`: ends early where cloning will refuse it. */
export function measureLeaving(value: unknown, moves: ReadonlySet<unknown>): Size {
  const flat = measureFlat(value, Infinity);
  if (flat !== undefined) return flat;
  return walk(value, { limit: Infinity, mayShare: true, moves, maxLevels: MAX_LEVELS, endsEarly: true });
}

/** The bytes of a size, if it has any. */
export function bytesIn(size: Size): number | undefined {
  if (typeof size === 'string') return undefined;
  return typeof size === 'number' ? size : size.bytes;
}

/** Whether structured clone would hand over memory that both sides then write. */
export function sharesMemory(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  try {
    const moves = markOf(value)?.list;
    return walk(value, { limit: Infinity, mayShare: false, moves, maxLevels: Infinity }) === 'shared';
  } catch {
    // A value that cannot be read cannot be cloned.
    return false;
  }
}

/**
 * Measures the common case without an allocation: a primitive, or an event whose fields are all primitive. `undefined`
 * for other values. A size above `limit` may be less than the whole.
 */
export function measureFlat(value: unknown, limit: number): number | undefined {
  if (typeof value !== 'object' || value === null) return widthOf(value);
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
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

/** The width of any value but an object. */
function widthOf(value: unknown): number {
  if (typeof value === 'string') return STRING + value.length;
  return typeof value === 'bigint' ? NUMBER + value.toString(16).length / 2 : NUMBER;
}

interface Terms {
  readonly limit: number;
  readonly mayShare: boolean;
  readonly moves: ReadonlySet<unknown> | undefined;
  readonly maxLevels: number;
  /** Ends at a function: an actor in a context leads to its whole system. */
  readonly endsEarly?: boolean;
}

function walk(value: unknown, terms: Terms): Size {
  return new Walk(terms, undefined).run(value) ?? (new Walk(terms, []).run(value) as Size);
}

/** Reads a value without recursion, in the order in which structured clone does. */
class Walk {
  readonly #limit: number;
  readonly #mayShare: boolean;
  readonly #moves: ReadonlySet<unknown> | undefined;
  readonly #maxLevels: number;
  readonly #endsEarly: boolean;
  /**
   * The levels of what is on the stack. Without them the walk is quick, and remembers no visited object but memory.
   */
  readonly #levels: number[] | undefined;
  readonly #stack: object[] = [];
  #level = 0;
  #isOver = false;
  #bytes = 0;
  #nodes = 0;
  #seen: Set<object> | undefined;
  #views: Map<ArrayBufferLike, Part[]> | undefined;

  constructor({ limit, mayShare, moves, maxLevels, endsEarly = false }: Terms, levels: number[] | undefined) {
    this.#limit = limit;
    this.#mayShare = mayShare;
    this.#moves = moves;
    this.#maxLevels = maxLevels;
    this.#endsEarly = endsEarly;
    this.#levels = levels;
    if (levels !== undefined) this.#seen = new Set();
  }

  /** Returns `undefined` when a quick walk is not enough, since it counts twice what it visits twice. */
  run(value: unknown): Size | undefined {
    const [stack, levels, limit] = [this.#stack, this.#levels, this.#limit];
    this.#add(value);
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (levels !== undefined) this.#level = levels.pop() as number;
      if (this.#seen?.has(next) === true) continue;
      this.#nodes += 1;
      if (levels !== undefined) {
        if (this.#level > this.#maxLevels) return 'too-deep';
        this.#seen?.add(next);
      } else if (this.#nodes > TRACK_AFTER) return undefined;
      this.#bytes += OBJECT;
      if (this.#moves?.has(next) !== true) {
        const from = stack.length;
        if (!this.#visit(next)) return 'shared';
        if (this.#isOver) return this.#bytes;
        // The first part is to be popped first.
        if (levels !== undefined && stack.length - from > 1) reverse(stack, from);
      }
      if (this.#bytes > limit) return levels === undefined ? undefined : 'too-large';
    }
    return this.#views === undefined ? this.#bytes : this.#withViews(this.#views);
  }

  #add(part: unknown): void {
    if (typeof part !== 'object' || part === null) this.#bytes += widthOf(part);
    else {
      this.#stack.push(part);
      this.#levels?.push(this.#level + 1);
    }
  }

  /** Adds a part that is sure to cross, if the whole does. */
  #addPart(part: unknown): void {
    if (this.#endsEarly && (typeof part === 'function' || typeof part === 'symbol')) this.#isOver = true;
    else this.#add(part);
  }

  /** Adds the content of the object; `false` when that is memory that may not be shared. */
  #visit(object: object): boolean {
    if (Array.isArray(object)) {
      this.#bytes += object.length > this.#limit ? object.length : 0;
      if (this.#bytes > this.#limit) return true;
      // Includes named properties, which cross too, and skips holes, of which there may be four thousand million.
      for (const item of Object.values(object)) this.#addPart(item);
      return true;
    }
    if (Object.getPrototypeOf(object) !== Object.prototype) return this.#exotic(object);
    // A plain object inherits nothing, so its keys need no second look.
    for (const key in object) {
      this.#bytes += STRING + key.length;
      if (this.#bytes > this.#limit) break;
      this.#addPart((object as Record<string, unknown>)[key]);
    }
    return true;
  }

  /** Handles everything that is neither an array nor a plain object. */
  #exotic(object: object): boolean {
    const kind = kindOf(object);
    if (kind === 'view') return this.#view(object as ArrayBufferView);
    if (kind === 'memory') {
      // Memory is remembered at once, because many views may show one.
      (this.#seen ??= new Set()).add(object);
      this.#bytes += (object as ArrayBuffer).byteLength;
      return true;
    }
    if (kind === 'shared') return this.#mayShare;
    if (kind === 'map') {
      if (this.#isTooMany(sizeOfMap(object))) return true;
      for (const [key, value] of entriesOf(object)) {
        this.#addPart(key);
        this.#addPart(value);
      }
      return true;
    }
    if (kind === 'set') {
      if (this.#isTooMany(sizeOfSet(object))) return true;
      for (const value of valuesOf(object)) this.#addPart(value);
      return true;
    }
    if (kind === 'error') {
      // These properties are not enumerable, yet they cross.
      const { message, cause, stack } = object as Error;
      this.#add(message);
      this.#add(cause);
      this.#add(stack);
      return true;
    }
    if (kind === 'value') {
      this.#bytes += object instanceof RegExp ? object.source.length : NUMBER;
      return true;
    }
    for (const key of Object.keys(object)) {
      this.#bytes += STRING + key.length;
      if (this.#bytes > this.#limit) break;
      this.#add((object as Record<string, unknown>)[key]);
    }
    return true;
  }

  #isTooMany(size: number): boolean {
    if (size > this.#limit) this.#bytes += size;
    return size > this.#limit;
  }

  #view(view: ArrayBufferView): boolean {
    const part = partOf(view);
    const { buffer, from, to } = part;
    const isWhole = to - from === buffer.byteLength;
    if (isWhole || tagOf(buffer) !== 'ArrayBuffer' || this.#moves?.has(buffer) === true) {
      this.#add(buffer);
      return true;
    }
    const views = (this.#views ??= new Map<ArrayBufferLike, Part[]>());
    const known = views.get(buffer);
    if (known === undefined) views.set(buffer, [part]);
    else known.push(part);
    return true;
  }

  /** Counts views by what they show together. Where they show all of a memory, nothing lies behind them. */
  #withViews(views: Map<ArrayBufferLike, Part[]>): Size | undefined {
    let isForeign = false;
    for (const [buffer, those] of views) {
      if (this.#seen?.has(buffer) === true) continue;
      const segments = segmentsOf(those);
      for (const { from, to } of segments) this.#bytes += to - from;
      isForeign ||= segments.length !== 1 || segments[0]?.to !== buffer.byteLength || segments[0].from !== 0;
    }
    if (this.#bytes > this.#limit) return this.#levels === undefined ? undefined : 'too-large';
    if (!isForeign) return this.#bytes;
    for (const buffer of views.keys()) if (this.#seen?.has(buffer) === true) views.delete(buffer);
    return { bytes: this.#bytes, views, whole: this.#seen };
  }
}

function reverse(stack: object[], from: number): void {
  for (let low = from, high = stack.length - 1; low < high; low++, high--) {
    const lower = stack[low] as object;
    stack[low] = stack[high] as object;
    stack[high] = lower;
  }
}
