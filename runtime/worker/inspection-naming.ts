import type { AnyActorRef } from 'xstate';
import { ROOT_ID, type Naming } from '../wire/inspection.ts';
import type { ActivateRequest } from '../wire/protocol.ts';
import { parentOf } from '../xstate/xstate5.ts';
import type { ActorClock } from '../xstate/actor-clock.ts';

let events = 0;

/**
 * Names the actors of an instance: its address, and below it those of its children. The names are the same for each
 * incarnation, so that viewers see one actor that begins anew.
 */
export function createNaming(
  { address, incarnation }: Pick<ActivateRequest, 'address' | 'incarnation'>,
  clock: ActorClock,
): Naming {
  const own = incarnation === 1 ? address : `${address}#${incarnation}`;
  const idOf = (ref: AnyActorRef): string | undefined => {
    const { sessionId } = ref;
    // The parent is in the host, which knows the place of the instance in the tree.
    if (sessionId === `${own}/host`) return undefined;
    if (sessionId === own || sessionId.startsWith(`${own}/`))
      return `${address}${sessionId.slice(own.length)}`;
    // A reference to another agent.
    return (ref as { readonly address?: string }).address;
  };
  return {
    rootId: ROOT_ID,
    idOf,
    nameOf: (ref) => (ref.sessionId === own ? address : ref.id),
    parentIdOf(ref) {
      const parent = parentOf(ref);
      return parent && idOf(parent);
    },
    nextId: () => `${address}:${(events += 1)}`,
    date: () => clock.date?.() ?? Date.now(),
  };
}
