import { createActor, fromPromise, sendParent, sendTo, setup, type AnyActorRef } from 'xstate';
import { expect, it } from 'vitest';
import { started } from './fixtures/hosting.ts';
import type { Inspected } from './inspected.ts';

const kid = setup({ types: { events: {} as { type: 'ping' } } }).createMachine({
  on: { ping: { actions: sendParent({ type: 'pong' }) } },
});
const machine = setup({ actors: { kid, work: fromPromise(async () => 1) } }).createMachine({
  initial: 'a',
  invoke: { src: 'kid', id: 'kid' },
  states: {
    a: { on: { go: { target: 'b', actions: sendTo('kid', { type: 'ping' }) } } },
    b: { invoke: { src: 'work', id: 'work', onDone: 'c' }, on: { pong: {} } },
    c: { after: { 5: 'd' } },
    d: {},
  },
});

/** All that a viewer goes by. */
const shown = ({ type, actorRef, sourceRef, event, snapshot }: Inspected): unknown[] => [
  type,
  actorRef.id,
  event?.type,
  sourceRef?.id,
  (snapshot as { value?: unknown } | undefined)?.value,
];
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
};

it('a hosted actor is inspected as plain XState is, but for what its host brings and who its parent is', async () => {
  const told: Inspected[] = [];
  const plain = createActor(machine, {
    id: 'one',
    inspect: (event) => void told.push(event as unknown as Inspected),
    clock: { setTimeout: () => 0, clearTimeout() {} },
  }).start();
  plain.send({ type: 'go' });
  await settle();

  const seen: Inspected[] = [];
  const { actor, clock } = started(machine, { inspected: (event) => void seen.push(event) });
  actor.deliver({ type: 'go' });
  await settle();

  const without = (list: readonly Inspected[]): unknown[] =>
    list
      .filter(({ type, event }) => !(type === '@xstate.event' && event?.type === 'go'))
      .filter(({ type }) => /actor|event|snapshot/.test(type))
      .map(shown)
      .map(([type, id, event, source, value]) => [
        type,
        id,
        event,
        source === 'host' ? undefined : source,
        value,
      ]);
  expect(without(seen)).toEqual(without(told));
  clock.pass(5);
  expect(seen.map(shown)).toContainEqual([
    '@xstate.event',
    'one',
    'xstate.after.5.(machine).c',
    'one',
    undefined,
  ]);
});

it('an actor is told of before it has a state, and the state of its parent can be found', () => {
  const parents: (string | undefined)[] = [];
  started(machine, {
    inspected({ type, actorRef }) {
      const { _parent: parent } = actorRef as unknown as { _parent?: AnyActorRef };
      if (type === '@xstate.actor') parents.push(`${parent?.id} ${actorRef.id}`);
    },
  });
  expect(parents).toEqual(['host one', 'one kid']);
});
