import type { AnyActorRef } from 'xstate';
import { MAX_LEVELS } from '../mailbox/size.ts';
import { actorAt, pathsWithin, type Path } from './family.ts';

/** XState's own mark for a child of the machine in whose context it stands; XState puts the child back itself. */
const XSTATE_ACTOR = 1;
/** Holdfast's mark for every other actor of the instance, by its path, and for another agent, by its address. */
const HOLDFAST_ACTOR = 'actor';

interface Mark {
  readonly xstate$$type?: unknown;
  readonly holdfast$$type?: unknown;
  readonly id?: unknown;
  readonly path?: unknown;
  readonly address?: unknown;
  readonly activate?: unknown;
}

interface Child {
  readonly snapshot: unknown;
}

interface Persisted {
  readonly output?: unknown;
  children?: Readonly<Record<string, Child>>;
}

interface Live {
  context?: unknown;
  input?: unknown;
  output?: unknown;
  readonly children?: Readonly<Record<string, AnyActorRef | undefined>>;
}

/** Makes a reference to another agent. */
export type AgentAt = (address: string, options: { readonly activate: boolean }) => AnyActorRef;

/** Holdfast's mark for the stream of an ask, which ends with the incarnation that was asked. */
const HOLDFAST_STREAM = 'stream';
/** Names what marks an object as the stream of an ask. */
export const REPLY_STREAM: unique symbol = Symbol.for('holdfast.reply-stream');

/** Makes what stands for others in a restored state. */
export interface StandIns {
  readonly agentAt?: AgentAt | undefined;
  /** Makes a stream that is over. */
  readonly overStream?: (() => object) | undefined;
}

/** The address of another agent, and whether a message starts it. */
export interface PeerPlace {
  readonly address: string;
  readonly activate?: true;
}

export function peerPlaceOf(ref: object): PeerPlace | undefined {
  const { address, activate } = ref as { address?: unknown; activate?: unknown };
  return typeof address === 'string' ? { address, ...(activate === true && { activate }) } : undefined;
}

/** Makes marks for actors that stand anywhere but in the context of a machine. */
export type MarkActor = (ref: AnyActorRef) => unknown;

/** Makes marks for the persisted state of that actor and its descendants. */
export function marksFor(root: AnyActorRef): MarkActor {
  const placeOf = placesIn(root);
  return (ref) => ({ xstate$$type: XSTATE_ACTOR, id: ref.id, ...placeOf(ref) });
}

/**
 * Returns what XState has persisted of the actor without contexts, with the contexts added and with marks in place of
 * actors: XState puts marks into contexts only, and none into anything but plain objects and arrays.
 */
export function persistActors(root: AnyActorRef, persisted: unknown): unknown {
  const [mark, placeOf] = [marksFor(root), placesIn(root)];

  const persist = (owner: AnyActorRef, given: unknown): unknown => {
    const { context, children } = owner.getSnapshot() as Live;
    const told = given as Persisted;
    if (children === undefined || told.children === undefined) return encodeActors(given, mark);
    const markInContext = (ref: AnyActorRef): Mark => {
      const place = placeOf(ref);
      if (children[ref.id] === ref || place === undefined) return { xstate$$type: XSTATE_ACTOR, id: ref.id };
      return { holdfast$$type: HOLDFAST_ACTOR, id: ref.id, ...place };
    };
    const below = Object.entries(told.children).map(([id, child]) => {
      const ref = children[id];
      return [id, ref === undefined ? child : { ...child, snapshot: persist(ref, child.snapshot) }];
    });
    return {
      ...told,
      output: encodeActors(told.output, mark),
      context: encodeActors(context, markInContext),
      children: Object.fromEntries(below) as unknown,
    };
  };
  return persist(root, persisted);
}

/** Returns what XState has persisted of the actor without contexts, with the contexts added as they are. */
export function withContexts(owner: AnyActorRef, persisted: unknown): unknown {
  const { context, children } = owner.getSnapshot() as Live;
  const told = persisted as Persisted;
  if (children === undefined || told.children === undefined) return persisted;
  const whole = { ...told, context };
  for (const id in told.children) {
    const child = told.children[id] as Child;
    const ref = children[id];
    if (ref === undefined) continue;
    if (whole.children === told.children) whole.children = { ...told.children };
    define(whole.children as object, id, { ...child, snapshot: withContexts(ref, child.snapshot) });
  }
  return whole;
}

/** Puts actors back where their marks stand, in a tree of actors that was just restored. */
export function reviveActors(root: AnyActorRef, standIns: StandIns = {}): void {
  const parts = ['context', 'input', 'output'] as const;
  for (const owner of pathsWithin(root).keys()) {
    const snapshot = owner.getSnapshot() as Live;
    for (const part of parts) {
      const value = snapshot[part];
      if (typeof value !== 'object' || value === null) continue;
      snapshot[part] = reviveIn(value, root, standIns, snapshot.children);
    }
  }
}

/** Puts actors of the instance, and other agents, back into a value; with `children` also those of a context. */
export function reviveIn(
  value: unknown,
  root: AnyActorRef,
  standIns: StandIns,
  children?: Live['children'],
): unknown {
  return revive(value, (mark) => standInFor(mark, root, children, standIns), new Set());
}

/** Returns the value with marks in place of the actors in it; the value itself when there are none. */
export function encodeActors(value: unknown, mark: MarkActor): unknown {
  return holdsActor(value) ? encode(value, mark, new Map(), 1) : value;
}

/** The place at which an actor is found again, if there is one. */
function placesIn(root: AnyActorRef): (ref: AnyActorRef) => { path: Path } | PeerPlace | undefined {
  // Most states hold no actor, and then the tree is not walked.
  let paths: ReadonlyMap<AnyActorRef, Path> | undefined;
  return (ref) => {
    const peer = peerPlaceOf(ref);
    if (peer !== undefined) return peer;
    const path = (paths ??= pathsWithin(root)).get(ref);
    return path && { path };
  };
}

function standInFor(
  { xstate$$type, holdfast$$type, id, path, address, activate }: Mark,
  root: AnyActorRef,
  children: Live['children'],
  { agentAt, overStream }: StandIns,
): object | undefined {
  if (holdfast$$type === HOLDFAST_STREAM) return overStream?.();
  if (xstate$$type !== XSTATE_ACTOR && holdfast$$type !== HOLDFAST_ACTOR) return undefined;
  if (typeof address === 'string') return agentAt?.(address, { activate: activate === true });
  if (Array.isArray(path)) return actorAt(root, path as string[]);
  return typeof id === 'string' ? children?.[id] : undefined;
}

/** Iterative, because a state may be deep. */
function holdsActor(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const left: object[] = [value];
  const seen = new Set<object>(left);
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (isActor(part) || isStream(part)) return true;
    for (const inner of partsOf(part)) {
      if (typeof inner !== 'object' || inner === null || seen.has(inner)) continue;
      seen.add(inner);
      left.push(inner);
    }
  }
  return false;
}

function partsOf(value: object): Iterable<unknown> {
  if (value instanceof Set) return value;
  if (value instanceof Map) return [...value.keys(), ...value.values()];
  return isOpaque(value) ? [] : Object.values(value);
}

/** Whether the object can hold no actor, or structured clone keeps nothing of one in it. */
function isOpaque(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer ||
    value instanceof SharedArrayBuffer ||
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof Error
  );
}

function encode(value: unknown, mark: MarkActor, known: Map<object, unknown>, level: number): unknown {
  if (typeof value !== 'object' || value === null || isOpaque(value)) return value;
  // A part that is nested deeper is refused as a whole where it leaves.
  if (level > 2 * MAX_LEVELS) return value;
  if (isActor(value)) return mark(value);
  if (isStream(value)) return { holdfast$$type: HOLDFAST_STREAM };
  if (known.has(value)) return known.get(value);
  const inner = (part: unknown): unknown => encode(part, mark, known, level + 1);
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    known.set(value, copy);
    // Iterating over keys and not items, because a list may have four thousand million holes.
    for (const [key, part] of Object.entries(value)) define(copy, key, inner(part));
    copy.length = value.length;
    return copy;
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    known.set(value, copy);
    for (const [key, part] of value) copy.set(inner(key), inner(part));
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>();
    known.set(value, copy);
    for (const part of value) copy.add(inner(part));
    return copy;
  }
  // An instance of a class becomes what structured clone makes of it.
  const copy: Record<string, unknown> = {};
  known.set(value, copy);
  for (const [key, part] of Object.entries(value)) define(copy, key, inner(part));
  return copy;
}

/** Works in place, because a restored state is a copy already, and has its cycles. */
function revive(value: unknown, standIn: (mark: Mark) => object | undefined, seen: Set<object>): unknown {
  if (typeof value !== 'object' || value === null || seen.has(value) || isOpaque(value) || isActor(value))
    return value;
  const instead = standIn(value);
  if (instead !== undefined) return instead;
  seen.add(value);
  const inner = (part: unknown): unknown => revive(part, standIn, seen);
  if (value instanceof Map) {
    const entries = [...value].map(([key, part]) => [inner(key), inner(part)] as const);
    value.clear();
    for (const [key, part] of entries) value.set(key, part);
  } else if (value instanceof Set) {
    const parts = [...value].map(inner);
    value.clear();
    for (const part of parts) value.add(part);
  } else {
    for (const [key, part] of Object.entries(value)) {
      const whole = inner(part);
      if (whole !== part) define(value, key, whole);
    }
  }
  return value;
}

/** An assignment would not do: `__proto__` is a field like any other here. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, configurable: true, enumerable: true, writable: true });
}

function isStream(value: object): boolean {
  return REPLY_STREAM in value;
}

function isActor(value: object): value is AnyActorRef {
  return 'sessionId' in value && 'send' in value && 'getSnapshot' in value;
}
