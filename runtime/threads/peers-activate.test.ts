import { describe, expect, test } from 'vitest';
import type { AgentConfig, AgentRef, DeadLetter, PoolConfig, RuntimeEvents } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

const places = [
  ['on another thread', 'others'],
  ['on the same thread', 'starters'],
] as const;

/** One that sends, and agents that nobody has started. */
async function opened(
  threadId: string = 'others',
  more: Record<string, AgentConfig> = {},
  threads: Record<string, PoolConfig> = {},
) {
  const agents: Record<string, AgentConfig> = {
    starter: fixture('activating', { threadId: 'starters' }),
    counter: fixture('counter', { threadId }),
    broken: fixture('failing-start', { threadId }),
    momentary: fixture('activating', { threadId, export: 'momentary' }),
    ...more,
  };
  const runtime = await start({ agents, threads });
  const letters: DeadLetter[] = [];
  runtime.on('dead-letter', (letter) => letters.push(letter));
  const begun: string[] = [];
  runtime.on('agent', ({ address, state }: RuntimeEvents['agent']) => {
    if (state === 'running') begun.push(address);
  });
  const one = await runtime.spawn('starter', { id: 'a' });
  const does = (ref: AgentRef, type: string, to: string, rest: object = {}): Promise<unknown> =>
    ref.ask({ type, to, ...rest }, { timeoutMs: 30_000 });
  const count = async (address: string): Promise<unknown> => runtime.get(address)?.ask({ type: 'read' });
  return { runtime, letters, begun, one: one as AgentRef, does, count };
}

describe.each(places)('a reference with activate, to an agent %s', (_where, threadId) => {
  test('starts whom it sends to, asks and delivers to', async () => {
    const { one, does, count, runtime } = await opened(threadId);
    expect(await does(one, 'ask', 'counter/asked')).toEqual({ answer: 0 });
    expect(await does(one, 'deliver', 'counter/told', { event: { type: 'inc' } })).toEqual({
      answer: 'handled',
    });
    await one.deliver({ type: 'send', to: 'counter/a%20b' });
    await expect.poll(() => count('counter/a%20b')).toBe(1);
    // One that ended is started again.
    await runtime.get('counter/told')?.stop();
    expect(await does(one, 'ask', 'counter/told')).toEqual({ answer: 0 });
  });

  test('starts one instance, however many send at a time', async () => {
    const { runtime, begun, does, count, letters } = await opened(threadId);
    const others = await Promise.all(
      Array.from({ length: 10 }, (_, n) => runtime.spawn('starter', { id: `s${n}` })),
    );
    const inc = { event: { type: 'inc' } };
    const all = others.flatMap((ref) => [
      does(ref as AgentRef, 'deliver', 'counter/one', inc),
      does(ref as AgentRef, 'deliver', 'counter/two', inc),
    ]);
    const fromHost = runtime.getOrSpawn('counter', 'one');
    expect(new Set((await Promise.all(all)).map((done) => JSON.stringify(done)))).toEqual(
      new Set(['{"answer":"handled"}']),
    );
    expect(await fromHost).toBe(runtime.get('counter/one'));
    expect([await count('counter/one'), await count('counter/two')]).toEqual([10, 10]);
    const counters = begun.filter((address) => address.startsWith('counter/'));
    expect(counters.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['counter/one', 'counter/two']);
    expect(letters).toEqual([]);
  });

  test('takes what the same sender sends without it along, in order', async () => {
    const { one, count, letters } = await opened(threadId);
    await one.deliver({ type: 'both', to: 'counter/a' });
    await expect.poll(() => count('counter/a')).toBe(3);
    expect(letters).toEqual([]);
  });

  test('tells what the start failed with, and makes what was sent a dead letter that says so', async () => {
    const { one, does, letters, begun } = await opened(threadId);
    for (const [to, code, message] of [
      ['nobody/a', 'AGENT_UNKNOWN', 'no agent is named "nobody"'],
      ['counter', 'AGENT_UNKNOWN', 'nothing can be started at "counter"'],
      ['counter/a b', 'AGENT_UNKNOWN', 'encodeURIComponent'],
      ['counter/%', 'AGENT_UNKNOWN', 'encodeURIComponent'],
      ['broken/a', 'none', 'cannot begin'],
    ]) {
      expect(await does(one, 'ask', to as string)).toEqual({
        code,
        message: expect.stringContaining(message as string) as string,
      });
    }
    letters.length = 0;
    await one.deliver({ type: 'send', to: 'nobody/a' });
    await expect
      .poll(() => letters)
      .toMatchObject([
        {
          address: 'nobody/a',
          reason: 'unknown-address',
          event: { type: 'inc' },
          why: expect.stringMatching(
            /^no instance could be started: AGENT_UNKNOWN: no agent is named "nobody"/,
          ) as string,
        },
      ]);
    // One that is done as it starts is started once for an ask.
    expect(await does(one, 'ask', 'momentary/a')).toMatchObject({ code: 'AGENT_STOPPED' });
    expect(begun.filter((address) => address === 'momentary/a').length).toBeLessThanOrEqual(1);
  });
});

test('a reference without activate, and a watch, start nobody', async () => {
  const { one, does, runtime } = await opened();
  expect(await does(one, 'ask', 'counter/a', { options: {} })).toMatchObject({ code: 'AGENT_STOPPED' });
  expect(await does(one, 'watch', 'counter/a')).toBe(0);
  expect(runtime.get('counter/a')).toBeUndefined();
});

test('a pool that has no thread for it, and a quarantine, reach who asks', async () => {
  const supervision = { intensity: { restarts: 0, withinMs: 60_000 } };
  const { one, does, runtime } = await opened(
    'others',
    {
      alone: fixture('counter', { threadId: 'alone', placement: 'exclusive' }),
      fragile: fixture('counter', { threadId: 'fragile', supervision }),
    },
    { alone: { startTimeoutMs: 4000 } },
  );
  expect(await does(one, 'ask', 'alone/a')).toEqual({ answer: 0 });
  expect(await does(one, 'ask', 'alone/b')).toMatchObject({ code: 'POOL_EXHAUSTED' });
  await runtime.spawn('fragile', { id: 'a' });
  await runtime.get('fragile/a')?.deliver({ type: 'fail' });
  await expect.poll(() => runtime.status().instances.some(({ state }) => state === 'quarantined')).toBe(true);
  expect(await does(one, 'ask', 'fragile/a')).toMatchObject({ code: 'AGENT_QUARANTINED' });
});

test('agents of a pool have so many at a time that they started, together, and others have their own', async () => {
  const { one, does, runtime } = await opened(
    'others',
    {
      also: fixture('activating', { threadId: 'starters' }),
      other: fixture('activating', { threadId: 'free' }),
      barred: fixture('activating', { threadId: 'barred' }),
    },
    { starters: { activatedInstances: 2 }, barred: { activatedInstances: 0 } },
  );
  const [also, other, barred] = (await Promise.all([
    runtime.spawn('also'),
    runtime.spawn('other'),
    runtime.spawn('barred'),
  ])) as AgentRef[];
  const asked = ['a', 'b', 'c', 'd'].map((id, n) =>
    does((n % 2 === 0 ? one : also) as AgentRef, 'ask', `counter/${id}`),
  );
  const codes = (await Promise.all(asked)).map((done) => (done as { code?: string }).code ?? '');
  expect(codes.filter((code) => code !== '')).toEqual(['ACTIVATION_LIMIT', 'ACTIVATION_LIMIT']);
  const there = (): string[] =>
    runtime.status().instances.flatMap(({ address, agent }) => (agent === 'counter' ? [address] : []));
  // What is there is sent to by anybody.
  for (const ref of [one, also, other, barred] as AgentRef[]) {
    expect(await does(ref, 'ask', there()[0] as string)).toEqual({ answer: 0 });
  }
  expect(await does(other as AgentRef, 'ask', 'counter/x')).toEqual({ answer: 0 });
  expect(await does(barred as AgentRef, 'ask', 'counter/y')).toMatchObject({
    code: 'ACTIVATION_LIMIT',
    message: expect.stringContaining('threads.barred.activatedInstances (0)') as string,
  });
  await runtime.get(there()[0] as string)?.stop();
  expect(await does(one, 'ask', 'counter/z')).toEqual({ answer: 0 });
  expect(await does(one, 'ask', 'counter/zz')).toMatchObject({ code: 'ACTIVATION_LIMIT' });
});

test('it is kept by a state that goes on elsewhere, also in a delayed event', async () => {
  const { one, runtime, count } = await opened();
  await one.deliver({ type: 'keep', to: 'counter/kept' });
  await one.deliver({ type: 'send later', to: 'counter/later' });
  const snapshot = await one.persist();
  await one.stop();
  const next = await runtime.spawn('starter', { id: 'a', snapshot });
  await next.deliver({ type: 'send kept' });
  await expect.poll(() => count('counter/kept')).toBe(1);
  await expect.poll(() => count('counter/later'), { timeout: 60_000 }).toBe(1);
});
