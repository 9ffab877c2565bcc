import { createActor, createMachine, type AnyActorRef } from 'xstate';
import { expect, test } from 'vitest';
import { InspectionFeed } from './inspection-feed.ts';
import type { Naming, Shown } from './inspection.ts';

/** A feed in a world in which converting one event takes `costMs`, and the host takes batches when it is told to. */
function rig({ costMs = 0 } = {}) {
  let time = 0;
  const immediates: (() => void)[] = [];
  const timers: (() => void)[] = [];
  const batches: { events: readonly Shown[]; sampled: number; take: () => void }[] = [];
  const feed = new InspectionFeed({
    loop: { immediate: (run) => void immediates.push(run) },
    clock: { setTimeout: (run) => timers.push(run) },
    now: () => time,
    send(events, sampled) {
      const { promise, resolve } = Promise.withResolvers<void>();
      batches.push({ events, sampled, take: resolve });
      return promise;
    },
  });
  let ids = 0;
  const naming: Naming = {
    rootId: 'supervisor',
    idOf: (ref) => ref.id,
    nameOf: (ref) => ref.id,
    parentIdOf: () => undefined,
    nextId: () => String((ids += 1)),
    date() {
      time += costMs;
      return 0;
    },
  };
  const run = async (): Promise<void> => {
    for (const each of immediates.splice(0)) each();
    await Promise.resolve();
    await Promise.resolve();
    time += 10;
  };
  const snapshot = (actorRef: AnyActorRef): void =>
    feed.observe(
      { type: '@xstate.snapshot', actorRef, event: { type: 'e' }, snapshot: actorRef.getSnapshot() },
      naming,
    );
  return {
    feed,
    naming,
    batches,
    timers,
    run,
    snapshot,
    actor: (actorRef: AnyActorRef) => feed.observe({ type: '@xstate.actor', actorRef }, naming),
    later: (ms: number) => void (time += ms),
    types: (n: number) => batches[n]?.events.map(({ type, sessionId }) => `${type.slice(8)} ${sessionId}`),
  };
}

const machine = createMachine({ initial: 'a', states: { a: { on: { go: 'b' } }, b: { on: { go: 'a' } } } });
const started = (id: string) => createActor(machine, { id }).start();

test('what happens in one turn of the event loop is one batch', async () => {
  const { actor, snapshot, run, batches, types } = rig();
  const a = started('a');
  actor(a);
  snapshot(a);
  snapshot(a);
  expect(batches).toEqual([]);
  await run();
  expect(types(0)).toEqual(['actor a', 'snapshot a', 'snapshot a']);
});

test('what happens soon after a batch waits until 10 ms have passed', async () => {
  const { actor, snapshot, run, later, timers, types, batches } = rig();
  const a = started('a');
  actor(a);
  await run();
  later(-5);
  snapshot(a);
  snapshot(a);
  await run();
  expect(batches).toHaveLength(1);
  for (const timer of timers.splice(0)) timer();
  expect(types(1)).toEqual(['snapshot a', 'snapshot a']);
});

test('beyond 8 ms of 100 only actors are shown, then the latest state of each, and what was left out is counted', async () => {
  const { actor, snapshot, run, later, batches, types, timers } = rig({ costMs: 3 });
  const [a, b] = [started('a'), started('b')];
  actor(a);
  snapshot(a);
  snapshot(a);
  for (let n = 0; n < 10; n++) snapshot(a);
  a.send({ type: 'go' });
  actor(b);
  await run();
  expect([types(0), batches[0]?.sampled]).toEqual([['actor a', 'snapshot a', 'snapshot a', 'actor b'], 10]);
  later(100);
  for (const timer of timers.splice(0)) timer();
  expect(batches[1]?.events).toMatchObject([
    {
      type: '@xstate.snapshot',
      sessionId: 'a',
      event: { type: 'holdfast.sampled' },
      snapshot: { value: 'b' },
    },
  ]);
  expect(timers).toEqual([]);
});

test('a host that takes nothing is sent four batches, and what it is told later is the latest', async () => {
  const { actor, snapshot, run, batches, types, timers } = rig();
  const a = started('a');
  actor(a);
  for (let n = 0; n < 6; n++) {
    snapshot(a);
    await run();
  }
  expect(batches).toHaveLength(4);
  for (let n = 0; n < 2_000; n++) snapshot(a);
  a.send({ type: 'go' });
  batches[0]?.take();
  await run();
  await run();
  expect(batches).toHaveLength(5);
  expect(batches[4]?.events).toHaveLength(1_000);
  expect(batches[4]?.sampled).toBe(1_002);
  batches[1]?.take();
  await run();
  for (const timer of timers.splice(0)) timer();
  expect(types(5)).toEqual(['snapshot a']);
  expect(batches[5]?.events[0]).toMatchObject({ snapshot: { value: 'b' } });
});

test('an actor that was stopped is told of, once', async () => {
  const { actor, run, batches, snapshot } = rig();
  const [a, b] = [started('a'), started('b')];
  actor(a);
  actor(b);
  await run();
  a.stop();
  snapshot(b);
  await run();
  snapshot(b);
  await run();
  const stopped = batches.flatMap(({ events }) => events).filter(({ sessionId }) => sessionId === 'a');
  expect(stopped).toMatchObject([
    { type: '@xstate.actor' },
    { type: '@xstate.snapshot', snapshot: { status: 'stopped' } },
  ]);
});

test('an actor that cannot be read fails nobody', async () => {
  const { feed, naming, run, batches } = rig();
  const broken = {
    id: 'x',
    get _snapshot() {
      throw new Error('no');
    },
  } as unknown as AnyActorRef;
  feed.observe({ type: '@xstate.actor', actorRef: broken }, naming);
  await run();
  expect(batches).toMatchObject([{ events: [], sampled: 1 }]);
});
