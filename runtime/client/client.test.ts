import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest';
import type counter from '../fixtures/counter.ts';
import { gateway } from '../gateway/fixtures/gateway.ts';
import { connect, GatewayError, type StreamItem } from './index.ts';

interface Agents {
  readonly counter: { readonly logic: typeof counter; readonly replies: { readonly read: number } };
}

/** A server that answers each request with the next of these, and what it was sent. */
async function answering(...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]) {
  const requests: { url: string | undefined; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url, headers: request.headers });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    request.resume().once('end', () => answer?.(response, request));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests };
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));
const failure = (status: number, code: string, retryable: boolean, headers = {}) =>
  json(status, { error: { code, message: `it is ${code}`, retryable } }, headers);
const reset = (response: ServerResponse): void => void response.socket?.destroy();
const soon = { 'retry-after': '0' };

test('an instance is sent to, asked, looked at and followed', async () => {
  const { front, token } = await gateway();
  const client = connect<Agents>({ url: front.url, token: () => Promise.resolve(token) });
  const desk = client.agent('counter/a%20b', { activate: true });
  await desk.send({ type: 'inc', by: 3 }, { wait: 'handled' });
  await desk.send({ type: 'inc' });
  const count = await desk.ask({ type: 'read' });
  expectTypeOf(count).toEqualTypeOf<number>();
  expect([count, desk.address]).toEqual([4, 'counter/a%20b']);
  const { status, context } = await desk.snapshot();
  expectTypeOf(context.n).toEqualTypeOf<number>();
  expect([status, context.n]).toEqual(['active', 4]);
  const items: StreamItem<typeof counter>[] = [];
  for await (const item of desk.stream({ everyMs: 0 })) {
    items.push(item);
    if (item.type === 'snapshot' && item.offset === 0) await desk.send({ type: 'greet' });
    if (item.type === 'emitted') {
      expectTypeOf(item.event).toEqualTypeOf<{ type: 'hello'; n: number }>();
      await desk.send({ type: 'finish' });
    }
  }
  expect(items.map(({ type }) => type)).toEqual(['snapshot', 'emitted', 'snapshot', 'end']);
  expect(items[1]).toMatchObject({ event: { type: 'hello', n: 4 } });
});

test('over restarts of the gateway nothing that is emitted is missing or comes twice, and each event is handled once', async () => {
  const module = fileURLToPath(new URL('../fixtures/counter.ts', import.meta.url));
  const agents = { counter: { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module } };
  const { front, token, call } = await gateway({ agents, gateway: { port: 0, reload: false } });
  await call('PUT', '/v1/agents/counter/a');
  const desk = connect<Agents>({ url: front.url, token }).agent('counter/a');
  const heard: (number | string)[] = [];
  const statuses: string[] = [];
  const followed = (async () => {
    for await (const item of desk.stream({ only: 'emitted', onStatus: (status) => statuses.push(status) })) {
      heard.push(item.type === 'emitted' ? item.event.n : item.type);
    }
  })();
  await expect.poll(() => statuses).toEqual(['connecting', 'open']);
  const done = new AbortController();
  let sent = 0;
  const sending = (async () => {
    for (; !done.signal.aborted; sent += 1) {
      await desk.send({ type: 'greet' });
      await desk.send({ type: 'inc' });
    }
  })();
  for (let n = 0; n < 2; n += 1) {
    const before = sent;
    await expect.poll(() => sent, { timeout: 20_000 }).toBeGreaterThan(before + 5);
    await front.restart();
  }
  done.abort();
  await sending;
  expect(await desk.ask({ type: 'read' })).toBe(sent);
  await desk.send({ type: 'finish' });
  await followed;
  expect(heard).toEqual([...Array.from({ length: sent }, (_, n) => n), 'end']);
  expect(statuses.filter((status) => status === 'open').length).toBe(3);
});

describe('a request', () => {
  const at = (url: string, more: object = {}) => connect({ url, token: 'hs_x', ...more }).agent('counter/a');

  test('is sent again with the same key, as long as that may help', async () => {
    const { url, requests } = await answering(
      reset,
      failure(503, 'RESTARTING', true, soon),
      failure(429, 'MAILBOX_FULL', true, soon),
      json(502, 'a proxy', soon),
      json(200, { reply: 7 }),
    );
    expect(await at(url).ask<number>({ type: 'read' })).toBe(7);
    expect(requests.length).toBe(5);
    expect(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(new Set(requests.map((request) => request.url))).toEqual(
      new Set(['/v1/agents/counter/a/ask?timeoutMs=5000']),
    );
    expect(requests[0]?.headers['authorization']).toBe('Bearer hs_x');
  });

  test('that cannot succeed is not sent again, nor one whose failure was kept', async () => {
    for (const [answer, code] of [
      [failure(404, 'NOT_FOUND', false), 'NOT_FOUND'],
      [failure(409, 'OUTCOME_UNKNOWN', false), 'OUTCOME_UNKNOWN'],
      [failure(503, 'THREAD_CRASHED', true, { ...soon, 'idempotent-replayed': 'true' }), 'THREAD_CRASHED'],
      [json(200, 'fine'), 'FETCH_FAILED'],
      [json(404, '<html>'), 'FETCH_FAILED'],
    ] as const) {
      const { url, requests } = await answering(answer);
      const failed = await at(url)
        .ask({ type: 'read' })
        .catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(GatewayError);
      expect(failed).toMatchObject({ code });
      expect(requests.length).toBe(1);
    }
  });

  test('waits again for what takes longer than the gateway waits', async () => {
    const late = failure(504, 'ASK_TIMEOUT', true);
    const { url, requests } = await answering(late, late, json(200, { reply: 'late' }));
    expect(await at(url).ask({ type: 'read' }, { timeoutMs: 60_000 })).toBe('late');
    expect(requests.length).toBe(3);
  });

  test('ends in time, and with the reason of its signal', async () => {
    const { url } = await answering(() => {});
    await expect(at(url).ask({ type: 'read' }, { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'REQUEST_TIMEOUT',
      retryable: true,
    });
    const left = new AbortController();
    const asked = at(url).send({ type: 'inc' }, { signal: left.signal });
    left.abort(new Error('the page is closed'));
    await expect(asked).rejects.toThrow('the page is closed');
    await expect(at(url).snapshot({ signal: left.signal })).rejects.toThrow('the page is closed');
  });

  test('says what the failure was, with the issues of an event that does not fit', async () => {
    const issues = [{ path: ['by'], expected: 'number' }];
    const error = { code: 'EVENT_INVALID', message: 'it does not fit', retryable: false, issues };
    const { url } = await answering(json(422, { error }));
    await expect(at(url).ask({ type: 'inc' })).rejects.toMatchObject({ ...error, status: 422 });
  });

  test('that was refused is sent once more with a token that was had anew', async () => {
    const refused = failure(401, 'UNAUTHORIZED', false);
    const { url, requests } = await answering(refused, json(200, { reply: 1 }));
    const tokens = ['hs_old', 'hs_new'];
    expect(await at(url, { token: () => tokens.shift() }).ask({ type: 'read' })).toBe(1);
    expect(requests.map(({ headers }) => headers['authorization'])).toEqual([
      'Bearer hs_old',
      'Bearer hs_new',
    ]);
    const fixed = await answering(refused);
    await expect(at(fixed.url).ask({ type: 'read' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(fixed.requests.length).toBe(1);
  });
});

describe('a stream', () => {
  const events =
    (...parts: string[]) =>
    (response: ServerResponse): void =>
      void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(parts.join('\n\n') + '\n\n');
  const emitted = (id: string, n: number): string => `id: ${id}\nevent: emitted\ndata: {"type":"t","n":${n}}`;
  const end = 'event: end\ndata: {}';
  async function all(url: string, options: object = {}, more: object = {}) {
    const items: unknown[] = [];
    for await (const item of connect({ url, ...more })
      .agent('a/b')
      .stream(options)) {
      items.push(item.type === 'emitted' ? item.event['n'] : item);
    }
    return items;
  }

  test('goes on where it was, and gives nothing twice', async () => {
    const torn = (response: ServerResponse) =>
      void response.end(`${[emitted('r.5', 5), emitted('r.6', 6)].join('\n\n')}\n\n${emitted('r.7', 7)}`);
    const { url, requests } = await answering(
      events('retry: 1\nid: r.4'),
      torn,
      events('id: r.6', emitted('r.6', 6), emitted('r.7', 7)),
      reset,
      failure(503, 'RESTARTING', true, soon),
      events('id: r.7', emitted('r.8', 8), end),
    );
    expect(await all(url)).toEqual([5, 6, 7, 8, { type: 'end', error: undefined, id: 'r.8' }]);
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      'r.4',
      'r.6',
      'r.7',
      'r.7',
      'r.7',
    ]);
  });

  test('tells what is missing, also what nobody said', async () => {
    const gap = (more: string) => `event: gap\ndata: {"reason":"reconnected"${more}}`;
    const { url } = await answering(
      events('id: r.4', emitted('r.5', 5), emitted('r.8', 8)),
      events('id: r.10', gap(',"dropped":2'), emitted('r.11', 11)),
      events('id: s.0', gap(''), emitted('s.1', 1), end),
    );
    expect(await all(url, { from: 'r.4' })).toMatchObject([
      5,
      { type: 'gap', reason: 'missed', dropped: 2 },
      8,
      { type: 'gap', reason: 'reconnected', dropped: 2 },
      11,
      { type: 'gap', reason: 'reconnected', dropped: undefined },
      1,
      { type: 'end' },
    ]);
  });

  test('rejects when it cannot go on', async () => {
    const closed = 'event: closed\ndata: {"code":"UNAUTHORIZED","message":"gone","retryable":false}';
    await expect(all((await answering(events(closed))).url)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    const missing = await answering(failure(404, 'NOT_FOUND', false));
    await expect(all(missing.url)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { url, requests } = await answering(reset);
    await expect(all(url, { reconnectMs: 300 })).rejects.toMatchObject({ code: 'FETCH_FAILED' });
    expect(requests.length).toBeGreaterThan(1);
  });

  test('ends with the reason of its signal, while it waits and while it is tried again', async () => {
    for (const answer of [
      () => {},
      reset,
      (response: ServerResponse) => void response.writeHead(200).write(':\n\n'),
    ]) {
      const { url, requests } = await answering(answer);
      const left = new AbortController();
      const over = all(url, { signal: left.signal });
      await expect.poll(() => requests.length).toBeGreaterThan(0);
      left.abort(new Error('enough'));
      await expect(over).rejects.toThrow('enough');
    }
  });

  test('has a stream token for each connection, where there is no other', async () => {
    const { url, requests } = await answering(events('id: r.1'), events('id: r.1', end));
    let n = 0;
    const streamToken = (address: string) => Promise.resolve(`hs_${address}_${(n += 1)}`);
    await all(url, { only: 'emitted' }, { streamToken });
    expect(requests.map((request) => request.url)).toEqual([
      '/v1/agents/a/b/stream?only=emitted&token=hs_a%2Fb_1',
      '/v1/agents/a/b/stream?only=emitted&token=hs_a%2Fb_2',
    ]);
    expect(requests.map(({ headers }) => headers['authorization'])).toEqual([undefined, undefined]);
  });
});

test.each([
  ['no url', () => connect({} as never)],
  ['another protocol', () => connect({ url: 'ftp://x' })],
  ['a token that is none', () => connect({ url: 'http://x', token: 7 as never })],
  ['no address', () => connect({ url: 'http://x' }).agent('desk' as never)],
  ['an address that is not encoded', () => connect({ url: 'http://x' }).agent('desk/a/b')],
  [
    'a stream of something else',
    () =>
      connect({ url: 'http://x' })
        .agent('desk/a')
        .stream({ only: 'x' as never }),
  ],
])('%s is refused at the door', (_what, wrong) => {
  expect(wrong).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
});
