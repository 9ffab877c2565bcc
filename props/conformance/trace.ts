import { isDeepStrictEqual } from 'node:util';
import type { AnyEventObject, Observer } from 'xstate';

/** What somebody who holds an actor reference can see of one snapshot. */
export interface Seen {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly tags: readonly string[];
  readonly output: unknown;
  readonly error: unknown;
  readonly children: Readonly<Record<string, { readonly src: unknown; readonly status: string }>>;
}

export type Entry =
  | { readonly at: 'step'; readonly step: string }
  | { readonly at: 'snapshot'; readonly seen: Seen }
  | { readonly at: 'emitted'; readonly event: unknown }
  | { readonly at: 'error'; readonly error: unknown }
  | { readonly at: 'complete' }
  /** What a machine hears of a chart that it invokes. */
  | { readonly at: 'heard'; readonly heard: unknown }
  /** The actor has come to rest. */
  | ({ readonly at: 'rest' } & (Questions | { readonly seen: Partial<Seen> }));

/** Everything that a running actor can be asked. */
export interface Questions {
  readonly seen: Seen;
  /** By event. */
  readonly can: Readonly<Record<string, unknown>>;
  readonly persisted: Persisted;
}

export type Persisted =
  | { readonly value: unknown; readonly error?: never }
  | { readonly error: unknown; readonly value?: never };

export type Trace = readonly Entry[];

/**
 * A persisted snapshot without the actors below one that failed. An agent ends them; XState leaves them at work, each as
 * far as it has come.
 */
export function withoutOrphans(persisted: unknown): unknown {
  const { status, children } = persisted as {
    status?: unknown;
    children?: Record<string, { snapshot: unknown }>;
  };
  if (children === undefined) return persisted;
  const kept = Object.entries(status === 'error' ? {} : children).map(([id, child]) => [
    id,
    { ...child, snapshot: withoutOrphans(child.snapshot) },
  ]);
  return { ...(persisted as object), children: Object.fromEntries(kept) as object };
}

interface AnySnapshot {
  readonly status: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly tags?: Iterable<string>;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly children?: Readonly<Record<string, Child | undefined>>;
}

interface Child {
  readonly src?: unknown;
  readonly status?: string;
  getSnapshot?(): { readonly status: string };
}

/** An actor of either kind, as far as a trace needs it. */
export interface Observed {
  getSnapshot(): unknown;
  send(event: AnyEventObject): void;
  stop(): unknown;
  subscribe(observer: Observer<never>): { unsubscribe(): void };
  on(type: '*', handler: (event: never) => void): { unsubscribe(): void };
}

export function see(snapshot: unknown): Seen {
  const { status, value, context, tags, output, error, children } = snapshot as AnySnapshot;
  const seen: Record<string, Seen['children'][string]> = {};
  for (const [id, child] of Object.entries(children ?? {})) {
    if (child === undefined) continue;
    // A mirrored child is a description of one.
    seen[id] = { src: child.src, status: child.getSnapshot?.().status ?? (child.status as string) };
  }
  return {
    status,
    value,
    context,
    tags: [...(tags ?? [])],
    output,
    error: describeError(error),
    children: seen,
  };
}

/**
 * What is seen of an actor that has ended. Of a failed one a twin knows the error and what it mirrored before, which
 * is in the trace already.
 */
export function seeEnd(snapshot: unknown): Partial<Seen> {
  const { status, error, ...rest } = see(snapshot);
  return status === 'error' ? { status, error } : { status, error, ...rest };
}

/** Class, message, own fields and cause; a stack tells where it ran and is never the same. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, cause } = error;
  const own = Object.fromEntries(Object.entries(error).filter(([key]) => key !== 'stack'));
  return { name, message, ...own, ...(cause === undefined ? {} : { cause: describeError(cause) }) };
}

export function isRunning(actor: Observed): boolean {
  return (actor.getSnapshot() as AnySnapshot).status === 'active';
}

/** All that an actor tells. */
export function observe(actor: Observed, tell: (entry: Entry) => void): void {
  actor.on('*', (event: AnyEventObject) => tell({ at: 'emitted', event }));
  actor.subscribe({
    next: (snapshot) => tell({ at: 'snapshot', seen: see(snapshot) }),
    error: (error: unknown) => tell({ at: 'error', error: describeError(error) }),
    complete: () => tell({ at: 'complete' }),
  });
}

/** By now the children of a plain actor have gone on; a mirrored snapshot tells how they were. */
function seeIds(snapshot: unknown): readonly string[] {
  return Object.keys(see(snapshot).children);
}

/** An event as a parent hears it; `undefined` for the state of a twin that has no mirror yet. */
export function seeEvent({ type, snapshot, error, ...rest }: AnyEventObject): unknown {
  if (snapshot !== undefined && see(snapshot).context === undefined) return undefined;
  return {
    type,
    ...rest,
    ...(snapshot === undefined ? {} : { snapshot: { ...see(snapshot), children: seeIds(snapshot) } }),
    ...(error === undefined ? {} : { error: describeError(error) }),
  };
}

/** Index of the first entry that differs; -1 when there is none. */
export function firstDifference(left: Trace, right: Trace): number {
  const length = Math.max(left.length, right.length);
  for (let i = 0; i < length; i++) if (!isDeepStrictEqual(left[i], right[i])) return i;
  return -1;
}
