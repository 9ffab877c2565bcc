import type { EventIssue } from '../base/event-issue.ts';

/** What is known of a failure besides its code and message. */
export interface GatewayErrorOptions extends ErrorOptions {
  /** The HTTP status of the answer. Default: there was none. */
  readonly status?: number | undefined;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly issues?: readonly EventIssue[] | undefined;
  readonly isReplay?: boolean;
}

/**
 * The error of a request to a gateway: what the gateway answered, or why there was no answer. `code` is stable: those of
 * `docs/errors.md` and `docs/gateway.md`; `FETCH_FAILED` when the gateway cannot be reached or something else answers in its
 * place, `REQUEST_TIMEOUT` when no answer came in time. `retryable` says whether the same call may succeed later without
 * any change.
 *
 * @example
 * ```ts
 * try { await desk.ask({ type: 'quote' }); }
 * catch (error) { if (error instanceof GatewayError && error.code === 'ASK_TIMEOUT') … }
 * ```
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;
  /** The HTTP status of the answer; undefined when there was none. */
  readonly status: number | undefined;
  readonly retryable: boolean;
  /** Milliseconds after which the gateway says to try again; undefined when it does not say. */
  readonly retryAfterMs: number | undefined;
  /** Whether this is the kept answer to an earlier request with the same key, which gets it again. */
  readonly isReplay: boolean;
  /** With `EVENT_INVALID`: what does not fit what the agent accepts. */
  readonly issues: readonly EventIssue[] | undefined;

  constructor(code: string, message: string, options: GatewayErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.isReplay = options.isReplay ?? false;
    this.issues = options.issues;
  }
}
