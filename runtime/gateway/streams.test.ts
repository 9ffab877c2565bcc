import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { face } from './fixtures/face.ts';
import { gateway } from './fixtures/gateway.ts';
import { digestOf, newToken } from './token-access.ts';

const desk = newToken();
const asDesk = { authorization: `Bearer ${desk}` };
const of = (token: object = {}) => ({ tokens: { desk: { sha256: digestOf(desk), ...token } } });

async function opened(config: object = of()) {
  const open = await face(config);
  onTestFinished(() => open.close());
  await open.call('PUT', '/v1/agents/counter/a');
  const send = (type: string) => open.call('POST', '/v1/agents/counter/a/events?wait=handled', { type });
  const stream = async (query = '', headers: Record<string, string> = asDesk) => {
    const response = await open.app.request(`/v1/agents/counter/a/stream${query}`, { headers });
    const reader = response.body?.getReader();
    let text = '';
    const next = async (): Promise<boolean> => {
      const { done, value } = (await reader?.read()) ?? { done: true };
      text += value === undefined ? '' : new TextDecoder().decode(value);
      return !done;
    };
    return {
      status: response.status,
      /** All that came until then. */
      until: async (wanted: string): Promise<string> => {
        while (!text.includes(wanted))
          if (!(await next())) throw new Error(`ended before ${wanted}: ${text}`);
        return text;
      },
      rest: async (): Promise<string> => {
        while (await next());
        return text;
      },
      close: () => reader?.cancel(),
    };
  };
  return { ...open, send, stream };
}

const kindsIn = (text: string): string[] =>
  [...text.matchAll(/^event: (\w+)$/gm)].map(([, kind = '']) => kind);

test('the current state comes once, and after it the latest, never one twice', async () => {
  const { send, stream, runtime } = await opened();
  const first = await stream('?everyMs=0');
  await first.until('"n":0');
  const second = await stream('?everyMs=0');
  await second.until('"n":0');
  await send('inc');
  await send('inc');
  await runtime.get('counter/a')?.stop();
  for (const one of [first, second]) {
    const states = [...(await one.rest()).matchAll(/"n":(\d)/g)].map(([, n]) => n);
    expect(states[0]).toBe('0');
    expect(states.at(-1)).toBe('2');
    expect(new Set(states).size).toBe(states.length);
  }
});

test('of an instance that nobody has watched, which tells its state on two ways then, the state comes once', async () => {
  const { app, call } = await opened();
  const counts: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const path = `/v1/agents/counter/${n}`;
    await call('PUT', path);
    const response = await app.request(`${path}/stream?everyMs=0`, { headers: asDesk });
    const text = response.text();
    // Both ways are behind it then.
    await call('GET', `${path}/snapshot`);
    await call('GET', `${path}/snapshot`);
    await call('DELETE', path);
    counts.push(kindsIn(await text).filter((kind) => kind === 'snapshot').length);
  }
  expect(counts).toEqual(Array.from({ length: 20 }, () => 1));
});

test('between two snapshots is the time that the client wants, and the last one comes before the end', async () => {
  const { send, stream } = await opened();
  const slow = await stream('?everyMs=60000');
  await slow.until('"n":0');
  for (let n = 0; n < 20; n += 1) await send('inc');
  await send('finish');
  const text = await slow.rest();
  expect(kindsIn(text)).toEqual(['snapshot', 'snapshot', 'end']);
  expect(text).toContain('"n":20');
});

test('who wants what is emitted alone, or the states alone, gets nothing else', async () => {
  const { send, stream } = await opened();
  const [emitted, states] = [await stream('?only=emitted'), await stream('?only=snapshot')];
  await states.until('"n":0');
  for (const type of ['inc', 'greet', 'greet', 'finish']) await send(type);
  expect(kindsIn(await emitted.rest())).toEqual(['emitted', 'emitted', 'end']);
  expect(kindsIn(await states.rest())).not.toContain('emitted');
});

const idsIn = (text: string): string[] => [...text.matchAll(/^id: (.+)$/gm)].map(([, id = '']) => id);
const greetingsIn = (text: string): number[] =>
  [...text.matchAll(/"type":"hello","n":(\d+)/g)].map(([, n]) => Number(n));

test('who comes again goes on after the last event that it has, and nothing is missing or comes twice', async () => {
  const { send, stream } = await opened();
  const [first, other] = [await stream('?only=emitted'), await stream('?only=emitted')];
  for (let n = 0; n < 3; n += 1) for (const type of ['greet', 'inc']) await send(type);
  const seen = await first.until('"n":2}\n\n');
  await first.close();
  await other.close();
  for (let n = 0; n < 3; n += 1) for (const type of ['greet', 'inc']) await send(type);
  const [run = ''] = idsIn(seen)[0]?.split('.') ?? [];
  expect(idsIn(seen)).toEqual([0, 1, 2, 3].map((n) => `${run}.${n}`));
  for (const [id, rest] of [
    [`${run}.3`, [3, 4, 5]],
    [`${run}.1`, [1, 2, 3, 4, 5]],
    [`${run}.0`, [0, 1, 2, 3, 4, 5]],
  ] as const) {
    for (const again of [
      await stream('?only=emitted', { ...asDesk, 'last-event-id': id }),
      await stream(`?only=emitted&from=${id}`),
    ]) {
      const text = await again.until('"n":5}\n\n');
      expect(greetingsIn(text)).toEqual(rest);
      expect(kindsIn(text)).not.toContain('gap');
      await again.close();
    }
  }
});

test('a client that has received nothing yet has a place to go on from', async () => {
  const { send, stream } = await opened();
  const first = await stream('?only=emitted&from=');
  const [id = ''] = idsIn(await first.until('\n\n'));
  await first.close();
  await send('greet');
  const again = await stream('?only=emitted', { ...asDesk, 'last-event-id': id });
  expect(await again.until('"n":0}\n\n')).toBe(
    `retry: 1000\nid: ${id}\n\nid: ${id.replace(/0$/, '1')}\nevent: emitted\ndata: {"type":"hello","n":0}\n\n`,
  );
});

test.each(['7', 'AAAAAAAA.0', 'nothing', '.', '\u00e9', `${'A'.repeat(8)}.${'9'.repeat(15)}`])(
  'who comes with an id that is of no event here, %j, is told that something is missing, and has what is kept',
  async (id) => {
    const { send, stream } = await opened();
    const first = await stream('?only=emitted');
    await first.until('\n\n');
    await send('greet');
    const again = await stream('?only=emitted', { ...asDesk, 'last-event-id': id });
    const text = await again.until('event: emitted');
    expect(text).toMatch(/event: gap\ndata: \{"reason":"reconnected"\}\n\n/);
    expect(kindsIn(text)).toEqual(['gap', 'emitted']);
  },
);

test('an id of the same stream that is ahead of it is of no event here', async () => {
  const { send, stream } = await opened();
  const first = await stream('?only=emitted');
  const [id = ''] = idsIn(await first.until('\n\n'));
  await send('greet');
  const again = await stream('?only=emitted', { ...asDesk, 'last-event-id': `${id}9` });
  expect(kindsIn(await again.until('event: emitted'))).toEqual(['gap', 'emitted']);
});

test('a state says which event was the last on the way to it, and its id goes on where the client is', async () => {
  const { send, stream } = await opened();
  const mine = await stream('?everyMs=0');
  await mine.until('"n":0');
  for (const type of ['greet', 'greet', 'inc']) await send(type);
  await mine.until('"n":1');
  const late = await stream('?everyMs=0');
  const text = await late.until('"n":1');
  expect(text).toMatch(/"context":\{"n":1.*,"offset":2\}/);
  expect(idsIn(text).map((id) => id.split('.')[1])).toEqual(['2', '2']);
});

test('the rest of an instance that has ended, and then its end, comes to a client that comes again', async () => {
  const { send, stream, call } = await opened();
  const mine = await stream('?only=emitted');
  const [id = ''] = idsIn(await mine.until('\n\n'));
  await mine.close();
  for (const type of ['greet', 'inc', 'greet', 'finish']) await send(type);
  await expect.poll(async () => (await call('GET', '/v1/agents/counter/a/snapshot')).status).toBe(404);
  const again = await stream('?only=emitted', { ...asDesk, 'last-event-id': id });
  const text = await again.rest();
  expect([greetingsIn(text), kindsIn(text)]).toEqual([
    [0, 1],
    ['emitted', 'emitted', 'end'],
  ]);
  expect((await stream('?only=emitted')).status).toBe(404);
  expect((await stream('', { ...asDesk, 'last-event-id': 'AAAAAAAA.0' })).status).toBe(404);
  // Another instance at that address has a stream of its own.
  await call('PUT', '/v1/agents/counter/a');
  const next = await stream('?only=emitted', { ...asDesk, 'last-event-id': id });
  await send('greet');
  expect(kindsIn(await next.until('event: emitted'))).toEqual(['gap', 'emitted']);
});

test.each([
  ['is gone', {}, 'UNAUTHORIZED'],
  ['is another of the same name', { tokens: { desk: { sha256: digestOf(newToken()) } } }, 'UNAUTHORIZED'],
  ['may not read any more', of({ allow: ['send'] }), 'FORBIDDEN'],
  ['is for other agents', of({ agents: ['other'] }), 'FORBIDDEN'],
])('a stream whose token %s ends with the reload, and says why', async (_what, changed, code) => {
  const { send, stream, reload } = await opened();
  const [mine, owners] = [await stream(), await stream('', { authorization: '' }).catch(() => undefined)];
  expect(owners?.status).toBe(401);
  await mine.until('"n":0');
  reload(changed);
  await send('inc');
  const text = await mine.rest();
  expect(kindsIn(text).at(-1)).toBe('closed');
  expect(text).toContain(`"code":"${code}"`);
  expect(text).not.toContain('"n":1');
});

test('a stream whose token is still good goes on after a reload', async () => {
  const { send, stream, reload } = await opened();
  const mine = await stream();
  await mine.until('"n":0');
  reload({ ...of({ allow: ['read', 'send', 'manage'] }), requestTimeoutMs: 1000 });
  await send('inc');
  expect(kindsIn(await mine.until('"n":1'))).not.toContain('closed');
});

test('a token has so many streams at a time, and the owner any number', async () => {
  const { stream, headers } = await opened({ ...of(), limits: { streams: 2 } });
  const [first, second] = [await stream(), await stream()];
  expect(await stream()).toMatchObject({ status: 429 });
  expect(await stream('', headers)).toMatchObject({ status: 200 });
  await first.close();
  await expect.poll(async () => (await stream()).status).toBe(200);
  await second.close();
});

test('a stream starts the instance it is for, for a token that may send or manage', async () => {
  const { app, headers } = await opened({ tokens: { desk: { sha256: digestOf(desk), allow: ['read'] } } });
  const path = '/v1/agents/counter/new/stream';
  expect((await app.request(path, { headers })).status).toBe(404);
  expect((await app.request(`${path}?activate=true`, { headers: asDesk })).status).toBe(403);
  const response = await app.request(`${path}?activate=true`, { headers });
  expect(response.status).toBe(200);
  await response.body?.cancel();
});

test('what another process takes over, and HEAD, leave nobody who listens', async () => {
  const { app, stream, leave, runtime } = await opened();
  const head = await app.request('/v1/agents/counter/a/stream', { method: 'HEAD', headers: asDesk });
  expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
    200,
    'text/event-stream',
    '',
  ]);
  const mine = await stream();
  await mine.until('"n":0');
  leave();
  expect(await mine.rest()).toContain('event: closed\ndata: {"code":"RESTARTING"');
  expect(runtime.status().instances).toMatchObject([{ address: 'counter/a' }]);
});

test('who reads nothing loses what is not kept any more, learns how much that is, and then hears all again', async () => {
  const { app, call, stream } = await opened();
  await call('PUT', '/v1/agents/orders/a');
  const path = '/v1/agents/orders/a/stream?only=emitted';
  const [slow, fast] = [
    await app.request(path, { headers: asDesk }),
    await app.request(path, { headers: asDesk }),
  ];
  const shout = () =>
    call('POST', '/v1/agents/orders/a/events?wait=handled', { type: 'shout', length: 1_000_000 });
  const fastText = new Response(fast.body).text();
  for (let n = 0; n < 12; n += 1) await shout();
  const reader = slow.body?.getReader();
  let text = '';
  const readUntil = async (count: number): Promise<void> => {
    while (kindsIn(text).length < count || !text.endsWith('\n\n')) {
      text += new TextDecoder().decode((await reader?.read())?.value);
    }
  };
  await readUntil(9);
  // What is kept of one instance is 8 MiB.
  expect(kindsIn(text)).toEqual(['gap', ...Array.from({ length: 8 }, () => 'emitted')]);
  expect(text).toContain('event: gap\ndata: {"reason":"slow","dropped":4}');
  await shout();
  await readUntil(10);
  expect(kindsIn(text).at(-1)).toBe('emitted');
  await reader?.cancel();
  await call('DELETE', '/v1/agents/orders/a');
  expect(kindsIn(await fastText)).toEqual([...Array.from({ length: 13 }, () => 'emitted'), 'end']);
  expect((await stream()).status).toBe(200);
});

// Now and then the thread is quick enough to tell of all of them, and nothing dies.
test(
  'events that die with their thread are a gap, and what comes after the restart follows it',
  { retry: 4 },
  async () => {
    const { app, call, runtime } = await opened();
    await call('PUT', '/v1/agents/emitting/a');
    const response = await app.request('/v1/agents/emitting/a/stream?only=emitted', { headers: asDesk });
    const ref = runtime.get('emitting/a');
    await ref?.deliver({ type: 'note', n: 1 });
    // The thread is gone before it has told of all of them.
    for (let n = 2; n <= 11; n += 1) ref?.send({ type: 'note', n });
    ref?.send({ type: 'exit' });
    await expect.poll(() => ref?.incarnation, { timeout: 60_000 }).toBe(2);
    await ref?.deliver({ type: 'note', n: 12 });
    await call('DELETE', '/v1/agents/emitting/a');
    const text = await response.text();
    const before = kindsIn(text).indexOf('gap');
    expect(kindsIn(text)).toEqual([
      ...Array.from({ length: before }, () => 'emitted'),
      'gap',
      'emitted',
      'end',
    ]);
    // Of each note its parent would have been told as well.
    expect(text).toContain(`event: gap\ndata: {"reason":"crashed","dropped":${2 * (11 - before)}}`);
    const numbers = idsIn(text).map((id) => Number(id.split('.')[1]));
    expect(numbers).toEqual([...numbers.keys()].map((n) => Math.min(n, before + 2)));
  },
);

test('a client that never reads over a socket ends nobody else’s stream', async () => {
  const { front, call, token, stream } = await gateway();
  await call('PUT', '/v1/agents/counter/a');
  const { port, hostname } = new URL(front.url);
  const deaf = connect(Number(port), hostname);
  onTestFinished(() => void deaf.destroy());
  deaf.on('error', () => {});
  deaf.pause();
  deaf.write(`GET /v1/agents/counter/a/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  const mine = await stream('/v1/agents/counter/a/stream');
  await mine.until('"n":0');
  for (let n = 0; n < 50; n += 1) await call('POST', '/v1/agents/counter/a/events', { type: 'inc' });
  await mine.until('"n":50');
  expect(deaf.destroyed).toBe(false);
});
