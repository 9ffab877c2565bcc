import { expect, test } from 'vitest';
import { waitFor } from 'xstate';
import { agent, memoryStore, type SnapshotRecord, type SnapshotStore } from 'holdfast';
import type ledger from '../fixtures/ledger.ts';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const supervision = {
  state: 'snapshot',
  backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 },
  intensity: { restarts: 50, withinMs: 60_000 },
} as const;
const agents = { ledger: agent<typeof ledger>(fixture('ledger', { supervision })) };

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
/** A durable store in memory, and what it was asked. */
function noting(
  store: SnapshotStore = memoryStore(),
): SnapshotStore & { saved: SnapshotRecord[]; deleted: unknown[] } {
  const [saved, deleted]: [SnapshotRecord[], unknown[]] = [[], []];
  return {
    ...store,
    durable: true,
    saved,
    deleted,
    async save(record) {
      await store.save(record);
      saved.push(structuredClone(record));
    },
    async delete(...what) {
      deleted.push(what);
      await store.delete(...what);
    },
  };
}

test('an instance whose thread exits goes on with its state and its children', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  for (const n of upTo(3)) await ref.deliver({ type: 'note', n });
  ref.send({ type: 'exit' });
  expect(await ref.ask({ type: 'incarnation' })).toBe(2);
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1, 2, 3], second: [1, 2, 3] });
  const { snapshot } = await ref.persist();
  expect(snapshot).toMatchObject({ children: { book: { snapshot: { context: [1, 2, 3] } } } });
});

test('state and mailbox fit together after a crash: each event is in the state once, and the one in hand is a dead letter', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  let n = 0;
  for (let round = 1; round <= 8; round++) {
    // The thread dies with events behind and before the one in hand, handled and not told.
    const sent = upTo(40).map(() => ref.deliver({ type: 'note', n: ++n }));
    ref.send({ type: 'exit' });
    const more = upTo(20).map(() => ref.deliver({ type: 'note', n: ++n }));
    await Promise.all([...sent, ...more]);
  }
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: upTo(n), second: upTo(n) });
  expect(runtime.deadLetters.list().map(({ event, reason }) => [reason, event])).toEqual(
    upTo(8).map(() => ['poison', { type: 'exit' }]),
  );
  expect(runtime.status().instances).toMatchObject([{ mailbox: 0, restarts: 8 }]);
});

test('state and mailbox fit together after a failure in a turn, which counts as handled', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  let n = 0;
  for (let round = 1; round <= 8; round++) {
    const sent = upTo(30).map(() => ref.deliver({ type: 'note', n: ++n }));
    const failed = ref.deliver({ type: 'fail' });
    const asked = ref.ask({ type: 'incarnation' });
    const more = upTo(20).map(() => ref.deliver({ type: 'note', n: ++n }));
    await Promise.all([...sent, failed, ...more]);
    expect(await asked).toBe(round + 1);
  }
  await expect(ref.ask({ type: 'fail' })).rejects.toThrow('failed on purpose');
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: upTo(n), second: upTo(n) });
  expect(runtime.deadLetters.list()).toEqual([]);
  expect(ref.incarnation).toBe(10);
});

test('a state that failed is never kept, also when the instance fails between turns, again and again', async () => {
  const store = noting();
  const once = { ...supervision, intensity: { restarts: 3, withinMs: 60_000 } };
  const runtime = await start(
    { agents: { ledger: agent<typeof ledger>(fixture('ledger', { supervision: once })) } },
    { store },
  );
  const ref = await runtime.spawn('ledger', { id: 'a' });
  await ref.deliver({ type: 'note', n: 1 });
  const escalated = nextEvent((listener) => runtime.on('escalation', listener));
  // What it was in before, it goes on from: to the same failure.
  ref.send({ type: 'fail.later' });
  await escalated;
  const states = store.saved.map(
    ({ snapshot }) => snapshot as { status: string; context: { first: number[] } },
  );
  expect(states.map(({ status }) => status)).not.toContain('error');
  expect(states.at(-1)).toMatchObject({ status: 'active', context: { first: [1] } });
  expect(store.deleted).toEqual([]);
});

test('Snapshot with no later events, then persist → sequence continues; restored children persist again; `after` resumes by the chosen policy', async () => {
  for (const timers of ['deadline', 'remaining', 'restart'] as const) {
    const store = noting();
    const config = {
      agents: {
        ledger: agent<typeof ledger>(fixture('ledger', { supervision: { ...supervision, timers } })),
      },
    };
    const runtime = await startTest(config, { store });
    const ref = await runtime.spawn('ledger', { id: 'a' });
    await ref.deliver({ type: 'note', n: 1 });
    await ref.deliver({ type: 'arm' });
    await runtime.clock.advance(400);
    const before = await ref.persist();
    for (let restart = 0; restart < 2; restart++) {
      runtime.faults.killThread('ledger/a');
      await runtime.clock.advance(100);
      // No event since: what it persists is what it began with.
      expect((await ref.persist()).snapshot).toEqual(before.snapshot);
    }
    await ref.deliver({ type: 'note', n: 2 });
    await runtime.settled();
    expect(store.saved.at(-1)).toMatchObject({
      incarnation: 3,
      version: '1',
      snapshot: { context: { first: [1, 2] }, children: { book: { snapshot: { context: [1, 2] } } } },
    });
    const rang = async (): Promise<unknown> => ((await ref.ask({ type: 'read' })) as { rang: number }).rang;
    const dueIn = { deadline: 400, remaining: 1000, restart: 1000 }[timers];
    await runtime.clock.advance(dueIn - 101);
    expect([timers, await rang()]).toEqual([timers, 0]);
    await runtime.clock.advance(102);
    expect([timers, await rang()]).toEqual([timers, 1]);
    await runtime.clock.advance(5000);
    expect(await rang()).toBe(1);
    await runtime.stop();
  }
});

test('Snapshot taken mid-macrostep is impossible', async () => {
  const store = noting();
  const runtime = await start({ agents }, { store });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  const persisted = [];
  let n = 0;
  for (let round = 1; round <= 30; round++) {
    for (let i = 0; i < 25; i++) ref.send({ type: 'note', n: ++n });
    // Three threads end in between.
    persisted.push(ref.persist({ timeoutMs: 60_000 }));
    if (round % 10 === 0) ref.send({ type: 'exit' });
  }
  await ref.deliver({ type: 'note', n: ++n });
  type Ledger = {
    context: { first: number[]; second: number[] };
    children: { book: { snapshot: { context: number[] } } };
  };
  const all = [...(await Promise.all(persisted)), ...store.saved].map(({ snapshot }) => snapshot as Ledger);
  expect(all.length).toBeGreaterThan(40);
  for (const { context, children } of all) {
    expect(context.second).toEqual(context.first);
    expect(children.book.snapshot.context).toEqual(context.first);
  }
  expect(all.at(-1)?.context.first).toEqual(upTo(n));
});

test('a runtime that has ended leaves its states, and the next one goes on with a higher incarnation', async () => {
  const store = memoryStore();
  let runtime = await start({ agents }, { store });
  for (let life = 1; life <= 3; life++) {
    const ref = await runtime.spawn('ledger', { id: 'a' });
    expect(ref.incarnation).toBe(life);
    ref.send({ type: 'note', n: life });
    await runtime.stop();
    runtime = await start({ agents }, { store });
  }
  const ref = await runtime.getOrSpawn('ledger', 'a');
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1, 2, 3] });
  expect(runtime.status().instances).toMatchObject([{ incarnation: 4, restarts: 0 }]);
  // Another address has nothing to do with it.
  expect(await (await runtime.spawn('ledger', { id: 'b' })).ask({ type: 'read' })).toMatchObject({
    first: [],
  });
});

test('nothing is left in the store of an instance that was stopped, is done, or has no name of its own', async () => {
  const store = noting();
  const runtime = await start({ agents }, { store });
  const stopped = await runtime.spawn('ledger', { id: 'stopped' });
  const done = await runtime.spawn('ledger', { id: 'done' });
  const unnamed = await runtime.spawn('ledger');
  for (const ref of [stopped, done, unnamed]) await ref.deliver({ type: 'note', n: 1 });
  expect(store.saved.map(({ address }) => address).toSorted()).toEqual(
    expect.arrayContaining(['ledger/done', 'ledger/stopped']),
  );
  const end = waitFor(done, ({ status }) => status === 'done', { timeout: 60_000 });
  done.send({ type: 'finish' });
  await Promise.all([end, stopped.stop(), unnamed.stop()]);
  await runtime.stop();
  expect(store.deleted.map(String).toSorted()).toEqual(['ledger/done,1', 'ledger/stopped,1']);
  for (const { address } of store.saved) expect(await store.load(address)).toBeUndefined();
  expect(store.saved.some(({ address }) => address === unnamed.address)).toBe(false);
});

test('a spawn with a snapshot of its own begins with that, not with what is stored', async () => {
  const store = memoryStore();
  const one = await start({ agents }, { store });
  const ref = await one.spawn('ledger', { id: 'a' });
  await ref.deliver({ type: 'note', n: 1 });
  const envelope = await ref.persist();
  await ref.deliver({ type: 'note', n: 2 });
  await one.stop();
  const two = await start({ agents }, { store });
  const next = await two.spawn('ledger', { id: 'a', snapshot: envelope });
  expect(next.incarnation).toBe(2);
  expect(await next.ask({ type: 'read' })).toMatchObject({ first: [1] });
});

test('a durable store is enough for agents to keep their state; one that is not, or none, is not', async () => {
  const plain = {
    agents: { ledger: agent<typeof ledger>(fixture('ledger', { supervision: { backoff: { minMs: 1 } } })) },
  };
  for (const [store, kept] of [
    [noting(), [1]],
    [memoryStore(), []],
    [undefined, []],
  ] as const) {
    const runtime = await start(plain, store && { store });
    const ref = await runtime.spawn('ledger', { id: 'a' });
    await ref.deliver({ type: 'note', n: 1 });
    ref.send({ type: 'exit' });
    expect(await ref.ask({ type: 'read' })).toMatchObject({ first: kept });
    await runtime.stop();
  }
});

test('a state that cannot be saved is warned about once, and a restart goes on from the last good one', async () => {
  const runtime = await start({ agents });
  const warnings: string[] = [];
  runtime.on('warning', ({ message }) => warnings.push(message));
  const ref = await runtime.spawn('ledger', { id: 'a' });
  await ref.deliver({ type: 'note', n: 1 });
  await ref.deliver({ type: 'spoil' });
  await ref.deliver({ type: 'note', n: 2 });
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/cannot be saved.*string src/);
  ref.send({ type: 'exit' });
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1] });
  await ref.deliver({ type: 'nameless' });
  expect(warnings).toHaveLength(2);
});

test('an instance that was quarantined goes on from its last state when it is resumed', async () => {
  const runtime = await start({
    agents: {
      ledger: agent<typeof ledger>(
        fixture('ledger', { supervision: { ...supervision, intensity: { restarts: 0, withinMs: 1000 } } }),
      ),
    },
  });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  await ref.deliver({ type: 'note', n: 1 });
  const escalated = nextEvent((listener) => runtime.on('escalation', listener));
  ref.send({ type: 'exit' });
  await escalated;
  await ref.resume();
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1] });
});

test('an instance that was moved to another thread has its timers there, and a crash there loses nothing', async () => {
  const store = noting();
  const runtime = await startTest({ agents }, { store });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  for (const n of upTo(3)) await ref.deliver({ type: 'note', n });
  await ref.deliver({ type: 'arm' });
  await runtime.clock.advance(600);
  const before = ref.thread;
  const recycled = runtime.recycle('pool');
  await runtime.clock.advance(100);
  await recycled;
  expect([ref.thread === before, ref.incarnation]).toEqual([false, 1]);
  const sent = [4, 5, 6].map((n) => ref.deliver({ type: 'note', n }));
  runtime.faults.killThread('ledger/a');
  await runtime.clock.advance(100);
  await Promise.all(sent);
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: upTo(6), rang: 0 });
  await runtime.clock.advance(200);
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: upTo(6), rang: 1 });
  expect(runtime.deadLetters.list()).toEqual([]);
  expect(store.saved.at(-1)).toMatchObject({ incarnation: 2, timers: [] });
});

test('a move leaves timers as they are, whatever happens to them at a restart', async () => {
  const runtime = await startTest({
    agents: {
      ledger: agent<typeof ledger>(fixture('ledger', { supervision: { ...supervision, timers: 'restart' } })),
    },
  });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  await ref.deliver({ type: 'arm' });
  await runtime.clock.advance(600);
  const recycled = runtime.recycle('pool');
  await runtime.clock.advance(100);
  expect(await recycled).toMatchObject({ moved: 1 });
  await runtime.clock.advance(299);
  expect(await ref.ask({ type: 'read' })).toMatchObject({ rang: 0 });
  await runtime.clock.advance(1);
  expect(await ref.ask({ type: 'read' })).toMatchObject({ rang: 1 });
});

test('those that are ended with another of their group go on from their states too', async () => {
  const group = { ...supervision, strategy: 'all-for-one' } as const;
  const runtime = await start({
    agents: { ledger: agent<typeof ledger>(fixture('ledger', { maxThreads: 2, supervision: group })) },
  });
  const [a, b] = [await runtime.spawn('ledger', { id: 'a' }), await runtime.spawn('ledger', { id: 'b' })];
  expect(a.thread).not.toBe(b.thread);
  const sent = upTo(30).map((n) => b.deliver({ type: 'note', n }));
  await a.deliver({ type: 'note', n: 1 });
  a.send({ type: 'exit' });
  await Promise.all(sent);
  for (const ref of [a, b]) expect(await ref.ask({ type: 'incarnation' })).toBe(2);
  expect(await a.ask({ type: 'read' })).toMatchObject({ first: [1] });
  expect(await b.ask({ type: 'read' })).toMatchObject({ first: upTo(30), second: upTo(30) });
});
