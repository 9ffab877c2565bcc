import { createActor, type AnyActor, type AnyActorLogic } from 'xstate';
import callback from './counter-callback.ts';
import machine from './counter-machine.ts';
import transition from './counter.ts';

/** The counting agents, by the names of their rows. */
export const kinds = { transition, machine, callback } as const satisfies Record<string, AnyActorLogic>;

export type Kind = keyof typeof kinds;

export const kindNames: Readonly<Record<Kind, string>> = {
  transition: 'fromTransition',
  machine: 'machine',
  callback: 'fromCallback',
};

/** So many running actors of a kind, in this thread and without Holdfast. */
export function localActors(kind: Kind, count: number): AnyActor[] {
  return Array.from({ length: count }, () => createActor(kinds[kind] as AnyActorLogic).start());
}

/** Events that an actor from {@link localActors} has handled. */
export function countOf(actor: AnyActor): number {
  const { context } = actor.getSnapshot() as { context?: { count: number } | undefined };
  if (context !== undefined) return context.count;
  let count = 0;
  const subscription = actor.on('count', (emitted) => {
    count = (emitted as { count?: number }).count ?? 0;
  });
  actor.send({ type: 'read' });
  subscription.unsubscribe();
  return count;
}
