import {
  assign,
  cancel,
  createActor,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  SimulatedClock,
  spawnChild,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { host, started, type Hosting } from './fixtures/hosting.ts';
import type { PersistedState } from './persisted-timer.ts';
import type { HostedOptions } from './xstate5.ts';

/** Waits 100 ms in `a`, then is in `b`. */
const waiting = setup({}).createMachine({
  initial: 'a',
  states: { a: { after: { 100: 'b' }, on: { skip: 'c' } }, b: {}, c: { on: { back: 'a' } } },
});

/** Counts in its context how often it heard of each type. */
const counting = fromTransition(
  (heard: Record<string, number>, { type }: AnyEventObject) => ({ ...heard, [type]: (heard[type] ?? 0) + 1 }),
  {},
);

function restored(logic: AnyActorLogic, state: PersistedState, options: Partial<HostedOptions> = {}) {
  // As it comes out of a store.
  const { snapshot, timers } = JSON.parse(JSON.stringify(state)) as PersistedState;
  return host(logic, { snapshot, timers, ...options });
}

/** The same instance again at the same time of day. */
function again(
  logic: AnyActorLogic,
  { actor, clock }: Hosting,
  downMs: number,
  options: Partial<HostedOptions> = {},
): Hosting {
  const state = actor.persist();
  actor.stop();
  const next = restored(logic, state, options);
  next.clock.pass(clock.date() + downMs);
  next.actor.start();
  return next;
}

const valueOf = ({ actor }: Hosting): unknown =>
  (actor.ref.getSnapshot() as unknown as { value: unknown }).value;
const contextOf = (ref: AnyActorRef | undefined): unknown =>
  (ref?.getSnapshot() as { context: unknown } | undefined)?.context;
const child = ({ actor }: Hosting, ...path: string[]): AnyActorRef | undefined =>
  path.reduce<AnyActorRef | undefined>(
    (ref, id) => (ref?.getSnapshot() as { children: Record<string, AnyActorRef> } | undefined)?.children[id],
    actor.ref,
  );

describe('what is persisted of timers', () => {
  it('is nothing when there are none', () => {
    expect(started(counting).actor.persist().timers).toEqual([]);
  });

  it('says who set them, whom they reach, and when', () => {
    const kid = setup({}).createMachine({ initial: 'on', states: { on: { after: { 50: {} } } } });
    const parent = setup({ actors: { kid } }).createMachine({
      invoke: { id: 'kid', src: 'kid' },
      entry: [
        raise({ type: 'later' }, { delay: 200, id: 'mine' }),
        sendTo('kid', { type: 'poke' }, { delay: 30, id: 'poke' }),
        sendParent({ type: 'up' }, { delay: 40, id: 'up' }),
        sendTo(
          () => ({ address: 'other/one' }) as unknown as AnyActorRef,
          { type: 'over' },
          { delay: 60, id: 'over' },
        ),
      ],
    });
    const { actor, clock } = started(parent);
    clock.pass(10);

    const { timers } = actor.persist();

    const brief = timers.map(({ event, ...rest }) => Object.assign(rest, { type: event.type }));
    expect(brief).toEqual(
      expect.arrayContaining([
        { from: [], to: [], type: 'later', id: 'mine', delayMs: 200, dueAt: 200, leftMs: 190 },
        { from: [], to: ['kid'], type: 'poke', id: 'poke', delayMs: 30, dueAt: 30, leftMs: 20 },
        { from: [], to: { parent: true }, type: 'up', id: 'up', delayMs: 40, dueAt: 40, leftMs: 30 },
        {
          from: [],
          to: { address: 'other/one' },
          type: 'over',
          id: 'over',
          delayMs: 60,
          dueAt: 60,
          leftMs: 50,
        },
      ]),
    );
    const after = brief.find(({ id }) => id?.startsWith('xstate.after.50.'));
    expect(after).toMatchObject({ from: ['kid'], to: ['kid'], delayMs: 50 });
    expect(brief).toHaveLength(5);
  });

  it('is not those that came, were cancelled, or whose actor has stopped', () => {
    const kid = setup({}).createMachine({ initial: 'on', states: { on: { after: { 500: {} } } } });
    const machine = setup({ actors: { kid } }).createMachine({
      invoke: { id: 'kid', src: 'kid' },
      entry: [raise({ type: 'soon' }, { delay: 10 }), raise({ type: 'never' }, { delay: 50, id: 'never' })],
      on: { stop: { actions: cancel('never') }, leave: '.away' },
      initial: 'here',
      states: { here: { invoke: { id: 'other', src: 'kid' } }, away: {} },
    });
    const { actor, clock } = started(machine);
    expect(actor.persist().timers).toHaveLength(4);
    clock.pass(10);
    actor.deliver({ type: 'stop' });
    actor.deliver({ type: 'leave' });

    expect(actor.persist().timers.map(({ from }) => from)).toEqual([['kid']]);
  });

  it('comes with the version of the machine', () => {
    const versioned = setup({}).createMachine({ version: '2.1' });
    expect(started(versioned).actor.persist().version).toBe('2.1');
    expect(started(waiting).actor.persist()).not.toHaveProperty('version');
  });
});

describe('after a restore, an after', () => {
  it('does not come when its timer was not persisted: XState sets none again', () => {
    const { actor } = started(waiting);
    const { snapshot } = actor.persist();
    const next = started(waiting, { snapshot });
    next.clock.pass(10_000);

    expect([valueOf(next), next.clock.pending]).toEqual(['a', 0]);
  });

  const policies = [
    // [policy, for how long it was down, when it comes, counted from the restart]
    ['deadline', 30, 30],
    ['deadline', 500, 0],
    ['remaining', 500, 60],
    ['restart', 500, 100],
    [undefined, 30, 30],
  ] as const;
  it.each(policies)(
    'by the policy %s, when it was down for %i ms, comes after %i ms',
    (policy, down, left) => {
      const first = started(waiting);
      first.clock.pass(40);
      const next = again(waiting, first, down, policy && { timersPolicy: policy });
      const begun = next.clock.date();

      const states = [left - 1, left].map((ms) => {
        next.clock.pass(Math.max(0, ms - (next.clock.date() - begun)));
        return valueOf(next);
      });
      expect(states).toEqual([left > 0 ? 'a' : 'b', 'b']);
      expect(next.clock.pending).toBe(0);
    },
  );

  it('comes once, and is cancelled with its state', () => {
    const first = started(waiting);
    const next = again(waiting, first, 0);
    next.actor.deliver({ type: 'skip' });
    expect(next.clock.pending).toBe(0);
    next.actor.deliver({ type: 'back' });
    expect(next.clock.pending).toBe(1);
    next.clock.pass(99);
    expect(valueOf(next)).toBe('a');
    next.clock.pass(1);
    expect(valueOf(next)).toBe('b');
  });

  it('persists again, with the time at which it was due', () => {
    let hosting = started(waiting);
    hosting.clock.pass(10);
    for (let n = 0; n < 3; n++) {
      hosting = again(waiting, hosting, 20);
      expect(hosting.actor.persist().timers).toMatchObject([{ delayMs: 100, dueAt: 100 }]);
    }
    hosting.clock.pass(30);
    expect(valueOf(hosting)).toBe('b');
  });

  it('is left out when its state is left while the instance starts', () => {
    const eager = setup({
      actors: { go: fromCallback(({ sendBack }) => sendBack({ type: 'skip' })) },
    }).createMachine({
      invoke: { src: 'go' },
      initial: 'a',
      states: { a: { after: { 100: 'b' }, on: { skip: 'c' } }, b: {}, c: {} },
    });
    const { snapshot, timers } = started(waiting).actor.persist();
    const callback = { src: 'go', syncSnapshot: false, snapshot: { status: 'active' } };
    const next = restored(eager, {
      snapshot: { ...(snapshot as object), children: { '0.(machine)': callback } },
      timers,
    });
    next.actor.start();

    expect([valueOf(next), next.clock.pending]).toEqual(['c', 0]);
  });

  it('of a child that is gone is left out, and one with a delay of months waits for them', () => {
    const { snapshot } = started(waiting).actor.persist();
    const month = 30 * 24 * 3600 * 1000;
    const gone = { from: ['kid'], to: ['kid'], id: 'x', event: { type: 'x' } };
    const times = { delayMs: month, dueAt: month, leftMs: month };
    const after = { from: [], to: [], id: 'y', event: { type: 'skip' } };
    const next = restored(waiting, {
      snapshot,
      timers: [
        { ...gone, ...times },
        { ...after, ...times },
      ],
    });
    next.actor.start();
    next.clock.pass(month - 1);
    expect([valueOf(next), next.clock.pending]).toEqual(['a', 1]);
    next.clock.pass(1);
    expect(valueOf(next)).toBe('c');
  });
});

it('after a restore, delayed events reach children, the parent and other agents, in the order they were due', () => {
  const machine = setup({ actors: { counting } }).createMachine({
    invoke: { id: 'kid', src: 'counting', input: {} },
    entry: [
      sendTo('kid', { type: 'poke' }, { delay: 30 }),
      sendParent({ type: 'second' }, { delay: 20 }),
      sendParent({ type: 'first' }, { delay: 10 }),
      sendTo(() => ({ address: 'other/one' }) as unknown as AnyActorRef, { type: 'over' }, { delay: 25 }),
    ],
  });
  const over: unknown[] = [];
  const agentAt = (address: string): AnyActorRef =>
    ({ address, _send: (event: AnyEventObject) => over.push([address, event]) }) as never;
  const next = again(machine, started(machine), 1000, { agentAt });
  next.clock.pass(0);

  expect(next.told.map(({ type }) => type)).toEqual(['first', 'second']);
  expect(over).toEqual([['other/one', { type: 'over' }]]);
  expect(contextOf(child(next, 'kid'))).toEqual({ poke: 1 });
});

it('after a restore, deep children have their timers, and a cancel finds them', () => {
  const leaf = setup({ types: { context: {} as { rang: number } } }).createMachine({
    context: { rang: 0 },
    entry: raise({ type: 'ring' }, { delay: 100, id: 'alarm' }),
    on: {
      ring: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
      hush: { actions: cancel('alarm') },
    },
  });
  const middle = setup({ actors: { leaf } }).createMachine({ invoke: { id: 'leaf', src: 'leaf' } });
  const root = setup({ actors: { middle } }).createMachine({
    entry: [spawnChild('middle', { id: 'm1' }), spawnChild('middle', { id: 'm2' })],
    on: {
      hush: { actions: ({ self }) => child2(self).send({ type: 'hush' }) },
    },
  });
  const child2 = (self: AnyActorRef): AnyActorRef =>
    ['m2', 'leaf'].reduce<AnyActorRef>(
      (ref, id) => (ref.getSnapshot() as unknown as { children: Record<string, AnyActorRef> }).children[id]!,
      self,
    );
  const next = again(root, started(root), 10);
  expect(next.clock.pending).toBe(2);
  next.actor.deliver({ type: 'hush' });
  next.clock.pass(1000);

  expect(contextOf(child(next, 'm1', 'leaf'))).toEqual({ rang: 1 });
  expect(contextOf(child(next, 'm2', 'leaf'))).toEqual({ rang: 0 });
});

it('what was on its way within the instance is persisted, and comes before anything else', () => {
  const talker = setup({ types: { context: {} as { n: number; seen: number[] } } }).createMachine({
    context: { n: 0, seen: [] },
    on: {
      again: {
        guard: ({ context }) => context.n < 100,
        actions: [
          assign({ n: ({ context }) => context.n + 1 }),
          sendTo(({ self }) => self, { type: 'again' }),
        ],
      },
      look: { actions: assign({ seen: ({ context }) => [...context.seen, context.n] }) },
    },
  });
  const { actor } = started(talker);
  actor.deliver({ type: 'again' });
  expect(actor.pending).toBe(1);
  const state = actor.persist();
  expect(state.timers).toEqual([
    { from: [], to: [], event: { type: 'again' }, delayMs: 0, dueAt: 0, leftMs: 0 },
  ]);

  const next = restored(talker, state);
  next.actor.start();
  expect(next.actor.pending).toBe(1);
  while (next.actor.pending > 0) next.actor.resume(10);
  next.actor.deliver({ type: 'look' });
  expect(contextOf(next.actor.ref)).toEqual({ n: 100, seen: [100] });
});

describe('an instance can be moved', () => {
  const promise = fromPromise(() => new Promise<void>(() => {}));
  const callback = fromCallback(() => {});
  const observable = fromObservable(() => ({ subscribe: () => ({ unsubscribe() {} }) }));
  const kids = { promise, callback, observable, counting, waiting };
  const parentOf = (src: keyof typeof kids): AnyActorLogic =>
    setup({ actors: { ...kids, middle: withChild(src) } }).createMachine({
      invoke: { id: 'middle', src: 'middle' },
    });
  const withChild = (src: keyof typeof kids) =>
    setup({ actors: kids }).createMachine({ invoke: { id: 'kid', src }, on: {} });

  it.each(['counting', 'waiting'] as const)('with a child of the kind %s', (src) => {
    expect(started(parentOf(src)).actor.movable()).toBe(true);
  });

  it.each(['promise', 'callback', 'observable'] as const)('not with an active %s, however deep', (src) => {
    expect(started(parentOf(src)).actor.movable()).toBe(
      'its child "middle/kid" is active and would begin anew',
    );
  });

  it('not when it is one itself, and again when the child is done', async () => {
    expect(started(promise).actor.movable()).toMatch(/^the agent is a promise/);
    const done = Promise.resolve();
    const { actor } = started(
      setup({ actors: { short: fromPromise(() => done) } }).createMachine({ invoke: { src: 'short' } }),
    );
    expect(actor.movable()).not.toBe(true);
    await done;
    await Promise.resolve();
    expect(actor.movable()).toBe(true);
  });
});

it('of two delayed events of one id the second cannot be cancelled once the first has come, as in plain XState', () => {
  const machine = setup({
    types: { context: {} as { heard: number } },
    actions: { later: raise({ type: 'late' }, { id: 'same', delay: 5 }) },
  }).createMachine({
    context: { heard: 0 },
    on: {
      twice: { actions: ['later', 'later'] },
      late: { actions: [assign({ heard: ({ context }) => context.heard + 1 }), cancel('same')] },
    },
  });
  const clock = new SimulatedClock();
  const plain = createActor(machine, { clock }).start();
  plain.send({ type: 'twice' });
  clock.increment(5);
  const hosted = started(machine);
  hosted.actor.ref.send({ type: 'twice' });
  expect(hosted.actor.persist().timers).toHaveLength(2);
  hosted.clock.pass(5);
  expect([contextOf(plain), contextOf(hosted.actor.ref)]).toEqual([{ heard: 2 }, { heard: 2 }]);
  expect(hosted.actor.persist().timers).toEqual([]);
});

it('after a restore, a cancel reaches the newer of two delayed events of one id, and the older comes, as in plain XState', () => {
  const machine = setup({
    types: { context: {} as { heard: number[] }, events: {} as { type: string; n: number } },
    actions: { later: raise(({ event }) => ({ type: 'late', n: event.n }), { id: 'same', delay: 100 }) },
  }).createMachine({
    context: { heard: [] },
    on: {
      set: { actions: 'later' },
      stop: { actions: cancel('same') },
      late: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.n] }) },
    },
  });
  const first = started(machine);
  for (const n of [1, 2]) first.actor.ref.send({ type: 'set', n } as AnyEventObject);
  const next = again(machine, first, 0);
  next.actor.ref.send({ type: 'stop' });
  next.clock.pass(1_000);
  expect(contextOf(next.actor.ref)).toEqual({ heard: [1] });
});
