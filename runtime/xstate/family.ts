import type { AnyActor, AnyActorRef } from 'xstate';

/** The ids of the children on the way from the hosted actor, which itself is `[]`: the same after a restore. */
export type Path = readonly string[];

/** The actor and all its descendants, each with its path. */
export function pathsWithin(root: AnyActorRef, path: Path = []): Map<AnyActorRef, Path> {
  const paths = new Map<AnyActorRef, Path>([[root, path]]);
  for (const [id, child] of Object.entries(childrenOf(root))) {
    if (child === undefined) continue;
    for (const [ref, below] of pathsWithin(child, [...path, id])) paths.set(ref, below);
  }
  return paths;
}

/** The actor at a path, if there is one. */
export function actorAt(root: AnyActorRef, path: Path): AnyActorRef | undefined {
  let ref: AnyActorRef | undefined = root;
  for (const id of path) ref = ref && childrenOf(ref)[id];
  return ref;
}

/**
 * Returns `true` when an instance can continue elsewhere without repeating work, or else a text that says what stands
 * in the way: an active promise, callback or observable begins anew when it is restored, and a `running` actor whose
 * id another one has taken is not restored at all.
 */
export function movable(root: AnyActorRef, running: readonly AnyActorRef[]): true | string {
  const paths = pathsWithin(root);
  // The outermost one: descendants come before the actor that began them.
  const lost = running.findLast((actor) => !paths.has(actor));
  if (lost !== undefined)
    return `a child "${lost.id}", whose id another has taken, is active and would be lost`;
  for (const [ref, path] of paths) {
    if (!worksByItself(ref)) continue;
    return path.length === 0
      ? 'the agent is a promise, callback or observable, which would begin anew'
      : `its child "${path.join('/')}" is active and would begin anew`;
  }
  return true;
}

/** Whether the actor, or one below it, is an active promise, callback or observable. */
export function hasWork(ref: AnyActorRef): boolean {
  if (worksByItself(ref)) return true;
  const children = childrenOf(ref);
  for (const id in children) {
    const child = children[id];
    if (child !== undefined && hasWork(child)) return true;
  }
  return false;
}

/** Whether the actor is an active promise, callback or observable, which works between events and begins anew. */
export function worksByItself(ref: AnyActorRef): boolean {
  const { logic } = ref as AnyActor;
  const begins = typeof logic.start === 'function' && !('root' in (logic as object));
  return begins && ref.getSnapshot().status === 'active';
}

function childrenOf(ref: AnyActorRef): Record<string, AnyActorRef | undefined> {
  const { children } = ref.getSnapshot() as { children?: Record<string, AnyActorRef | undefined> };
  return children ?? {};
}
