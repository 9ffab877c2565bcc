import { once } from 'node:events';
import { connect } from 'node:net';
import { env } from 'node:process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gateway } from '../runtime/gateway/fixtures/gateway.ts';

/** 10,000 requests: `HOLDFAST_RUNS=500 npx vitest run props/gateway-fuzz.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 40);
const requestsOfARun = 20;
const timeLimitMs = 60_000 + 4000 * numRuns;
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { name: string; in: 'path' | 'query' | 'header'; schema: Schema }[];
  readonly requestBody?: { content: { 'application/json': { schema: Schema } } };
}

interface Request {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** They would end the test, or take most of its time. */
const OF_THE_PROCESS = new Set(['stopGateway', 'restartGateway', 'reloadGateway']);
const OFTEN = new Set(['startInstance', 'sendEvent', 'ask']);

/** A run that never comes so far has tested little. */
const OUTCOMES = [
  'startInstance 201',
  'sendEvent 202',
  'ask 200',
  'getSnapshot 200',
  'stream 200',
  'stopInstance 204',
  'getGateway 200',
];

/** What MCP's own protocol says of a message that it does not take. */
function isRpcError(text: string): boolean {
  const { jsonrpc, error } = JSON.parse(text) as {
    jsonrpc?: unknown;
    error?: { code?: unknown; message?: unknown };
  };
  return jsonrpc === '2.0' && typeof error?.code === 'number' && typeof error.message === 'string';
}

function isError(text: string): boolean {
  const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
  return typeof error?.code === 'string' && typeof error.message === 'string';
}

/** What a value of the schema may be. Texts are often those that mean something to the agent of the test. */
function valid({
  type,
  enum: values,
  properties = {},
  required = [],
  ...limits
}: Schema): fc.Arbitrary<unknown> {
  if (values !== undefined) return fc.constantFrom(...values);
  const { minLength = 0, minimum = 0, maximum = 1_000_000 } = limits;
  if (type === 'string')
    return fc.oneof(known, fc.string({ minLength }), fc.string({ minLength, unit: 'binary' }));
  if (type === 'integer') return fc.integer({ min: minimum, max: Math.min(maximum, 2 ** 31 - 1) });
  if (type !== 'object') return fc.jsonValue({ maxDepth: 3 });
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, valid(schema)]),
  );
  const more = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
  const own = fc.record(fields, { requiredKeys: [...required] });
  return fc.oneof(
    { weight: 3, arbitrary: own },
    { weight: 1, arbitrary: fc.tuple(more, own).map(([a, b]) => Object.assign(a, b)) },
  );
}

const events = ['inc', 'read', 'where', 'greet', 'pause', 'reply.unclonable', 'finish', 'fail'];
const known = fc.constantFrom(
  'counter',
  'a',
  'b',
  'c',
  'true',
  'read',
  'read',
  'read',
  'where',
  ...events.slice(0, 5),
  ...events,
);
const junk = fc.oneof(
  fc.constantFrom(
    '{',
    '[]',
    'null',
    '""',
    '0',
    '{"type":1}',
    '{"type":"inc","__proto__":{"type":"x"}}',
    '\uFEFF{}',
  ),
  fc.string({ unit: 'binary' }),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc.constant(`{"type":"inc","a":${'['.repeat(20_000)}`),
);

function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 14, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
}

/** Any request to an operation: mostly as the document has it, and often not. */
function requestTo(method: string, path: string, operation: Operation, token: string): fc.Arbitrary<Request> {
  const { operationId, parameters = [], requestBody } = operation;
  const inPath = parameters.filter((one) => one.in === 'path');
  const inQuery = parameters.filter((one) => one.in === 'query');
  const part = ({ name, schema }: (typeof parameters)[number]) =>
    fc.oneof(
      { weight: 4, arbitrary: name === 'agent' ? fc.constant('counter') : fc.constantFrom('a', 'b', 'c') },
      { weight: 1, arbitrary: valid(schema).map(String) },
    );
  const schema = requestBody?.content['application/json'].schema;
  const fitting =
    schema === undefined ? fc.constant(undefined) : valid(schema).map((value) => JSON.stringify(value));
  return fc
    .record({
      parts: fc.tuple(...inPath.map(part)),
      query: fc.tuple(
        ...inQuery.map(({ schema: of }) =>
          fc.option(fc.oneof({ weight: 9, arbitrary: valid(of) }, { weight: 1, arbitrary: fc.string() }), {
            freq: 2,
          }),
        ),
      ),
      method: fc.oneof(
        { weight: 9, arbitrary: fc.constant(method) },
        { weight: 1, arbitrary: fc.constantFrom('GET', 'PUT', 'PATCH') },
      ),
      more: rarely(fc.tuple(fc.string({ minLength: 1 }), fc.string())),
      key: rarely(fc.stringMatching(/^[\x21-\x7e]{1,300}$/)),
      bearer: fc.oneof(
        { weight: 18, arbitrary: fc.constant(token) },
        { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{0,80}$/) },
      ),
      body: fc.oneof({ weight: 5, arbitrary: fitting }, { weight: 1, arbitrary: junk }),
      type: fc.constantFrom(
        'application/json',
        'application/json',
        'text/plain',
        'application/json; charset=latin1',
        'x',
      ),
    })
    .map(({ parts, query, more, key, bearer, body, type, ...rest }) => {
      const filled = inPath.reduce(
        (text, { name }, n) => text.replace(`{${name}}`, () => encoded(String(parts[n]))),
        path,
      );
      const search = new URLSearchParams();
      for (const [n, { name }] of inQuery.entries()) {
        if (query[n] !== null) search.append(name, text(query[n]));
      }
      if (more !== null) search.append(...more);
      const hasBody = body !== undefined && rest.method !== 'GET';
      return {
        operationId,
        method: rest.method,
        path: search.size === 0 ? filled : `${filled}?${search.toString()}`,
        headers: {
          authorization: `Bearer ${bearer}`,
          'content-type': type,
          ...(key !== null && { 'idempotency-key': key }),
        },
        body: hasBody ? body : undefined,
      };
    });
}

/** Requests that do something once, whatever their client does meanwhile. */
interface Keyed {
  readonly by: number;
  /** What the client does with each attempt; the last one always waits for its answer. */
  readonly attempts: readonly ('answered' | 'reset' | 'half a body' | 'at once')[];
  readonly query: string;
}

const keyed: fc.Arbitrary<Keyed> = fc.record({
  by: fc.integer({ min: 1, max: 9 }),
  attempts: fc.array(fc.constantFrom('answered', 'reset', 'half a body', 'at once'), { maxLength: 5 }),
  query: fc.constantFrom('events?wait=handled', 'events', 'ask?timeoutMs=5000'),
});

/** Sends it, or the beginning of it, on a connection of its own, and resets that. */
async function resetting(url: string, head: string, body: string, sent: number): Promise<void> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  await new Promise<void>((resolve) => {
    socket.write(head + body.slice(0, sent), () => resolve());
  });
  socket.resetAndDestroy();
}

/** As a client writes a value into an address. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A lone surrogate has no encoding; a dot alone would be another path. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('.', '%2E');
}

test(
  'no request that the OpenAPI document can lead to makes the gateway fail',
  { timeout: timeLimitMs + 60_000 },
  async () => {
    const { front, token, call } = await gateway({ inspect: {} });
    const { body } = await call('GET', '/openapi.json');
    const { paths } = body as { paths: Record<string, Record<string, Operation>> };
    const requests = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, { operationId }]) => !OF_THE_PROCESS.has(operationId))
        .map(([method, operation]) => ({
          weight: OFTEN.has(operation.operationId) ? 4 : 1,
          arbitrary: requestTo(method.toUpperCase(), path, operation, token),
        })),
    );
    const met = new Map<string, number>();
    let sent = 0;
    const send = async ({ operationId, path, ...init }: Request): Promise<void> => {
      const response = await fetch(front.url + path, { ...init, body: init.body ?? null });
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
      const text = isStream ? '' : await response.text();
      if (isStream) await response.body?.cancel();
      sent += 1;
      const outcome = `${operationId} ${response.status}`;
      met.set(outcome, (met.get(outcome) ?? 0) + 1);
      // Whoever gives an agent a millisecond may learn that it took two.
      const isOwnDeadline = response.status === 504 && path.includes('timeoutMs=');
      if (response.status >= 500 && !isOwnDeadline) throw new Error(`${outcome}: ${text}`);
      const isSaid = (): boolean => isError(text) || (operationId === 'mcp' && isRpcError(text));
      if (response.status >= 400 && !isSaid()) throw new Error(`${outcome} says: ${text}`);
    };
    const property = fc.asyncProperty(
      fc.array(fc.oneof(...requests), { minLength: requestsOfARun, maxLength: requestsOfARun }),
      async (all) => {
        for (const one of all) await send(one);
      },
    );
    await fc.assert(property, {
      numRuns,
      interruptAfterTimeLimit: timeLimitMs,
      markInterruptAsFailure: true,
      ...replay,
    });
    expect(sent).toBeGreaterThanOrEqual(env['HOLDFAST_PATH'] === undefined ? numRuns * requestsOfARun : 1);
    expect(OUTCOMES.filter((outcome) => !met.has(outcome))).toEqual([]);
    expect(await call('GET', '/v1/gateway')).toMatchObject({ body: { restarts: 0 } });
  },
);

test(
  'what is sent with a key is done once, with connections that are reset, half bodies and restarts in between',
  { timeout: timeLimitMs + 60_000 },
  async () => {
    const { front, token, call } = await gateway({ gateway: { port: 0, reload: false } });
    await call('PUT', '/v1/agents/counter/once');
    let expected = 0;
    let n = 0;
    const send = async ({ by, attempts, query }: Keyed): Promise<void> => {
      n += 1;
      const path = `/v1/agents/counter/once/${query}`;
      const body = JSON.stringify({ type: 'inc', by });
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': `key ${n}`,
      };
      const lines = Object.entries({ host: 'x', ...headers, 'content-length': String(body.length) });
      const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const head = `POST ${path} HTTP/1.1\r\n${fields}\r\n`;
      const whole = async (): Promise<void> => {
        const response = await fetch(front.url + path, { method: 'POST', headers, body });
        const text = await response.text();
        // It does not reply, and that is its answer each time.
        const isFine = response.status < 300 || (response.status === 422 && text.includes('ASK_UNANSWERED'));
        if (!isFine) throw new Error(`${path}: ${response.status} ${text}`);
      };
      const open: Promise<void>[] = [];
      for (const attempt of attempts) {
        if (attempt === 'at once') open.push(whole());
        else if (attempt === 'answered') await whole();
        else await resetting(front.url, head, body, attempt === 'reset' ? body.length : body.length >> 1);
      }
      await Promise.all([...open, whole()]);
      expected += by;
    };
    const property = fc.asyncProperty(
      fc.array(keyed, { minLength: 5, maxLength: 5 }),
      fc.boolean(),
      async (all, restarts) => {
        const restart = restarts && n % 4 === 0 ? front.restart() : undefined;
        for (const one of all) await send(one);
        await restart;
        expect(await call('POST', '/v1/agents/counter/once/ask', { type: 'read' })).toMatchObject({
          body: { reply: expected },
        });
      },
    );
    await fc.assert(property, {
      numRuns: Math.ceil(numRuns / 4),
      interruptAfterTimeLimit: timeLimitMs,
      markInterruptAsFailure: true,
      ...replay,
    });
  },
);
