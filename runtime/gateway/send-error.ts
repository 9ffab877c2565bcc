import type { ServerResponse } from 'node:http';
import { HoldfastError } from '../base/errors.ts';
import { errorBody, HttpError, httpErrorOf } from './http-error.ts';

/** Answers with an error, outside of the app. A half-sent answer cannot be taken back, so its connection ends. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const isKnown = error instanceof HttpError || error instanceof HoldfastError;
  const found = isKnown
    ? httpErrorOf(error)
    : new HttpError(502, 'SERVICE_FAILED', 'the service process ended while it handled this request');
  const { status, retryAfter } = found;
  const text = JSON.stringify(errorBody(found));
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  });
  response.end(text);
}
