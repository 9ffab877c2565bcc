import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { systemClock, within } from '../base/clock.ts';
import { inTraceOf } from '../telemetry/remote-context.ts';
import { prometheusOf } from '../telemetry/to-prometheus.ts';
import { AgentsSchemas } from './agents-schemas.ts';
import { answerTo, ended, once, run, tooLate } from './answering.ts';
import type { AppOptions } from './app-options.ts';
import { askAsStream, followAsk, takesStream } from './ask-as-stream.ts';
import { crossOrigin } from './cross-origin.ts';
import { HttpError } from './http-error.ts';
import type { Course } from './idempotency.ts';
import type { Answer } from './kept-answers.ts';
import { askForTool, type CalledBy } from './mcp-ask.ts';
import { McpServer, type ToolAsk } from './mcp.ts';
import { openApiDocument } from './open-api.ts';
import { PAUSED } from './paused.ts';
import { CarriedOver } from './put-off-asks.ts';
import { behind, bodyOf, checked, headerOf, keyOf, wholeOf } from './request-parts.ts';
import { addressIn, reached, type Route, routes, type RouteRequest } from './routes.ts';
import { TICKET_HEADER } from './successor.ts';
import { assertStill, type Caller, may } from './token-access.ts';
import { UnreadAnswers } from './unread-answers.ts';

/** Handlers keep the deadline themselves, and say more; this grace is for a handler that does not. */
const GRACE_MS = 1000;
/** Milliseconds for a change of the gateway that is slow at every step, such as a restart. */
const LONGEST_MS = 300_000;

/** The HTTP face of a runtime. Everything that leaves it is without values of secrets. */
export function gatewayApp(options: AppOptions): Hono {
  const app = new Hono();
  const { scrubber } = options;
  const fail = (error: unknown): Response => responseOf(answerTo(error, options));
  app.onError((error) => fail(error));
  app.notFound(() =>
    fail(new HttpError(404, 'NOT_FOUND', 'there is nothing at this path; see /openapi.json')),
  );
  app.use((c, next) => inTraceOf((name) => headerOf(c, name), next));
  app.use(crossOrigin(() => options.gateway().cors?.origins));
  app.use(async (c, next) => {
    const maxSize = options.gateway().maxBodyBytes;
    const tooLarge = (): Response =>
      fail(new HttpError(413, 'BODY_TOO_LARGE', `a request body may have at most ${maxSize} bytes`));
    const length = headerOf(c, 'content-length');
    if (Number(length ?? 0) > maxSize) return tooLarge();
    // A body of a known length ends there. Only another body is counted as it comes, which makes its request a slow
    // one.
    const isCounted = length === undefined && c.req.method !== 'GET';
    return isCounted ? bodyLimit({ maxSize, onError: tooLarge })(c, next) : next();
  });
  const methods = new Map<string, string[]>();
  const at = (method: string, path: string, handler: (c: Context) => Response | Promise<Response>): void => {
    app.on(method, path, handler);
    methods.set(path, [...(methods.get(path) ?? []), ...(method === 'GET' ? ['GET', 'HEAD'] : [method])]);
  };
  at('GET', '/healthz', () => Response.json({ status: 'ok' }));
  at('GET', '/readyz', (c) => readyz(c, options));
  at('GET', '/metrics', (c) => {
    permit(c, options, 'admin');
    return new Response(scrubber.scrubText(prometheusOf(options.system.figures())), {
      headers: { 'Content-Type': 'text/plain; version=0.0.4' },
    });
  });
  const unread = new UnreadAnswers();
  const schemas = new AgentsSchemas(options.system, options.logger);
  const document = openApiDocument();
  at('GET', '/openapi.json', async (c) => {
    // Which agents there are, and what they accept, is for callers who may send to them.
    if (headerOf(c, 'authorization') === undefined) return Response.json(document);
    return Response.json(openApiDocument(await schemas.of(callerOf(c, options.access))));
  });
  for (const route of routes) {
    at(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => answer(c, route, options, unread));
  }
  const mcp = new McpServer(schemas, options.logger);
  const streaming = new Map<string, number>();
  at('POST', '/mcp', (c) => answerMcp(c, { mcp, streaming }, options, unread));
  // Requests that get here matched none of these routes.
  for (const [path, allowed] of methods) {
    const allow = [...allowed, 'OPTIONS'].join(', ');
    app.all(path, (c) => {
      const response =
        c.req.method === 'OPTIONS'
          ? new Response(null, { status: 204 })
          : fail(new HttpError(405, 'METHOD_NOT_ALLOWED', `this path takes ${allow}`));
      response.headers.set('Allow', allow);
      return response;
    });
  }
  return app;
}

function readyz(c: Context, { system, readiness, access, scrubber, isPaused }: AppOptions): Response {
  const look = readiness.look(system.overview(), isPaused?.());
  const status = look.ready ? 200 : 503;
  // The reasons are for callers who may see the status; a router of requests needs a yes or no.
  const isKnown = headerOf(c, 'authorization') !== undefined && may(callerOf(c, access), 'admin');
  return Response.json(isKnown ? scrubber.scrub(look) : { ready: look.ready }, { status });
}

function callerOf(c: Context, access: AppOptions['access'], isCounted?: boolean): Caller {
  return access().caller(headerOf(c, 'authorization'), isCounted);
}

function permit(c: Context, { access, asks }: AppOptions, scope: Route['scope'], agent?: string): Caller {
  // A request that waits for an ask of another process was counted there.
  const caller = callerOf(c, access, !asks.knows(headerOf(c, TICKET_HEADER)));
  if (may(caller, scope, agent)) return caller;
  const what = agent === undefined ? scope : `${scope} for the agent ${agent}`;
  throw new HttpError(403, 'FORBIDDEN', `this token does not allow ${what}`);
}

async function answer(
  c: Context,
  route: Route,
  options: AppOptions,
  unread: UnreadAnswers,
): Promise<Response> {
  const params = c.req.param() as Record<string, string>;
  if (route.operationId === 'stream') return streamed(c, route, params, options, unread);
  const caller = permit(c, options, route.scope, params['agent']);
  if (route.isForOperators !== true) assertGoing(options);
  unread.assertRoom(caller);
  if (route.operationId === 'followAsk') {
    const response = followAsk(c, caller, params, options);
    unread.watch(behind(c).outgoing);
    return response;
  }
  if (route.isStreamed === true && takesStream(c)) {
    const response = await passedOn(c, options, (read) =>
      askAsStream(c, route, caller, params, options, read),
    );
    unread.watch(behind(c).outgoing);
    return response;
  }
  const ms = (route.mayTakeLong === true ? LONGEST_MS : options.requestTimeoutMs()) + GRACE_MS;
  return passedOn(c, options, async (read) => {
    const answered = answerOnce(c, route, caller, params, options, read);
    const found = await within(systemClock, ms, answered, () => tooLate(ms));
    unread.add(caller, found.body.length, behind(c).outgoing);
    return responseOf(found, found.isReplay);
  });
}

/** @throws {HttpError} 503 while the gateway is paused */
function assertGoing({ isPaused }: AppOptions): void {
  if (isPaused?.() !== true) return;
  throw new HttpError(503, 'PAUSED', `the gateway was started paused: ${PAUSED}`);
}

/** Answers a message of MCP. */
async function answerMcp(
  c: Context,
  { mcp, streaming }: { readonly mcp: McpServer } & Pick<CalledBy, 'streaming'>,
  options: AppOptions,
  unread: UnreadAnswers,
): Promise<Response> {
  const caller = permit(c, options, 'send');
  assertGoing(options);
  unread.assertRoom(caller);
  const ms = options.requestTimeoutMs() + GRACE_MS;
  const { incoming, outgoing } = behind(c);
  const response = await passedOn(c, options, async (read) => {
    const text = (read.text = await c.req.text());
    const requests = options.requests?.();
    if (incoming && outgoing && requests?.begin(incoming, outgoing) === false) throw new CarriedOver();
    const putOff = (): void => {
      if (outgoing !== undefined) requests?.putOff(outgoing);
    };
    const by = { caller, ticket: headerOf(c, TICKET_HEADER), putOff, streaming };
    const ask = async (call: ToolAsk): Promise<Answer> => {
      const found = await askForTool(call, by, options);
      unread.add(caller, found.body.length, outgoing);
      return found;
    };
    const answered = mcp.answer({ caller, request: c.req.raw, message: bodyOf(text), ask });
    return within(systemClock, ms, answered, () => tooLate(ms));
  });
  unread.watch(outgoing);
  return response;
}

/** Answers a request, or has another process do so that has its instance now. */
async function passedOn(
  c: Context,
  options: AppOptions,
  answered: (read: { text: string }) => Promise<Response>,
): Promise<Response> {
  const read = { text: '' };
  try {
    return await answered(read);
  } catch (error) {
    const { incoming, outgoing } = behind(c);
    const requests = options.requests?.();
    const isOver = error instanceof CarriedOver && requests && incoming && outgoing;
    if (!isOver) throw error;
    const { ticket } = error;
    await requests.passOn(incoming, outgoing, { body: read.text, ...(ticket !== undefined && { ticket }) });
    return RESPONSE_ALREADY_SENT;
  }
}

async function streamed(
  c: Context,
  route: Route,
  params: Record<string, string>,
  options: AppOptions,
  unread: UnreadAnswers,
): Promise<Response> {
  const query = checked(route.query, c.req.query(), 'the query') as RouteRequest['query'];
  const caller = listenerOf(c, params, query, options);
  assertGoing(options);
  const headers = {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  };
  const ms = options.requestTimeoutMs();
  const request = { params, query, caller };
  const address = addressIn(params);
  // An empty one is none, as a page has it that has received nothing yet.
  const from = headerOf(c, 'last-event-id') || (query['from'] as string | undefined) || undefined;
  const isOver = options.runtime.get(address) === undefined && options.streams.hasRest(address, from);
  const ref = isOver
    ? undefined
    : await within(systemClock, ms, reached(options, request, true), () => tooLate(ms));
  if (c.req.method === 'HEAD') return new Response(null, { headers });
  const agent = params['agent'] ?? '';
  assertStill(options.access(), caller, 'read', agent);
  const body = options.streams.open({
    address,
    agent,
    ref,
    caller,
    most: options.gateway().limits.streams,
    scrubber: options.scrubber,
    signal: c.req.raw.signal,
    only: query['only'] as 'snapshot' | 'emitted' | undefined,
    everyMs: query['everyMs'] as number,
    from,
  });
  unread.watch(behind(c).outgoing);
  return new Response(body, { headers });
}

/** The caller that may listen to the instance: by a token, or by a stream token for it. */
function listenerOf(
  c: Context,
  params: Record<string, string>,
  { token }: RouteRequest['query'],
  options: AppOptions,
): Caller {
  const agent = params['agent'] ?? '';
  if (typeof token !== 'string' || headerOf(c, 'authorization') !== undefined) {
    return permit(c, options, 'read', agent);
  }
  const owner = options.access().again(options.streamTokens.redeem(token, addressIn(params)));
  if (owner !== undefined && may(owner, 'read', agent)) return owner;
  throw new HttpError(401, 'UNAUTHORIZED', 'the token that made this stream token no longer allows read');
}

async function answerOnce(
  c: Context,
  route: Route,
  caller: Caller,
  params: Record<string, string>,
  options: AppOptions,
  read: { text: string },
): Promise<Answer & { readonly isReplay?: boolean }> {
  const text = (read.text = route.body === undefined ? '' : await c.req.text());
  const { incoming, outgoing } = behind(c);
  const requests = options.requests?.();
  if (incoming && outgoing && requests?.begin(incoming, outgoing) === false) throw new CarriedOver();
  const ticket = headerOf(c, TICKET_HEADER);
  const putOff = (): void => {
    if (outgoing !== undefined) requests?.putOff(outgoing);
  };
  const request: RouteRequest = {
    params,
    query: checked(route.query, c.req.query(), 'the query') as RouteRequest['query'],
    body: checked(route.body, route.body === undefined ? undefined : bodyOf(text), 'the request body'),
    caller,
    signal: c.req.raw.signal,
    course: undefined,
    ticket,
    putOff,
  };
  const key = route.isIdempotent === true ? keyOf(c) : undefined;
  if (key === undefined) return run(route, request, options);
  const whole = wholeOf(c, text);
  const begin = (course: Course): Promise<Answer> =>
    ended(run(route, { ...request, course, key, signal: course.signal }, options), options);
  const ms = route.waitMs?.(request.query, options.requestTimeoutMs()) ?? options.requestTimeoutMs();
  return once(route, { caller, key, whole, putOff, ticket, ms }, begin, options);
}

function responseOf({ status, body, retryAfter }: Answer, isReplay = false): Response {
  const headers: Record<string, string> = {};
  if (body !== '') headers['Content-Type'] = 'application/json';
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter);
  if (isReplay) headers['Idempotent-Replayed'] = 'true';
  return new Response(body === '' ? null : body, { status, headers });
}
