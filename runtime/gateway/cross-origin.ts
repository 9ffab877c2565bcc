import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** How long a browser may remember what it was told of a request that is about to come. */
const REMEMBERED_S = 600;

/**
 * Lets pages of these origins, exactly, read answers; none when there are none. `origins` is read for each request. Who may do what is
 * a matter of the token alone: no cookie is taken.
 */
export function crossOrigin(origins: () => readonly string[] | undefined): MiddlewareHandler {
  const known = cors({
    origin: (origin) => (origins()?.includes(origin) === true ? origin : null),
    allowMethods: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'Last-Event-ID',
      'Traceparent',
      'Tracestate',
    ],
    exposeHeaders: ['Idempotent-Replayed', 'Retry-After'],
    maxAge: REMEMBERED_S,
  });
  return (c, next) => {
    if (origins() === undefined) return next();
    // Of no browser's: it asks what the path takes.
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') === undefined)
      return next();
    return known(c, next);
  };
}
