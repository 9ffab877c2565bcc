import type { AnyActor, AnyActorRef } from 'xstate';
import { pathsWithin } from './family.ts';

interface StateNode {
  readonly id: string;
  readonly type: string;
  readonly states: Readonly<Record<string, StateNode>>;
  readonly invoke: readonly { readonly id: string }[];
}

interface PersistedMachine {
  readonly value?: unknown;
  readonly children?: Readonly<Record<string, { readonly src?: unknown; readonly snapshot?: unknown }>>;
}

/**
 * The parts of a restored actor that do not run, because its machine was another one when it was persisted: XState
 * reports neither a child whose logic has no such name any more, nor a new region of a parallel state, nor a new
 * `invoke`.
 */
export function notRestored(root: AnyActorRef, persisted: unknown): string[] {
  const found: string[] = [];
  for (const [ref, path] of pathsWithin(root)) {
    const before = persistedAt(persisted, path) as PersistedMachine | undefined;
    const { children, status } = ref.getSnapshot() as {
      children?: Readonly<Record<string, unknown>>;
      status: string;
    };
    const machine = (ref as AnyActor).logic as unknown as { root?: StateNode };
    if (machine.root === undefined || children === undefined || status !== 'active') continue;
    const whose = path.length === 0 ? '' : ` of its child "${path.join('/')}"`;
    for (const [id, { src }] of Object.entries(before?.children ?? {}))
      if (!(id in children)) found.push(`the child "${id}"${whose}: there is no logic "${String(src)}"`);
    const lost = new Set(Object.keys(before?.children ?? {}));
    for (const what of missing(machine.root, before?.value, (id) => id in children || lost.has(id)))
      found.push(`${what}${whose}`);
  }
  return found;
}

/**
 * The first actor that could not be restored, and why; its own failure that was persisted is none. XState begins
 * neither it nor, if it is a child, what depends on it, and tells nobody.
 */
export function failedRestore(
  root: AnyActorRef,
  persisted: unknown,
): { readonly path: readonly string[]; readonly error: unknown } | undefined {
  for (const [ref, path] of pathsWithin(root)) {
    const { status, error } = ref.getSnapshot() as { status: string; error?: unknown };
    if (status !== 'error') continue;
    const before = persistedAt(persisted, path) as { readonly status?: unknown } | undefined;
    if (before?.status !== 'error') return { path, error };
  }
  return undefined;
}

function persistedAt(persisted: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (part, id) => (part as PersistedMachine | undefined)?.children?.[id]?.snapshot,
    persisted,
  );
}

/** XState takes a new region for one in its initial state, without entering that. */
function missing(node: StateNode, before: unknown, runs: (id: string) => boolean): string[] {
  const found = node.invoke
    .filter(({ id }) => !runs(id))
    .map(({ id }) => `the invoke "${id}" in "${node.id}"`);
  const below: Readonly<Record<string, unknown>> =
    typeof before === 'string' ? { [before]: {} } : ((before ?? {}) as Record<string, unknown>);
  for (const [key, child] of Object.entries(node.states)) {
    if (key in below) found.push(...missing(child, below[key], runs));
    else if (node.type === 'parallel') found.push(`the region "${key}" of "${node.id}"`);
  }
  return found;
}
