import { MAX_LEVELS, sharesMemory } from '../mailbox/size.ts';
import { encodeError, tryClone, type WireError } from './errors.ts';
import { findErrors, type ErrorsWithin } from './errors-within.ts';

/** A child actor in a mirror: its place and its status, not the actor itself. */
export interface WireChild {
  readonly id: string;
  readonly sessionId: string;
  readonly src?: string;
  readonly status: string;
}

/** A snapshot as it crosses a thread, field by field, because a machine's own snapshot can never be cloned whole. */
export interface WireSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
  /** The errors in the context, and in the output. */
  readonly errors?: {
    readonly context: ErrorsWithin | undefined;
    readonly output: ErrorsWithin | undefined;
  };
  readonly error?: WireError;
  readonly tags?: readonly string[];
  readonly children?: Record<string, WireChild>;
  /** Present when a part could not be cloned; such parts are left out or replaced by a text. */
  readonly incomplete?: true;
}

interface AnySnapshot {
  readonly status: WireSnapshot['status'];
  readonly value?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly tags?: Iterable<string>;
  readonly children?: Record<string, ActorLike | undefined>;
}

interface ActorLike {
  readonly id: string;
  readonly sessionId: string;
  readonly src?: unknown;
  getSnapshot(): { status: string };
}

export function encodeSnapshot(snapshot: AnySnapshot): WireSnapshot {
  const wire: { -readonly [K in keyof WireSnapshot]: WireSnapshot[K] } = { status: snapshot.status };
  if (snapshot.value !== undefined) wire.value = snapshot.value;
  if (snapshot.context !== undefined) wire.context = snapshot.context;
  if (snapshot.output !== undefined) wire.output = snapshot.output;
  const errors = { context: findErrors(snapshot.context), output: findErrors(snapshot.output) };
  if (errors.context !== undefined || errors.output !== undefined) wire.errors = errors;
  if (snapshot.error !== undefined) wire.error = encodeError(snapshot.error);
  if (snapshot.tags !== undefined) wire.tags = [...snapshot.tags];
  if (snapshot.children !== undefined) {
    const children: Record<string, WireChild> = {};
    for (const [key, child] of Object.entries(snapshot.children)) {
      if (child !== undefined) children[key] = encodeChild(child);
    }
    wire.children = children;
  }
  return wire;
}

function encodeChild(child: ActorLike): WireChild {
  return {
    id: child.id,
    sessionId: child.sessionId,
    status: child.getSnapshot().status,
    ...(typeof child.src === 'string' ? { src: child.src } : {}),
  };
}

/** Returns the snapshot without shared memory; for snapshots that hold some. */
export function toUnshared(wire: WireSnapshot): WireSnapshot {
  return { ...withoutSharedMemory(wire), incomplete: true };
}

/** Returns the value with a text in place of shared memory; the value itself when there is none. */
export function withoutSharedMemory<T>(value: T): T {
  return sharesMemory(value) ? (clonable(value, false) as T) : value;
}

/** Returns the snapshot with everything replaced that structured clone refuses; for snapshots that need it. */
export function toClonable(wire: WireSnapshot): WireSnapshot {
  return {
    ...wire,
    ...(wire.context === undefined ? {} : { context: clonable(wire.context) }),
    ...(wire.output === undefined ? {} : { output: clonable(wire.output) }),
    incomplete: true,
  };
}

/** The most levels that are shown: a message may be a little deeper, and the context stands in a snapshot. */
const DEEPEST = MAX_LEVELS - 20;

interface Copying {
  /** The copies, by their originals. */
  readonly seen: Map<object, unknown>;
  readonly mayShare: boolean;
}

function clonable(value: unknown, mayShare = true): unknown {
  // Copying the copy shows that it can be cloned.
  const copy = clonablePart(value, { seen: new Map(), mayShare }, 1);
  return (tryClone(copy) ?? { copy: '[unreadable]' }).copy;
}

/** Reading an agent's own objects may throw, which must cost the part and not the thread. */
function clonablePart(value: unknown, copying: Copying, level: number): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  const { seen } = copying;
  if (seen.has(value)) return seen.get(value);
  if (level > DEEPEST) return '[nested too deep]';
  try {
    return clonableObject(value, copying, level + 1);
  } catch {
    return '[unreadable]';
  }
}

function clonableObject(value: object, copying: Copying, level: number): unknown {
  const { seen, mayShare } = copying;
  if (isActor(value)) return { xstate$$type: 1, id: value.id, sessionId: value.sessionId };
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    // Iterating over keys and not items, because a made-up list may have four thousand million holes.
    for (const key of Object.keys(value) as unknown as number[])
      copy[key] = clonablePart(value[key], copying, level);
    copy.length = value.length;
    return copy;
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    seen.set(value, copy);
    for (const [key, item] of value) {
      const [at, part] = [clonablePart(key, copying, level), clonablePart(item, copying, level)];
      if (!isLeftOut(key) && !isLeftOut(item)) copy.set(at, part);
    }
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>();
    seen.set(value, copy);
    for (const item of value) if (!isLeftOut(item)) copy.add(clonablePart(item, copying, level));
    return copy;
  }
  if (!hasFields(value)) {
    const fits = mayShare || !sharesMemory(value);
    const clone = (fits ? tryClone(value) : undefined) ?? { copy: insteadOf(value) };
    seen.set(value, clone.copy);
    return clone.copy;
  }
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const key of Object.keys(value)) {
    const part = clonablePart(read(value as Record<string, unknown>, key), copying, level);
    // An assignment would not do: `__proto__` is a field like any other here.
    if (part === undefined) continue;
    Object.defineProperty(copy, key, { value: part, configurable: true, enumerable: true, writable: true });
  }
  if (isPlain(value) || Object.keys(copy).length > 0) return copy;
  // The object had nothing but methods.
  seen.set(value, insteadOf(value));
  return insteadOf(value);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether the part is left out, as it would be from an object. */
function isLeftOut(value: unknown): boolean {
  return typeof value === 'function' || typeof value === 'symbol';
}

/** Whether the fields of the object are its content: it is plain, or of a class of the agent's own. */
function hasFields(value: object): boolean {
  if (isPlain(value)) return true;
  if (ArrayBuffer.isView(value) || value instanceof Error || value instanceof URL) return false;
  // The fields of a socket or a stream are internal.
  if ('on' in value && 'emit' in value) return false;
  return Object.values(value).some((part) => isLeftOut(part) || (typeof part === 'object' && part !== null));
}

/** An error itself travels beside the context, with the place where it was found. */
function insteadOf(value: object): unknown {
  if (value instanceof Error) return new Error(value.message);
  return value instanceof URL ? value.href : `[${value.constructor?.name ?? 'object'}]`;
}

function read(from: Record<string, unknown>, key: string): unknown {
  try {
    return from[key];
  } catch {
    return undefined;
  }
}

function isActor(value: object): value is ActorLike {
  return 'sessionId' in value && 'send' in value && 'getSnapshot' in value;
}
