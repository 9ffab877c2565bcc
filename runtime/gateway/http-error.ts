import type { EventIssue } from '../base/event-issue.ts';
import { HoldfastError, isRetryable, type HoldfastErrorCode } from '../base/errors.ts';

/** Codes of the HTTP face itself; the other codes are those of {@link HoldfastError}. */
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
  | 'STREAM_GONE'
  | 'REQUEST_TIMEOUT'
  | 'RESTARTING'
  | 'PAUSED'
  | 'SERVICE_FAILED'
  | 'AGENT_FAILED';

/**
 * Whether the same request may succeed later without any change. This includes `RUNTIME_STOPPED`: a client waits for
 * the gateway at an address, and the next process serves there, whereas a runtime that has stopped does not start
 * again.
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
  STREAM_GONE: false,
  REQUEST_TIMEOUT: true,
  RESTARTING: true,
  PAUSED: true,
  SERVICE_FAILED: true,
  AGENT_FAILED: false,
  RUNTIME_STOPPED: true,
};

/** Seconds: soon enough for a client that waits, seldom enough for a busy gateway. */
const RETRY_AFTER_S = 1;

/** The error that a failed request ends with. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly code: GatewayErrorCode | HoldfastErrorCode;
  /** Whether the same request may succeed later without any change. */
  readonly retryable: boolean;
  /**
   * Seconds after which to try again, for a retryable error. Absent with a 504, whose time has been waited for
   * already.
   */
  readonly retryAfter: number | undefined;
  /** What does not fit the schemas of an agent. */
  readonly issues: readonly EventIssue[] | undefined;

  /** `retryAfter`: the seconds, where they are known; default 1. */
  constructor(
    status: number,
    code: HttpError['code'],
    message: string,
    retryAfter = RETRY_AFTER_S,
    issues?: readonly EventIssue[],
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryable = code in retryable ? retryable[code as GatewayErrorCode] : isRetryable(code);
    this.issues = issues;
    this.retryAfter = this.retryable && status !== 504 ? retryAfter : undefined;
  }
}

/** An error as the body of an answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly issues?: readonly EventIssue[] | undefined;
  };
}

/** The part of an error that clients see. */
export function errorBody({ code, message, retryable, issues }: ErrorBody['error']): ErrorBody {
  return { error: { code, message, retryable, ...(issues !== undefined && { issues }) } };
}

/** Codes that are not listed: 500, for what should not happen. */
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
  EVENT_INVALID: 422,
  REPLAY_REFUSED: 409,
  ASK_TIMEOUT: 504,
  ASK_UNANSWERED: 422,
  ASK_TOO_DEEP: 422,
  REPLY_UNCLONABLE: 422,
  STREAM_INTERRUPTED: 503,
  ID_REUSED: 422,
  ANSWER_NOT_KEPT: 410,
  STATE_INCOMPATIBLE: 409,
  STORE_FAILED: 503,
  STORE_LOCKED: 503,
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
  NODE_UNREACHABLE: 503,
};

/** A thrown error as an answer. An agent's own error is 422: the request made it fail. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof HoldfastError) {
    const status = statusOf[error.code] ?? 500;
    return new HttpError(status, error.code, error.message, RETRY_AFTER_S, error.issues);
  }
  const message = error instanceof Error ? error.message : String(error);
  return new HttpError(422, 'AGENT_FAILED', `the agent failed: ${message}`);
}
