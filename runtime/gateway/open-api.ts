import { z } from 'zod';
import { version } from '../base/version.ts';
import type { AgentSchemas } from '../runtime.ts';
import { acceptedSchema, replySchema } from './event-schema.ts';
import { askRoute, eventSchema, type Route, routes } from './routes.ts';

/**
 * The OpenAPI 3.1 document of the HTTP face, made from its routes. Agents that say what they accept have operations of
 * their own for it.
 */
export function openApiDocument(agents: ReadonlyMap<string, AgentSchemas> = new Map()): object {
  const paths: Record<string, Record<string, object>> = {
    '/healthz': { get: withoutToken('healthz', 'Whether the gateway is alive', false) },
    '/mcp': { post: mcp },
    '/metrics': { get: metrics },
    '/readyz': { get: withoutToken('readyz', 'Whether requests may be sent here', true) },
  };
  for (const route of routes) {
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = operation(route);
  }
  for (const [agent, schemas] of agents) Object.assign(paths, pathsOf(agent, schemas));
  return {
    openapi: '3.1.0',
    info: { title: 'Holdfast gateway', version },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: schemaOf(errorSchema) },
      headers: { 'Retry-After': retryAfter },
    },
  };
}

const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    retryable: z.boolean().describe('Whether the same request may succeed later without any change.'),
    issues: z
      .array(z.object({ path: z.array(z.string().or(z.number())), expected: z.string().optional() }))
      .optional()
      .describe('With EVENT_INVALID: what does not fit what the agent accepts.'),
  }),
});

const retryAfter = {
  description: 'Seconds to wait before the next attempt: with each retryable error except a 504.',
  schema: { type: 'integer', minimum: 1 },
};

const failed = {
  description: 'It failed',
  headers: { 'Retry-After': { $ref: '#/components/headers/Retry-After' } },
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

const location = {
  description: 'Of an event stream: the path at which a client goes on with it, after Last-Event-ID.',
  schema: { type: 'string' },
};

const answerEvents = {
  schema: {
    type: 'string',
    description:
      'Events with ids from 1: "chunk" with JSON that the agent wrote, "gap" where that is not kept, and at last "end" with {"reply"}, or "error" with {"code", "message", "retryable"}.',
  },
};

/** The operations of an agent that say what it accepts and replies. */
function pathsOf(agent: string, schemas: AgentSchemas): Record<string, object> {
  const accepted = acceptedSchema(agent, schemas);
  if (accepted === undefined) return {};
  const reply = replySchema(agent, schemas);
  const found: Record<string, object> = {};
  for (const route of routes.filter(({ body }) => body === eventSchema)) {
    const path = route.path.replace('{agent}', encodeURIComponent(agent));
    const of = operation({ ...route, path, operationId: `${route.operationId}.${agent}` });
    const requestBody = { required: true, content: { 'application/json': { schema: accepted } } };
    const asJson = { schema: { type: 'object', properties: { reply }, required: ['reply'] } };
    const { [route.status]: answered } = of.responses as Record<number, { readonly content?: object }>;
    const content = { ...answered?.content, 'application/json': asJson };
    const replied = { [route.status]: { ...answered, content } };
    const responses = { ...of.responses, ...(route === askRoute && reply && replied) };
    found[path] = { [route.method.toLowerCase()]: { ...of, requestBody, responses } };
  }
  return found;
}

function operation({ operationId, summary, scope, path, query, body, status, answer, ...rest }: Route): {
  readonly responses: object;
  readonly [part: string]: unknown;
} {
  const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => {
    const { description = '', ...type } = schemaOf(schema as z.ZodType) as { description?: string };
    return { name, in: 'query', required: false, description, schema: type };
  });
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key with the same request is done once; the answer is kept for 10 minutes.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  };
  const type = rest.isStream === true ? 'text/event-stream' : 'application/json';
  const place = {
    name: 'Last-Event-ID',
    in: 'header',
    required: false,
    description: 'The id of the last event that was received: what follows it comes.',
    schema: { type: 'string' },
  };
  const isResumed = rest.isStream === true || rest.isStreamed === true;
  const streamed = rest.isStreamed === true ? { 'text/event-stream': answerEvents } : {};
  const headers = rest.isStreamed === true ? { headers: { 'Content-Location': location } } : {};
  const content =
    answer === undefined && rest.isStream !== true
      ? {}
      : { content: { [type]: answer ? { schema: schemaOf(answer) } : {}, ...streamed } };
  return {
    operationId,
    summary,
    description: `Needs a token that allows "${scope}".`,
    parameters: [
      ...inPath,
      ...inQuery,
      ...(rest.isIdempotent === true ? [key] : []),
      ...(isResumed ? [place] : []),
    ],
    ...(body && { requestBody: requestBody(body) }),
    responses: {
      [status]: { description: summary, ...headers, ...content },
      default: failed,
    },
  };
}

function requestBody(body: z.ZodType): object {
  // The body may be left out.
  const isOptional = body.safeParse(undefined).success;
  const [schema] = body instanceof z.ZodUnion ? (body.options as z.ZodType[]) : [body];
  return { required: !isOptional, content: { 'application/json': { schema: schemaOf(schema ?? body) } } };
}

const metrics = {
  operationId: 'metrics',
  summary: 'Figures of the runtime as Prometheus takes them',
  description: 'Needs a token that allows "admin".',
  responses: {
    200: { description: 'The figures', content: { 'text/plain': { schema: { type: 'string' } } } },
    default: failed,
  },
};

const mcp = {
  operationId: 'mcp',
  summary: 'The events that agents reply to as tools, by the Model Context Protocol',
  description: 'Needs a token that allows "send".',
  requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
  responses: {
    200: { description: 'A message', content: { 'application/json': {}, 'text/event-stream': {} } },
    202: { description: 'It needs no answer' },
    default: failed,
  },
};

function withoutToken(operationId: string, summary: string, mayFail: boolean): object {
  const unready = mayFail ? { 503: { description: 'They are not' } } : {};
  return { operationId, summary, security: [], responses: { 200: { description: summary }, ...unready } };
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}
