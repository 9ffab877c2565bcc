import { inspect } from 'node:util';
import { isNativeError } from 'node:util/types';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { sharesMemory } from '../mailbox/size.ts';
import { markOf, movedCopy } from '../mailbox/transfer.ts';
import { isTooDeep, leaving } from './leaving.ts';

/** An error as it crosses a thread: everything that structured clone would drop, spelled out. */
export interface WireError {
  /** The thrown value itself, for throws that are not errors. */
  readonly raw?: unknown;
  readonly name?: string;
  readonly message?: string;
  readonly stack?: string | undefined;
  /** Own enumerable properties such as `code`, as far as they can be cloned. */
  readonly props?: Record<string, unknown>;
  readonly cause?: WireError;
  /** The errors that an `AggregateError` groups. */
  readonly errors?: readonly WireError[];
}

const MAX_CAUSES = 8;

const builtIn = new Map<string, ErrorConstructor>([
  ['Error', Error],
  ['EvalError', EvalError],
  ['RangeError', RangeError],
  ['ReferenceError', ReferenceError],
  ['SyntaxError', SyntaxError],
  ['TypeError', TypeError],
  ['URIError', URIError],
]);

/** Properties that have fields of their own, or follow from the class. */
const spelledOut = new Set(['name', 'message', 'stack', 'cause']);

/** Whether a value survives the way to another thread. */
export function isClonable(value: unknown): boolean {
  return tryClone(value) !== undefined;
}

/** A copy that is plain data through and through, so that cloning it once more cannot fail. */
export function tryClone(value: unknown): { readonly copy: unknown } | undefined {
  try {
    // Cloned first, so that a value that reads differently each time is read once.
    return { copy: leaving(structuredClone(value), 0, 'MESSAGE_UNCLONABLE') };
  } catch {
    return undefined;
  }
}

/** Returns a copy that is sure to be sendable. For a value that is to move, its transferables move into the copy. */
export function safeCopy(value: unknown): { readonly copy: unknown } | undefined {
  const mark = markOf(value);
  if (mark === undefined) return tryClone(value);
  return isTooDeep(value) ? undefined : movedCopy(value as object, mark);
}

/**
 * Encodes an error. Structured clone keeps an error's name, message and stack, but drops `code`, own fields and the
 * class. Never throws, and its result can always be cloned: an error that cannot be read must not end a thread.
 */
export function encodeError(error: unknown): WireError {
  try {
    const wire = encode(error, 0);
    return isTooDeep(AROUND(wire)) ? withoutParts(wire) : wire;
  } catch {
    return { name: 'Error', message: 'something that cannot be read was thrown' };
  }
}

/** The levels that a report adds around an error in the list of those of a state. */
const AROUND = (wire: WireError): unknown => [[[[[[[[wire]]]]]]]];

function withoutParts({ name = 'Error', message, stack }: WireError): WireError {
  return { name, message: message ?? 'what was thrown is nested too deep', stack };
}

function encode(error: unknown, depth: number): WireError {
  if (!isError(error)) return { raw: (tryClone(error) ?? { copy: shown(error) }).copy };
  const name = classNameOf(error);
  const wire: { -readonly [K in keyof WireError]: WireError[K] } = {
    name,
    message: textOf(read(error, 'message')) ?? '(its message cannot be read)',
    stack: textOf(read(error, 'stack')),
  };
  const props = propsOf(error);
  if (props !== undefined) wire.props = props;
  const cause = read(error, 'cause');
  if (cause !== undefined && depth < MAX_CAUSES) wire.cause = encode(cause, depth + 1);
  // Only at the outermost level, so that errors that hold each other cannot multiply.
  const errors = depth === 0 && name === 'AggregateError' ? read(error, 'errors') : undefined;
  if (Array.isArray(errors)) wire.errors = errors.map((one) => encode(one, 1));
  return wire;
}

/** Recognizes errors of other realms too, such as a context of `node:vm`. */
function isError(value: unknown): value is Error {
  return value instanceof Error || isNativeError(value);
}

/** Undefined when a getter throws. */
function read(error: Error, key: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The most characters shown in place of a value that cannot be cloned. */
const LONGEST_SHOWN = 10_000;

/** A readable text for a thrown value that cannot be cloned. */
function shown(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  return inspect(thrown, { depth: 2 }).slice(0, LONGEST_SHOWN);
}

function propsOf(error: Error): Record<string, unknown> | undefined {
  let props: Record<string, unknown> | undefined;
  for (const key of Object.keys(error)) {
    if (spelledOut.has(key)) continue;
    const clone = tryClone(read(error, key));
    if (clone !== undefined) define((props ??= {}), key, clone.copy, true);
  }
  // The code of a DOMException follows from its class.
  const code = read(error, 'code');
  if (props?.['code'] === undefined && (typeof code === 'string' || typeof code === 'number'))
    define((props ??= {}), 'code', code, true);
  return props;
}

/**
 * Decodes an error: a built-in class or {@link HoldfastError} where it was one, else an `Error` with that name. Never
 * throws, even when a thread made up what it sent.
 */
export function decodeError(wire: WireError): unknown {
  return decode(wire, 0);
}

function decode(wire: WireError, depth: number): unknown {
  if (typeof wire !== 'object' || wire === null)
    return new Error('the thread sent an error that cannot be read');
  const name = textOf(wire.name);
  // An error carries no shared memory, whatever the config allows.
  if (name === undefined) return sharesMemory(wire.raw) ? '[shared memory]' : wire.raw;
  const error = construct(name, textOf(wire.message) ?? '', wire);
  if (error.name !== name) define(error, 'name', name);
  const stack = textOf(wire.stack);
  // Set, not defined: so V8 lets go of what was `this` in each frame here, such as the thread with its runtime.
  if (stack !== undefined) error.stack = stack;
  if (wire.cause !== undefined && depth <= MAX_CAUSES) {
    define(error, 'cause', decode(wire.cause, depth + 1));
  }
  if (Array.isArray(wire.errors) && depth === 0) {
    define(
      error,
      'errors',
      untilHole<WireError>(wire.errors).map((one) => decode(one, 1)),
    );
  }
  if (isObject(wire.props)) {
    for (const [key, value] of Object.entries(wire.props)) {
      if (!sharesMemory(value)) define(error, key, value, true);
    }
  }
  return error;
}

function construct(name: string, message: string, { props }: WireError): Error {
  const code = isObject(props) ? props['code'] : undefined;
  if (name === 'HoldfastError' && typeof code === 'string') {
    return new HoldfastError(code as HoldfastErrorCode, message);
  }
  if (name === 'AggregateError') return new AggregateError([], message);
  return new (builtIn.get(name) ?? Error)(message);
}

/** `class Refused extends Error {}` keeps the name `Error`, while a reader looks for its class. */
function classNameOf(error: Error): string {
  const name = textOf(read(error, 'name')) ?? 'Error';
  const made = read(error, 'constructor');
  return name === 'Error' && typeof made === 'function' && made.name !== '' ? made.name : name;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Ends a list at its first hole, because a made-up list may have four thousand million of them. */
function untilHole<T>(list: readonly (T | undefined)[]): T[] {
  const items: T[] = [];
  for (const item of list) {
    if (item === undefined) break;
    items.push(item);
  }
  return items;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Never by assignment: `__proto__` is a name like any other. */
function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable });
}
