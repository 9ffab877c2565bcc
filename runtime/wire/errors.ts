import { HoldfastError, type HoldfastErrorCode } from '../errors.ts';

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
}

const MAX_CAUSES = 8;

const builtIn: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Whether a value survives structured clone. */
export function isClonable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

/** Structured clone keeps an error's name, message and stack, but drops `code`, own fields and the class. */
export function encodeError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { raw: isClonable(error) ? error : String(error) };
  const props: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(error)) {
    if (key !== 'name' && isClonable(value)) props[key] = value;
  }
  const wire: { -readonly [K in keyof WireError]: WireError[K] } = {
    name: classNameOf(error),
    message: error.message,
    stack: error.stack,
  };
  if (Object.keys(props).length > 0) wire.props = props;
  if (error.cause !== undefined && depth < MAX_CAUSES) wire.cause = encodeError(error.cause, depth + 1);
  return wire;
}

/** The error again: a built-in class or {@link HoldfastError} where it was one, else an `Error` with that name. */
export function decodeError(wire: WireError): unknown {
  if (wire.name === undefined) return wire.raw;
  const error = construct(wire);
  if (error.name !== wire.name) define(error, 'name', wire.name);
  if (wire.stack !== undefined) define(error, 'stack', wire.stack);
  if (wire.cause !== undefined) define(error, 'cause', decodeError(wire.cause));
  for (const [key, value] of Object.entries(wire.props ?? {})) {
    Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: true });
  }
  return error;
}

function construct(wire: WireError): Error {
  const message = wire.message ?? '';
  if (wire.name === 'HoldfastError' && typeof wire.props?.['code'] === 'string') {
    return new HoldfastError(wire.props['code'] as HoldfastErrorCode, message);
  }
  return new (builtIn[wire.name ?? 'Error'] ?? Error)(message);
}

/** `class Refused extends Error {}` keeps the name `Error`; its class is what a reader looks for. */
function classNameOf(error: Error): string {
  const ofClass = error.constructor?.name;
  return error.name === 'Error' && ofClass ? ofClass : error.name;
}

function define(error: Error, key: 'name' | 'stack' | 'cause', value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false });
}
