import { z } from 'zod';
import { addressOf } from '../address.ts';
import { LONGEST_TIMER_MS, text } from '../config/fields.ts';
import { isReserved } from '../reserved-types.ts';
import type { Runtime } from '../runtime.ts';
import { HttpError } from './http-error.ts';
import type { ControlAction } from './messages.ts';
import type { ReadinessProbe } from './readiness.ts';
import type { Scope } from './token-access.ts';

/** What handlers work on. */
export interface GatewayContext {
  readonly runtime: Runtime;
  readonly readiness: ReadinessProbe;
  /** Read for each request, so that it can change while the gateway runs. */
  readonly requestTimeoutMs: () => number;
  /** Has the front do something. */
  readonly control: (action: ControlAction) => Promise<RouteAnswer>;
  /** Aborted when another process takes over: streams end. */
  readonly leaving: AbortSignal;
}

/** A request, checked. */
export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** Aborted when the client goes. */
  readonly signal: AbortSignal;
}

export interface RouteAnswer {
  readonly status: number;
  readonly body?: unknown;
}

/** One operation of the HTTP face: what the router, the checks and the OpenAPI document are made of. */
export interface Route {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for a part that varies. */
  readonly path: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status: number;
  /** What the answer has, for the document. */
  readonly answer?: z.ZodType;
  /** Takes an `Idempotency-Key`. */
  readonly isIdempotent?: boolean;
  readonly isStream?: boolean;
  run(context: GatewayContext, request: RouteRequest): Promise<RouteAnswer>;
}

const eventSchema = z
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
const activateQuery = flagQuery.describe('true: start the instance when there is none. Default: false.');

const instanceSchema = z.object({
  address: text(),
  agent: text(),
  threadId: text(),
  thread: z.int().describe('Of Node; -1 while it has none.'),
  incarnation: z.int(),
});

const noBody = z.undefined();
const nothingMore = z.strictObject({}).or(noBody);

export const routes: readonly Route[] = [
  {
    operationId: 'listAgents',
    method: 'GET',
    path: '/v1/agents',
    summary: 'The instances that there are',
    scope: 'read',
    status: 200,
    answer: z.object({ instances: z.array(z.looseObject(instanceSchema.shape)) }),
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
      const isThere = runtime.get(addressIn(params)) !== undefined;
      const input = (body as { input?: unknown } | undefined)?.input;
      const ref = await runtime.getOrSpawn(agent, id, input === undefined ? {} : { input });
      return { status: isThere ? 200 : 201, body: shown(ref) };
    },
  },
  {
    operationId: 'stopInstance',
    method: 'DELETE',
    path: '/v1/agents/{agent}/{id}',
    summary: 'Stop an instance, after what it was sent',
    scope: 'manage',
    status: 204,
    run: async ({ runtime }, { params }) => {
      await existing(runtime, params).stop();
      return { status: 204 };
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
          'none: answer 202 when the event is in the mailbox; handled: 200 when it was handled. Default: none.',
        ),
      activate: activateQuery,
    }),
    body: eventSchema,
    status: 202,
    answer: z.object({ accepted: z.literal(true) }),
    isIdempotent: true,
    run: async (context, { params, query, body, signal }) => {
      const ref = await reached(context.runtime, params, query);
      const timeoutMs = context.requestTimeoutMs();
      if (query['wait'] === 'handled') {
        await ref.deliver(body, { timeoutMs, signal });
        return { status: 200, body: { accepted: true } };
      }
      const handled = ref.deliver(body, { timeoutMs });
      // What the mailbox refuses is known at once; what fails later becomes a dead letter.
      await Promise.race([handled, new Promise((resolve) => setImmediate(resolve))]);
      handled.catch(() => {});
      return { status: 202, body: { accepted: true } };
    },
  },
  {
    operationId: 'ask',
    method: 'POST',
    path: '/v1/agents/{agent}/{id}/ask',
    summary: 'Send an event and answer with the reply',
    scope: 'send',
    query: z.strictObject({ timeoutMs: timeoutQuery, activate: activateQuery }),
    body: eventSchema,
    status: 200,
    answer: z.object({ reply: z.unknown() }),
    isIdempotent: true,
    run: async ({ runtime, requestTimeoutMs }, { params, query, body, signal }) => {
      const ref = await reached(runtime, params, query);
      const asked = (query['timeoutMs'] as number | undefined) ?? 5000;
      const timeoutMs = Math.min(asked, requestTimeoutMs());
      return {
        status: 200,
        body: { reply: (await ref.ask(body, { timeoutMs, signal })) ?? null },
      };
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
    run: async ({ runtime }, { params }) => {
      const ref = existing(runtime, params);
      const snapshot = (await ref.snapshot()) as unknown as Record<string, unknown>;
      const { address, incarnation } = ref;
      return { status: 200, body: { address, incarnation, ...snapshotParts(snapshot) } };
    },
  },
  {
    operationId: 'stream',
    method: 'GET',
    path: '/v1/agents/{agent}/{id}/stream',
    summary: 'Server-sent events: each snapshot, and each event that the instance emits',
    scope: 'read',
    status: 200,
    isStream: true,
    // The app writes it.
    run: async () => ({ status: 200 }),
  },
  {
    operationId: 'getStatus',
    method: 'GET',
    path: '/v1/status',
    summary: 'Pools, threads, instances and secrets, without any value',
    scope: 'admin',
    status: 200,
    answer: z.looseObject({ version: text(), state: text() }),
    run: async ({ runtime }) => ({ status: 200, body: runtime.status() }),
  },
  {
    operationId: 'listDeadLetters',
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
    method: 'POST',
    path: '/v1/secrets/refresh',
    summary: 'Look at a secret now, and answer when it is current',
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
    method: 'POST',
    path: '/v1/inspector',
    summary: 'A link to the page of the inspector, which works once',
    scope: 'admin',
    body: nothingMore,
    status: 201,
    answer: z.object({ link: text() }),
    run: async ({ runtime }) => {
      if (runtime.inspector === undefined) {
        throw new HttpError(404, 'NOT_FOUND', 'nothing is inspected; write "inspect": {} into the config');
      }
      return { status: 201, body: { link: runtime.inspector.link() } };
    },
  },
  {
    operationId: 'getGateway',
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
    method: 'POST',
    path: '/v1/gateway/restart',
    summary: 'Put a new process in the place of the one that serves; no request is lost or refused',
    scope: 'admin',
    body: nothingMore,
    status: 200,
    answer: z.object({
      result: z.literal('restarted'),
      instances: z.int(),
      lost: z.array(z.unknown()),
      heldMs: z.int(),
    }),
    run: ({ control }) => control('restart'),
  },
  {
    operationId: 'reloadGateway',
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
    operationId: 'stopGateway',
    method: 'POST',
    path: '/v1/gateway/stop',
    summary: 'Stop the gateway, after what it has begun',
    scope: 'admin',
    body: nothingMore,
    status: 202,
    answer: z.object({ result: z.literal('stopping') }),
    run: ({ control }) => control('stop'),
  },
];

/** What of a snapshot is shown; a promise or a callback has no value. */
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

function addressIn(params: RouteRequest['params']): string {
  const { agent, id } = named(params);
  return addressOf(agent, id);
}

/** The instance that a path names. */
export function existing(runtime: Runtime, params: RouteRequest['params']) {
  const address = addressIn(params);
  const ref = runtime.get(address);
  if (ref !== undefined) return ref;
  const message = `there is no instance ${address}; start it with PUT, or send with ?activate=true`;
  throw new HttpError(404, 'NOT_FOUND', message);
}

async function reached(runtime: Runtime, params: RouteRequest['params'], query: RouteRequest['query']) {
  if (query['activate'] !== 'true') return existing(runtime, params);
  const { agent, id } = named(params);
  return runtime.getOrSpawn(agent, id);
}

function shown({ address, agent, threadId, thread, incarnation }: ReturnType<typeof existing>): object {
  return { address, agent, threadId, thread, incarnation };
}
