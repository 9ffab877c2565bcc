import { isPromise, isProxy } from 'node:util/types';
import { DEPTH_ADVICE, isTooDeep } from './leaving.ts';

/** The most parts of a value that are examined; a fault in a larger value is reported without its place. */
const MOST_PARTS = 10_000;
/**
 * The most keys of a path that are shown at each end, and the most characters of a key: a path is there to be read.
 */
const SHOWN_KEYS = 6;
const SHOWN_CHARACTERS = 50;

interface Place {
  readonly found: unknown;
  readonly key: string;
  readonly from: Place | undefined;
}

/**
 * Explains why a value cannot cross, with the path to the fault: keys and the kind of the part, never a value. Only
 * for values that were refused, because it costs more than cloning them. Never throws.
 */
export function whyUnclonable(value: unknown): string {
  return findWhy(value) ?? 'something in it cannot be cloned';
}

/** Explains like {@link whyUnclonable}; `undefined` when no fault is found. */
export function findWhy(value: unknown): string | undefined {
  try {
    if (isTooDeep(value)) return `${partOf(value)}${DEPTH_ADVICE}`;
    const place = findUnclonable(value);
    if (place === undefined) return undefined;
    const path = pathOf(place);
    return path === ''
      ? `${kindOf(place.found)} cannot be cloned`
      : `at ${path}: ${kindOf(place.found)} cannot be cloned`;
  } catch {
    return 'something in it cannot be read';
  }
}

/** The part in which the nesting is too deep, where it can be found. */
function partOf(value: unknown): string {
  for (const [key, part] of partsOf(value)) if (isTooDeep([[part]])) return `at ${shown(key)}: `;
  return '';
}

function findUnclonable(value: unknown): Place | undefined {
  const seen = new Set<unknown>();
  const open: Place[] = [{ found: value, key: '', from: undefined }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { found } = place;
    if (typeof found === 'function' || typeof found === 'symbol') return place;
    if (typeof found !== 'object' || found === null || seen.has(found)) continue;
    seen.add(found);
    if (seen.size > MOST_PARTS) return undefined;
    if (isActor(found) || isProxy(found) || isPromise(found)) return place;
    const parts = partsOf(found);
    // A part without parts of its own is whole or is to blame; any other is to blame only for its parts.
    if (parts.length === 0 && !isPlain(found) && !clones(found)) return place;
    for (const [key, part] of parts.toReversed()) open.push({ found: part, key, from: place });
  }
  return undefined;
}

function partsOf(found: unknown): (readonly [key: string, part: unknown])[] {
  if (typeof found !== 'object' || found === null || ArrayBuffer.isView(found)) return [];
  if (found instanceof Map) {
    return [...found].flatMap(([key, item], i) => {
      const name = typeof key === 'string' || typeof key === 'number' ? String(key) : `[${i}]`;
      return typeof key === 'object' || typeof key === 'function' || typeof key === 'symbol'
        ? [[`key ${name}`, key] as const, [name, item] as const]
        : [[name, item] as const];
    });
  }
  if (found instanceof Set) return [...found].map((item, i) => [`[${i}]`, item]);
  if (found instanceof Error) return found.cause === undefined ? [] : [['cause', found.cause]];
  return Object.entries(found);
}

function clones(found: object): boolean {
  try {
    structuredClone(found);
    return true;
  } catch {
    return false;
  }
}

function isPlain(found: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(found);
  return Array.isArray(found) || prototype === Object.prototype || prototype === null;
}

function isActor(found: object): boolean {
  return 'sessionId' in found && 'send' in found && 'getSnapshot' in found;
}

function pathOf(place: Place): string {
  const keys: string[] = [];
  for (let at = place; at.from !== undefined; at = at.from) keys.push(shown(at.key));
  keys.reverse();
  if (keys.length <= 2 * SHOWN_KEYS) return keys.join('.');
  return [...keys.slice(0, SHOWN_KEYS), '…', ...keys.slice(-SHOWN_KEYS)].join('.');
}

function shown(key: string): string {
  return key.length > SHOWN_CHARACTERS ? `${key.slice(0, SHOWN_CHARACTERS)}…` : key;
}

function kindOf(found: unknown): string {
  if (typeof found === 'function') return 'a function';
  if (typeof found === 'symbol') return 'a symbol';
  if (typeof found !== 'object' || found === null) return 'a part';
  if (isProxy(found)) return 'a proxy';
  if (isPromise(found)) return 'a promise';
  if (isActor(found)) return 'an actor';
  const { name } = (found.constructor ?? {}) as { name?: unknown };
  return typeof name === 'string' && name !== '' ? `an object of the class ${shown(name)}` : 'an object';
}
