import { isObject } from '../base/call-check.ts';
import { MAX_LEVELS } from '../mailbox/size.ts';
import { hasToJson, MOST_MISSING } from './plain-json.ts';

/** A run with a smaller share of the characters that one has at least stands in the text itself. */
const LEAST_PART = 1 / 8;

/** Stands for the end of a list or an object among what a run was made of. */
const END = Symbol('end');

/** A place of a value: keys, and indexes of items. */
export type Path = readonly (string | number)[];

/** How the parts of a value are told. */
export interface RunsOptions {
  /** The characters at which a run ends, about. */
  readonly least: number;
  /** Returns what stands in the text for a part that was not told before. */
  readonly part: (text: string) => string;
  /** Returns what stands in the text for a long text. */
  readonly long: (text: string) => string;
  /** The characters from which on a text is a long one. */
  readonly longFrom: number;
}

/** Some items or fields of a list or an object, one after the other. */
interface Run {
  readonly count: number;
  /** Every list and object in it, with all that was in it, and the names of fields: to find out what has changed. */
  readonly found: readonly unknown[];
  /** The characters of its JSON text. */
  readonly size: number;
  /** What stands for it in the text. */
  readonly text: string;
  /** The long text that it is. */
  readonly long: string | undefined;
  /** Where in it something is `undefined`, from the first of its items on. */
  readonly missing: readonly Path[] | undefined;
  /** When nothing in it can be changed in place, all that has to be compared. */
  readonly frozen: readonly unknown[] | undefined;
  /** The last telling that it was in. */
  turn: number;
}

/** A list or an object that is more than a run. */
interface Cut {
  readonly count: 1;
  /** Its name, when it is a field. */
  readonly key: string | undefined;
  readonly value: object;
  readonly children: readonly (Run | Cut)[];
  readonly size: number;
  readonly text: string;
  readonly isMissing: boolean;
  turn: number;
}

/** A list or an object whose items are gone through. */
interface Container {
  readonly value: readonly unknown[] | Readonly<Record<string, unknown>>;
  /** The names of its fields, when it is an object. */
  readonly keys: readonly string[] | undefined;
  readonly count: number;
  readonly level: number;
}

/**
 * Cuts the JSON text of a large value into runs of items and fields, so that of the next value only those are told that have
 * changed. What was in a run is compared with what is there now, object by object and field by field: a value that is
 * changed in place is told as it is.
 */
export class ToldRuns {
  readonly #options: RunsOptions;
  #root: Cut | undefined;
  #turn = 0;
  /** What each list and object is in. */
  readonly #owners = new Map<object, Run | Cut>();
  /** Those that were in something else before, which has to be gone. */
  #moved: (Run | Cut)[] = [];
  #isUnfit = false;
  #fresh = 0;
  // What is found of the next run.
  #found: unknown[] = [];
  #left = 0;
  #missing: Path[] = [];
  readonly #path: (string | number)[] = [];

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /**
   * Tells a value; `level`: how deep it stands. Returns `false` for one of which JSON does not say all, or of which a part
   * stands in two places; nothing more can be told then.
   */
  tell(value: object, level: number): boolean {
    this.#turn += 1;
    this.#fresh = 0;
    this.#isUnfit = hasToJson(Object.prototype) || hasToJson(Array.prototype);
    const root = this.#cut(value, undefined, level, this.#root);
    if (root === undefined || this.#isUnfit || this.#moved.some(({ turn }) => turn === this.#turn))
      return false;
    this.#moved = [];
    this.#root = root;
    return !root.isMissing || this.missing([]).length <= MOST_MISSING;
  }

  /** The JSON text, with what stands for its parts. */
  get text(): string {
    return (this.#root as Cut).text;
  }

  /** The characters of the JSON text without its long texts. */
  get size(): number {
    return (this.#root as Cut).size;
  }

  /** The characters that were told with the last value. */
  get fresh(): number {
    return this.#fresh + this.text.length;
  }

  /** Whether something is `undefined`. */
  get isMissing(): boolean {
    return (this.#root as Cut).isMissing;
  }

  /** Where something is `undefined`, from `path` on. */
  missing(path: Path): Path[] {
    const paths: Path[] = [];
    addMissing(this.#root as Cut, path, paths);
    return paths;
  }

  /** Whether a list or an object stands in the value. */
  holds(one: object): boolean {
    return this.#owners.has(one);
  }

  #cut(value: object, key: string | undefined, level: number, before: Cut | undefined): Cut | undefined {
    const isList = Array.isArray(value);
    if (level >= MAX_LEVELS || !isPlain(value)) return undefined;
    if (isList && !isWhole(value)) return undefined;
    const keys = isList ? undefined : Object.keys(value);
    const count = isList ? value.length : (keys as string[]).length;
    const of: Container = { value: value as Container['value'], keys, count, level };
    const children = this.#children(of, before?.children ?? []);
    if (children === undefined) return undefined;
    for (const old of before?.children ?? []) if (old.turn !== this.#turn) this.#gone(old);
    if (before?.value === value && areSame(children, before.children)) {
      before.turn = this.#turn;
      return before;
    }
    let [size, isMissing] = [2, false];
    const texts: string[] = [];
    for (const child of children) {
      size += child.size + 1;
      if (child.text !== '') texts.push(child.text);
      isMissing ||= 'isMissing' in child ? child.isMissing : child.missing !== undefined;
    }
    const name = key === undefined ? '' : `${JSON.stringify(key)}:`;
    const text = isList ? `${name}[${texts.join(',')}]` : `${name}{${texts.join(',')}}`;
    const cut: Cut = { count: 1, key, value, children, size, text, isMissing, turn: this.#turn };
    if (before !== undefined) {
      before.turn = 0;
      if (this.#owners.get(before.value) === before) this.#owners.delete(before.value);
    }
    this.#own(value, cut);
    return cut;
  }

  /** Keeps what is as it was, and makes anew what is not. */
  #children(of: Container, olds: readonly (Run | Cut)[]): (Run | Cut)[] | undefined {
    const children: (Run | Cut)[] = [];
    let starts: ReadonlyMap<unknown, number> | undefined;
    // The next of the old ones, whether it may begin here, and where the first one is that is not as it was.
    let [next, isStart, from] = [0, true, 0];
    let differs = 0;
    for (let at = 0; at < of.count;) {
      const old = olds[next];
      const same = isStart && old !== undefined ? this.#same(old, of, at) : undefined;
      if (this.#isUnfit) return undefined;
      if (same !== undefined) {
        if (!this.#runs(of, from, at, children)) return undefined;
        same.turn = this.#turn;
        children.push(same);
        at += same.count;
        from = at;
        next += 1;
        continue;
      }
      const later = old === undefined ? undefined : (starts ??= startsOf(olds)).get(startAt(of, at));
      if (later !== undefined && (later > next || (later === next && !isStart))) {
        [next, isStart] = [later, true];
        continue;
      }
      if (isStart) differs = at;
      at += 1;
      isStart = old !== undefined && at - differs === old.count;
      if (isStart) next += 1;
    }
    return this.#runs(of, from, of.count, children) ? children : undefined;
  }

  /** The old one, if it is what stands at that place; a list or an object of its own, as it is now. */
  #same(old: Run | Cut, of: Container, at: number): Run | Cut | undefined {
    if ('children' in old) {
      const item = itemOf(of, at);
      const isOne = typeof item === 'object' && item !== null && of.keys?.[at] === old.key;
      if (!isOne || Array.isArray(item) !== Array.isArray(old.value)) return undefined;
      const cut = this.#cut(item, old.key, of.level + 1, old);
      this.#isUnfit ||= cut === undefined;
      return cut;
    }
    const isSame =
      of.keys === undefined
        ? areSameItems(old, of.value as readonly unknown[], at)
        : areSameFields(old, of as Container & { keys: readonly string[] }, at);
    if (!isSame) return undefined;
    if (old.long !== undefined) this.#options.long(old.long);
    return old;
  }

  /** Adds runs of those items. Returns `false` when JSON does not say all of them. */
  #runs(of: Container, from: number, to: number, children: (Run | Cut)[]): boolean {
    let begin = from;
    if (begin === to) return true;
    const last = children.at(-1);
    // A list that grows at its end would have as many runs as turns.
    if (
      last !== undefined &&
      !('children' in last) &&
      last.long === undefined &&
      last.size < this.#options.least / 2
    ) {
      children.pop();
      last.turn = 0;
      this.#gone(last);
      begin -= last.count;
    }
    this.#clear();
    let start = begin;
    for (let at = begin; at < to; at++) {
      const item = itemOf(of, at);
      const [length, left, missing] = [this.#found.length, this.#left, this.#missing.length];
      if (of.keys !== undefined) this.#found.push(of.keys[at]);
      this.#path[0] = of.keys?.[at] ?? at - start;
      // What would fill a run alone is looked at with as much room as a run has.
      this.#left = this.#options.least;
      const fits = this.#find(item, of.level + 1, 1);
      if (this.#isUnfit) return false;
      if (fits) {
        this.#left = left - (this.#options.least - this.#left) - (of.keys?.[at]?.length ?? 0);
        // The rest of a run that has grown a little is not worth one of its own.
        const isTail = (to - at - 1) * 4 < at + 1 - start && this.#left > -this.#options.least;
        if (this.#left > 0 || isTail) continue;
        this.#close(of, start, at + 1, children);
        start = at + 1;
        continue;
      }
      this.#found.length = length;
      this.#missing.length = missing;
      this.#close(of, start, at, children);
      start = at + 1;
      if (typeof item === 'string') this.#addLong(item, of.keys?.[at], children);
      else {
        const cut = this.#cut(item as object, of.keys?.[at], of.level + 1, undefined);
        if (cut === undefined) return false;
        children.push(cut);
        this.#clear();
      }
    }
    this.#close(of, start, to, children);
    return !this.#isUnfit;
  }

  #clear(): void {
    this.#found = [];
    this.#missing = [];
    this.#left = this.#options.least;
  }

  #close(of: Container, from: number, to: number, children: (Run | Cut)[]): void {
    const [found, missing] = [this.#found, this.#missing];
    this.#clear();
    if (from === to) return;
    const json = textOf(of, from, to);
    const isPart = json.length >= this.#options.least * LEAST_PART;
    if (isPart) this.#fresh += json.length;
    const isFrozen = found.every((one) => !isObject(one) || isFixed(one));
    const run: Run = {
      count: to - from,
      found,
      size: json.length,
      text: isPart ? this.#options.part(json) : json,
      long: undefined,
      missing: missing.length > 0 ? missing : undefined,
      frozen: isFrozen ? outermost(of, from, to) : undefined,
      turn: this.#turn,
    };
    for (const one of found) if (isObject(one)) this.#own(one, run);
    children.push(run);
  }

  #addLong(long: string, key: string | undefined, children: (Run | Cut)[]): void {
    const mark = this.#options.long(long);
    const text = key === undefined ? mark : `${JSON.stringify(key)}:${mark}`;
    const found = key === undefined ? [long] : [key, long];
    const of = { count: 1, found, size: text.length, text, long, missing: undefined };
    children.push({ ...of, frozen: undefined, turn: this.#turn });
  }

  /**
   * Finds all that is in a value of a run. Returns `false` for one that is too large for it, or is a long text; notes one of
   * which JSON does not say all.
   */
  #find(value: unknown, level: number, depth: number): boolean {
    if (typeof value === 'object' && value !== null) return this.#findIn(value, level, depth);
    this.#found.push(value);
    if (typeof value === 'string') {
      this.#left -= value.length + 3;
      return value.length < this.#options.longFrom && this.#left > 0;
    }
    if (value === undefined) this.#missing.push(this.#path.slice(0, depth));
    else if (typeof value === 'number') this.#isUnfit ||= value - value !== 0 || isOdd(value);
    else this.#isUnfit ||= typeof value !== 'boolean' && value !== null;
    this.#left -= 6;
    return this.#left > 0;
  }

  #findIn(value: object, level: number, depth: number): boolean {
    this.#isUnfit ||= level >= MAX_LEVELS || !isPlain(value);
    if (this.#isUnfit) return false;
    this.#found.push(value);
    this.#left -= 3;
    if (Array.isArray(value)) {
      // One that is too large for a run is looked at elsewhere.
      if (value.length * 2 > this.#left) return false;
      this.#isUnfit ||= !isWhole(value);
      for (let i = 0; i < value.length; i++) {
        this.#path[depth] = i;
        if (!this.#find(value[i], level + 1, depth + 1)) return false;
      }
    } else {
      for (const key in value) {
        this.#found.push(key);
        this.#left -= key.length + 3;
        this.#path[depth] = key;
        if (!this.#find((value as Record<string, unknown>)[key], level + 1, depth + 1)) return false;
      }
    }
    this.#found.push(END);
    return true;
  }

  #own(one: object, owner: Run | Cut): void {
    const other = this.#owners.get(one);
    if (other === owner) this.#isUnfit = true;
    else if (other !== undefined) this.#moved.push(other);
    this.#owners.set(one, owner);
  }

  #gone(old: Run | Cut): void {
    const all = 'children' in old ? [old.value] : old.found;
    for (const one of all) if (isObject(one) && this.#owners.get(one) === old) this.#owners.delete(one);
    if ('children' in old) for (const child of old.children) if (child.turn !== this.#turn) this.#gone(child);
  }
}

/** The places at which the old ones begin: by the name of a field, or by what an item is. */
function startsOf(olds: readonly (Run | Cut)[]): ReadonlyMap<unknown, number> {
  const starts = new Map<unknown, number>();
  for (const [i, old] of olds.entries()) {
    const start = 'children' in old ? (old.key ?? old.value) : old.found[0];
    if (!starts.has(start)) starts.set(start, i);
  }
  return starts;
}

function startAt(of: Container, at: number): unknown {
  if (of.keys !== undefined) return of.keys[at];
  const item = itemOf(of, at);
  // A number or a short text is no place.
  return isObject(item) ? item : undefined;
}

function itemOf({ value, keys }: Container, at: number): unknown {
  return keys === undefined
    ? (value as readonly unknown[])[at]
    : (value as Readonly<Record<string, unknown>>)[keys[at] as string];
}

function textOf(of: Container, from: number, to: number): string {
  if (of.keys === undefined)
    return JSON.stringify((of.value as readonly unknown[]).slice(from, to)).slice(1, -1);
  const texts: string[] = [];
  for (let at = from; at < to; at++) {
    const item = itemOf(of, at);
    if (item !== undefined) texts.push(`${JSON.stringify(of.keys[at])}:${JSON.stringify(item)}`);
  }
  return texts.join(',');
}

function outermost(of: Container, from: number, to: number): unknown[] {
  const all: unknown[] = [];
  for (let at = from; at < to; at++) {
    if (of.keys !== undefined) all.push(of.keys[at]);
    all.push(itemOf(of, at));
  }
  return all;
}

function areSameItems({ found, frozen, count }: Run, list: readonly unknown[], at: number): boolean {
  const end = at + count;
  if (end > list.length) return false;
  const known = frozen ?? found;
  let next = 0;
  for (let i = at; i < end; i++) {
    const item = list[i];
    if (frozen === undefined && typeof item === 'object' && item !== null) {
      next = sameFrom(item, known, next);
      if (next < 0) return false;
    } else if (known[next++] !== item || isOdd(item)) return false;
  }
  return true;
}

function areSameFields(
  { found, frozen, count }: Run,
  { value, keys }: Container & { readonly keys: readonly string[] },
  at: number,
): boolean {
  const end = at + count;
  if (end > keys.length) return false;
  const known = frozen ?? found;
  let next = 0;
  for (let i = at; i < end; i++) {
    const key = keys[i] as string;
    if (known[next++] !== key) return false;
    const field = (value as Readonly<Record<string, unknown>>)[key];
    if (frozen === undefined && typeof field === 'object' && field !== null) {
      next = sameFrom(field, known, next);
      if (next < 0) return false;
    } else if (known[next++] !== field || isOdd(field)) return false;
  }
  return true;
}

/**
 * Compares a list or an object with what was found from there on; returns the place behind it, or -1. What was plain and is
 * not any more is still what structured clone would give.
 */
function sameFrom(value: object, found: readonly unknown[], from: number): number {
  if (found[from] !== value) return -1;
  if (Array.isArray(value)) return sameItemsFrom(value, found, from + 1);
  let next = from + 1;
  for (const key in value) {
    if (found[next] !== key) return -1;
    const field = (value as Record<string, unknown>)[key];
    if (typeof field === 'object' && field !== null) {
      next = sameFrom(field, found, next + 1);
      if (next < 0) return -1;
    } else {
      if (!isSameLeaf(field, found[next + 1])) return -1;
      next += 2;
    }
  }
  return found[next] === END ? next + 1 : -1;
}

/** By its type, since to compare what may be anything takes several times as long. */
function isSameLeaf(now: unknown, then: unknown): boolean {
  if (typeof now === 'string') return typeof then === 'string' && now === then;
  if (typeof now === 'number') return typeof then === 'number' && now === then && !isOdd(now);
  return now === then;
}

function sameItemsFrom(list: readonly unknown[], found: readonly unknown[], from: number): number {
  if (!isWhole(list)) return -1;
  let next = from;
  for (const item of list) {
    if (isObject(item)) {
      next = sameFrom(item, found, next);
      if (next < 0) return -1;
    } else if (found[next++] !== item || isOdd(item)) return -1;
  }
  return found[next] === END ? next + 1 : -1;
}

function addMissing(cut: Cut, path: Path, paths: Path[]): void {
  let at = 0;
  for (const child of cut.children) {
    if ('children' in child) {
      if (child.isMissing) addMissing(child, [...path, child.key ?? at], paths);
    } else
      for (const [first, ...rest] of child.missing ?? [])
        paths.push([...path, typeof first === 'number' ? at + first : (first as string), ...rest]);
    at += child.count;
  }
}

function areSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}

/** Whether it is -0, which is equal to 0 and has no text of its own. */
function isOdd(value: unknown): boolean {
  return value === 0 && 1 / value < 0;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isOne = Array.isArray(value)
    ? prototype === Array.prototype
    : prototype === Object.prototype || prototype === null;
  return isOne && !hasToJson(value);
}

/** Whether a list has its items alone. Holes take a value away and names add one; one with both is caught by its holes. */
function isWhole(list: readonly unknown[]): boolean {
  // The keys would be made into texts.
  if (Object.values(list).length !== list.length) return false;
  for (let i = 0; i < list.length; i++) if (list[i] === undefined && !Object.hasOwn(list, i)) return false;
  return true;
}

/** Whether what is in it stays as it is: no field can be set, and none is computed. */
function isFixed(value: object): boolean {
  if (!Object.isFrozen(value)) return false;
  for (const key in value) if (Object.getOwnPropertyDescriptor(value, key)?.get !== undefined) return false;
  return true;
}
