import { expect, test } from 'vitest';
import { createActor, createMachine, waitFor, type AnyActorRef, type AnyEventObject } from 'xstate';
import { agent } from 'holdfast';
import { nextEvent, start } from '../fixtures/start.ts';
import { agentIn, deadline } from './fixtures/agents.ts';
import type tree from './fixtures/tree.ts';

const agents = { tree: agent<typeof tree>(agentIn('tree')) };

test('what an agent emits at its entry is heard by who listens as soon as it was spawned', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree');
  const [all, born] = [nextEvent((heard) => ref.on('*', heard)), nextEvent((heard) => ref.on('born', heard))];
  expect([await all, await born]).toEqual([{ type: 'born' }, { type: 'born' }]);
});

test('what an agent emits at its entry is heard by who listened before it started', async () => {
  const runtime = await start({ agents });
  const actor = createActor(runtime.logic('tree'));
  const heard: unknown[] = [];
  actor.on('*', (event) => heard.push(event));
  const shouted = nextEvent((listener) => actor.on('shouted', listener));
  actor.start().send({ type: 'shout', n: 1 });
  await shouted;
  expect(heard).toEqual([{ type: 'born' }, { type: 'shouted', n: 1 }]);
  actor.stop();
});

test('emitted events come in order, to those who listen for their type or for all, until they leave', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree');
  const [all, some, left]: unknown[][] = [[], [], []];
  ref.on('*', (event) => all?.push(event.type === 'shouted' ? event.n : event.type));
  ref.on('shouted', ({ n }) => some?.push(n));
  ref.on('shouted', ({ n }) => left?.push(n)).unsubscribe();
  const last = nextEvent<{ n: number }>(
    (heard) => ref.on('shouted', heard),
    ({ n }) => n === 50,
  );
  for (let n = 1; n <= 50; n++) ref.send({ type: 'shout', n });
  await last;
  const expected = Array.from({ length: 50 }, (_, i) => i + 1);
  expect([all, some, left]).toEqual([['born', ...expected], expected, []]);
});

test('a listener that throws costs neither the event for others nor the host', async () => {
  const errors: unknown[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: unknown) => errors.push(fields) };
  const runtime = await start({ agents }, { logger });
  const ref = await runtime.spawn('tree');
  ref.on('shouted', () => {
    throw new Error('a listener’s own');
  });
  const heard = nextEvent((listener) => ref.on('shouted', listener));
  ref.send({ type: 'shout', n: 1 });
  expect(await heard).toEqual({ type: 'shouted', n: 1 });
  expect(errors).toMatchObject([{ address: ref.address, error: { message: 'a listener’s own' } }]);
});

test('assertEvent looks at the type of an event that crossed', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('tree');
  const said = nextEvent<{ what: string }>((heard) => ref.on('asserted', heard));
  ref.send({ type: 'asserted' });
  expect((await said).what).toMatch(/Expected event .*"asserted".* to have type/);
});

test('sendParent reaches the machine that invoked the agent, at entry too', async () => {
  const runtime = await start({ agents });
  const told: AnyEventObject[] = [];
  const machine = createMachine({
    invoke: { id: 'kid', src: runtime.logic('tree') },
    on: {
      born: { actions: ({ event }) => told.push(event) },
      told: { actions: ({ event }) => told.push(event) },
    },
  });
  const actor = createActor(machine).start();
  const kid = actor.getSnapshot().children['kid'] as AnyActorRef;
  for (const what of ['a', 'b', 'c']) kid.send({ type: 'tell', what });
  await waitFor(actor, () => told.length === 4, deadline).catch(() => {});
  expect(told).toEqual([{ type: 'born' }, ...['a', 'b', 'c'].map((what) => ({ type: 'told', what }))]);
  actor.stop();
});

test('what a spawned agent sends to its parent is a dead letter, for it has none', async () => {
  const runtime = await start({ agents });
  const letter = nextEvent((heard) => runtime.on('dead-letter', heard));
  await runtime.spawn('tree', { id: 'a' });
  expect(await letter).toMatchObject({
    address: 'tree/a',
    reason: 'unknown-address',
    event: { type: 'born' },
  });
});
