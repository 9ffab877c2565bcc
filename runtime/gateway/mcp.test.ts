import { Client as NewClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../base/clock.ts';
import { createScrubber } from '../secrets/scrub/scrubber.ts';
import { face } from './fixtures/face.ts';
import { toolsOf } from './mcp-tools.ts';
import { digestOf, newToken } from './token-access.ts';

let open: Awaited<ReturnType<typeof face>>;
const [sender, reader] = [newToken(), newToken()];
const tokens = {
  sender: { sha256: digestOf(sender), agents: ['desk'], allow: ['send'] },
  reader: { sha256: digestOf(reader), agents: ['*'], allow: ['read'] },
};
beforeAll(async () => {
  open = await face({ tokens });
});
afterAll(() => open.close());

const URL_OF_IT = new URL('http://localhost/mcp');
const info = { name: 'a client', version: '1' };

interface Result {
  readonly content: readonly { readonly text: string }[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

interface AnyClient {
  listTools(): Promise<{
    tools: { name: string; inputSchema: object; outputSchema?: object; description?: string }[];
  }>;
  call(
    name: string,
    args: object,
    options?: { signal?: AbortSignal; onprogress?: (progress: { message?: string | undefined }) => void },
    meta?: object,
  ): Promise<Result>;
}

/** Requests go to the app itself, without a socket. */
function fetchWith(token: string | undefined): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`);
    return open.app.fetch(request);
  };
}

function toolCall(name: string, args: unknown, _meta: unknown) {
  return { name, arguments: args as never, ...(_meta !== undefined && { _meta: _meta as never }) };
}

async function newClient(token: string, mode: 'auto' | 'default' = 'auto'): Promise<AnyClient> {
  const options = mode === 'auto' ? { versionNegotiation: { mode: 'auto' as const } } : {};
  const client = new NewClient(info, options);
  await client.connect(new StreamableHTTPClientTransport(URL_OF_IT, { fetch: fetchWith(token) }));
  onTestFinished(() => client.close());
  return {
    listTools: () => client.listTools() as never,
    call: (name, args, options = {}, _meta) => client.callTool(toolCall(name, args, _meta), options) as never,
  };
}

async function oldClient(token: string): Promise<AnyClient> {
  const client = new OldClient(info);
  await client.connect(new OldTransport(URL_OF_IT, { fetch: fetchWith(token) }));
  onTestFinished(() => client.close());
  return {
    listTools: () => client.listTools() as never,
    call: (name, args, options = {}, _meta) =>
      client.callTool(toolCall(name, args, _meta), undefined, options) as never,
  };
}

const clients = [
  ['of the spec of 2026', (token: string) => newClient(token)],
  ['of the new SDK as it is', (token: string) => newClient(token, 'default')],
  ['of the older SDK', oldClient],
] as const;

let last = 0;
const nextId = (): string => `i${(last += 1)}`;

describe.each(clients)('a stock client %s', (_which, connect) => {
  test('sees the events that agents reply to as tools, and calls them', async () => {
    const client = await connect(sender);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual(
      ['order', 'total', 'a_type_of_ours', 'later', 'answer', 'count', 'drip', 'flood', 'tell']
        .map((type) => `desk_${type}`)
        .toSorted(),
    );
    expect(tools.find(({ name }) => name === 'desk_order')).toMatchObject({
      description: 'Orders an item.',
      inputSchema: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          item: { type: 'string' },
          qty: { type: 'integer', default: 1 },
        },
        required: ['id', 'item'],
      },
      outputSchema: { type: 'object', properties: { ordered: { type: 'number' } } },
    });
    // An event that has an `id` of its own leaves it that.
    expect(tools.find(({ name }) => name === 'desk_a_type_of_ours')).toMatchObject({
      inputSchema: { required: ['instance', 'id'] },
    });
    const id = nextId();
    expect(await client.call('desk_order', { id, item: 'tea' })).toMatchObject({
      structuredContent: { ordered: 1 },
    });
    expect(await client.call('desk_total', { id })).toMatchObject({ content: [{ type: 'text', text: '1' }] });
    const ours = await client.call('desk_a_type_of_ours', { instance: id, id: 'x' });
    expect(ours.content[0]?.text).toBe('x');
  });

  test('hears what is wrong with a call, with the code', async () => {
    const client = await connect(sender);
    const invalid = await client.call('desk_order', { id: nextId(), item: '' });
    expect(invalid).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^EVENT_INVALID: .*item \(too_small\)$/) as string }],
      _meta: {
        'holdfast/error': {
          code: 'EVENT_INVALID',
          retryable: false,
          issues: [{ path: ['item'], expected: 'too_small' }],
        },
      },
    });
    expect(await client.call('desk_total', {})).toMatchObject({
      isError: true,
      _meta: { 'holdfast/error': { code: 'BAD_REQUEST' } },
    });
    await expect(client.call('desk_nothing', { id: 'a' })).rejects.toThrow(/no tool "desk_nothing"/);
    // Of an agent that the token may not send to.
    await expect(client.call('accepting_say', { id: 'a' })).rejects.toThrow(/no tool/);
  });

  test('hears of progress what the agent writes before its reply', async () => {
    const client = await connect(sender);
    const heard: (string | undefined)[] = [];
    const onprogress = ({ message }: { message?: string | undefined }): void => void heard.push(message);
    const done = await client.call('desk_count', { id: nextId(), to: 20 }, { onprogress });
    expect(done.content[0]?.text).toBe('done');
    expect(heard).toEqual(Array.from({ length: 20 }, (_, n) => `${n + 1}`));
  });

  test('cancels the ask with its call', async () => {
    const client = await connect(sender);
    const [id, giveUp] = [nextId(), new AbortController()];
    await client.call('desk_order', { id, item: 'tea' });
    const call = client.call('desk_later', { id }, { signal: giveUp.signal }).then(
      () => 'answered',
      () => 'cancelled',
    );
    const tokens = async (): Promise<number> => {
      const snapshot = (await open.runtime.get(`desk/${id}`)?.snapshot()) as {
        context: { tokens: object[] };
      };
      return snapshot.context.tokens.length;
    };
    await expect.poll(tokens).toBe(1);
    const before = open.waiting();
    giveUp.abort();
    expect(await call).toBe('cancelled');
    await expect.poll(() => open.waiting()).toBe(before - 1);
  });

  test('cancels a call that has told of its progress', async () => {
    const client = await connect(sender);
    const [id, giveUp, begun] = [nextId(), new AbortController(), Promise.withResolvers<void>()];
    const options = { signal: giveUp.signal, onprogress: () => begun.resolve() };
    const call = client.call('desk_drip', { id }, options).catch(() => 'cancelled');
    await begun.promise;
    const dripping = () => open.runtime.get(`desk/${id}`)?.ask({ type: 'dripping' });
    const before = Number(await dripping());
    giveUp.abort();
    expect(await call).toBe('cancelled');
    await expect.poll(dripping).toBe(before - 1);
  });

  test('does a call once that comes again with its key', async () => {
    const client = await connect(sender);
    const id = nextId();
    const meta = { 'holdfast/idempotencyKey': id };
    for (let n = 0; n < 3; n++) {
      const result = await client.call('desk_order', { id, item: 'tea' }, {}, meta);
      expect(result).toMatchObject({ structuredContent: { ordered: 1 } });
    }
    expect((await client.call('desk_total', { id })).content[0]?.text).toBe('1');
  });
});

test('a token decides who sees anything at all', async () => {
  const status = async (token: string | undefined, headers: object = {}): Promise<unknown> => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{}' };
    const response = await fetchWith(token)(URL_OF_IT, init);
    const { error } = (await response.json()) as { error?: { code?: unknown } };
    return [response.status, error?.code];
  };
  expect(await status(undefined)).toEqual([401, 'UNAUTHORIZED']);
  expect(await status(newToken())).toEqual([401, 'UNAUTHORIZED']);
  expect(await status(reader)).toEqual([403, 'FORBIDDEN']);
});

test('a call that tells of its progress goes at the pace of who reads, and a token has so many at a time', async () => {
  open.reload({ tokens, limits: { streams: 1 } });
  onTestFinished(() => open.reload({ tokens }));
  const id = nextId();
  await open.call('PUT', `/v1/agents/desk/${id}`);
  const giveUp = new AbortController();
  const start = (n: number): Promise<Response> => {
    const params = { name: 'desk_flood', arguments: { id }, _meta: { progressToken: n } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: n, method: 'tools/call', params });
    const accept = 'application/json, text/event-stream';
    const headers = { ...open.headers, 'content-type': 'application/json', accept };
    return fetchWith(undefined)(URL_OF_IT, { method: 'POST', headers, body, signal: giveUp.signal });
  };
  const flood = await start(1);
  const written = async (): Promise<number> =>
    ((await open.runtime.get(`desk/${id}`)?.ask({ type: 'flooded' })) as number) ?? 0;
  let before = -1;
  // Nobody reads, so that the agent stops in the end.
  await expect
    .poll(async () => {
      const [last, now] = [before, await written()];
      before = now;
      return now > 0 && now === last;
    })
    .toBe(true);
  expect(before).toBeLessThan(1000);
  expect(await (await start(2)).text()).toContain('LIMIT_REACHED');
  giveUp.abort();
  await flood.body?.cancel().catch(() => {});
  await expect.poll(async () => (await start(3)).headers.get('content-type')).toBe('text/event-stream');
});

/** Posts a message as it is, and resolves with its answer, which is not read yet. */
function post(
  message: object | string,
  { to = open, signal, outgoing }: { to?: typeof open; signal?: AbortSignal; outgoing?: object } = {},
): Promise<Response> {
  const headers = {
    authorization: `Bearer ${sender}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  const request = new Request(URL_OF_IT, { method: 'POST', headers, body, ...(signal && { signal }) });
  const behind = outgoing && { incoming: { headers }, outgoing };
  return Promise.resolve(to.app.fetch(request, behind));
}

function callOf(name: string, args: object, _meta?: object): object {
  const params = { name, arguments: args, ...(_meta && { _meta }) };
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
}

test.each(['', '[]', 'null', '{}', 'x'])('the body %j is no message, and is refused', async (body) => {
  expect((await post(body)).status).toBe(400);
});

test.each(['', 'x'.repeat(256), 5, {}])(
  'a key that is none is refused, and nothing done: %j',
  async (key) => {
    const id = nextId();
    const meta = { 'holdfast/idempotencyKey': key };
    const answer = await post(callOf('desk_order', { id, item: 'tea' }, meta));
    expect(await answer.text()).toContain('BAD_REQUEST');
    expect(await (await post(callOf('desk_total', { id }))).text()).toContain('"text":"0"');
  },
);

test('calls that begin at the same moment and tell of their progress are counted, too', async () => {
  open.reload({ tokens, limits: { streams: 2 } });
  onTestFinished(() => open.reload({ tokens }));
  const giveUp = new AbortController();
  const begun = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const call = callOf('desk_drip', { id: nextId() }, { progressToken: 1 });
      const reader = (await post(call, { signal: giveUp.signal })).body?.getReader();
      const first = new TextDecoder().decode((await reader?.read())?.value);
      return first.includes('LIMIT_REACHED') ? 'refused' : 'begun';
    }),
  );
  giveUp.abort();
  expect(begun.toSorted()).toEqual(['begun', 'begun', 'refused', 'refused', 'refused', 'refused']);
});

test('a call that tells of its progress ends when its token is taken back', async () => {
  onTestFinished(() => open.reload({ tokens }));
  const reader = (await post(callOf('desk_drip', { id: nextId() }, { progressToken: 1 }))).body?.getReader();
  const next = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value);
  expect(await next()).toContain('drop');
  open.reload({});
  let last = '';
  for (let told = await next(); told !== ''; told = await next()) last = told;
  expect(last).toContain('UNAUTHORIZED');
});

test('who calls for long answers and reads none is told to read', async () => {
  open.reload({ tokens, maxBodyBytes: 4_000_000 });
  onTestFinished(() => open.reload({ tokens }));
  const unread: EventEmitter[] = [];
  const call = callOf('desk_a_type_of_ours', { instance: nextId(), id: 'x'.repeat(1_000_000) });
  const ask = async (): Promise<number> => {
    const outgoing = Object.assign(new EventEmitter(), { closed: false, setTimeout: () => {} });
    unread.push(outgoing);
    return (await post(call, { outgoing })).status;
  };
  for (let n = 0; n < 68; n++) expect(await ask()).toBe(200);
  expect(await ask()).toBe(429);
  for (const outgoing of unread) outgoing.emit('close');
  expect(await ask()).toBe(200);
});

test('an event that is called as another one is named is a tool of its own', () => {
  const schema = { type: 'object' };
  const of = (...types: string[]) => {
    const schemas = Object.fromEntries(types.map((type) => [type, schema]));
    return toolsOf(new Map([['a', { accepts: schemas, replies: schemas }]]));
  };
  const [, second = ''] = of('b c', 'b/c').keys();
  const tools = [...of('b c', second.slice('a_'.length), 'b/c').values()];
  expect(tools.map(({ type }) => type)).toEqual(['b c', second.slice('a_'.length), 'b/c']);
});

/** What Anthropic's and OpenAI's APIs take as a tool: of one that they refuse, a client loses all tools. */
const NAME_OF_APIS = /^[a-zA-Z0-9_-]{1,64}$/;

test.each(['b', 'b.c', 'b/c d', 'ä.ö', 'x'.repeat(200)])(
  'the tool for "%s" has a name for models',
  (type) => {
    const schema = { type: 'object' };
    const agents = new Map([['a.b-c', { accepts: { [type]: schema }, replies: { [type]: schema } }]]);
    for (const { shown } of toolsOf(agents).values()) expect(shown.name).toMatch(NAME_OF_APIS);
  },
);

test.each([
  ['id', { properties: { item: {} } }],
  ['instance', { properties: { id: {} }, required: ['id'] }],
  ['instance_', { properties: { id: {}, instance: {} }, required: ['id', 'instance'] }],
  ['instance', { properties: { id: {} }, additionalProperties: false }],
])('the argument that names the instance is %s, so that the event keeps its fields', (idKey, schema) => {
  const [tool] = toolsOf(new Map([['a', { accepts: { b: schema }, replies: { b: {} } }]])).values();
  expect(tool?.idKey).toBe(idKey);
  expect(tool?.shown.inputSchema['properties']).toEqual({
    ...('properties' in schema && schema.properties),
    [idKey]: expect.objectContaining({ type: 'string', minLength: 1 }) as unknown,
  });
  expect(tool?.shown.inputSchema['required']).toEqual([
    idKey,
    ...('required' in schema ? schema.required : []),
  ]);
});

test('an event of several shapes is a tool with the fields of all, as APIs of models take it', () => {
  const text = { type: 'string' };
  const shapes = [
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('a'), text: z.string(), n: z.number().optional() }),
      z.strictObject({ kind: z.literal('b'), text: z.string(), id: z.string() }),
    ]),
    z.intersection(z.strictObject({ text: z.string() }), z.object({ id: z.string().optional() })),
  ].map((schema) => z.toJSONSchema(schema, { io: 'input' }) as Readonly<Record<string, unknown>>);
  const referring = {
    $defs: {
      one: { properties: { text }, required: ['text'], anyOf: [{ $ref: '#' }, { $ref: '#/$defs/no' }] },
    },
    allOf: [{ $ref: '#/$defs/one' }, { $ref: 'elsewhere' }, true],
  };
  const shown = [...shapes, referring].map((schema) => {
    const [tool] = toolsOf(new Map([['a', { accepts: { b: schema }, replies: { b: {} } }]])).values();
    return tool?.shown.inputSchema;
  });
  for (const schema of shown) {
    expect(Object.keys(schema ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/Of$|^\$ref/)]),
    );
    expect(schema).not.toHaveProperty('additionalProperties');
  }
  expect(shown).toMatchObject([
    {
      properties: {
        instance: text,
        kind: { anyOf: [{ const: 'a' }, { const: 'b' }] },
        text,
        n: { type: 'number' },
        id: text,
      },
      required: ['instance', 'kind', 'text'],
    },
    { properties: { instance: text, text, id: text }, required: ['instance', 'text'] },
    { properties: { id: text, text }, required: ['id', 'text'] },
  ]);
});

test('an event that holds another one needs its instance but once', () => {
  const schema = {
    type: 'object',
    properties: { v: { type: 'string' }, next: { $ref: '#' } },
    required: ['v'],
  };
  const [tool] = toolsOf(new Map([['a', { accepts: { b: schema }, replies: { b: {} } }]])).values();
  const next = { $ref: '#/$defs/event' };
  expect(tool?.shown.inputSchema).toMatchObject({
    properties: { id: {}, v: {}, next },
    required: ['id', 'v'],
    $defs: { event: { properties: { v: {}, next }, required: ['v'] } },
  });
});

test('progress comes in the order in which it was written, without values of secrets', async () => {
  const secret = 'sk-proj-4f8a1c9e7b2d5063';
  const scrubber = createScrubber(systemClock);
  scrubber.learn('key', 'v1', Buffer.from(secret));
  scrubber.hold('key', ['v1']);
  const to = await face({ tokens }, scrubber);
  onTestFinished(() => to.close());
  // A text that may be the beginning of the value is held back until it is known that it is not.
  const [begun, rest] = [secret.slice(0, 9), secret.slice(9)];
  const chunks = ['a', begun, { b: secret }, begun, rest, 'c', null];
  const answer = await post(callOf('desk_tell', { id: 'a', chunks }, { progressToken: 1 }), { to });
  const told = Array.from((await answer.text()).matchAll(/^data: (.*)$/gm), ([, data = '']) =>
    JSON.parse(data),
  );
  const progress = told.slice(0, -1).map(({ params }: { params: { message: string } }) => params.message);
  const at = progress.indexOf('{"b":"<redacted:secret>"}');
  expect(progress.slice(0, at).join('')).toBe(`a${begun}`);
  expect(progress.slice(at + 1, -2).join('')).toBe('<redacted:secret>c');
  // The last one is what no JSON has.
  expect(progress.slice(-2)).toEqual(['null', 'null']);
  expect(told.at(-1)).toMatchObject({ result: { content: [{ text: 'told' }] } });
});
