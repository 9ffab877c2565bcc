import { HoldfastError } from '../../base/errors.ts';
import type { Secret } from './secret.ts';

/** The circumstances of a call of a capability. */
export interface CapabilityCall {
  /** The address of the instance on whose behalf the capability runs, such as `trading-agent/btc`. */
  readonly instance: string;
  /** The incarnation of the instance: it grows with each restart. */
  readonly incarnation: number;
  /**
   * A signal that aborts when the caller gives up, the instance ends or 60 s have passed. The call is then rejected in
   * any case.
   */
  readonly signal: AbortSignal;
  /**
   * Reports that the service refused this version of the secret, and resolves with the secret in another version, as
   * soon as there is one. In a rotation a service may know the new version before the provider says that it is the
   * current one. Rejects with `SECRET_NOT_FOUND`, `SECRET_DENIED` or `SECRET_UNAVAILABLE` when no other version comes.
   */
  readonly rejected: () => Promise<Secret>;
}

/**
 * The function of a capability. It runs in the host. `args` come from the agent's thread and are not checked: validate
 * them. The result goes back to the thread, so it must be cloneable and must not carry the secret (see {@link
 * defineCapability}).
 */
export type CapabilityFunction = (secret: Secret, args: unknown, call: CapabilityCall) => unknown;

/** A host function that uses a secret on an agent's behalf. */
export interface Capability {
  readonly name: string;
  readonly run: CapabilityFunction;
}

/**
 * Defines a host function that agents may call with a secret that they are granted for it. They get its result, never
 * the value. A result or an error that contains the value (as itself, base64, hex, percent-encoded or escaped in JSON,
 * from 8 bytes on) is refused with `SECRET_DENIED`. That is a net for mistakes, not for a capability that means to
 * leak. The names `sign.hmac` and `sign.jwt` are taken.
 *
 * @example
 * ```ts
 * const signOrder = defineCapability('sign-order', (secret, args) =>
 *   secret.use((key) => createHmac('sha256', key).update(JSON.stringify(args)).digest('hex')));
 * ```
 */
export function defineCapability(name: string, run: CapabilityFunction): Capability {
  if (typeof name !== 'string' || name === '')
    throw new HoldfastError('CONFIG_INVALID', 'a capability needs a name: a string that is not empty');
  if (typeof run !== 'function')
    throw new HoldfastError('CONFIG_INVALID', `the capability "${name}" needs a function to run`);
  return Object.freeze({ name, run });
}
