import { describe, expect, test } from 'vitest';
import type { AgentRef, Escalation, IncarnationEnd, Supervision } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const steady = { minMs: 100, maxMs: 100, factor: 1, jitter: 0 };

/** Four counters of one agent, a to d in start order, and what `runtime.on('agent')` tells of them. */
async function rig(supervision: Supervision, threads = false) {
  const runtime = await startTest(
    {
      agents: {
        counter: fixture('counter', { maxThreads: 2, supervision: { backoff: steady, ...supervision } }),
      },
    },
    { threads },
  );
  const refs: Record<string, AgentRef> = {};
  for (const id of 'abcd') refs[id] = (await runtime.spawn('counter', { id })) as AgentRef;
  const heard: string[] = [];
  runtime.on('agent', ({ address, state }) => heard.push(`${address.slice(-1)} ${state}`));
  const ends: string[] = [];
  for (const [id, ref] of Object.entries(refs)) ref.watch(({ reason }) => ends.push(`${id} ${reason}`));
  const ref = (id: string): AgentRef => refs[id] as AgentRef;
  const settle = async (ms: number): Promise<void> => {
    await runtime.settled();
    await runtime.clock.advance(ms);
  };
  const incarnations = (): number[] => Object.values(refs).map(({ incarnation }) => incarnation);
  return { runtime, ref, heard, ends, settle, incarnations };
}

describe.each([
  ['in this process', false],
  ['on threads', true],
])('%s', (_where, threads) => {
  test('all-for-one: the others are ended in reverse start order, and all start in start order after the backoff', async () => {
    const { ref, heard, ends, settle, incarnations } = await rig({ strategy: 'all-for-one' }, threads);
    ref('b').send({ type: 'fail' });
    await settle(1000);
    expect(heard.filter((line) => line.endsWith('running'))).toEqual(
      ['a', 'b', 'c', 'd'].map((id) => `${id} running`),
    );
    expect(incarnations()).toEqual([2, 2, 2, 2]);
    expect(ends.toSorted()).toEqual(['a stopped', 'b error', 'c stopped', 'd stopped']);
    expect(await ref('d').ask({ type: 'read' })).toBe(0);
  });

  test('rest-for-one: only those that were started after it', async () => {
    const { ref, ends, settle, incarnations } = await rig({ strategy: 'rest-for-one' }, threads);
    await ref('a').deliver({ type: 'inc' });
    ref('c').send({ type: 'fail' });
    await settle(1000);
    expect(incarnations()).toEqual([1, 1, 2, 2]);
    expect(ends.toSorted()).toEqual(['c error', 'd stopped']);
    expect(await ref('a').ask({ type: 'read' })).toBe(1);
  });

  test('what waits for a sibling, and an ask that it had not begun, is for its next incarnation', async () => {
    const { runtime, ref, settle } = await rig({ strategy: 'all-for-one' }, threads);
    ref('a').send({ type: 'fail' });
    await runtime.settled();
    ref('b').send({ type: 'inc', by: 3 });
    const answer = ref('b').ask({ type: 'read' });
    expect(runtime.status().instances.find(({ address }) => address === 'counter/b')).toMatchObject({
      state: 'restarting',
      mailbox: 2,
    });
    await settle(1000);
    expect([await answer, ref('b').incarnation]).toEqual([3, 2]);
    expect(runtime.deadLetters.list()).toEqual([]);
  });
});

test('one-for-one is the default: a sibling does not notice', async () => {
  const { ref, settle, incarnations } = await rig({});
  ref('a').send({ type: 'fail' });
  await settle(1000);
  expect(incarnations()).toEqual([2, 1, 1, 1]);
});

test('the failures of a group are counted together, and all of it is quarantined; resume begins anew with all', async () => {
  const { runtime, ref, settle, incarnations } = await rig({
    strategy: 'all-for-one',
    intensity: { restarts: 2, withinMs: 60_000 },
  });
  const escalations: Escalation[] = [];
  runtime.on('escalation', (escalation) => escalations.push(escalation));
  for (const id of 'abc') {
    ref(id).send({ type: 'fail' });
    await settle(1000);
  }
  const states = (): string[] => runtime.status().instances.map(({ state }) => state);
  expect([states(), incarnations()]).toEqual([Array.from({ length: 4 }, () => 'quarantined'), [3, 3, 3, 3]]);
  expect(escalations).toMatchObject([
    {
      address: 'counter/c',
      evidence: { failures: [{ address: 'counter/a' }, { address: 'counter/b' }, { address: 'counter/c' }] },
    },
  ]);
  const [a] = runtime.status().instances;
  expect(a?.quarantine).toMatchObject({ because: 'counter/c', error: { code: 'E_RANGE' } });
  await expect(ref('a').ask({ type: 'read' })).rejects.toMatchObject({ code: 'AGENT_QUARANTINED' });
  const end = new Promise<IncarnationEnd>((resolve) => ref('a').watch(resolve));
  expect(await end).toMatchObject({ incarnation: 3, reason: 'stopped' });
  await ref('d').resume();
  expect([states(), incarnations()]).toEqual([Array.from({ length: 4 }, () => 'running'), [4, 4, 4, 4]]);
  expect(await ref('a').ask({ type: 'read' })).toBe(0);
});

test('a thread that dies with several of a group is one failure of the group', async () => {
  const runtime = await start({
    agents: {
      process: fixture('process', {
        supervision: {
          strategy: 'all-for-one',
          intensity: { restarts: 1, withinMs: 60_000 },
          backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
        },
      }),
    },
  });
  const refs = [];
  for (const id of 'abc') refs.push(await runtime.spawn('process', { id }));
  const last = nextEvent<{ address: string; state: string }>(
    (listener) => runtime.on('agent', listener),
    ({ address, state }) => address === 'process/c' && state === 'running',
  );
  refs[1]?.send({ type: 'exit', code: 1 });
  await last;
  expect(refs.map(({ incarnation }) => incarnation)).toEqual([2, 2, 2]);
});

test('a sibling that does not let go of its thread is left behind after five seconds; what it does not handle becomes dead letters', async () => {
  const supervision = { strategy: 'all-for-one', backoff: steady } as const;
  const runtime = await start({ agents: { process: fixture('process', { maxThreads: 2, supervision }) } });
  const a = await runtime.spawn('process', { id: 'a' });
  const b = await runtime.spawn('process', { id: 'b' });
  const failed = new Promise((resolve) => a.watch(resolve));
  const left = new Promise<IncarnationEnd>((resolve) => b.watch(resolve));
  const again = nextEvent<{ address: string; state: string }>(
    (listener) => runtime.on('agent', listener),
    ({ address, state }) => address === 'process/b' && state === 'running',
  );
  b.send({ type: 'spin', ms: 6000 });
  a.send({ type: 'exit', code: 1 });
  await failed;
  b.send({ type: 'note', n: 1 });
  expect(await left).toMatchObject({ incarnation: 1, reason: 'stopped' });
  await again;
  expect(b.incarnation).toBe(2);
  const letters = () =>
    runtime.deadLetters.list().map(({ address, reason, event }) => [address, reason, event]);
  // The one in hand was handled after all, and the one behind it was not: so much is known when the turn is over.
  await expect
    .poll(letters, { timeout: 60_000 })
    .toContainEqual(['process/b', 'stopped', { type: 'note', n: 1 }]);
  expect(letters()).not.toContainEqual(['process/b', 'stopped', { type: 'spin', ms: 6000 }]);
});

test('a member that is stopped while its group waits stays away, and the others start without it', async () => {
  const { runtime, ref, settle, incarnations } = await rig({ strategy: 'all-for-one' });
  ref('a').send({ type: 'fail' });
  await runtime.settled();
  await ref('b').stop();
  await settle(1000);
  expect(runtime.status().instances.map(({ address, state }) => [address, state])).toEqual(
    ['a', 'c', 'd'].map((id) => [`counter/${id}`, 'running']),
  );
  expect(incarnations()).toEqual([2, 1, 2, 2]);
});

test('an instance that a machine owns is of no group', async () => {
  const { createActor } = await import('xstate');
  const runtime = await startTest({
    agents: { counter: fixture('counter', { supervision: { strategy: 'all-for-one', backoff: steady } }) },
  });
  const spawned = await runtime.spawn('counter', { id: 'a' });
  const owned = createActor(runtime.logic('counter'));
  owned.subscribe({ error: () => {} });
  owned.start();
  await runtime.settled();
  owned.send({ type: 'fail' });
  await runtime.settled();
  await runtime.clock.advance(1000);
  expect([owned.getSnapshot().status, spawned.incarnation]).toEqual(['error', 1]);
});
