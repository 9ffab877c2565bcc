import type { IncomingMessage } from 'node:http';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { z } from 'zod';
import { systemClock, within } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { Scrubber } from '../secrets/scrubber.ts';
import { toPrometheus } from '../telemetry/to-prometheus.ts';
import { instanceStream } from './event-stream.ts';
import { HttpError, httpErrorOf } from './http-error.ts';
import type { Idempotency, KeptAnswer } from './idempotency.ts';
import { openApiDocument } from './open-api.ts';
import { plainJson } from './plain-json.ts';
import { existing, type GatewayContext, type Route, routes, type RouteRequest } from './routes.ts';
import { type Caller, may, type TokenAccess } from './token-access.ts';

/** What the HTTP face is made of. */
export interface AppOptions extends GatewayContext {
  /** Read for each request, so that it can change while the gateway runs. */
  readonly access: () => TokenAccess;
  readonly maxBodyBytes: () => number;
  readonly idempotency: Idempotency;
  readonly scrubber: Pick<Scrubber, 'scrub' | 'scrubText'>;
  readonly logger: Logger;
}

const LONGEST_KEY = 255;
/** Handlers have the deadline themselves, and say more; this one is for those that do not keep it. */
const GRACE_MS = 1000;

/** The HTTP face of a runtime. All that leaves it is without values of secrets. */
export function gatewayApp(options: AppOptions): Hono {
  const app = new Hono();
  const { logger, scrubber } = options;
  const fail = (error: unknown): Response => {
    const { status, code, message, retryAfter } = httpErrorOf(error);
    if (status === 500) logger.error({ code, error }, 'a request failed for no reason of its own');
    return Response.json(
      { error: { code, message: scrubber.scrubText(message) } },
      { status, headers: retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) } },
    );
  };
  app.onError((error) => fail(error));
  app.notFound(() =>
    fail(new HttpError(404, 'NOT_FOUND', 'there is nothing at this path; see /openapi.json')),
  );
  app.use(async (c, next) => {
    const maxSize = options.maxBodyBytes();
    const tooLarge = (): Response =>
      fail(new HttpError(413, 'BODY_TOO_LARGE', `a body has at most ${maxSize} bytes`));
    const length = headerOf(c, 'content-length');
    if (Number(length ?? 0) > maxSize) return tooLarge();
    // A body of a known length ends there. Only another is counted as it comes, which makes its request a slow one.
    const isCounted = length === undefined && c.req.method !== 'GET';
    return isCounted ? bodyLimit({ maxSize, onError: tooLarge })(c, next) : next();
  });
  app.get('/healthz', () => Response.json({ status: 'ok' }));
  app.get('/readyz', (c) => readyz(c, options));
  app.get('/metrics', (c) => {
    permit(c, options, 'admin');
    return new Response(scrubber.scrubText(toPrometheus(options.runtime.status())), {
      headers: { 'Content-Type': 'text/plain; version=0.0.4' },
    });
  });
  const document = openApiDocument();
  app.get('/openapi.json', () => Response.json(document));
  for (const route of routes) {
    app.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => answer(c, route, options));
  }
  return app;
}

function readyz(c: Context, { runtime, readiness, access, scrubber }: AppOptions): Response {
  const look = readiness.look(runtime.status());
  const status = look.ready ? 200 : 503;
  // What is wrong is for those who may see the status; whoever routes requests needs a yes or no.
  const isKnown = headerOf(c, 'authorization') !== undefined && may(callerOf(c, access), 'admin');
  return Response.json(isKnown ? scrubber.scrub(look) : { ready: look.ready }, { status });
}

/** Of Node's own headers where there are any: to make those of the web platform takes longer than all else here. */
function headerOf(c: Context, name: string): string | undefined {
  const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage };
  const found = incoming === undefined ? c.req.header(name) : incoming.headers[name];
  return Array.isArray(found) ? found[0] : found;
}

function callerOf(c: Context, access: AppOptions['access']): Caller {
  return access().caller(headerOf(c, 'authorization'));
}

function permit(c: Context, { access }: AppOptions, scope: Route['scope'], agent?: string): Caller {
  const caller = callerOf(c, access);
  if (may(caller, scope, agent)) return caller;
  const what = agent === undefined ? scope : `${scope} for the agent ${agent}`;
  throw new HttpError(403, 'FORBIDDEN', `this token does not allow ${what}`);
}

async function answer(c: Context, route: Route, options: AppOptions): Promise<Response> {
  const params = c.req.param() as Record<string, string>;
  const caller = permit(c, options, route.scope, params['agent']);
  if (route.isStream === true) {
    const ref = existing(options.runtime, params);
    return instanceStream(ref, options.scrubber, c.req.raw.signal, options.leaving);
  }
  const ms = options.requestTimeoutMs() + GRACE_MS;
  return within(systemClock, ms, answerOnce(c, route, caller, params, options), () => {
    return new HttpError(504, 'REQUEST_TIMEOUT', `no answer within ${ms} ms`);
  });
}

async function answerOnce(
  c: Context,
  route: Route,
  caller: Caller,
  params: Record<string, string>,
  options: AppOptions,
): Promise<Response> {
  const text = route.body === undefined ? '' : await c.req.text();
  const request: RouteRequest = {
    params,
    query: checked(route.query, c.req.query(), 'the query') as RouteRequest['query'],
    body: checked(route.body, route.body === undefined ? undefined : bodyOf(text), 'the body'),
    signal: c.req.raw.signal,
  };
  const run = (): Promise<KeptAnswer> => kept(route, request, caller, options);
  const key = route.isIdempotent === true ? headerOf(c, 'idempotency-key') : undefined;
  if (key === undefined) return responseOf(await run());
  if (key === '' || key.length > LONGEST_KEY) {
    throw new HttpError(400, 'BAD_REQUEST', `an Idempotency-Key has 1 to ${LONGEST_KEY} characters`);
  }
  const { isReplay, ...found } = await options.idempotency.once(
    `${caller.name} ${key}`,
    `${route.method} ${c.req.url} ${text}`,
    run,
  );
  return responseOf(found, isReplay);
}

async function kept(
  route: Route,
  request: RouteRequest,
  { agents }: Caller,
  options: AppOptions,
): Promise<KeptAnswer> {
  const { status, body } = await route.run(options, request);
  if (body === undefined) return { status, body: '' };
  const seen = route.operationId === 'listAgents' ? onlyOf(body, agents) : body;
  return { status, body: JSON.stringify(plainJson(options.scrubber.scrub(seen))) ?? 'null' };
}

/** A token for some agents shows nothing of the others. */
function onlyOf(body: unknown, agents: readonly string[]): unknown {
  const { instances } = body as { instances: readonly { agent: string }[] };
  return agents.includes('*') ? body : { instances: instances.filter(({ agent }) => agents.includes(agent)) };
}

function responseOf({ status, body }: KeptAnswer, isReplay = false): Response {
  const replayed: Record<string, string> = isReplay ? { 'Idempotent-Replayed': 'true' } : {};
  if (body === '') return new Response(null, { status, headers: replayed });
  return new Response(body, { status, headers: { 'Content-Type': 'application/json', ...replayed } });
}

function bodyOf(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'BAD_REQUEST', 'the body is no JSON');
  }
}

function checked(schema: z.ZodType | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new HttpError(400, 'BAD_REQUEST', `${what} makes no sense: ${problems.join('; ')}`);
}
