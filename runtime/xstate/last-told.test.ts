import {
  assign,
  cancel,
  emit,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorLogic,
  type AnyActorRef,
  type Subscribable,
} from 'xstate';
import { describe, expect, it, test } from 'vitest';
import { started, type Hosting } from './fixtures/hosting.ts';

const tally = setup({}).createMachine({
  context: { n: 0 },
  initial: 'on',
  states: { on: {} },
  on: {
    add: { actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }) },
    look: { actions: emit({ type: 'looked' }) },
  },
});
const counting = fromTransition((n: number, { type }) => (type === 'add' ? n + 1 : n), 0);
const holder = setup({ actors: { tally } }).createMachine({
  invoke: { src: 'tally', id: 'inner' },
  on: {
    add: { actions: sendTo('inner', { type: 'add' }) },
    look: { actions: sendTo('inner', { type: 'look' }) },
  },
});

let next: (value: number) => void = () => {};
const subscribe = (observer: { next?: (value: number) => void }): object => {
  next = (value) => observer.next?.(value);
  return { unsubscribe: () => {} };
};
const watched = fromObservable(() => ({ subscribe }) as unknown as Subscribable<number>);
let settle: (value: number) => void = () => {};
const waiting = fromPromise(() => new Promise<number>((resolve) => (settle = resolve)));
const listening = fromCallback(() => {});
let hidden = 0;
/** Keeps part of what it persists outside of its snapshot. */
const keeping: AnyActorLogic = {
  ...fromTransition((state: number) => state, 0),
  getPersistedSnapshot: (snapshot: object) => ({ ...snapshot, hidden }),
} as unknown as AnyActorLogic;

const desk = setup({
  actors: { tally, counting, holder, watched, waiting, listening, keeping },
  actions: { note: () => {} },
}).createMachine({
  context: { n: 0 },
  type: 'parallel',
  states: {
    work: {
      initial: 'idle',
      states: {
        idle: { on: { work: 'busy', again: { target: 'idle', reenter: true } } },
        busy: { on: { rest: 'idle' }, after: { 60_000: 'idle' } },
        timed: { after: { 60_000: 'idle' } },
      },
    },
    mode: {
      initial: 'plain',
      states: {
        plain: {
          initial: 'one',
          states: { one: { on: { turn: 'two' } }, two: { on: { turn: 'one' } } },
        },
      },
    },
    past: {
      initial: 'in',
      states: {
        in: {
          initial: 'a',
          states: { a: { on: { b: 'b' } }, b: {}, was: { type: 'history' } },
          on: { out: 'out' },
        },
        out: { on: { in: 'in' } },
      },
    },
  },
  invoke: [
    { src: 'tally', id: 'tally' },
    { src: 'counting', id: 'counting' },
    { src: 'holder', id: 'holder' },
    { src: 'watched', id: 'watched' },
    { src: 'waiting', id: 'waiting', onDone: {}, onError: {} },
    { src: 'listening', id: 'listening' },
    { src: 'keeping', id: 'keeping' },
  ],
  on: {
    look: { actions: ['note', emit({ type: 'looked' })] },
    tell: { actions: sendParent({ type: 'told' }) },
    set: { actions: assign({ n: ({ event }) => (event as unknown as { n: number }).n }) },
    raise: { actions: raise({ type: 'set', n: 1 }) },
    raiseLook: { actions: raise({ type: 'look' }) },
    self: { actions: sendTo(({ self }) => self, { type: 'set', n: 1 }) },
    later: { actions: raise({ type: 'look' }, { delay: 60_000, id: 'later' }) },
    notLater: { actions: cancel('later') },
    loop: { actions: sendTo(({ self }) => self, { type: 'loop' }) },
    spawn: { actions: spawnChild('tally', { id: 'more' }) },
    stop: { actions: stopChild('tally') },
    renew: { actions: [stopChild('tally'), spawnChild('tally', { id: 'tally' })] },
    addTally: { actions: sendTo('tally', { type: 'add' }) },
    lookTally: { actions: sendTo('tally', { type: 'look' }) },
    addInner: { actions: sendTo('holder', { type: 'add' }) },
    lookInner: { actions: sendTo('holder', { type: 'look' }) },
    addCounting: { actions: sendTo('counting', { type: 'add' }) },
    lookCounting: { actions: sendTo('counting', { type: 'look' }) },
    lookOthers: { actions: [sendTo('listening', { type: 'look' }), sendTo('waiting', { type: 'look' })] },
  },
});

/** The desk after these events, as told. */
function told(...before: readonly string[]): Hosting {
  hidden = 0;
  const hosting = started(desk);
  for (const type of before) hosting.actor.deliver({ type });
  hosting.actor.told();
  return hosting;
}

describe('a turn leaves the state as it was told', () => {
  it.each<[string, string, readonly string[]]>([
    ['that nothing takes', 'unknown', []],
    ['that only lets something out', 'look', []],
    ['that tells the parent', 'tell', []],
    ['that raises what changes nothing', 'raiseLook', []],
    ['that leaves a state and enters it again', 'again', []],
    ['of which a machine below takes note and nothing more', 'lookTally', []],
    ['of which a machine below that takes note', 'lookInner', []],
    ['that a transition function answers with what it was', 'lookCounting', []],
    ['that a callback and a promise take', 'lookOthers', []],
    ['that cancels what is not there', 'notLater', []],
    ['after a timer was set and told', 'look', ['later']],
    ['after an actor was spawned and told', 'look', ['spawn']],
    ['in a state that was entered and told', 'look', ['work', 'turn']],
    ['that enters a state again that has a history already', 'again', ['out', 'in']],
    ['while events wait', 'unknown', ['loop']],
  ])('%s', (_name, type, before) => {
    const { actor } = told(...before);
    actor.deliver({ type });
    expect(actor.isAsTold).toBe(true);
  });

  test('to and fro', () => {
    const { actor } = told();
    actor.deliver({ type: 'turn' });
    actor.deliver({ type: 'turn' });
    expect(actor.isAsTold).toBe(true);
  });
});

test('the same value with another history is another state', () => {
  const { actor } = told('out');
  const go = (...types: readonly string[]): void => types.forEach((type) => actor.deliver({ type }));
  go('in', 'out');
  expect(actor.isAsTold).toBe(true);
  go('in', 'b', 'out');
  expect(actor.isAsTold).toBe(false);
});

describe('a turn does not leave the state as it was told', () => {
  it.each<[string, string, readonly string[]]>([
    ['that assigns', 'set', []],
    ['that raises what assigns', 'raise', []],
    ['that sends itself what assigns', 'self', []],
    ['that enters another state', 'turn', []],
    ['that sets a timer', 'later', []],
    ['that sets a timer again', 'later', ['later']],
    ['that cancels a timer', 'notLater', ['later']],
    ['that enters a state with a timer', 'work', []],
    ['that changes the history', 'out', ['b']],
    ['that leaves more for later than a turn takes', 'loop', []],
    ['that spawns', 'spawn', []],
    ['that stops', 'stop', []],
    ['that stops and begins the same', 'renew', []],
    ['that a machine below takes and assigns', 'addTally', []],
    ['that a machine below that takes and assigns', 'addInner', []],
    ['that a transition function counts', 'addCounting', []],
  ])('%s', (_name, type, before) => {
    const { actor } = told(...before);
    expect(actor.isAsTold).toBe(true);
    actor.deliver({ type, n: 0 });
    expect(actor.isAsTold).toBe(false);
  });

  test('that was never told', () => {
    expect(started(desk).actor.isAsTold).toBe(false);
  });

  test('in which an observable has a new value', () => {
    const { actor } = told();
    next(1);
    expect(actor.isAsTold).toBe(false);
    actor.told();
    next(1);
    expect(actor.isAsTold).toBe(true);
  });

  test('in which a promise is kept', async () => {
    const { actor } = told();
    settle(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(actor.isAsTold).toBe(false);
  });

  test('in which a timer is due', () => {
    const { actor, clock } = told('later');
    clock.pass(60_000);
    expect(actor.isAsTold).toBe(false);
  });

  test('in which events that waited go on', () => {
    const { actor } = told('loop');
    actor.resume(1);
    expect(actor.isAsTold).toBe(false);
  });

  test('in which logic of a user persists something else', () => {
    const { actor } = told();
    hidden = 1;
    expect(actor.isAsTold).toBe(false);
  });

  test('in which it fails', () => {
    const failing = setup({}).createMachine({
      on: {
        fail: {
          actions: () => {
            throw new Error('failed');
          },
        },
      },
    });
    const { actor } = started(failing);
    actor.told();
    actor.deliver({ type: 'fail' });
    expect(actor.isAsTold).toBe(false);
  });
});

test('a context that is the same in every field is a new one', () => {
  const { actor } = told();
  actor.deliver({ type: 'set', n: 0 });
  expect(actor.isAsTold).toBe(false);
});

test('the state goes on from a restored one', () => {
  const first = told('b', 'out', 'spawn', 'addInner');
  const { snapshot, timers } = first.actor.persist();
  const { actor } = started(desk, { snapshot: structuredClone(snapshot), timers });
  actor.told();
  actor.deliver({ type: 'look' });
  expect(actor.isAsTold).toBe(true);
  actor.deliver({ type: 'in' });
  expect(actor.isAsTold).toBe(false);
});

test('an actor that is no machine is compared by what it persists', () => {
  const { actor } = started(counting);
  actor.told();
  actor.deliver({ type: 'look' });
  expect(actor.isAsTold).toBe(true);
  actor.deliver({ type: 'add' });
  expect(actor.isAsTold).toBe(false);
  expect((actor.ref as AnyActorRef).getSnapshot()).toMatchObject({ context: 1 });
});
