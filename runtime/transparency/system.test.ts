import { expect, test } from 'vitest';
import { createActor, sendTo, setup, waitFor, type AnyActorRef } from 'xstate';
import { agent } from 'holdfast';
import { nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import type tree from './fixtures/tree.ts';

const agents = { tree: agent<typeof tree>(agentIn('tree')) };

test('children of an agent are invoked, spawned, talked to and stopped in its thread', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree', { input: { by: 21 } });
  for (const child of ['tally', 'tally']) ref.send({ type: 'to', child, event: { type: 'tally', by: 2 } });
  ref.send({ type: 'spawn', name: 'spawned' });
  ref.send({ type: 'to', child: 'spawned', event: { type: 'next' } });
  ref.send({ type: 'to', child: 'spawned', event: { type: 'leaf.tally' } });
  ref.send({ type: 'to', child: 'echo', event: { type: 'hello' } });

  expect(await ref.ask({ type: 'read', path: ['tally'] })).toMatchObject({ context: 4 });
  expect(await ref.ask({ type: 'read', path: ['spawned'] })).toEqual({
    status: 'active',
    value: { work: 'two' },
    context: { name: 'spawned', visits: 0 },
  });
  expect(await ref.ask({ type: 'read', path: ['spawned', 'leaf'] })).toMatchObject({ context: 5 });
  const { context, children } = await ref.snapshot();
  expect(context).toMatchObject({ doubled: 42, echoes: ['hello'] });
  const known = Object.entries(children).map(([id, child]) => [
    id,
    `${child?.src as string} ${child?.getSnapshot().status}`,
  ]);
  expect(Object.fromEntries(known)).toEqual({
    branch: 'branch active',
    double: 'double done',
    echo: 'echo active',
    spawned: 'branch active',
    tally: 'tally active',
  });

  ref.send({ type: 'drop', name: 'spawned' });
  expect((await ref.snapshot()).children).not.toHaveProperty('spawned');
});

test('system.get in an agent finds its own children, and nobody else’s', async () => {
  const runtime = await start({ agents });
  const [one, two] = [await runtime.spawn('tree'), await runtime.spawn('tree')];
  one.send({ type: 'to.system', name: 'the-tally', event: { type: 'tally', by: 3 } });
  one.send({ type: 'to.system', name: 'the-branch', event: { type: 'rest' } });

  expect(await one.ask({ type: 'read', path: ['tally'] })).toMatchObject({ context: 3 });
  expect(await one.ask({ type: 'read', path: ['branch'] })).toMatchObject({ value: 'rest' });
  expect(await two.ask({ type: 'read', path: ['tally'] })).toMatchObject({ context: 0 });
  expect(await one.ask({ type: 'named' })).toEqual(['the-branch', 'the-tally']);
  expect(one.system.get('the-tally')).toBeUndefined();
});

test('sendTo reaches an agent by the systemId it has in the host', async () => {
  const runtime = await start({ agents });
  const machine = setup({ actors: { tree: runtime.logic('tree') } }).createMachine({
    invoke: { id: 'kid', src: 'tree', systemId: 'the-tree' },
    on: {
      go: {
        actions: sendTo(({ system }) => system.get('the-tree') as AnyActorRef, { type: 'shout', n: 7 }),
      },
      again: { actions: sendTo('kid', { type: 'shout', n: 8 }) },
    },
  });
  const actor = createActor(machine).start();
  const kid = actor.system.get('the-tree') as AnyActorRef;
  expect(kid).toBe(actor.getSnapshot().children['kid']);
  for (const [type, n] of [
    ['go', 7],
    ['again', 8],
  ] as const) {
    const shouted = nextEvent((heard) => kid.on('shouted', heard));
    actor.send({ type });
    expect(await shouted).toEqual({ type: 'shouted', n });
  }
  actor.stop();
});

test('a name in the host is free again when its agent was stopped', async () => {
  const runtime = await start({ agents });
  const machine = setup({ actors: { tree: runtime.logic('tree') } }).createMachine({
    initial: 'on',
    states: {
      on: { invoke: { src: 'tree', systemId: 'the-tree' }, on: { next: 'off' } },
      off: { on: { next: 'on' } },
    },
  });
  const actor = createActor(machine).start();
  const first = actor.system.get('the-tree') as AnyActorRef;
  actor.send({ type: 'next' });
  expect(actor.system.get('the-tree')).toBeUndefined();
  actor.send({ type: 'next' });
  const second = actor.system.get('the-tree') as AnyActorRef;
  expect(second).not.toBe(first);
  await waitFor(second, (state) => (state as { value?: unknown }).value !== undefined, deadline);
  expect(runtime.status().instances).toHaveLength(1);
  actor.stop();
});

test('onSnapshot brings each state of an agent with mirror: all, and none that is not known yet', async () => {
  const runtime = await start({ agents: { tree: agent<typeof tree>(agentIn('tree', { mirror: 'all' })) } });
  const seen: number[] = [];
  const machine = setup({ actors: { tree: runtime.logic('tree') } }).createMachine({
    invoke: {
      id: 'kid',
      src: 'tree',
      onSnapshot: {
        actions: ({ event }) => seen.push(event.snapshot.context.echoes.length),
      },
    },
    on: { go: { actions: sendTo('kid', { type: 'to', child: 'echo', event: { type: 'hello' } }) } },
  });
  const actor = createActor(machine).start();
  const kid = actor.getSnapshot().children['kid'] as AnyActorRef;
  for (let i = 0; i < 5; i++) actor.send({ type: 'go' });
  await waitFor(
    kid,
    (state) => (state as { context?: { echoes: unknown[] } }).context?.echoes.length === 5,
    deadline,
  );
  expect([...new Set(seen)]).toEqual([0, 1, 2, 3, 4, 5]);
  actor.stop();
});

test('an inspector of the host sees what passes between it and an agent, not inside', async () => {
  const runtime = await start({ agents });
  const machine = setup({ actors: { tree: runtime.logic('tree') } }).createMachine({
    invoke: { id: 'kid', src: 'tree' },
    on: { born: {}, go: { actions: sendTo('kid', { type: 'tell', what: 'it' }) } },
  });
  const seen: [string, string][] = [];
  const actor = createActor(machine, {
    inspect(event) {
      if (event.type === '@xstate.event') seen.push([event.event.type, (event.actorRef as AnyActorRef).id]);
    },
  }).start();
  const told = new Promise<void>((resolve) => {
    actor.system.inspect((event) => {
      if (event.type === '@xstate.event' && event.event.type === 'told') resolve();
    });
  });
  actor.send({ type: 'go' });
  await told;
  expect(seen).toEqual(
    expect.arrayContaining([
      ['tell', 'kid'],
      ['born', actor.id],
      ['told', actor.id],
    ]),
  );
  expect(seen.map(([, id]) => id)).not.toContain('tally');
  actor.stop();
});
