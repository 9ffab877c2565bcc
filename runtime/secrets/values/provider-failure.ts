import type { SecretFailure } from '../../../actors/secret-entry.ts';
import { HoldfastError, type HoldfastErrorCode } from '../../base/errors.ts';

const meaning: Readonly<Record<SecretFailure, readonly [HoldfastErrorCode, string]>> = {
  'not-found': [
    'SECRET_NOT_FOUND',
    'the provider has no such secret or version; check whether it is set there, and the id, the stage and the region',
  ],
  deleted: ['SECRET_NOT_FOUND', 'it is marked for deletion; restore it or take the grant away'],
  denied: ['SECRET_DENIED', "the host's identity may not read it; allow that at the provider"],
  undecryptable: [
    'SECRET_DENIED',
    "the provider cannot decrypt it; check its key and the host's right to use the key",
  ],
  transient: [
    'SECRET_UNAVAILABLE',
    'the provider did not answer in time or answered with an error; try again',
  ],
  throttled: ['SECRET_UNAVAILABLE', 'the provider refuses more calls for now; try again later'],
  'expired-credentials': [
    'SECRET_UNAVAILABLE',
    "the host's own credentials are missing, have expired, or are not known to the provider; renew them",
  ],
  rejected: [
    'SECRET_UNAVAILABLE',
    'the service refuses its current version and no other one has come; check its rotation and what the service knows',
  ],
  invalid: [
    'SECRET_UNAVAILABLE',
    "the provider's answer or the request was not valid, or the value is a placeholder, which a warning tells; check the provider's options, the id and what is stored there",
  ],
};

/**
 * The error for a caller: what failed and what to do, in Holdfast's words. The provider's own error may reveal too
 * much.
 */
export function failureError(failure: SecretFailure, label: string, provider: string): HoldfastError {
  const [code, advice] = meaning[failure];
  return new HoldfastError(
    code,
    `The secret "${label}" of the provider "${provider}" cannot be used (${failure}): ${advice}.`,
  );
}
