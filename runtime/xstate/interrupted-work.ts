import type { AnyActorRef, AnyEventObject } from 'xstate';
import { HoldfastError } from '../base/errors.ts';
import { actorAt, pathsWithin, worksByItself } from './family.ts';

/**
 * What becomes of the active promises, callbacks and observables below an instance that goes on after a crash.
 * `restart`: they begin anew, as XState restores them. `fail`: they end with `INVOKE_INTERRUPTED`, and whoever began
 * them takes `onError`.
 */
export type InvokedPolicy = 'restart' | 'fail';

/**
 * Ends the work below an actor that was restored and not yet started: `end` puts a snapshot into an actor. Returns what
 * tells those who began the work, once the actor runs; XState tells nobody of a child that was restored with an error.
 */
export function interruptWork(
  root: AnyActorRef,
  end: (actor: AnyActorRef, snapshot: object) => void,
): (tell: (parent: AnyActorRef, event: AnyEventObject) => void) => void {
  const ended: { path: readonly string[]; actor: AnyActorRef; error: HoldfastError }[] = [];
  for (const [actor, path] of pathsWithin(root)) {
    // The instance itself is not for anybody here to end.
    if (path.length === 0 || !worksByItself(actor)) continue;
    const error = new HoldfastError(
      'INVOKE_INTERRUPTED',
      `"${path.join('/')}" was interrupted, and nobody knows how far it had come; find out, and begin it again where that is safe`,
    );
    end(actor, { ...(actor.getSnapshot() as object), status: 'error', output: undefined, error });
    ended.push({ path, actor, error });
  }
  return (tell) => {
    for (const { path, actor, error } of ended) {
      const parent = actorAt(root, path.slice(0, -1));
      // The one before may have led its parent out of the state in which this one was.
      if (parent === undefined || actorAt(root, path) !== actor) continue;
      const { id } = actor;
      tell(parent, { type: `xstate.error.actor.${id}`, error, actorId: id });
    }
  };
}
