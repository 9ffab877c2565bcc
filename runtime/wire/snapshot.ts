import { sharesMemory } from '../mailbox/size.ts';
import { encodeError, tryClone, type WireError } from './errors.ts';
import { findErrors, type ErrorsWithin } from './errors-within.ts';

/** A child actor as it appears in a mirrored snapshot: where it is and how it does, not the actor itself. */
export interface WireChild {
  readonly id: string;
  readonly sessionId: string;
  readonly src?: string;
  readonly status: string;
}

/** A snapshot as it crosses a thread, field by field: a machine's own snapshot can never be cloned whole. */
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
  /** Present when something in it could not be cloned; those parts are left out or replaced by a text. */
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

/** The same snapshot without what shares memory; only for those in which something does. */
export function toUnshared(wire: WireSnapshot): WireSnapshot {
  return { ...withoutSharedMemory(wire), incomplete: true };
}

/** The same value with a text in place of what shares memory; the value itself when nothing does. */
export function withoutSharedMemory<T>(value: T): T {
  return sharesMemory(value) ? (clonable(value, false) as T) : value;
}

/** The same snapshot with everything replaced that structured clone refuses; only for those that need it. */
export function toClonable(wire: WireSnapshot): WireSnapshot {
  return {
    ...wire,
    ...(wire.context === undefined ? {} : { context: clonable(wire.context) }),
    ...(wire.output === undefined ? {} : { output: clonable(wire.output) }),
    incomplete: true,
  };
}

function clonable(value: unknown, mayShare = true): unknown {
  // The copy of the copy shows that it can be cloned: it may still be too deep.
  return (tryClone(clonablePart(value, new Map(), mayShare)) ?? { copy: '[unreadable]' }).copy;
}

/** Reading an agent's own objects may throw; that costs the part and not the thread. */
function clonablePart(value: unknown, seen: Map<object, unknown>, mayShare: boolean): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  try {
    return clonableObject(value, seen, mayShare);
  } catch {
    return '[unreadable]';
  }
}

function clonableObject(value: object, seen: Map<object, unknown>, mayShare: boolean): unknown {
  if (isActor(value)) return { xstate$$type: 1, id: value.id, sessionId: value.sessionId };
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    // Not item by item: a list that a thread made up may have four thousand million holes.
    for (const key of Object.keys(value) as unknown as number[])
      copy[key] = clonablePart(value[key], seen, mayShare);
    copy.length = value.length;
    return copy;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const fits = mayShare || !sharesMemory(value);
    const clone = (fits ? tryClone(value) : undefined) ?? {
      copy: `[${value.constructor?.name ?? 'object'}]`,
    };
    seen.set(value, clone.copy);
    return clone.copy;
  }
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const key of Object.keys(value)) {
    const part = clonablePart(read(value as Record<string, unknown>, key), seen, mayShare);
    // Not by assignment: `__proto__` is a field like any other here.
    if (part === undefined) continue;
    Object.defineProperty(copy, key, { value: part, configurable: true, enumerable: true, writable: true });
  }
  return copy;
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
