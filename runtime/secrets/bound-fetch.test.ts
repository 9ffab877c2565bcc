import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AgentConfig, AgentRef, AuditRecord, Grant } from 'holdfast';
import type { Outcome } from '../fixtures/bound-user.ts';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';
import { createMemoryProvider } from './fixtures/memory-provider.ts';

const canary = 'CANARY-41f0-key-of-a-model';

/** A service whose answers a test writes itself, and which knows its sockets. */
async function startModel() {
  const sockets = new Set<Socket>();
  let connections = 0;
  const open: ServerResponse[] = [];
  const received: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    received.push(request);
    open.push(response);
    response.on('error', () => {});
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-echo': `Bearer ${canary}` });
    response.write('data: begun\n\n');
    server.emit('answered', response);
  });
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) server.emit('alone');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1/chat`,
    origin: `http://127.0.0.1:${port}`,
    sockets,
    open,
    received,
    connections: () => connections,
    /** Resolves when no socket is left. */
    alone: async () => void (sockets.size > 0 && (await once(server, 'alone'))),
    answered: async () => ((await once(server, 'answered')) as [ServerResponse])[0],
  };
}

type Model = Awaited<ReturnType<typeof startModel>>;

async function setUp(model: Model, agent: Partial<AgentConfig> = {}) {
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const audited: AuditRecord[] = [];
  const key: Grant = { ref: 'prod/key', mode: 'inject', hosts: [model.origin], methods: ['GET', 'POST'] };
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: { user: fixture('bound-user', { secrets: { key }, ...agent }) },
    },
    { providers: [provider], audit: (record: AuditRecord) => void audited.push(record) },
  );
  return { audited, runtime, user: await runtime.spawn('user', { id: 'a' }) };
}

type Told = { readonly type: string; readonly text?: string; readonly count?: number } & Outcome;
const next = (ref: AgentRef, type: string, wanted?: (told: Told) => boolean): Promise<Told> =>
  nextEvent<Told>((listener) => ref.on(type, listener as never), wanted);

/** The agent reads so many answers, the beginning of which it has. */
async function streaming(user: AgentRef, model: Model, count = 1): Promise<void> {
  let begun = 0;
  const all = next(user, 'chunk', () => (begun += 1) === count);
  user.send({ type: 'go', url: model.url, init: { method: 'POST', body: '{}' }, count });
  await all;
}

describe('a fetch that is bound to a grant', () => {
  test('streams: each token of a service is with the agent before the service sends the next', async () => {
    const model = await startModel();
    const { user, audited } = await setUp(model);
    const [head, over] = [next(user, 'head'), next(user, 'over')];
    const first = next(user, 'chunk');
    const headers = { authorization: 'Bearer made-up' };
    user.send({ type: 'go', url: model.url, init: { method: 'POST', body: '{}', headers } });
    const echoed = { 'content-type': 'text/event-stream', 'x-echo': 'Bearer <redacted:secret>' };
    expect(await head).toMatchObject({ status: 200, headers: echoed });
    expect(await first).toMatchObject({ text: 'data: begun\n\n' });
    for (const token of ['data: one\n\n', `data: ${canary}\n\n`, 'data: three\n\n']) {
      const chunk = next(user, 'chunk');
      model.open[0]?.write(token);
      expect((await chunk).text).toBe(token.replace(canary, '<redacted:secret>'));
    }
    model.open[0]?.end();
    const { text = '' } = await over;
    expect(text).toBe('data: begun\n\ndata: one\n\ndata: <redacted:secret>\n\ndata: three\n\n');
    expect(model.received[0]?.headers.authorization).toBe(`Bearer ${canary}`);
    const row = { address: 'user/a', mode: 'inject', versionId: 'v1', status: 200, outcome: 'ok' };
    const through = `POST ${new URL(model.origin).host}`;
    await expect.poll(() => audited).toHaveLength(2);
    expect(audited).toMatchObject([
      { ...row, through, part: 'head' },
      { ...row, through, part: 'body', bytes: text.length },
    ]);
    expect(audited[0]).not.toHaveProperty('bytes');
    expect(audited[1]?.at).toBe(audited[0]?.at);
    expect(JSON.stringify(audited)).not.toContain(canary);
  });

  test('whose value is split over chunks gives out no part of it, also when the body is cut off there', async () => {
    const model = await startModel();
    const { user } = await setUp(model);
    const over = next(user, 'over');
    await streaming(user, model);
    const [a, b] = [canary.slice(0, 9), canary.slice(9)];
    for (const part of ['x ', a, b]) {
      const written = Promise.withResolvers<void>();
      model.open[0]?.write(part, () => written.resolve());
      await written.promise;
    }
    const last = next(user, 'chunk', ({ text }) => text?.endsWith(' y') === true);
    model.open[0]?.write(' y');
    await last;
    model.open[0]?.write(a, () => model.open[0]?.destroy());
    const { text, error } = await over;
    expect(text).toBe('data: begun\n\nx <redacted:secret> y');
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'terminated',
      cause: { code: 'FETCH_FAILED' },
    });
  });

  test('belongs to whoever calls it; one that was made in a turn, to its maker for ever', async () => {
    const model = await startModel();
    const { runtime, user, audited } = await setUp(model);
    const other = await runtime.spawn('user', { id: 'b' });
    const begun = next(other, 'head');
    other.send({ type: 'go', url: model.url });
    await Promise.all([streaming(user, model), begun]);
    expect(audited.map(({ address }) => address).toSorted()).toEqual(['user/a', 'user/b']);
    const later = next(other, 'over');
    other.send({ type: 'later', url: model.url });
    expect(await later).toMatchObject({ status: 200 });
    expect(audited.at(-1)).toMatchObject({ address: 'user/b', part: 'head' });
    await user.ask({ type: 'make' });
    const over = next(other, 'over');
    other.send({ type: 'made', url: model.url });
    expect(await over).toMatchObject({ status: 200 });
    expect(audited.at(-1)).toMatchObject({ address: 'user/a', part: 'head' });
    await user.stop();
    const ended = next(other, 'over');
    other.send({ type: 'made', url: model.url });
    expect((await ended).error).toMatchObject({ name: 'HoldfastError', code: 'AGENT_STOPPED' });
  });

  test('leaves the key nowhere in the thread', async () => {
    const model = await startModel();
    const { user } = await setUp(model);
    const over = next(user, 'over');
    await streaming(user, model);
    model.open[0]?.end(`${canary} ${canary.slice(0, 12)}`);
    expect((await over).text).toContain('<redacted:secret>');
    const count = async (parts: readonly string[]): Promise<unknown> => {
      const counted = next(user, 'counted');
      user.send({ type: 'heap', parts });
      return (await counted).count;
    };
    expect(await count(['<redacted', ':sec', 'ret>'])).toBeGreaterThan(0);
    expect(await count(['CANARY', '-41f0-', 'key-of-', 'a-model'])).toBe(0);
  });
});

describe('the connection of an answer ends', () => {
  test('when the state is left that reads it', async () => {
    const model = await startModel();
    const { user, audited } = await setUp(model);
    await streaming(user, model);
    user.send({ type: 'leave' });
    await model.alone();
    await expect.poll(() => audited).toHaveLength(2);
    expect(audited[1]).toMatchObject({ part: 'body', outcome: 'cancelled', bytes: 13 });
  });

  test('when the instance stops', async () => {
    const model = await startModel();
    const { user, audited } = await setUp(model);
    await streaming(user, model);
    await user.stop();
    await model.alone();
    await expect.poll(() => audited).toHaveLength(2);
    expect(['AGENT_STOPPED', 'cancelled']).toContain(audited[1]?.outcome);
  });

  test('when the instance fails, and its next incarnation has a grant of its own', async () => {
    const model = await startModel();
    const { user, audited, runtime } = await setUp(model, {
      supervision: { backoff: { minMs: 1, maxMs: 2, factor: 1, jitter: 0 } },
    });
    await streaming(user, model);
    const again = new Promise<void>((resolve) => {
      runtime.on('agent', ({ state, incarnation }) => {
        if (state === 'running' && incarnation === 2) resolve();
      });
    });
    user.send({ type: 'crash' });
    await model.alone();
    await again;
    await streaming(user, model);
    expect(audited.map(({ incarnation, part }) => [incarnation, part])).toEqual([
      [1, 'head'],
      [1, 'body'],
      [2, 'head'],
    ]);
  });

  test('when the thread is gone, with those of 31 others, and nothing is left of them', async () => {
    const model = await startModel();
    const { user, audited } = await setUp(model);
    await streaming(user, model, 32);
    user.send({ type: 'exit' });
    await model.alone();
    // Nor was another opened for a request that nobody waits for.
    expect(model.connections()).toBe(32);
    await expect.poll(() => audited).toHaveLength(64);
    const ends = audited.filter(({ part }) => part === 'body').map(({ outcome }) => outcome);
    // Some are given up by the thread itself, as its last act.
    const outcomes = new Set<unknown>(['THREAD_CRASHED', 'AGENT_STOPPED', 'cancelled']);
    expect(ends.filter((outcome) => !outcomes.has(outcome))).toEqual([]);
  });

  test('when the runtime stops', async () => {
    const model = await startModel();
    const { user, runtime, audited } = await setUp(model);
    await streaming(user, model, 3);
    await runtime.stop();
    await model.alone();
    expect(audited).toHaveLength(6);
    expect(audited.filter(({ part, outcome }) => part === 'body' && outcome === 'ok')).toEqual([]);
  });
});

test('a service that is killed is an error to all who read, after what they have', async () => {
  const model = await startModel();
  const { user } = await setUp(model);
  const ends: Told[] = [];
  const over = next(user, 'over', (told) => ends.push(told) === 8);
  await streaming(user, model, 8);
  for (const socket of model.sockets) socket.destroy();
  await over;
  for (const { text, error } of ends) {
    expect(text).toBe('data: begun\n\n');
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'terminated',
      cause: { code: 'FETCH_FAILED' },
    });
  }
});

test('the test kit has it, too, with threads that run in the process', async () => {
  const model = await startModel();
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  const key: Grant = { ref: 'prod/key', mode: 'inject', hosts: [model.origin], methods: ['GET', 'POST'] };
  const runtime = await startTest(
    {
      externalSecrets: { provider: 'memory' },
      agents: { user: fixture('bound-user', { secrets: { key } }) },
    },
    { providers: [provider] },
  );
  const user = await runtime.spawn('user', { id: 'a' });
  const [first, over] = [next(user, 'chunk'), next(user, 'over')];
  user.send({ type: 'go', url: model.url });
  expect(await first).toMatchObject({ text: 'data: begun\n\n' });
  model.open[0]?.end(canary);
  expect((await over).text).toBe('data: begun\n\n<redacted:secret>');
});
