import type { Logger } from '../base/logger.ts';
import type { Scrubbing } from '../base/scrubbing.ts';
import { type ErrorBody, httpErrorOf } from './http-error.ts';

/** A thrown error as the client is told. */
export interface Failure {
  readonly status: number;
  readonly said: ErrorBody['error'];
  readonly retryAfter: number | undefined;
}

/** What the client is told of an error: without values of secrets. A fault of the gateway itself is logged. */
export function failureOf(
  error: unknown,
  { logger, scrubber }: { readonly logger: Logger; readonly scrubber: Scrubbing },
): Failure {
  const { status, code, message, retryable, retryAfter, issues } = httpErrorOf(error);
  if (status === 500)
    logger.error({ code, error }, 'a request failed by a fault of the gateway or of a module that it loaded');
  const said = { code, message: scrubber.scrubText(message), retryable, issues: scrubber.scrub(issues) };
  return { status, said, retryAfter };
}
