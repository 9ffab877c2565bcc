import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { z } from 'zod';
import { HttpError } from './http-error.ts';

/** The parts behind a request over a socket. */
export interface Behind {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

export function behind({ env }: Context): Behind {
  return (env ?? {}) as Behind;
}

/**
 * Reads Node's own headers where there are any: to make those of the web platform takes longer than everything else
 * here.
 */
export function headerOf(c: Context, name: string): string | undefined {
  const { incoming } = behind(c);
  const found = incoming === undefined ? c.req.header(name) : incoming.headers[name];
  return Array.isArray(found) ? found[0] : found;
}

const LONGEST_KEY = 255;

/** The `Idempotency-Key` of a request, if it has one. */
export function keyOf(c: Context): string | undefined {
  const key = headerOf(c, 'idempotency-key');
  if (key === undefined || (key !== '' && key.length <= LONGEST_KEY)) return key;
  throw new HttpError(400, 'BAD_REQUEST', `an Idempotency-Key has 1 to ${LONGEST_KEY} characters`);
}

/** All that makes a request the same one as another: without the host, which may have several names. */
export function wholeOf(c: Context, ...more: readonly string[]): string {
  const { pathname, search } = new URL(c.req.url);
  return JSON.stringify([c.req.method, pathname + search, ...more]);
}

export function bodyOf(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'BAD_REQUEST', 'the request body is not valid JSON');
  }
}

export function checked(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new HttpError(400, 'BAD_REQUEST', `${what} is not valid: ${problems.join('; ')}`);
}
