import type { AnyActorRef, Snapshot } from 'xstate';
import type { Inspected } from '../xstate/inspected.ts';
import { snapshotOf } from '../xstate/xstate5.ts';

/** The session id of the supervisor, the root of the tree. */
export const ROOT_ID = 'supervisor';

/** The version of `@statelyai/inspect` that defines these events; viewers leave out an event without one. */
export const INSPECT_VERSION = '0.7.2';

interface Base {
  /** The session id of the one root of the tree. */
  readonly rootId: string;
  readonly sessionId: string;
  /** Milliseconds since the epoch, as text. */
  readonly createdAt: string;
  /** The id of the event, unique among all events. */
  readonly id: string;
  readonly _version: string;
}

/** A snapshot in the form that is shown. */
export type InspectedState = Snapshot<unknown> & {
  readonly value?: unknown;
  readonly context?: unknown;
  readonly tags?: readonly string[];
};

/** An event that Stately's inspector and its adapters understand; JSON-safe, without the values of secrets. */
export type InspectionEvent =
  | (Base & {
      readonly type: '@xstate.actor';
      readonly name: string;
      /** The machine's config as JSON; absent for other logic. */
      readonly definition: string | undefined;
      readonly parentId: string | undefined;
      readonly snapshot: InspectedState;
      /** The pool and thread of an instance; viewers other than Holdfast's ignore it. */
      readonly holdfast?: { readonly threadId: string; readonly thread: string };
    })
  | (Base & {
      readonly type: '@xstate.event';
      readonly event: { readonly type: string };
      readonly sourceId: string | undefined;
      /** Of an instance: the milliseconds from the sending to the turn, and the id of its trace; viewers other than Holdfast's ignore it. */
      readonly holdfast?: { readonly waitedMs?: number; readonly traceId?: string };
    })
  | (Base & {
      readonly type: '@xstate.snapshot';
      readonly event: { readonly type: string };
      readonly snapshot: InspectedState;
      /** Of an instance after a turn: the milliseconds that it took; viewers other than Holdfast's ignore it. */
      readonly holdfast?: { readonly tookMs: number };
    });

/** A line that an agent wrote to the log, JSON-safe. Only Holdfast's own page has a use for it. */
export interface LogLine extends Base {
  readonly type: '@holdfast.log';
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

/** What the page is told of actors. */
export type Shown = InspectionEvent | LogLine;

/** What every inspector understands. */
export function isInspection(shown: Shown): shown is InspectionEvent {
  return shown.type !== '@holdfast.log';
}

/** Names the actors of one system within the whole tree. */
export interface Naming {
  readonly rootId: string;
  /** Undefined: the actor is not shown. */
  idOf(ref: AnyActorRef): string | undefined;
  nameOf(ref: AnyActorRef): string;
  parentIdOf(ref: AnyActorRef): string | undefined;
  /** A new id for an event. */
  nextId(): string;
  /** Milliseconds since the epoch. */
  date(): number;
}

/**
 * Returns the event as viewers have it; undefined for an event that they have no use for. Reads the actor as it is
 * now.
 */
export function toInspection(told: Inspected, naming: Naming): InspectionEvent | undefined {
  const { actorRef, sourceRef } = told;
  const sessionId = naming.idOf(actorRef);
  if (sessionId === undefined) return undefined;
  const base = {
    rootId: naming.rootId,
    sessionId,
    createdAt: String(naming.date()),
    id: naming.nextId(),
    _version: INSPECT_VERSION,
  };
  const event = told.event === undefined ? { type: '' } : (jsonSafe(told.event, naming) as { type: string });
  switch (told.type) {
    case '@xstate.actor':
      return {
        ...base,
        type: '@xstate.actor',
        name: naming.nameOf(actorRef),
        definition: definitionOf(actorRef),
        parentId: naming.parentIdOf(actorRef),
        snapshot: shownSnapshot(snapshotOf(actorRef) ?? { status: 'active' }, naming),
      };
    case '@xstate.event':
      return {
        ...base,
        type: '@xstate.event',
        event,
        sourceId: told.sourceId ?? (sourceRef && naming.idOf(sourceRef)),
        ...shownTimes(told),
      };
    case '@xstate.snapshot':
      return {
        ...base,
        type: '@xstate.snapshot',
        event,
        snapshot: shownSnapshot(told.snapshot, naming),
        ...(told.tookMs !== undefined && { holdfast: { tookMs: told.tookMs } }),
      };
    default:
      return undefined;
  }
}

function shownTimes({ waitedMs, traceId }: Inspected): object {
  if (waitedMs === undefined && traceId === undefined) return {};
  return {
    holdfast: { ...(waitedMs !== undefined && { waitedMs }), ...(traceId !== undefined && { traceId }) },
  };
}

/** A line of the log as viewers have it. */
export function toLogLine(
  { sessionId, level, message, fields }: Pick<LogLine, 'sessionId' | 'level' | 'message' | 'fields'>,
  naming: Naming,
): LogLine {
  const shown = jsonSafe(fields, naming);
  return {
    rootId: naming.rootId,
    sessionId,
    createdAt: String(naming.date()),
    id: naming.nextId(),
    _version: INSPECT_VERSION,
    type: '@holdfast.log',
    level,
    message: jsonSafe(message) as string,
    fields: isRecord(shown) ? shown : { value: shown },
  };
}

/** A list is none, nor is what stands for a date or an actor. */
function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const definitions = new WeakMap<object, string>();

/** Computed once for each machine: a fleet has many instances of few machines. */
function definitionOf(ref: AnyActorRef): string | undefined {
  const { logic } = ref as unknown as { logic?: { config?: unknown; root?: unknown } };
  if (typeof logic?.config !== 'object' || logic.config === null || logic.root === undefined)
    return undefined;
  const known = definitions.get(logic);
  if (known !== undefined) return known;
  const definition = JSON.stringify(jsonSafe(logic.config, undefined, deepestOfConfig, mostOfConfig));
  definitions.set(logic, definition);
  return definition;
}

function shownSnapshot(snapshot: unknown, naming: Naming): InspectedState {
  if (typeof snapshot !== 'object' || snapshot === null) return {} as InspectedState;
  const { status, value, context, output, error, tags } = snapshot as Record<string, unknown>;
  return jsonSafe(
    {
      status,
      ...(value !== undefined && { value }),
      ...(context !== undefined && { context }),
      ...(output !== undefined && { output }),
      ...(error !== undefined && { error }),
      ...(tags instanceof Set && tags.size > 0 && { tags: [...tags] }),
    },
    naming,
  ) as InspectedState;
}

/** The most levels, and the most values in all, that are shown; an ellipsis stands for the rest. */
const deepest = 10;
const mostValues = 2_000;
/** Of the config of a machine, which is read once and has some ten values for each state. */
const mostOfConfig = 20_000;
const deepestOfConfig = 40;
/**
 * The most characters of one text, and items of one list. Holes count too, of which there may be four thousand
 * million.
 */
const longestText = 10_000;
const longestList = 10_000;
/** The most entries of a collection that is none of JavaScript's own: what takes the place of the rest is its number. */
const mostEntries = 100;

/**
 * Returns a copy that JSON can hold and a person can read: maps, sets, dates, errors, bytes, big numbers and functions
 * in a similar form, the first entries of other collections, references to actors by their session id, cycles by name. Never throws.
 */
export function jsonSafe(
  root: unknown,
  naming?: Pick<Naming, 'idOf'>,
  depth: number = deepest,
  most: number = mostValues,
): unknown {
  const open = new Set<object>();
  let left = most;

  function safe(value: unknown, level: number): unknown {
    if (typeof value === 'string')
      return value.length > longestText ? `${value.slice(0, longestText)}…` : value;
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'function') return { type: value.name === '' ? 'inline' : value.name };
    if (typeof value === 'symbol') return String(value.description);
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (open.has(value)) return '[cycle]';
    left -= 1;
    if (level > depth || left < 0) return '…';
    open.add(value);
    try {
      return safeObject(value, level + 1);
    } catch {
      return '[unreadable]';
    } finally {
      open.delete(value);
    }
  }

  function safeObject(value: object, level: number): unknown {
    if (isActor(value)) return { xstate$$type: 1, id: naming?.idOf(value) ?? value.sessionId };
    // JSON has neither `undefined` nor holes in lists.
    if (Array.isArray(value)) {
      const shown = Array.from(value.slice(0, longestList), (item) => safe(item, level) ?? null);
      return value.length > longestList ? [...shown, '…'] : shown;
    }
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof Map)
      return Object.fromEntries(Array.from(value, ([key, item]) => [String(key), safe(item, level)]));
    if (value instanceof Set) return Array.from(value, (item) => safe(item, level));
    if (value instanceof RegExp || value instanceof URL) return String(value);
    if (isCollection(value)) return safeCollection(value, level);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    const fields = Object.entries(value).map(([key, item]) => [key, safe(item, level)]);
    if (value instanceof Error) fields.unshift(['name', value.name], ['message', safe(value.message, level)]);
    return Object.fromEntries(fields);
  }

  /** The first entries: by their keys where all are pairs with one, as a list otherwise. */
  function safeCollection(collection: Collection, level: number): unknown {
    const first: unknown[] = [];
    for (const entry of collection) {
      if (first.length === mostEntries) break;
      first.push(entry);
    }
    const more = collection.size > first.length ? `… ${collection.size - first.length} more` : undefined;
    if (first.length === 0 || !first.every(isEntry)) {
      const shown = first.map((item) => safe(item, level) ?? null);
      return more === undefined ? shown : [...shown, more];
    }
    const shown = first.map(([key, item]) => [String(key), safe(item, level)] as const);
    return Object.fromEntries(more === undefined ? shown : [...shown, ['…', more]]);
  }

  return safe(root, 0);
}

/** A map or a list that never changes, such as those of the runtime's own machines, or of a library. */
interface Collection extends Iterable<unknown> {
  readonly size: number;
}

function isCollection(value: object): value is Collection {
  if (!(Symbol.iterator in value) || typeof value[Symbol.iterator] !== 'function') return false;
  return 'size' in value && typeof value.size === 'number';
}

function isEntry(item: unknown): item is readonly [string | number, unknown] {
  return Array.isArray(item) && item.length === 2 && ['string', 'number'].includes(typeof item[0]);
}

function isActor(value: object): value is AnyActorRef {
  return 'sessionId' in value && 'send' in value && typeof value.send === 'function';
}
