import { decodeError, encodeError, type WireError } from './errors.ts';
import { isSparse } from '../base/sparse.ts';

/** The places in a value where errors stand, each with everything that structured clone would drop of the error. */
export type ErrorsWithin = readonly (readonly [path: readonly unknown[], error: WireError])[];

/**
 * Finds the errors in plain objects, arrays and the values of maps; `undefined` when there is none. A machine keeps in
 * its context what reached `onError`, and an error there would lose its `code`, its own fields and its class. A
 * `DOMException` crosses whole by itself. Never throws: cloning reports a value that cannot be read.
 */
export function findErrors(value: unknown): ErrorsWithin | undefined {
  if (typeof value !== 'object' || value === null || isFlat(value)) return undefined;
  const found: [readonly unknown[], WireError][] = [];
  const seen = new Set<object>();
  const stack: Part[] = [{ at: value, key: undefined, of: undefined }];
  const look = (at: unknown, key: unknown, of: Part): void => {
    if (typeof at === 'object' && at !== null && isKey(key)) stack.push({ at, key, of });
  };
  try {
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { at } = next;
      if (at instanceof DOMException) continue;
      if (at instanceof Error) found.push([pathOf(next), encodeError(at)]);
      else if (!seen.has(at)) {
        seen.add(at);
        if (Array.isArray(at) && !isSparse(at)) for (let i = 0; i < at.length; i++) look(at[i], i, next);
        else if (at instanceof Map) for (const [key, value] of at) look(value, key, next);
        else if (Array.isArray(at) || isPlain(at))
          for (const key of Object.keys(at)) look((at as Record<string, unknown>)[key], key, next);
      }
    }
  } catch {
    return undefined;
  }
  return found.length === 0 ? undefined : found;
}

/** Detects the common case without an allocation: no part is an object. */
function isFlat(value: object): boolean {
  if (!isPlain(value)) return false;
  try {
    for (const key in value) if (typeof value[key] === 'object' && value[key] !== null) return false;
  } catch {
    return false;
  }
  return true;
}

interface Part {
  readonly at: object;
  /** The key under which the part stands. */
  readonly key: unknown;
  readonly of: Part | undefined;
}

function pathOf({ key, of }: Part): unknown[] {
  const path: unknown[] = [];
  for (let [step, above] = [key, of]; above !== undefined; { key: step, of: above } = above) path.push(step);
  return path.toReversed();
}

/** Only these keys are sure to be the same on the other side. */
function isKey(key: unknown): key is string | number {
  return typeof key === 'string' || typeof key === 'number';
}

/** Puts the errors back where they were found. Never throws, even when a thread made up what it sent. */
export function restoreErrors(value: unknown, errors: ErrorsWithin | undefined): unknown {
  if (!Array.isArray(errors)) return value;
  let root = value;
  for (const entry of errors as readonly unknown[]) {
    // A made-up list may have four thousand million holes.
    if (entry === undefined) break;
    if (!Array.isArray(entry) || !Array.isArray(entry[0])) continue;
    const [path, wire] = entry as unknown as ErrorsWithin[number];
    if (path.length === 0) root = root instanceof Error ? decoded(wire, root) : root;
    else restore(root, path, wire);
  }
  return root;
}

/** Restores the errors that stand in an answer; `more` lists them as `tag, errors` pairs. */
export function wholeAnswer(tag: number, value: unknown, more: readonly unknown[]): unknown {
  if (more.length === 0) return value;
  // `indexOf` would walk all holes of a made-up list.
  for (let at = 0; more[at] !== undefined; at += 2)
    if (more[at] === tag) return restoreErrors(value, more[at + 1] as ErrorsWithin);
  return value;
}

function restore(root: unknown, path: readonly unknown[], wire: WireError): void {
  let at = root;
  for (let i = 0; i < path.length - 1; i++) {
    at = part(at, path[i]);
    if (at === undefined) return;
  }
  const key = path.at(-1);
  // Only an error is replaced, and only where there is one: a thread can reach nothing else.
  const plain = part(at, key);
  if (!(plain instanceof Error)) return;
  const error = decoded(wire, plain);
  if (at instanceof Map) at.set(key, error);
  else (at as Record<PropertyKey, unknown>)[key as PropertyKey] = error;
}

function decoded(wire: WireError, plain: Error): Error {
  const error = decodeError(wire);
  return error instanceof Error ? error : plain;
}

function part(of: unknown, key: unknown): unknown {
  if (!isKey(key) || typeof of !== 'object' || of === null) return undefined;
  if (of instanceof Map) return of.get(key) as unknown;
  return Object.hasOwn(of, key) ? (of as Record<PropertyKey, unknown>)[key] : undefined;
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
