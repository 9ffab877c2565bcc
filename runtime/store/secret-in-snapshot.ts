import { HoldfastError } from '../base/errors.ts';

/** The error for a state that is not given out or stored. `path` leads into the persisted state, and holds no values. */
export function secretInSnapshot(address: string, path: readonly string[]): HoldfastError {
  return new HoldfastError(
    'SECRET_IN_SNAPSHOT',
    `the state of ${address} carries the value of a secret${path.length > 0 ? ` at ${path.join('.')}` : ''}; keep the label or the handle there, and ` +
      'use the value where it is needed, or through a capability',
  );
}
