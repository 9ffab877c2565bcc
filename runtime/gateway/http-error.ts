import { HoldfastError, isRetryable, type HoldfastErrorCode } from '../base/errors.ts';

/** Codes of the HTTP face itself; the others are those of {@link HoldfastError}. */
export type GatewayErrorCode =
  | 'BAD_REQUEST'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'BODY_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'LIMIT_REACHED'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'ANSWER_NOT_KEPT'
  | 'OUTCOME_UNKNOWN'
  | 'REQUEST_TIMEOUT'
  | 'RESTARTING'
  | 'SERVICE_FAILED'
  | 'AGENT_FAILED';

/**
 * Whether the same request may succeed later without any change. `RUNTIME_STOPPED` too: a client waits for the
 * gateway at an address, and the next process serves there, whereas a runtime that has stopped does not start again.
 */
const retryable: Readonly<Record<GatewayErrorCode | 'RUNTIME_STOPPED', boolean>> = {
  BAD_REQUEST: false,
  UNAUTHORIZED: false,
  FORBIDDEN: false,
  NOT_FOUND: false,
  METHOD_NOT_ALLOWED: false,
  BODY_TOO_LARGE: false,
  RATE_LIMITED: true,
  LIMIT_REACHED: true,
  IDEMPOTENCY_KEY_REUSED: false,
  ANSWER_NOT_KEPT: false,
  OUTCOME_UNKNOWN: false,
  REQUEST_TIMEOUT: true,
  RESTARTING: true,
  SERVICE_FAILED: true,
  AGENT_FAILED: false,
  RUNTIME_STOPPED: true,
};

/** Seconds. Soon enough for who waits, seldom enough for who is busy. */
const RETRY_AFTER_S = 1;

/** What a request ends with when it fails. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly code: GatewayErrorCode | HoldfastErrorCode;
  /** Whether the same request may succeed later without any change. */
  readonly retryable: boolean;
  /** Seconds after which to try again, for what is retryable. None with a 504: its time has been waited for already. */
  readonly retryAfter: number | undefined;

  /** `retryAfter`: where it is known; default 1. */
  constructor(status: number, code: HttpError['code'], message: string, retryAfter = RETRY_AFTER_S) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryable = code in retryable ? retryable[code as GatewayErrorCode] : isRetryable(code);
    this.retryAfter = this.retryable && status !== 504 ? retryAfter : undefined;
  }
}

/** An error as the body of an answer. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly retryable: boolean };
}

/** What clients see of an error. */
export function errorBody({ code, message, retryable }: ErrorBody['error']): ErrorBody {
  return { error: { code, message, retryable } };
}

/** Not listed: 500, for what should not be. */
const statusOf: Readonly<Partial<Record<HoldfastErrorCode, number>>> = {
  CONFIG_INVALID: 400,
  OPTION_INVALID: 400,
  AGENT_UNKNOWN: 404,
  AGENT_STOPPED: 404,
  ADDRESS_TAKEN: 409,
  AGENT_QUARANTINED: 409,
  MAILBOX_FULL: 429,
  MESSAGE_UNCLONABLE: 400,
  MESSAGE_TOO_LARGE: 413,
  EVENT_RESERVED: 400,
  REPLAY_REFUSED: 409,
  ASK_TIMEOUT: 504,
  ASK_UNANSWERED: 422,
  ASK_TOO_DEEP: 422,
  REPLY_UNCLONABLE: 422,
  SECRET_IN_SNAPSHOT: 422,
  SECRET_NOT_FOUND: 404,
  SECRET_DENIED: 409,
  SECRET_UNAVAILABLE: 409,
  POOL_EXHAUSTED: 503,
  THREAD_START_TIMEOUT: 503,
  THREAD_CRASHED: 503,
  THREAD_OUT_OF_MEMORY: 503,
  THREAD_HUNG: 503,
  RUNTIME_STOPPED: 503,
};

/** What was thrown, as an answer. What an agent threw itself is 422: the request made it fail. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof HoldfastError) {
    return new HttpError(statusOf[error.code] ?? 500, error.code, error.message);
  }
  const message = error instanceof Error ? error.message : String(error);
  return new HttpError(422, 'AGENT_FAILED', `the agent failed: ${message}`);
}
