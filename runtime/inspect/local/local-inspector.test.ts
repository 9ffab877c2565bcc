import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../base/clock.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { InspectionEvent } from '../../wire/inspection.ts';
import type { KnownActor } from '../inspection-hub.ts';
import { startLocalInspector, type LocalInspectorOptions } from './local-inspector.ts';

const event = (id: string): InspectionEvent => ({
  type: '@xstate.event',
  rootId: 'supervisor',
  sessionId: 'a/1',
  createdAt: '0',
  id,
  _version: '0.7.2',
  event: { type: 'go' },
  sourceId: undefined,
});

const known = (id: string): KnownActor => ({
  id,
  name: id,
  parentId: undefined,
  isInstance: true,
  definition: '{}',
  state: { status: 'active' } as never,
  since: 0,
});

async function rig(options: Partial<LocalInspectorOptions> = {}) {
  const listeners = new Set<(events: readonly InspectionEvent[]) => void>();
  const failures: unknown[] = [];
  const inspector = await startLocalInspector({
    hub: {
      listen(heard) {
        listeners.add(heard);
        return () => listeners.delete(heard);
      },
      replay: () => [event('replayed')],
      actor: (id) => known(id),
      actors: () => [known('a/1')].values() as never,
      scrub: (value) => value,
    },
    clock: systemClock,
    page: 'local',
    figures: (shown) => ({ state: 'fine', shown: [...shown] }),
    failed: (error) => void failures.push(error),
    ...options,
  });
  onTestFinished(() => inspector.stop());
  const link = new URL(inspector.link());
  const ask = async (path: string, more: RequestOptions = {}, body?: string) => {
    const asked = request({ host: '127.0.0.1', port: link.port, path, agent: false, ...more });
    asked.end(body);
    const [answer] = (await once(asked, 'response', { signal: AbortSignal.timeout(5000) })) as [
      IncomingMessage,
    ];
    let text = '';
    answer.setEncoding('utf8');
    const whole = (async (): Promise<string> => {
      for await (const chunk of answer) text += chunk as string;
      return text;
    })();
    whole.catch(() => {});
    return {
      status: answer.statusCode,
      headers: answer.headers,
      whole,
      soFar: () => text,
      end: () => answer.destroy(),
    };
  };
  const enter = async (): Promise<{ authorization: string }> => {
    const { whole } = await ask(`/?token=${link.searchParams.get('token')}`);
    const [, session = ''] = /name="session" content="([\w-]+)"/.exec(await whole) ?? [];
    return { authorization: `Bearer ${session}` };
  };
  const tell = (...events: InspectionEvent[]): void => {
    for (const heard of listeners) heard(events);
  };
  return { inspector, link, ask, enter, tell, listeners, failures };
}

const json = { 'content-type': 'application/json' };

test('what a page may ask for needs a session and no more; what makes no sense, or is too long, is refused', async () => {
  const asked: object[] = [];
  const question = (one: object): object | undefined => {
    asked.push(one);
    return 'n' in one ? { told: one.n } : undefined;
  };
  const { ask, enter } = await rig({ questions: new Map([['/sum', question]]) });
  expect((await ask('/sum', { method: 'POST', headers: json }, '{"n":1}')).status).toBe(401);
  const session = await enter();
  const headers = { ...session, ...json };
  const told = await ask('/sum', { method: 'POST', headers }, '{"n":1}');
  expect([told.status, await told.whole]).toEqual([200, '{"told":1}']);
  expect((await ask('/sum', { method: 'POST', headers }, '{}')).status).toBe(400);
  expect((await ask('/sum', { method: 'POST', headers: session }, '{"n":1}')).status).toBe(415);
  expect((await ask('/sum', { method: 'POST', headers }, `"${'x'.repeat(70_000)}"`)).status).toBe(413);
  expect(asked).toEqual([{ n: 1 }, {}]);
});

test('a link opens the page once; what the page shows needs the session that the link gave', async () => {
  const { ask, enter, link } = await rig();
  expect((await ask('/events')).status).toBe(401);
  for (const path of ['/send', '/accepts', '/replay', '/deed'])
    expect((await ask(path, { method: 'POST' })).status).toBe(401);
  const headers = await enter();
  expect((await ask('/events', { headers })).status).toBe(200);
  // A tab that is loaded again brings no header; what it gets is the same for everybody.
  const home = await ask('/');
  expect(home.status).toBe(200);
  expect(await home.whole).toContain('<title>Holdfast inspector</title>');
  const again = await ask(`/${link.search}`);
  expect(again.status).toBe(401);
  expect(await again.whole).toContain('runtime.inspector.link()');
});

test('no answer sets a cookie, and a cookie opens nothing', async () => {
  const { ask, enter, link } = await rig({
    actions: {
      send: async () => {},
      accepts: async () => undefined,
      replay: async () => {},
      act: async () => undefined,
    },
  });
  const entered = await ask(`/${link.search}`);
  const headers = await enter();
  const answers = [entered, await ask('/', { headers }), await ask('/events', { headers })];
  for (const answer of answers) expect(answer.headers['set-cookie']).toBeUndefined();
  const [, session = ''] = /content="([\w-]{43})"/.exec(await entered.whole) ?? [];
  const cookie = { cookie: `holdfast-inspector-${link.port}=${session}; session=${session}` };
  expect((await ask('/events', { headers: cookie })).status).toBe(401);
  expect((await ask('/send', { method: 'POST', headers: { ...cookie, ...json } }, '{}')).status).toBe(401);
});

test('everything is served with a strict policy, and nothing is kept but what lays out charts', async () => {
  const { ask, enter } = await rig();
  const headers = await enter();
  for (const path of ['/', '/page.css', '/main.js', '/icon.svg', '/nothing', '/elk-worker.js']) {
    const answer = await ask(path, { headers });
    expect(answer.status).toBe(path === '/nothing' ? 404 : 200);
    expect(answer.headers).toMatchObject({
      'cache-control': path === '/elk-worker.js' ? 'private, max-age=604800' : 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  }
});

test.each([
  '/../local-inspector.ts',
  '/..%2flocal-inspector.ts',
  '/page/../../access.ts',
  '/tsconfig.json',
  '/.env',
  '/main.js%00',
  '//etc/passwd',
])('%s is not served', async (path) => {
  const { ask, enter } = await rig();
  expect((await ask(path, { headers: await enter() })).status).toBe(404);
});

test('what comes by another name or from another site is refused, with the session too', async () => {
  const { ask, enter, link } = await rig({
    actions: {
      send: async () => {},
      accepts: async () => undefined,
      replay: async () => {},
      act: async () => undefined,
    },
  });
  const session = await enter();
  const refused = [
    { host: 'evil.example' },
    { host: `evil.example:${link.port}` },
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of refused) {
    expect((await ask('/events', { headers: { ...session, ...headers } })).status).toBe(403);
    const post = { method: 'POST', headers: { ...session, ...json, ...headers } };
    expect((await ask('/send', post, '{}')).status).toBe(403);
  }
});

test('a page hears what there is, then what happens, and the status', async () => {
  const { ask, enter, tell, listeners } = await rig();
  const page = await ask('/events', { headers: await enter() });
  expect(page.headers['content-type']).toBe('text/event-stream');
  await vi.waitFor(() => expect(page.soFar()).toContain('event: status'));
  tell(event('one'), event('two'));
  await vi.waitFor(() => expect(page.soFar()).toContain('"two"'));
  const kinds = [...page.soFar().matchAll(/^event: (.*)$/gm)].map(([, kind]) => kind);
  expect(kinds).toEqual(['machine', 'replay', 'status', 'recent', 'events']);
  expect(page.soFar()).toContain('"mayAct":false');
  page.end();
  await vi.waitFor(() => expect(listeners.size).toBe(0));
});

test('a page says which actors it shows by the name that its stream has, and gets what there is of them there', async () => {
  const { ask, enter } = await rig();
  const session = await enter();
  const page = await ask('/events', { headers: session });
  await vi.waitFor(() => expect(page.soFar()).toContain('event: status'));
  const [, name] = /"page":"([\w-]+)"/.exec(page.soFar()) ?? [];
  const show = async (body: object, headers: object = { ...session, ...json }) =>
    (await ask('/shown', { method: 'POST', headers: headers as never }, JSON.stringify(body))).status;
  expect(await show({ page: name, ids: ['a/1'] }, json)).toBe(401);
  for (const wrong of [{}, { page: 'other', ids: [] }, { page: name, ids: 'a/1' }, { page: name, ids: [1] }])
    expect(await show(wrong)).toBe(400);
  expect(await show({ page: name, ids: Array.from({ length: 301 }, String) })).toBe(400);
  expect(await show({ page: name, ids: ['a/1'] })).toBe(200);
  await vi.waitFor(() => expect(page.soFar()).toMatch(/event: states\n.*"replayed"[^]*"shown":\["a\/1"\]/));
});

test('events are sent and letters replayed only when that is allowed', async () => {
  const { ask, enter } = await rig();
  const headers = { ...(await enter()), ...json };
  const body = JSON.stringify({ address: 'a/1', event: { type: 'go' } });
  const refused = await ask('/send', { method: 'POST', headers }, body);
  expect(refused.status).toBe(403);
  expect(await refused.whole).toContain('allowSend');
  expect((await ask('/replay', { method: 'POST', headers }, '{"id":"1"}')).status).toBe(403);
  expect((await ask('/accepts', { method: 'POST', headers }, '{"address":"a/1"}')).status).toBe(403);
  const deed = '{"deed":"stop","address":"a/1"}';
  expect((await ask('/deed', { method: 'POST', headers }, deed)).status).toBe(403);
});

test('of two pages that one may act on whose link says so', async () => {
  const actions = {
    send: async () => {},
    accepts: async () => undefined,
    replay: async () => {},
    act: async () => undefined,
  };
  const { ask, inspector } = await rig({ actions, allowSend: false });
  const statuses: (number | undefined)[] = [];
  for (const link of [inspector.link(), inspector.link({ mayAct: true })]) {
    const { search } = new URL(link);
    const [, session = ''] = /content="([\w-]{43})"/.exec(await (await ask(`/${search}`)).whole) ?? [];
    const authorization = `Bearer ${session}`;
    const page = await ask('/events', { headers: { authorization } });
    await vi.waitFor(() => expect(page.soFar()).toContain(`"mayAct":${statuses.length === 1}`));
    page.end();
    const headers = { authorization, ...json };
    const body = JSON.stringify({ address: 'a/1', event: { type: 'go' } });
    statuses.push((await ask('/send', { method: 'POST', headers }, body)).status);
  }
  expect(statuses).toEqual([403, 204]);
});

test('an event reaches the instance, a letter is replayed, and what is wrong is said', async () => {
  const done: unknown[] = [];
  const issues = [{ path: ['n', 0], expected: 'number' }];
  const { ask, enter } = await rig({
    actions: {
      async send(address, sent) {
        if (address === 'gone/1') throw new HoldfastError('AGENT_STOPPED', 'no instance is at gone/1 now');
        if (sent.type === 'odd') throw new HoldfastError('EVENT_INVALID', 'it does not fit', { issues });
        done.push([address, sent]);
      },
      accepts: async (address) => (address === 'a/1' ? { go: { type: 'object' } } : undefined),
      replay: async (id) => void done.push(id),
      async act(deed) {
        done.push(deed);
        return deed.deed === 'recycle' ? { threads: 1 } : undefined;
      },
    },
  });
  const session = await enter();
  const post = async (path: string, body: string, headers: object = json) => {
    const answer = await ask(path, { method: 'POST', headers: { ...session, ...headers } }, body);
    return [answer.status, (await answer.whole).trim()];
  };
  expect(await post('/send', '{"address":"a/1","event":{"type":"go","n":1}}')).toEqual([204, '']);
  expect(await post('/replay', '{"id":"7"}')).toEqual([204, '']);
  expect(done).toEqual([['a/1', { type: 'go', n: 1 }], '7']);
  expect(await post('/send', '{"address":"gone/1","event":{"type":"go"}}')).toEqual([
    409,
    'AGENT_STOPPED: no instance is at gone/1 now',
  ]);
  const [status, said = ''] = await post('/send', '{"address":"a/1","event":{"type":"odd"}}');
  expect([status, JSON.parse(String(said))]).toEqual([422, { code: 'EVENT_INVALID', issues }]);
  expect(await post('/accepts', '{"address":"a/1"}')).toEqual([200, '{"accepts":{"go":{"type":"object"}}}']);
  expect(await post('/accepts', '{"address":"b/1"}')).toEqual([200, '{}']);
  expect((await post('/accepts', '{"id":"7"}'))[0]).toBe(400);
  expect(await post('/deed', '{"deed":"stop","address":"a/1","more":1}')).toEqual([204, '']);
  expect(await post('/deed', '{"deed":"recycle","threadId":"p","n":2}')).toEqual([200, '{"threads":1}']);
  const deeds = [
    { deed: 'stop', address: 'a/1' },
    { deed: 'recycle', threadId: 'p', n: 2 },
  ];
  expect(done.splice(2)).toEqual(deeds);
  for (const body of [
    '{"deed":"stop"}',
    '{"deed":"recycle","threadId":"p"}',
    '{"deed":"profile","threadId":"p","n":1.5}',
    '{"deed":"refresh","id":"x"}',
    '{"deed":"drain"}',
    '{"deed":"__proto__"}',
  ])
    expect((await post('/deed', body))[0]).toBe(400);
  for (const body of ['', '{', 'null', '[]', '{"address":"a/1"}', '{"address":1,"event":{"type":"go"}}'])
    expect((await post('/send', body))[0]).toBe(400);
  expect((await post('/send', 'x'.repeat(70_000)))[0]).toBe(413);
  expect((await post('/send', 'a=b', { 'content-type': 'text/plain' }))[0]).toBe(415);
  expect((await ask('/send', { method: 'PUT', headers: session })).status).toBe(405);
  expect(done).toHaveLength(2);
});

test('the relay gives each event by itself to who has its token, and to nobody else', async () => {
  const { inspector, tell, link } = await rig();
  const heard: string[] = [];
  const client = new WebSocket(inspector.relay);
  client.on('message', (data: Buffer) => heard.push((JSON.parse(data.toString()) as { id: string }).id));
  await once(client, 'open', { signal: AbortSignal.timeout(5000) });
  await vi.waitFor(() => expect(heard).toEqual(['replayed']));
  tell(event('one'), event('two'));
  await vi.waitFor(() => expect(heard).toEqual(['replayed', 'one', 'two']));
  const refused = async (url: string, options: object = {}): Promise<string> => {
    const [error] = (await once(new WebSocket(url, options), 'error')) as [Error];
    return error.message;
  };
  expect(await refused(`ws://127.0.0.1:${link.port}/relay`)).toContain('403');
  expect(await refused(`ws://127.0.0.1:${link.port}/relay${link.search}`)).toContain('403');
  expect(await refused(inspector.relay, { origin: 'https://evil.example' })).toContain('403');
  expect(await refused(inspector.relay, { headers: { host: 'evil.example' } })).toContain('403');
  const closed = once(client, 'close', { signal: AbortSignal.timeout(5000) });
  await inspector.stop();
  await closed;
});

test("Stately's page is told Stately's events, each with all that it carries", async () => {
  const { ask, enter } = await rig({ page: 'stately' });
  const page = await ask('/events', { headers: await enter() });
  await vi.waitFor(() => expect(page.soFar()).toContain('event: replay\ndata: [{"type":"@xstate.event"'));
  expect(page.soFar()).not.toContain('status');
});

test("Stately's page is framed and nothing else may be", async () => {
  const { ask, enter } = await rig({ page: 'stately' });
  const headers = await enter();
  const home = await ask('/', { headers });
  expect(await home.whole).toContain('<iframe');
  expect(home.headers['content-security-policy']).toContain('frame-src https://stately.ai');
  expect((await ask('/stately.js', { headers })).status).toBe(200);
});

test('stop ends every connection at once', async () => {
  const { inspector, ask, enter } = await rig();
  const page = await ask('/events', { headers: await enter() });
  await inspector.stop();
  await expect(page.whole).rejects.toThrow('aborted');
});

test('a port that is taken is a clear error', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  const { port } = other.address() as { port: number };
  await expect(rig({ port })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(`port ${port}`),
  });
});

test('it listens on this machine alone', async () => {
  const { link } = await rig();
  expect(link.hostname).toBe('127.0.0.1');
  const other = createServer().listen(Number(link.port), '127.0.0.2');
  await once(other, 'listening');
  other.close();
});
