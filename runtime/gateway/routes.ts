import { z } from 'zod';
import { addressOf } from '../base/address.ts';
import { LONGEST_TIMER_MS } from '../base/clock.ts';
import { text } from '../config/fields.ts';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { isReserved } from '../base/reserved-types.ts';
import type { Runtime, RuntimeStatus, ServedSystem } from '../runtime.ts';
import type { Activations } from './activations.ts';
import { type Anywhere, isUnreachable, timeBefore } from './anywhere.ts';
import type { AskedStreams } from './asked-streams.ts';
import { HttpError } from './http-error.ts';
import { type Course, keyReused } from './idempotency.ts';
import type { ControlAction } from './messages.ts';
import { CarriedOver, type PutOffAsks } from './put-off-asks.ts';
import type { ReadinessProbe } from './readiness.ts';
import { STREAM_TOKEN_MS, type StreamTokens } from './stream-tokens.ts';
import type { Caller, Scope } from './token-access.ts';

/** The objects that handlers work on. */
export interface GatewayContext {
  readonly runtime: Runtime;
  /** Sends events to instances for callers that have to know the outcome, here or in the next process. */
  readonly asks: Pick<PutOffAsks, 'open' | 'answer' | 'knows'>;
  readonly activations: Activations;
  /** Says which instances commit each turn, and asks them with ids, on whatever node they are. */
  readonly anywhere: Omit<Anywhere, 'open'>;
  readonly system: Pick<ServedSystem, 'resumeStore' | 'nodeFigures'>;
  /** Aborted when another process is to take over. */
  readonly leaving?: AbortSignal;
  readonly asked: Pick<AskedStreams, 'cancel'>;
  readonly streamTokens: StreamTokens;
  readonly readiness: ReadinessProbe;
  /** Read at each request, so that it can change while the gateway runs. */
  readonly requestTimeoutMs: () => number;
  /** Has the front carry out an action. */
  readonly control: (action: ControlAction) => Promise<RouteAnswer>;
}

/** A request, checked. */
export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly caller: Caller;
  /** Aborted when the client goes; with a key, when the outcome is no longer wanted. */
  readonly signal: AbortSignal;
  /** Present for a request with a key: it goes on without its client, and reports how far it came. */
  readonly course: Course | undefined;
  /** The key of the request, with a {@link course}. */
  readonly key?: string | undefined;
  /** The ticket of the ask of another process that the request waits for. */
  readonly ticket: string | undefined;
  /** The answer is put off: it comes some time later, in the next process if need be. */
  readonly putOff: () => void;
}

export interface RouteAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly retryAfter?: number | undefined;
}

/** An operation of the HTTP face, of which the router, the checks and the OpenAPI document are made. */
export interface Route {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** The path, with `{name}` for a part that varies. */
  readonly path: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status: number;
  /** The schema of the answer, for the document. */
  readonly answer?: z.ZodType;
  /** Whether the operation takes an `Idempotency-Key`. */
  readonly isIdempotent?: boolean;
  /** The longest wait for the answer, in milliseconds. Default: `gateway.requestTimeoutMs`. */
  readonly waitMs?: (query: RouteRequest['query'], requestTimeoutMs: number) => number;
  /** Whether the answer comes when the gateway has done it, however long other requests may take. */
  readonly mayTakeLong?: boolean;
  readonly isStream?: boolean;
  /** Whether it has nothing to do with what agents handle, and is there while the gateway is paused. */
  readonly isForOperators?: boolean;
  /** Whether a client that accepts `text/event-stream` gets the answer as it comes. */
  readonly isStreamed?: boolean;
  /**
   * The part of an answer about several agents that a token for some of them is shown. Required for an operation whose
   * path names no agent and that needs less than `admin`, unless its answer says nothing of agents.
   */
  readonly shown?: (body: unknown, may: (agent: string) => boolean) => unknown;
  run(context: GatewayContext, request: RouteRequest): Promise<RouteAnswer>;
}

/** The body of a request with an event. */
export const eventSchema = z
  .looseObject({
    type: z
      .string('a text of 1 to 256 characters')
      .min(1, 'a text of 1 to 256 characters')
      .max(256, 'a text of 1 to 256 characters')
      .refine((type) => !isReserved(type), 'a type that is not one of the runtime itself')
      .describe('The type of the event; not of the runtime itself (xstate., secret., holdfast.).'),
  })
  .describe('The event, as the machine knows it.');

const flagQuery = z.enum(['true', 'false']).optional();
const timeoutQuery = z.coerce
  .number('milliseconds')
  .int('whole milliseconds')
  .min(1, 'at least 1 ms')
  .max(LONGEST_TIMER_MS, 'fewer milliseconds')
  .optional()
  .describe('Milliseconds to wait, at most gateway.requestTimeoutMs.');
const activateQuery = flagQuery.describe(
  'true: start the instance if there is none, with a token that allows send, or manage. Default: false.',
);
/** The default `timeoutMs` of `ask`: OTP's default for a call. */
const ASK_MS = 5000;
/** Milliseconds for which a client may come again for a put-off answer, such as the word of a human. */
const LONGEST_MS = 60 * 60_000;
/** What a request ends with whose process is left by its instance. */
const PASSING: ReadonlySet<HoldfastErrorCode> = new Set(['RUNTIME_STOPPED', 'AGENT_STOPPED']);
/** The least time between snapshots: no more of them than a person can look at. */
const EVERY_MS = 100;

const instanceSchema = z.object({
  address: text(),
  agent: text(),
  threadId: text(),
  thread: z.int().describe('Of Node; -1 while it has none.'),
  incarnation: z.int().describe('0 of an instance on another node of a cluster.'),
  node: z.int().optional().describe('The number of its node; only of a gateway that is one of several.'),
});

const noBody = z.undefined();
const nothingMore = z.strictObject({}).or(noBody);

function isForced(body: unknown): boolean {
  return (body as { force?: boolean } | undefined)?.force === true;
}

/** The operation behind a call of a tool, too. */
export const askRoute: Route = {
  operationId: 'ask',
  method: 'POST',
  path: '/v1/agents/{agent}/{id}/ask',
  summary:
    'Send an event and answer with the reply; with Accept: text/event-stream, with what the agent writes as it comes',
  scope: 'send',
  query: z.strictObject({
    timeoutMs: timeoutQuery.describe(
      'Milliseconds to wait, at most gateway.requestTimeoutMs; of a stream, the longest silence, 60000 by default.',
    ),
    activate: activateQuery,
  }),
  body: eventSchema,
  status: 200,
  answer: z.object({ reply: z.unknown() }),
  isIdempotent: true,
  isStreamed: true,
  waitMs: askMs,
  run: async (context, request) => {
    const { ticket, params, putOff } = request;
    if (ticket !== undefined) {
      putOff();
      return {
        status: 200,
        body: { reply: (await context.asks.answer(ticket, addressIn(params))) ?? null },
      };
    }
    const { address } = await reached(context, request);
    const timeoutMs = askMs(request.query, context.requestTimeoutMs());
    const reply = await opened(context, address, 'ask', request, timeoutMs);
    return { status: 200, body: { reply: reply ?? null } };
  },
};

export const routes: readonly Route[] = [
  {
    operationId: 'listAgents',
    isForOperators: true,
    method: 'GET',
    path: '/v1/agents',
    summary: 'The instances that exist',
    scope: 'read',
    status: 200,
    answer: z.object({ instances: z.array(z.looseObject(instanceSchema.shape)) }),
    shown: (body, may) => ({
      instances: (body as Pick<RuntimeStatus, 'instances'>).instances.filter(({ agent }) => may(agent)),
    }),
    run: async ({ runtime }) => ({ status: 200, body: { instances: runtime.status().instances } }),
  },
  {
    operationId: 'startInstance',
    method: 'PUT',
    path: '/v1/agents/{agent}/{id}',
    summary: 'Start an instance, unless there is one',
    scope: 'manage',
    body: z.strictObject({ input: z.unknown().optional() }).or(noBody),
    status: 201,
    answer: instanceSchema,
    isIdempotent: true,
    run: async ({ runtime }, { params, body }) => {
      const { agent, id } = named(params);
      const isThere = (await runtime.find(addressIn(params))) !== undefined;
      const input = (body as { input?: unknown } | undefined)?.input;
      const ref = await runtime.getOrSpawn(agent, id, input === undefined ? {} : { input });
      return { status: isThere ? 200 : 201, body: shown(ref) };
    },
  },
  {
    operationId: 'stopInstance',
    method: 'DELETE',
    path: '/v1/agents/{agent}/{id}',
    summary: 'Stop an instance, after it has handled what it was sent',
    scope: 'manage',
    status: 204,
    run: async (context, { params }) => {
      await (await existing(context, params)).stop();
      return { status: 204 };
    },
  },
  {
    operationId: 'resumeInstance',
    method: 'POST',
    path: '/v1/agents/{agent}/{id}/resume',
    summary: 'Resume a quarantined instance, which gets what waits in its mailbox; a running one goes on',
    scope: 'manage',
    body: nothingMore,
    status: 200,
    answer: instanceSchema,
    run: async (context, { params }) => {
      const ref = await existing(context, params);
      await ref.resume();
      return { status: 200, body: shown(ref) };
    },
  },
  {
    operationId: 'sendEvent',
    method: 'POST',
    path: '/v1/agents/{agent}/{id}/events',
    summary: 'Send an event',
    scope: 'send',
    query: z.strictObject({
      wait: z
        .enum(['none', 'handled'])
        .optional()
        .describe(
          'none: answer 202 when the event is in the mailbox, and of a durable instance when it outlives the process; handled: 200 when it was handled. Default: none.',
        ),
      activate: activateQuery,
    }),
    body: eventSchema,
    status: 202,
    answer: z.object({ accepted: z.literal(true) }),
    isIdempotent: true,
    run: async (context, request) => {
      const ref = await reached(context, request);
      const { address } = ref;
      if (request.query['wait'] === 'handled') {
        await opened(context, address, 'delivery', request, context.requestTimeoutMs());
        return { status: 200, body: { accepted: true } };
      }
      const { body, course, putOff } = request;
      if (context.anywhere.keeps(address)) {
        if (request.key === undefined) await ref.enqueue(body);
        else await keptOnce(context, address, 'enqueue', request, context.requestTimeoutMs());
        return { status: 202, body: { accepted: true } };
      }
      // An accepted event waits for its turn as long as that takes.
      course?.begun();
      const handled = context.asks.open(address, 'delivery', body, {
        timeoutMs: Infinity,
        refused: () => course?.refused(),
        putOff,
      });
      // A refusal of the mailbox is known at once; a later failure becomes a dead letter.
      await Promise.race([handled, new Promise((resolve) => setImmediate(resolve))]);
      handled.catch(() => {});
      return { status: 202, body: { accepted: true } };
    },
  },
  askRoute,
  {
    operationId: 'followAsk',
    method: 'GET',
    path: '/v1/agents/{agent}/{id}/asks/{ask}',
    summary: 'Go on with what an agent writes for an ask, after the event of Last-Event-ID',
    scope: 'send',
    query: z.strictObject({
      from: z
        .string()
        .optional()
        .describe(
          'The id of the last event that was received, for clients that cannot send Last-Event-ID, which counts more. Default: from the beginning.',
        ),
    }),
    status: 200,
    isStream: true,
    // The app writes the answer.
    run: async () => ({ status: 200 }),
  },
  {
    operationId: 'cancelAsk',
    method: 'DELETE',
    path: '/v1/agents/{agent}/{id}/asks/{ask}',
    summary: 'Stop reading what an agent writes for an ask, which the agent is told at once',
    scope: 'send',
    status: 204,
    run: async ({ asked }, { params, caller }) => {
      asked.cancel(params['ask'] ?? '', addressIn(params), caller);
      return { status: 204 };
    },
  },
  {
    operationId: 'getSnapshot',
    method: 'GET',
    path: '/v1/agents/{agent}/{id}/snapshot',
    summary: 'The current state, after all that was sent before',
    scope: 'read',
    status: 200,
    answer: z.object({
      address: text(),
      incarnation: z.int(),
      status: text(),
      value: z.unknown(),
      context: z.unknown(),
    }),
    run: async (context, { params }) => {
      const ref = await existing(context, params);
      const snapshot = (await ref.snapshot()) as unknown as Record<string, unknown>;
      const { address, incarnation } = ref;
      return { status: 200, body: { address, incarnation, ...nodeOf(ref), ...snapshotParts(snapshot) } };
    },
  },
  {
    operationId: 'stream',
    method: 'GET',
    path: '/v1/agents/{agent}/{id}/stream',
    summary: 'Server-sent events: the state as it changes, and each event that the instance emits',
    scope: 'read',
    query: z.looseObject({
      only: z
        .enum(['snapshot', 'emitted'])
        .optional()
        .describe('snapshot: no emitted events; emitted: no snapshots. Default: both.'),
      everyMs: z.coerce
        .number('milliseconds')
        .int('whole milliseconds')
        .min(0, 'at least 0 ms')
        .max(60_000, 'at most 60000 ms')
        .default(EVERY_MS)
        .describe(
          `Milliseconds between two snapshots at least; the last one always comes. Default: ${EVERY_MS}.`,
        ),
      from: z
        .string()
        .optional()
        .describe(
          'The id of the last event that was received, for clients that cannot send Last-Event-ID, which counts more. Default: what is emitted from now on.',
        ),
      activate: activateQuery,
      token: z
        .string()
        .optional()
        .describe('A token of POST …/stream-token, for clients that cannot send a header. Default: none.'),
    }),
    status: 200,
    isStream: true,
    // The app writes the answer.
    run: async () => ({ status: 200 }),
  },
  {
    operationId: 'makeStreamToken',
    method: 'POST',
    path: '/v1/agents/{agent}/{id}/stream-token',
    summary: 'A token with which somebody may open the stream of that instance, once, within a minute',
    scope: 'read',
    body: nothingMore,
    status: 201,
    answer: z.object({ token: text(), expiresInMs: z.int() }),
    run: async ({ streamTokens }, { params, caller }) => ({
      status: 201,
      body: { token: streamTokens.make(caller, addressIn(params)), expiresInMs: STREAM_TOKEN_MS },
    }),
  },
  {
    operationId: 'getStatus',
    isForOperators: true,
    method: 'GET',
    path: '/v1/status',
    summary: 'Pools, threads, instances and secrets, without any value',
    scope: 'admin',
    status: 200,
    answer: z.looseObject({ version: text(), state: text() }),
    run: async ({ runtime }) => ({ status: 200, body: runtime.status() }),
  },
  {
    operationId: 'getCluster',
    isForOperators: true,
    method: 'GET',
    path: '/v1/cluster',
    summary:
      'The nodes that share the store, each with what it says of itself; none for a gateway that is alone',
    scope: 'admin',
    status: 200,
    answer: z.object({
      nodes: z.array(
        z.looseObject({ node: z.int(), at: text(), partitions: z.int(), reachable: z.boolean() }),
      ),
    }),
    run: async ({ system }) => ({ status: 200, body: { nodes: (await system.nodeFigures()) ?? [] } }),
  },
  {
    operationId: 'listDeadLetters',
    isForOperators: true,
    method: 'GET',
    path: '/v1/dead-letters',
    summary: 'The last 1000 of the last hour, oldest first',
    scope: 'admin',
    status: 200,
    answer: z.object({
      deadLetters: z.array(z.looseObject({ id: text(), address: text(), reason: text() })),
    }),
    run: async ({ runtime }) => ({ status: 200, body: { deadLetters: runtime.deadLetters.list() } }),
  },
  {
    operationId: 'replayDeadLetter',
    method: 'POST',
    path: '/v1/dead-letters/{letter}/replay',
    summary: 'Send the event of a dead letter again',
    scope: 'admin',
    body: nothingMore,
    status: 204,
    run: async ({ runtime }, { params }) => {
      await runtime.deadLetters.replay(params['letter'] ?? '');
      return { status: 204 };
    },
  },
  {
    operationId: 'refreshSecret',
    isForOperators: true,
    method: 'POST',
    path: '/v1/secrets/refresh',
    summary: 'Fetch a secret again now, and answer when it is current',
    scope: 'admin',
    body: z.strictObject({ id: text(), provider: text().optional() }),
    status: 204,
    run: async ({ runtime }, { body }) => {
      const { id, provider } = body as { id: string; provider?: string };
      await runtime.refreshSecret(id, provider === undefined ? {} : { provider });
      return { status: 204 };
    },
  },
  {
    operationId: 'openInspector',
    isForOperators: true,
    method: 'POST',
    path: '/v1/inspector',
    summary: 'A link to the page of the inspector, which works once',
    scope: 'inspect',
    body: nothingMore,
    status: 201,
    answer: z.object({ link: text() }),
    run: async ({ runtime }, { caller: { agents, allow } }) => {
      // The page shows all agents.
      if (!agents.includes('*') && !allow.includes('admin'))
        throw new HttpError(
          403,
          'FORBIDDEN',
          'the page shows all agents: it takes a token with agents: ["*"]',
        );
      if (runtime.inspector === undefined) {
        const advice =
          'write "inspect": {} into the config; where it stands there, the log says why its page is not';
        throw new HttpError(404, 'NOT_FOUND', `nothing is inspected; ${advice}`);
      }
      return {
        status: 201,
        body: { link: runtime.inspector.link(allow.includes('operate') ? { mayAct: true } : {}) },
      };
    },
  },
  {
    operationId: 'getGateway',
    isForOperators: true,
    method: 'GET',
    path: '/v1/gateway',
    summary:
      'The processes of the gateway: versions, restarts, and what is wrong with the config as it is on disk',
    scope: 'admin',
    status: 200,
    answer: z.looseObject({ version: text(), url: text(), pid: z.int(), restarts: z.int() }),
    run: ({ control }) => control('status'),
  },
  {
    operationId: 'restartGateway',
    mayTakeLong: true,
    isForOperators: true,
    method: 'POST',
    path: '/v1/gateway/restart',
    summary: 'Put a new process in the place of the one that serves; no request is lost or refused',
    scope: 'admin',
    body: z
      .strictObject({
        force: z
          .boolean()
          .optional()
          .describe('Whether to do so also with code that states in the store do not fit. Default: false.'),
      })
      .or(noBody),
    status: 200,
    answer: z.object({
      result: z.literal('restarted'),
      instances: z.int(),
      lost: z.array(z.unknown()),
      heldMs: z.int(),
    }),
    run: ({ control }, { body }) => control(isForced(body) ? 'forced-restart' : 'restart'),
  },
  {
    operationId: 'reloadGateway',
    mayTakeLong: true,
    isForOperators: true,
    method: 'POST',
    path: '/v1/gateway/reload',
    summary: 'Have the config take effect as it is on disk; an invalid one changes nothing',
    scope: 'admin',
    body: nothingMore,
    status: 200,
    answer: z.object({ result: z.enum(['nothing', 'applied', 'rolled', 'restarted']) }),
    run: ({ control }) => control('reload'),
  },
  {
    operationId: 'resumeGateway',
    isForOperators: true,
    method: 'POST',
    path: '/v1/gateway/resume',
    summary: 'Have the agents of a gateway that was started paused handle what comes, and what waits',
    scope: 'admin',
    body: nothingMore,
    status: 200,
    answer: z.object({ result: z.enum(['resumed', 'running']) }),
    run: ({ control }) => control('resume'),
  },
  {
    operationId: 'resumeStore',
    isForOperators: true,
    method: 'POST',
    path: '/v1/store/resume',
    summary: 'Let the instances of a store that was restored wake',
    scope: 'admin',
    body: nothingMore,
    status: 204,
    run: async ({ system }) => {
      await system.resumeStore();
      return { status: 204 };
    },
  },
  {
    operationId: 'stopGateway',
    isForOperators: true,
    method: 'POST',
    path: '/v1/gateway/stop',
    summary: 'Stop the gateway, after it has finished what it has begun',
    scope: 'admin',
    body: nothingMore,
    status: 202,
    answer: z.object({ result: z.literal('stopping') }),
    run: ({ control }) => control('stop'),
  },
];

/** The part of a snapshot that is shown; a promise or a callback has no value. */
export function snapshotParts({ status, value, context, output, error }: Record<string, unknown>): object {
  return {
    status,
    ...(value !== undefined && { value }),
    ...(context !== undefined && { context }),
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error }),
  };
}

function named(params: RouteRequest['params']): { agent: string; id: string } {
  return { agent: params['agent'] ?? '', id: params['id'] ?? '' };
}

export function addressIn(params: RouteRequest['params']): string {
  const { agent, id } = named(params);
  return addressOf(agent, id);
}

/** The parts by which the instance of a request is found, on whatever node it is. */
type Finding = Pick<GatewayContext, 'runtime' | 'anywhere'>;

/** The instance that a path names; one that only the store has wakes. */
export async function existing(context: Finding, params: RouteRequest['params']) {
  const ref = await kept(context, params, true);
  if (ref !== undefined) return ref;
  const message = `there is no instance ${addressIn(params)}; start it with PUT, or send with ?activate=true`;
  throw new HttpError(404, 'NOT_FOUND', message);
}

/** `isSure`: of another node, too, it is known that it is there. */
async function kept({ runtime, anywhere }: Finding, params: RouteRequest['params'], isSure: boolean) {
  const address = addressIn(params);
  const ref = runtime.get(address);
  const isAway = anywhere.away(address) !== undefined;
  if (ref !== undefined && !(isAway && isSure)) return ref;
  if ((await runtime.find(address)) === undefined) return undefined;
  const { agent, id } = named(params);
  return isAway ? ref : runtime.getOrSpawn(agent, id);
}

/**
 * The instance that a request is for, started when the request says so. Of another node, what it is sent says whether it is
 * there; with `isSure` that is known.
 */
export async function reached(
  context: Finding & Pick<GatewayContext, 'activations'>,
  { params, query, caller }: Pick<RouteRequest, 'params' | 'query' | 'caller'>,
  isSure = false,
) {
  const isStarted = query['activate'] === 'true';
  const ref = await kept(context, params, isSure || isStarted).catch((error: unknown) => {
    // What is enqueued waits in the store; whatever else is said ends with the same error.
    if (!isSure && isUnreachable(error)) return context.runtime.get(addressIn(params));
    throw error;
  });
  if (ref !== undefined) return ref;
  if (!isStarted) return existing(context, params);
  const { agent, id } = named(params);
  return context.activations.instance(caller, agent, id);
}

/**
 * What became of the event with the key as its id, of which the store knows whether it was there before: so the request may
 * come again, whatever it ended with, and the next process may go on with it.
 */
async function keptOnce(
  { anywhere, leaving }: GatewayContext,
  address: string,
  kind: 'enqueue' | 'delivery' | 'ask',
  { body, caller, key = '', course, putOff, signal }: RouteRequest,
  ms: number,
): Promise<unknown> {
  putOff();
  course?.putOff();
  try {
    // Of another node it is asked again when the client comes again.
    const timeoutMs = anywhere.away(address) === undefined ? LONGEST_MS : timeBefore(ms);
    const given = { id: key, caller: caller.name };
    return await anywhere.keep(address, kind, body, given, { timeoutMs, signal });
  } catch (error) {
    course?.refused();
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code === 'ID_REUSED') throw keyReused();
    if (leaving?.aborted === true && PASSING.has(error.code)) throw new CarriedOver();
    throw error;
  }
}

/** The outcome of an event, even when its turn throws. With a key the event may expire earlier than its wait. */
function opened(
  context: GatewayContext,
  address: string,
  kind: 'ask' | 'delivery',
  request: RouteRequest,
  timeoutMs: number,
): Promise<unknown> {
  const { asks, anywhere } = context;
  const { body, signal, course, key, putOff } = request;
  const throws = true;
  if (key !== undefined && anywhere.keeps(address))
    return keptOnce(context, address, kind, request, timeoutMs);
  if (course === undefined) return asks.open(address, kind, body, { timeoutMs, signal, throws, putOff });
  course.begun();
  const refused = (): void => course.refused();
  const putOffOf = (): void => course.putOff();
  const wait = { timeoutMs: LONGEST_MS, expiresMs: timeoutMs, signal, refused, throws, putOff: putOffOf };
  return asks.open(address, kind, body, wait);
}

function askMs(query: RouteRequest['query'], requestTimeoutMs: number): number {
  return Math.min((query['timeoutMs'] as number | undefined) ?? ASK_MS, requestTimeoutMs);
}

function shown(ref: Awaited<ReturnType<typeof existing>>): object {
  const { address, agent, threadId, thread, incarnation } = ref;
  return { address, agent, threadId, thread, incarnation, ...nodeOf(ref) };
}

function nodeOf({ node }: Pick<Awaited<ReturnType<typeof existing>>, 'node'>): object {
  return node === undefined ? {} : { node };
}
