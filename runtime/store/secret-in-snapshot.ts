import { HoldfastError } from '../base/errors.ts';

/** The error for a state that is not given out or stored. `path` leads into the persisted state, and holds no values. */
export function secretInSnapshot(address: string, path: readonly string[]): HoldfastError {
  return new HoldfastError(
    'SECRET_IN_SNAPSHOT',
    `the state of ${address} carries the value of a secret${path.length > 0 ? ` at ${path.join('.')}` : ''}; keep the label or the handle there, and ` +
      'use the value where it is needed, or through a capability',
  );
}

/** The error for a step that is not kept. */
export function secretInStep(address: string): HoldfastError {
  return new HoldfastError(
    'SECRET_IN_SNAPSHOT',
    `a step of ${address} was done, and what it returned is not kept, as it carries the value of a secret; return the rest of it, ` +
      'and use the value where it is needed, or through a capability',
  );
}
