import { ProviderError, type ProviderFailure } from './provider.ts';

/**
 * Matched by name: the service sends several of these without the SDK having a class for them. What is about the key that
 * a request was signed with says nothing of the secret: the key was replaced, switched off, or belongs to a session that is
 * over, and another one may lie where the old one was.
 */
const failures: Readonly<Record<string, ProviderFailure>> = {
  AccessDenied: 'denied',
  AccessDeniedException: 'denied',
  NotAuthorized: 'denied',
  OptInRequired: 'denied',
  AuthFailure: 'expired-credentials',
  CredentialsProviderError: 'expired-credentials',
  ExpiredToken: 'expired-credentials',
  ExpiredTokenException: 'expired-credentials',
  IDPRejectedClaim: 'expired-credentials',
  IDPRejectedClaimException: 'expired-credentials',
  IncompleteSignature: 'expired-credentials',
  IncompleteSignatureException: 'expired-credentials',
  InvalidAccessKeyId: 'expired-credentials',
  InvalidClientTokenId: 'expired-credentials',
  InvalidIdentityToken: 'expired-credentials',
  InvalidIdentityTokenException: 'expired-credentials',
  InvalidSignatureException: 'expired-credentials',
  InvalidToken: 'expired-credentials',
  MissingAuthenticationToken: 'expired-credentials',
  MissingAuthenticationTokenException: 'expired-credentials',
  RequestExpired: 'expired-credentials',
  SignatureDoesNotMatch: 'expired-credentials',
  TokenProviderError: 'expired-credentials',
  TokenRefreshRequired: 'expired-credentials',
  UnauthorizedException: 'expired-credentials',
  UnrecognizedClientException: 'expired-credentials',
  ResourceNotFoundException: 'not-found',
  DecryptionFailure: 'undecryptable',
  InvalidParameterException: 'invalid',
  InvalidNextTokenException: 'invalid',
  ValidationException: 'invalid',
  ValidationError: 'invalid',
  UnknownOperationException: 'invalid',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  ThrottledException: 'throttled',
  TooManyRequestsException: 'throttled',
  RequestLimitExceeded: 'throttled',
  LimitExceededException: 'throttled',
  SlowDown: 'throttled',
};

/** Sorts what a call of AWS rejected with, or the code of one item of a batch. Unknown is `transient`. */
export function classifyAwsError(error: unknown): ProviderFailure {
  try {
    if (error instanceof ProviderError) return error.failure;
    const { name, message, syscall, code } = error as Readonly<Record<string, unknown>>;
    if (name === 'InvalidRequestException') return invalidRequest(message);
    // The only files that the SDK opens are for credentials, such as the token of a web identity.
    if (syscall === 'open' || code === 'EISDIR') return 'expired-credentials';
    return typeof name === 'string' && Object.hasOwn(failures, name)
      ? (failures[name] ?? 'transient')
      : 'transient';
  } catch {
    // What cannot even be looked at.
    return 'transient';
  }
}

// One code for a deleted secret and for a request that makes no sense; only the message tells them apart.
function invalidRequest(message: unknown): ProviderFailure {
  return typeof message === 'string' &&
    /marked for deletion|marked deleted|scheduled for deletion/i.test(message)
    ? 'deleted'
    : 'invalid';
}
