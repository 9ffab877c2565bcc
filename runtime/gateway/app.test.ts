import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createScrubber } from '../secrets/scrub/scrubber.ts';
import { face } from './fixtures/face.ts';
import { errorBody, HttpError } from './http-error.ts';
import { digestOf, newToken } from './token-access.ts';

let open: Awaited<ReturnType<typeof face>>;
beforeEach(async () => {
  open = await face();
});
afterEach(() => open.close());

test('what the front fails with is told with when to try again, and not when that is of no use', async () => {
  const { call, frontSays } = open;
  const failing = (error: HttpError): void =>
    void frontSays({ status: error.status, body: errorBody(error), retryAfter: error.retryAfter });
  failing(new HttpError(503, 'RUNTIME_STOPPED', 'a change is under way still'));
  const later = await call('POST', '/v1/gateway/restart');
  expect(later).toMatchObject({ status: 503, body: { error: { code: 'RUNTIME_STOPPED', retryable: true } } });
  expect(later.headers.get('retry-after')).toBe('1');
  failing(new HttpError(400, 'CONFIG_INVALID', 'one problem'));
  const never = await call('POST', '/v1/gateway/reload');
  expect(never).toMatchObject({ status: 400, body: { error: { code: 'CONFIG_INVALID', retryable: false } } });
  expect(never.headers.get('retry-after')).toBeNull();
});

test('an instance is started, sent to, asked, looked at and stopped', async () => {
  const { call } = open;
  expect(await call('PUT', '/v1/agents/counter/a', { input: { start: 40 } })).toMatchObject({
    status: 201,
    body: { address: 'counter/a', threadId: 'pool', incarnation: 1 },
  });
  expect(await call('PUT', '/v1/agents/counter/a')).toMatchObject({ status: 200 });
  expect(await call('POST', '/v1/agents/counter/a/events', { type: 'inc' })).toMatchObject({ status: 202 });
  expect(await call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'inc' })).toMatchObject({
    status: 200,
  });
  expect(await call('POST', '/v1/agents/counter/a/ask', { type: 'read' })).toMatchObject({
    status: 200,
    body: { reply: 42 },
  });
  expect(await call('GET', '/v1/agents/counter/a/snapshot')).toMatchObject({
    status: 200,
    body: { address: 'counter/a', status: 'active', value: 'counting', context: { n: 42 } },
  });
  expect(await call('GET', '/v1/agents')).toMatchObject({
    body: { instances: [{ address: 'counter/a', state: 'running' }] },
  });
  expect(await call('DELETE', '/v1/agents/counter/a')).toMatchObject({ status: 204, body: undefined });
  expect(await call('POST', '/v1/agents/counter/a/ask', { type: 'read' })).toMatchObject({
    status: 404,
    body: { error: { code: 'NOT_FOUND', message: expect.stringContaining('?activate=true') as string } },
  });
  expect(
    await call('POST', '/v1/agents/counter/a%2Fb%20c/ask?activate=true', { type: 'read' }),
  ).toMatchObject({ body: { reply: 0 } });
  expect(open.runtime.get('counter/a%2Fb%20c')).toBeDefined();
});

test('whoever asks whether it is ready, or for the figures, has no status made of each instance', async () => {
  const { call, runtime, app, headers } = open;
  for (const id of 'abc') await call('PUT', `/v1/agents/counter/${id}`);
  const status = vi.spyOn(runtime, 'status');
  expect(await call('GET', '/readyz')).toMatchObject({ status: 200, body: { ready: true } });
  expect(await (await app.request('/metrics', { headers })).text()).toContain(
    'holdfast_instances{agent="counter",state="running"} 3\n',
  );
  expect(status).not.toHaveBeenCalled();
  await call('GET', '/v1/agents');
  expect(status).toHaveBeenCalledOnce();
});

describe('an instance that is quarantined', () => {
  const quarantine = async (agent: string): Promise<void> => {
    await open.call('PUT', `/v1/agents/${agent}/a`);
    await open.call('POST', `/v1/agents/${agent}/a/events?wait=handled`, { type: 'fail' });
    await expect.poll(() => open.runtime.status().instances[0]?.state).toBe('quarantined');
  };
  const refused = {
    status: 409,
    body: {
      error: {
        code: 'AGENT_QUARANTINED',
        message: expect.stringMatching(/POST …\/resume, holdfast agents resume/) as string,
      },
    },
  };

  test('begins anew with resume, and is told as it runs', async () => {
    await quarantine('fragile');
    expect(await open.call('POST', '/v1/agents/fragile/a/ask', { type: 'read' })).toMatchObject(refused);
    expect(await open.call('POST', '/v1/agents/fragile/a/resume')).toMatchObject({
      status: 200,
      body: { address: 'fragile/a', agent: 'fragile', thread: expect.any(Number) as number, incarnation: 2 },
    });
    expect(await open.call('POST', '/v1/agents/fragile/a/ask', { type: 'read' })).toMatchObject({
      status: 200,
      body: { reply: 0 },
    });
  });

  test('that fails as it begins anew is quarantined still, and resume says so', async () => {
    await quarantine('once');
    expect(await open.call('POST', '/v1/agents/once/a/resume')).toMatchObject(refused);
    expect(open.runtime.status().instances).toMatchObject([{ incarnation: 2, state: 'quarantined' }]);
  });

  test('is no other: one that runs goes on, and where none is there is nothing to resume', async () => {
    await open.call('PUT', '/v1/agents/fragile/a');
    expect(await open.call('POST', '/v1/agents/fragile/a/resume')).toMatchObject({
      status: 200,
      body: { incarnation: 1 },
    });
    for (const path of ['fragile/none', 'nobody/a']) {
      expect(await open.call('POST', `/v1/agents/${path}/resume`)).toMatchObject({
        status: 404,
        body: { error: { code: 'NOT_FOUND' } },
      });
    }
    expect(await open.call('POST', '/v1/agents/fragile/a/resume', { hard: true })).toMatchObject({
      status: 400,
    });
  });
});

describe('what makes no sense is refused, with what to do', () => {
  test.each([
    ['GET', '/v2/agents', undefined, 404, 'NOT_FOUND'],
    ['PUT', '/v1/agents/nobody/a', undefined, 404, 'AGENT_UNKNOWN'],
    ['POST', '/v1/agents/counter/a/events', 'no json', 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/events', undefined, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/events', [], 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/events', { type: '' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/events', { type: 'xstate.stop' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/events', { type: 'secret.rotated' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/ask', { type: 'xstate.done.actor.check' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/ask', { type: 'secret' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/events?wait=no', { type: 'inc' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/ask?timeoutMs=0', { type: 'read' }, 400, 'BAD_REQUEST'],
    ['POST', '/v1/agents/counter/a/ask', { type: 'inc' }, 422, 'ASK_UNANSWERED'],
    ['POST', '/v1/agents/counter/a/ask', { type: 'reply.unclonable' }, 422, 'REPLY_UNCLONABLE'],
    [
      'POST',
      '/v1/agents/counter/a/events',
      { type: 'inc', payload: 'x'.repeat(1_100_000) },
      413,
      'BODY_TOO_LARGE',
    ],
    ['POST', '/v1/dead-letters/none/replay', undefined, 409, 'REPLAY_REFUSED'],
  ])('%s %s %j', async (method, path, body, status, code) => {
    await open.call('PUT', '/v1/agents/counter/a');
    const answer = await open.call(method, path, body);
    expect(answer).toMatchObject({ status, body: { error: { code, retryable: false } } });
  });

  test('an event that is nested too deep to cross is refused, and the instance answers the next', async () => {
    await open.call('PUT', '/v1/agents/counter/a');
    for (const levels of [501, 3000]) {
      const payload = JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
      for (const path of ['ask', 'events?wait=handled']) {
        const answer = await open.call('POST', `/v1/agents/counter/a/${path}`, { type: 'read', payload });
        expect(answer).toMatchObject({ status: 400, body: { error: { code: 'MESSAGE_UNCLONABLE' } } });
      }
    }
    expect(await open.call('POST', '/v1/agents/counter/a/ask', { type: 'read' })).toMatchObject({
      status: 200,
    });
  });

  test('an agent that fails is told as the failure of the request', async () => {
    await open.call('PUT', '/v1/agents/counter/a');
    expect(await open.call('POST', '/v1/agents/counter/a/ask', { type: 'fail' })).toMatchObject({
      status: 422,
      body: { error: { code: 'AGENT_FAILED', message: expect.stringContaining('out of range') as string } },
    });
  });
});

describe('a token', () => {
  const tokens = { desk: newToken(), ops: newToken(), watcher: newToken(), operator: newToken() };
  const withTokens = async () => {
    const limited = await face({
      tokens: {
        desk: { sha256: digestOf(tokens.desk), agents: ['counter'], allow: ['read', 'send'] },
        ops: { sha256: digestOf(tokens.ops), allow: ['manage'] },
        watcher: { sha256: digestOf(tokens.watcher), allow: ['inspect'] },
        operator: { sha256: digestOf(tokens.operator), allow: ['operate'] },
      },
      requestsPerSecond: 2,
    });
    const as = (name: keyof typeof tokens) => ({ authorization: `Bearer ${tokens[name]}` });
    return { ...limited, as };
  };

  test('is needed, and what it does not allow is refused', async () => {
    const { call, as, close } = await withTokens();
    await call('PUT', '/v1/agents/counter/a');
    await call('PUT', '/v1/agents/other/a');
    expect(await call('GET', '/v1/agents', undefined, { authorization: '' })).toMatchObject({ status: 401 });
    expect(await call('GET', '/v1/agents', undefined, { authorization: 'Bearer wrong' })).toMatchObject({
      status: 401,
    });
    expect(await call('GET', '/v1/agents', undefined, as('desk'))).toMatchObject({
      body: { instances: [{ address: 'counter/a' }] },
    });
    expect(await call('POST', '/v1/agents/other/a/ask', { type: 'read' }, as('desk'))).toMatchObject({
      status: 403,
      body: { error: { code: 'FORBIDDEN', message: 'this token does not allow send for the agent other' } },
    });
    expect(await call('GET', '/v1/status', undefined, as('ops'))).toMatchObject({ status: 403 });
    await close();
  });

  test('that allows inspect opens the page, one that allows operate opens one that may act, and one for some agents opens none', async () => {
    const { call, as, close, runtime, reload } = await withTokens();
    const open = (name: keyof typeof tokens) => call('POST', '/v1/inspector', undefined, as(name));
    expect((await open('watcher')).status).toBe(404);
    vi.spyOn(runtime, 'inspector', 'get').mockReturnValue({
      link: (options) => `http://${String(options?.mayAct)}`,
      relay: '',
    });
    for (const name of ['desk', 'ops'] as const) expect((await open(name)).status).toBe(403);
    expect(await open('watcher')).toMatchObject({ status: 201, body: { link: 'http://undefined' } });
    expect(await open('operator')).toMatchObject({ status: 201, body: { link: 'http://true' } });
    const some = { sha256: digestOf(tokens.desk), agents: ['counter'], allow: ['operate'] };
    reload({ tokens: { desk: some } });
    expect(await open('desk')).toMatchObject({ status: 403 });
    await close();
  });

  test('that comes too often has to wait, and the owner has not', async () => {
    const { call, as, close } = await withTokens();
    const often = await Promise.all([1, 2, 3].map(() => call('GET', '/v1/agents', undefined, as('desk'))));
    expect(often.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(often[2]?.headers.get('retry-after')).toBe('1');
    const owner = await Promise.all([1, 2, 3].map(() => call('GET', '/v1/agents')));
    expect(owner.map(({ status }) => status)).toEqual([200, 200, 200]);
    await close();
  });
});

test('a request that comes again with its key is done once, at the same time too', async () => {
  const { call } = open;
  await call('PUT', '/v1/agents/counter/a');
  const send = (by: number, key: string) =>
    call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'inc', by }, { 'idempotency-key': key });
  const both = await Promise.all([send(1, 'one'), send(1, 'one')]);
  expect(both.map(({ status }) => status)).toEqual([200, 200]);
  expect(both.map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
  expect(await send(2, 'one')).toMatchObject({
    status: 422,
    body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } },
  });
  await send(1, 'two');
  expect(await call('POST', '/v1/agents/counter/a/ask', { type: 'read' })).toMatchObject({
    body: { reply: 2 },
  });
});

test('a stream has the current state, each later one, what is emitted, and the end', async () => {
  const { call, app, headers } = open;
  await call('PUT', '/v1/agents/counter/a');
  const response = await app.request('/v1/agents/counter/a/stream', { headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of response.body ?? []) seen.push(new TextDecoder().decode(chunk));
  })();
  for (const type of ['inc', 'greet', 'finish']) {
    await call('POST', '/v1/agents/counter/a/events?wait=handled', { type });
  }
  await reading;
  // Without what only says from where the client would go on.
  const events = seen
    .join('')
    .split('\n\n')
    .filter((event) => event.includes('event: '));
  const kinds = events.map((event) => /^event: (\w+)$/m.exec(event)?.[1]);
  expect(kinds[0]).toBe('snapshot');
  expect(kinds.at(-1)).toBe('end');
  expect(events.find((event) => event.includes('event: emitted'))).toContain('data: {"type":"hello","n":1}');
  expect(events.filter((event) => event.includes('"n":1')).length).toBeGreaterThan(1);
});

test.each([
  ['the first state', [], (text: string) => text.includes('"n":0')],
  ['a later state', ['inc'], (text: string) => text.includes('"n":1')],
  ['what is emitted', ['greet'], (text: string) => text.includes('hello')],
  ['the end', ['finish'], (text: string) => text === '{}'],
])('a stream that cannot show %s ends alone', async (_what, types, isBroken) => {
  let broken = 0;
  const scrub = <T>(found: T): T => {
    if (!isBroken(JSON.stringify(found) ?? '')) return found;
    broken += 1;
    throw new RangeError('cannot be shown');
  };
  const { call, app, headers, close } = await face({}, { ...createScrubber(systemClock), scrub });
  await call('PUT', '/v1/agents/counter/shown');
  const response = await app.request('/v1/agents/counter/shown/stream', { headers });
  const reader = response.body?.getReader();
  if (types.length > 0) await reader?.read();
  for (const type of types) await call('POST', '/v1/agents/counter/shown/events?wait=handled', { type });
  while ((await reader?.read())?.done === false);
  expect(broken).toBeGreaterThan(0);
  expect(await call('GET', '/healthz')).toMatchObject({ status: 200 });
  await close();
});

test('the metrics, the readiness and the document are there', async () => {
  const { call, app, headers } = open;
  expect(await (await app.request('/metrics', { headers })).text()).toContain(
    'holdfast_threads_max{pool="pool"} 2',
  );
  expect((await app.request('/metrics')).status).toBe(401);
  expect(await call('GET', '/readyz')).toMatchObject({
    status: 200,
    body: { ready: true, eventLoop: { ok: true }, closedPools: [], staleSecrets: [] },
  });
  expect(await (await app.request('/readyz')).json()).toEqual({ ready: true });
  await open.runtime.stop();
  expect(await call('GET', '/readyz')).toMatchObject({
    status: 503,
    body: { ready: false, state: 'stopped' },
  });
  expect((await call('GET', '/healthz')).status).toBe(200);
});

test('an event that does not fit what the agent accepts is 422, and says where', async () => {
  const { call } = open;
  const say = (text: unknown, path = 'ask', headers = {}) =>
    call('POST', `/v1/agents/accepting/a/${path}`, { type: 'say', text }, headers);
  await call('PUT', '/v1/agents/accepting/a');
  expect(await say('hello')).toMatchObject({ status: 200, body: { reply: { event: { mood: 'calm' } } } });
  const refused = {
    status: 422,
    body: {
      error: {
        code: 'EVENT_INVALID',
        retryable: false,
        message: expect.stringContaining('text (string)') as string,
        issues: [{ path: ['text'], expected: 'string' }],
      },
    },
  };
  expect(await say(1)).toMatchObject(refused);
  expect(await say(1, 'events?wait=handled')).toMatchObject(refused);
  // Accepted, unless the thread was quick enough to say no.
  expect([202, 422]).toContain((await say(1, 'events')).status);
  // It was not done, so the same key may come again.
  const key = { 'idempotency-key': 'k1' };
  expect(await say(2, 'ask', key)).toMatchObject(refused);
  const again = await say(2, 'ask', key);
  expect(again).toMatchObject(refused);
  expect(again.headers.get('idempotent-replayed')).toBeNull();
  const kept = open.runtime.deadLetters.list();
  expect(kept.map(({ reason }) => reason)).toEqual(Array(5).fill('invalid'));
});
