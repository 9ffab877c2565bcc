import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** Seconds for which a browser may remember the answer about a request that is about to come. */
const REMEMBERED_S = 600;

/**
 * Lets pages of exactly these origins read answers; none when there are none. `origins` is read at each request. The
 * token alone decides who may do what: cookies are ignored.
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
      'Mcp-Method',
      'Mcp-Name',
      'Mcp-Protocol-Version',
      'Mcp-Session-Id',
      'Traceparent',
      'Tracestate',
    ],
    exposeHeaders: ['Content-Location', 'Idempotent-Replayed', 'Mcp-Session-Id', 'Retry-After'],
    maxAge: REMEMBERED_S,
  });
  return (c, next) => {
    if (origins() === undefined) return next();
    // Not from a browser: the client asks which methods the path takes.
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') === undefined)
      return next();
    return known(c, next);
  };
}
