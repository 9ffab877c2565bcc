import { MirroredChild, type TwinState } from '../../actors/twin.ts';
import { decodeError } from '../wire/errors.ts';
import { restoreErrors } from '../wire/errors-within.ts';
import type { WireSnapshot } from '../wire/snapshot.ts';

/** Returns the mirrored state of a wire snapshot whose shape was checked; fields that it lacks stay as they were. */
export function stateFrom(wire: WireSnapshot): Partial<TwinState> {
  return {
    value: wire.value,
    context: restoreErrors(wire.context, wire.errors?.context),
    ...(wire.tags === undefined ? {} : { tags: new Set(wire.tags) }),
    ...(wire.children === undefined ? {} : { children: childrenFrom(wire.children) }),
    ...(wire.output === undefined ? {} : { output: restoreErrors(wire.output, wire.errors?.output) }),
    ...(wire.error === undefined ? {} : { error: decodeError(wire.error) }),
  };
}

function childrenFrom(children: NonNullable<WireSnapshot['children']>): Record<string, MirroredChild> {
  return Object.fromEntries(Object.entries(children).map(([key, child]) => [key, new MirroredChild(child)]));
}
