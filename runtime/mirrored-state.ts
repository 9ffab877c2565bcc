import type { TwinState } from '../actors/twin.ts';
import { decodeError } from './wire/errors.ts';
import type { WireSnapshot } from './wire/snapshot.ts';

/** The mirrored state a wire snapshot stands for; what it does not carry is left as it was. */
export function stateFrom(wire: WireSnapshot): Partial<TwinState> {
  return {
    value: wire.value,
    context: wire.context,
    ...(wire.tags === undefined ? {} : { tags: new Set(wire.tags) }),
    ...(wire.children === undefined ? {} : { children: wire.children }),
    ...(wire.output === undefined ? {} : { output: wire.output }),
    ...(wire.error === undefined ? {} : { error: decodeError(wire.error) }),
  };
}
