import { describe, expect, onTestFinished, test } from 'vitest';
import type { AgentConfig, RuntimeConfig } from 'holdfast';
import { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from 'holdfast/testing';

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function agent(name: string, config: Partial<AgentConfig> = {}): AgentConfig {
  const module = new URL('./fixtures/agents.ts', import.meta.url);
  return { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module, export: name, ...config };
}

describe.each([
  ['in process', false],
  ['on real threads', true],
])('%s', (_where, threads) => {
  async function start<const C extends RuntimeConfig>(
    config: C,
    options: TestRuntimeOptions = {},
  ): Promise<TestRuntime<C>> {
    const runtime = await createTestRuntime(config, { logger, threads, ...options });
    onTestFinished(() => runtime.stop());
    return runtime;
  }

  test('an agent answers, and knows on which thread it is', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    const ref = await runtime.spawn('notes', { id: 'a' });
    ref.send({ type: 'note', n: 1 });
    await ref.deliver({ type: 'note', n: 2 });
    expect(await ref.ask({ type: 'list' })).toEqual([1, 2]);
    expect(await ref.ask({ type: 'where' })).toEqual({
      address: 'notes/a',
      threadId: 'pool',
      thread: ref.thread,
      incarnation: 1,
    });
  });

  test('time stands still until it is told to pass, and then reaches the delays of agents in order', async () => {
    const runtime = await start({
      agents: { a: agent('poller'), b: agent('poller', { threadId: 'other' }) },
    });
    const probe = runtime.probe();
    const a = await runtime.spawn('a');
    await runtime.clock.advance(500);
    const b = await runtime.spawn('b');
    a.on('*', (event) => probe.send({ ...event, from: 'a', at: runtime.clock.now() }));
    b.on('*', (event) => probe.send({ ...event, from: 'b', at: runtime.clock.now() }));
    await runtime.settled();
    expect(probe.events).toEqual([]);
    await runtime.clock.advance(2200);
    expect(probe.events).toEqual([
      { type: 'polled', n: 1, from: 'a', at: 1000 },
      { type: 'polled', n: 1, from: 'b', at: 1500 },
      { type: 'polled', n: 2, from: 'a', at: 2000 },
      { type: 'polled', n: 2, from: 'b', at: 2500 },
    ]);
    expect(runtime.clock.now()).toBe(2700);
  });

  test('a probe waits for an event in manual time', async () => {
    const runtime = await start({ agents: { poller: agent('poller') } });
    const probe = runtime.probe('eye');
    const ref = await runtime.spawn('poller');
    ref.on('*', probe.send);
    const third = await probe.expectEvent((event) => event['n'] === 3, { withinMs: 10_000 });
    expect(third).toEqual({ type: 'polled', n: 3 });
    expect(runtime.clock.now()).toBe(3000);
    expect(await probe.expectEvent('polled')).toEqual({ type: 'polled', n: 1 });
    await expect(probe.expectEvent('tired', { withinMs: 1000, realMs: 1 })).rejects.toThrow(
      `no "tired" came to the probe eye; came, taken ones in brackets: (polled), polled, (polled), polled. (seed: ${runtime.seed})`,
    );
    expect(runtime.clock.now()).toBe(4000);
  });

  test('a probe is the parent of an agent, and hears what parents hear', async () => {
    const runtime = await start({ agents: { sum: agent('sum') } });
    const probe = runtime.probe();
    const child = probe.run(runtime.logic('sum'), { id: 'adder' });
    child.send({ type: 'add', n: 2 });
    child.send({ type: 'add', n: 3 });
    child.send({ type: 'finish' });
    await runtime.settled();
    expect(probe.events).toMatchObject([
      { type: 'so-far', total: 2 },
      { type: 'so-far', total: 5 },
      { type: 'xstate.done.actor.adder', output: 5 },
    ]);
  });

  test('what cannot cross a thread does not cross here, and an event is frozen when it is sent', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    const ref = await runtime.spawn('notes');
    await expect(ref.deliver({ type: 'note', n: () => {} })).rejects.toMatchObject({
      code: 'MESSAGE_UNCLONABLE',
    });
    const event = { type: 'note', n: { deep: [1] } };
    ref.send(event);
    expect(() => event.n.deep.push(2)).toThrow(TypeError);
    expect(await ref.ask({ type: 'list' })).toEqual([{ deep: [1] }]);
  });

  test('a deadline of an ask passes with the clock', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    const ref = await runtime.spawn('notes', { id: 'a' });
    const hang = runtime.faults.hangThread('notes/a');
    await runtime.settled();
    expect(hang).toMatchObject({ kind: 'hang-thread', thread: 'holdfast:pool:1', fired: true });
    const answer = ref.ask({ type: 'list' }, { timeoutMs: 5000 }).catch((error: unknown) => error);
    let over = false;
    void answer.then(() => (over = true));
    await runtime.clock.advance(4999);
    expect(over).toBe(false);
    await runtime.clock.advance(1);
    expect(await answer).toMatchObject({ code: 'ASK_TIMEOUT' });
  });

  test('a deadline in a thread is kept by the clock too', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    const ref = await runtime.spawn('notes');
    const until = performance.now() + 20;
    while (performance.now() < until);
    expect(await ref.ask({ type: 'list' }, { timeoutMs: 5 })).toEqual([]);
  });

  test('a thread that is killed leaves behind what a real one does', async () => {
    const runtime = await start({
      agents: {
        notes: agent('notes', { supervision: { backoff: { minMs: 200, maxMs: 200, factor: 1, jitter: 0 } } }),
      },
    });
    const [a, b] = [await runtime.spawn('notes', { id: 'a' }), await runtime.spawn('notes', { id: 'b' })];
    await a.deliver({ type: 'note', n: 1 });
    const kill = runtime.faults.killThread('notes/a');
    expect(runtime.faults.pending()).toEqual([kill]);
    await runtime.settled();
    expect([kill.fired, runtime.faults.pending()]).toEqual([true, []]);
    expect(runtime.status()).toMatchObject({
      pools: [{ threads: [], endedThreads: { exit: 1 } }],
      instances: [{ state: 'restarting' }, { state: 'restarting' }],
    });
    const list = a.ask({ type: 'list' });
    await runtime.clock.advance(199);
    expect(runtime.status().restarts).toBe(0);
    await runtime.clock.advance(1);
    expect(await list).toEqual([]);
    expect([a.incarnation, b.incarnation]).toEqual([2, 2]);
  });

  test.each([
    ['error', 'THREAD_CRASHED'],
    ['oom', 'THREAD_OUT_OF_MEMORY'],
  ] as const)('a thread killed for %s ends as one that ended so', async (cause, code) => {
    const runtime = await start({
      agents: { notes: agent('notes', { supervision: { restart: 'temporary' } }) },
    });
    const probe = runtime.probe();
    const ref = await runtime.spawn('notes', { id: 'a' });
    ref.subscribe({ error: (error) => probe.send({ type: 'failed', error }) });
    const kill = runtime.faults.killThread('holdfast:pool:1', cause);
    expect((await probe.expectEvent('failed'))['error']).toMatchObject({ code });
    expect(kill.fired).toBe(true);
    expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { [cause]: 1 } });
  });

  test.each(['exit', 'error', 'oom'] as const)(
    'who asked when the thread was killed for %s is told to try again, and is answered then',
    async (cause) => {
      const runtime = await start({ agents: { slow: agent('slow') } });
      const ref = await runtime.spawn('slow', { id: 'a' });
      const lost = ref.ask({ type: 'double', n: 1 }).catch((error: unknown) => error);
      await runtime.settled();
      runtime.faults.killThread('slow/a', cause);
      await runtime.clock.advance(1000);
      expect(await lost).toMatchObject({ name: 'HoldfastError', retryable: true });
      const answer = ref.ask({ type: 'double', n: 1 });
      await runtime.clock.advance(1000);
      expect(await answer).toBe(2);
    },
  );

  test('what was in a batch that got lost is handled, in order and once, when the loss is found out', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    const ref = await runtime.spawn('notes', { id: 'a' });
    await ref.deliver({ type: 'note', n: 0 });
    const drop = runtime.faults.dropBatch('notes/a');
    expect(drop).toMatchObject({ kind: 'drop-batch', fired: false });
    const lost = [1, 2].map((n) => ref.deliver({ type: 'note', n }));
    await runtime.settled();
    expect(drop.fired).toBe(true);
    expect(runtime.status()).toMatchObject({ instances: [{ mailbox: 2, state: 'running' }] });
    ref.send({ type: 'note', n: 3 });
    await runtime.settled();
    expect(runtime.status()).toMatchObject({ instances: [{ state: 'restarting' }] });
    await runtime.clock.advance(1000);
    await Promise.all(lost);
    expect(await ref.ask({ type: 'list' })).toEqual([1, 2, 3]);
    expect(ref.incarnation).toBe(2);
    expect(runtime.deadLetters.list()).toEqual([]);
    expect(runtime.status().pools[0]).toMatchObject({ endedThreads: { error: 1 } });
  });

  test('a thread that hangs is not in the way of the others, nor of a stop', async () => {
    const runtime = await start({
      agents: { a: agent('notes'), b: agent('poller', { threadId: 'other' }) },
    });
    const a = await runtime.spawn('a', { id: '1' });
    const b = await runtime.spawn('b');
    runtime.faults.hangThread('pool');
    await runtime.settled();
    a.send({ type: 'note', n: 1 });
    await runtime.clock.advance(3000);
    expect(await b.ask({ type: 'polls' })).toBe(3);
    expect(runtime.status().instances[0]).toMatchObject({ address: 'a/1', mailbox: 1 });
    await runtime.stop();
    expect(runtime.status()).toMatchObject({ state: 'stopped', pools: [{ threads: [] }, { threads: [] }] });
  });

  test('two runtimes at once keep apart what they answer, though their addresses are the same', async () => {
    const config = { agents: { slow: agent('slow') } };
    const runtimes = [await start(config), await start(config)];
    const refs = await Promise.all(runtimes.map((runtime) => runtime.spawn('slow', { id: 'a' })));
    const answers = refs.map((ref, n) => ref.ask({ type: 'double', n: n + 1 }));
    for (const runtime of runtimes) await runtime.clock.advance(1000);
    expect(await Promise.all(answers)).toEqual([2, 4]);
    const later = refs[1]?.ask({ type: 'double', n: 8 });
    await runtimes[0]?.stop();
    await runtimes[1]?.clock.advance(1000);
    expect(await later).toBe(16);
  });

  test('a fault for what is not there is refused', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    await runtime.spawn('notes');
    expect(() => runtime.faults.killThread('notes/b')).toThrow(
      '"notes/b" is neither an instance on a thread nor a thread nor the threadId of one; threads: holdfast:pool:1',
    );
  });

  test('who waits for everything to settle waits for the import of a module too', async () => {
    const module = new URL('./fixtures/slow-import.ts', import.meta.url);
    const runtime = await start({ agents: { slow: agent('default', { module }) } });
    void runtime.spawn('slow');
    await runtime.settled();
    expect(runtime.status()).toMatchObject({ instances: [{ state: 'running' }] });
  });

  test('an error that nobody catches ends the thread', async () => {
    const runtime = await start({
      agents: { late: agent('late', { supervision: { restart: 'temporary' } }) },
    });
    await runtime.spawn('late');
    await runtime.clock.advance(10);
    expect(runtime.status()).toMatchObject({ instances: [], pools: [{ endedThreads: { error: 1 } }] });
  });

  test('time does not pass backwards', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } }, { now: 5 });
    await expect(runtime.clock.advance(-1)).rejects.toThrow('0 ms or more, not by -1');
    expect(runtime.clock.now()).toBe(5);
  });

  test('what never comes to rest is said, with what there is of threads', async () => {
    const runtime = await start({ agents: { endless: agent('endless') } }, { deadlineMs: 200 });
    await runtime.spawn('endless', { id: 'a' });
    await expect(runtime.settled()).rejects.toThrow(
      /nothing came to rest within 200 ms; threads: holdfast:pool:1 \(alive\).*\(seed: \d+\)/,
    );
    runtime.faults.killThread('endless/a');
  });

  test('an idle thread retires when its time has come on the clock', async () => {
    const runtime = await start({ agents: { notes: agent('notes') } });
    const ref = await runtime.spawn('notes');
    await ref.stop();
    await runtime.clock.advance(59_999);
    expect(runtime.status().pools[0]).toMatchObject({ threads: [{ state: 'ready' }] });
    await runtime.clock.advance(1);
    expect(runtime.status().pools[0]).toMatchObject({ threads: [], endedThreads: { retired: 1 } });
  });
});

test('a thread that was killed in this process leaves nothing running here', async () => {
  const runtime = await createTestRuntime(
    { agents: { ticking: agent('ticking') } },
    { logger, threads: false },
  );
  await runtime.spawn('ticking', { id: 'a' });
  const scope = globalThis as { ticking?: number };
  expect(scope.ticking).toBe(1);
  runtime.faults.killThread('ticking/a');
  await runtime.settled();
  expect(scope.ticking).toBe(0);
  await runtime.stop();
});
