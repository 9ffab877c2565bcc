import { Deserializer, Serializer } from 'node:v8';
import type { HoldfastErrorCode } from '../base/errors.ts';
import { entriesOf, kindOf, valuesOf } from '../mailbox/kinds.ts';
import { leaving } from './leaving.ts';

/**
 * Encodes any value that structured clone takes, except what belongs to the process, such as a blob or memory that
 * threads share. Only the memory that the value shows is written.
 *
 * @throws {HoldfastError} with `code`, when the value is nested too deep; or whatever structured clone throws
 */
export function encodeBytes(value: unknown, code: HoldfastErrorCode): Uint8Array {
  let own = leaving(value, 0, code);
  let found = find(own);
  if (found.isOdd) {
    // Structured clone says whether the objects have nothing but fields, and makes plain objects of those that do.
    own = structuredClone(own);
    found = find(own);
    if (found.isOdd) throw new TypeError('a part of it belongs to this process and cannot be kept outside');
  }
  const serializer = new Serializer();
  serializer.writeHeader();
  serializer.writeValue(found.exceptions);
  serializer.writeValue(own);
  return serializer.releaseBuffer();
}

/** @throws when the bytes are not those of {@link encodeBytes} */
export function decodeBytes(bytes: Uint8Array): unknown {
  const deserializer = new Deserializer(bytes);
  deserializer.readHeader();
  const exceptions: unknown = deserializer.readValue();
  let value: unknown = deserializer.readValue();
  if (!Array.isArray(exceptions)) return value;
  for (const [path, name, message, stack] of exceptions as readonly Exception[]) {
    const exception = new DOMException(message, name);
    Object.defineProperty(exception, 'stack', { value: stack, configurable: true, writable: true });
    if (path.length === 0) value = exception;
    else put(value, path, exception);
  }
  return value;
}

/** `node:v8` writes a `DOMException` as an error without its name, so it is made anew where it stood. */
type Exception = readonly [
  path: readonly unknown[],
  name: string,
  message: string,
  stack: string | undefined,
];

interface Found {
  exceptions: Exception[] | undefined;
  /** An object has another class than those that `node:v8` knows. */
  isOdd: boolean;
}

interface Part {
  readonly at: object;
  readonly key: unknown;
  readonly of: Part | undefined;
}

/** Looks for what `node:v8` would write otherwise than structured clone. Finds exceptions where a path leads to them. */
function find(value: unknown): Found {
  const found: Found = { exceptions: undefined, isOdd: false };
  const open: Part[] = [];
  const seen = new Set<object>();
  const look = (at: unknown, key: unknown, of: Part | undefined): void => {
    if (typeof at === 'object' && at !== null) open.push({ at, key, of });
  };
  look(value, undefined, undefined);
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const { at } = part;
    if (at instanceof DOMException) {
      const path = pathOf(part);
      if (path !== undefined) (found.exceptions ??= []).push([path, at.name, at.message, at.stack]);
      continue;
    }
    if (seen.has(at)) continue;
    seen.add(at);
    const kind = Array.isArray(at) ? 'list' : kindOf(at);
    if (kind === 'list' || kind === 'fields') {
      found.isOdd ||= kind === 'fields' && !isPlain(at);
      for (const [key, inner] of Object.entries(at)) look(inner, key, part);
    } else if (kind === 'map') {
      for (const [key, inner] of entriesOf(at)) {
        look(key, NOWHERE, part);
        look(inner, key, part);
      }
    } else if (kind === 'set') for (const inner of valuesOf(at)) look(inner, NOWHERE, part);
    else if (kind === 'error') look((at as Error).cause, 'cause', part);
  }
  return found;
}

/** Stands in place of a key where no key leads to a part. */
const NOWHERE = Symbol('nowhere');

function pathOf({ key, of }: Part): unknown[] | undefined {
  const path: unknown[] = [];
  for (let [step, above] = [key, of]; above !== undefined; { key: step, of: above } = above) {
    if (typeof step !== 'string' && typeof step !== 'number') return undefined;
    path.push(step);
  }
  return path.toReversed();
}

function put(root: unknown, path: readonly unknown[], exception: DOMException): void {
  let at = root;
  for (const key of path.slice(0, -1)) at = at instanceof Map ? at.get(key) : (at as never)[key as never];
  const key = path.at(-1) as string;
  if (at instanceof Map) at.set(key, exception);
  else
    Object.defineProperty(at, key, {
      value: exception,
      configurable: true,
      enumerable: true,
      writable: true,
    });
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
