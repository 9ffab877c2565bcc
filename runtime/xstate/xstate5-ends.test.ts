import {
  assign,
  createActor,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { beforeEach, describe, expect, it } from 'vitest';
import { host, started, type Hosting } from './fixtures/hosting.ts';

/** `+` begins, `-` is cleaned up. */
let work: string[] = [];
/** Sends something late, by what each kind of work still holds when it was told to end. */
let ghosts: (() => void)[] = [];
beforeEach(() => {
  work = [];
  ghosts = [];
});

const callback = fromCallback<AnyEventObject, string>(({ input, sendBack, receive }) => {
  work.push(`+${input}`);
  ghosts.push(() => sendBack({ type: 'late' }));
  receive(({ type }) => {
    if (type === 'fail') fail();
  });
  return () => work.push(`-${input}`);
});
const promise = fromPromise<never, string>(({ input, signal }) => {
  work.push(`+${input}`);
  signal.addEventListener('abort', () => work.push(`-${input}`));
  return new Promise(() => {});
});
const subscribable = (name: string) => ({
  subscribe(observer: { next?: (event: AnyEventObject) => void }) {
    work.push(`+${name}`);
    ghosts.push(() => observer.next?.({ type: 'late' }));
    return { unsubscribe: () => void work.push(`-${name}`) };
  },
});
const observable = fromObservable<AnyEventObject, string>(({ input }) => subscribable(input) as never);
const eventObservable = fromEventObservable<AnyEventObject, string>(
  ({ input }) => subscribable(input) as never,
);
const actors = { callback, promise, observable, eventObservable };
const invoked = (['callback', 'promise', 'observable', 'eventObservable'] as const).map((src) => ({
  src,
  id: src,
  input: src,
}));
/** Has work of each kind, and a timer. */
const child = setup({ actors }).createMachine({
  invoke: invoked,
  after: { 100: { actions: sendParent({ type: 'ticked' }) } },
  on: { fail: { actions: () => fail() } },
});
/** The same twice: its own, and a child's. */
const family = setup({ actors: { ...actors, child } }).createMachine({
  invoke: [{ src: 'child', id: 'child' }, ...invoked],
  initial: 'on',
  states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
  after: { 100: { actions: sendParent({ type: 'ticked' }) } },
  on: {
    fail: { actions: () => fail() },
    guard: { guard: () => fail(), actions: () => {} },
    assign: { actions: assign(() => fail()) },
    'fail below': { actions: sendTo('child', { type: 'fail' }) },
    'fail a callback': { actions: sendTo('callback', { type: 'fail' }) },
    'fail while it leaves': { target: '.off', actions: () => fail() },
  },
});

const begun = (): string[] => sorted('+');
const cleanedUp = (): string[] => sorted('-');
function sorted(sign: string): string[] {
  return work
    .filter((what) => what.startsWith(sign))
    .map((what) => what.slice(1))
    .toSorted();
}

/** Nothing runs, no timer is set, and what was begun has no way out any more but to the parent of all. */
function assertNothingLeft({ actor, clock, told }: Hosting, ownLate = 0): void {
  expect(begun()).not.toEqual([]);
  expect(cleanedUp()).toEqual(begun());
  expect([actor.running, actor.pending, clock.pending]).toEqual([0, 0, 0]);
  const before = told.length;
  for (const late of ghosts) late();
  clock.pass(1000);
  expect(told).toHaveLength(before + ownLate);
}

describe('nothing of a hosted actor acts after its end', () => {
  it.each(['fail', 'guard', 'assign', 'fail below', 'fail a callback', 'fail while it leaves'])(
    'by a failure: %s',
    (type) => {
      const hosting = started(family);
      hosting.actor.deliver({ type });

      expect(hosting.told).toMatchObject([{ type: 'xstate.error.actor.one' }]);
      assertNothingLeft(hosting);
    },
  );

  it('by a failure after others, which a restart would hear of if they were left', () => {
    for (let n = 0; n < 3; n++) started(family).actor.deliver({ type: 'fail' });
    expect(begun()).toHaveLength(24);
    expect(cleanedUp()).toEqual(begun());
  });

  it('when it is done, or stopped', () => {
    const done = started(family);
    done.actor.deliver({ type: 'end' });
    assertNothingLeft(done);
    const stopped = started(family);
    stopped.actor.stop();
    assertNothingLeft(stopped);
  });

  it.each([
    ['itself', setup({ actors }).createMachine({ invoke: invoked, entry: () => fail() })],
    [
      'in a child',
      setup({
        actors: { ...actors, bad: setup({ actors }).createMachine({ invoke: invoked, entry: () => fail() }) },
      }).createMachine({ invoke: [...invoked, { src: 'bad' }] }),
    ],
    [
      'in a callback that is begun after others',
      setup({ actors: { ...actors, bad: fromCallback(() => fail()) } }).createMachine({
        invoke: [...invoked, { src: 'bad' }],
      }),
    ],
  ])('when its start fails: %s', (_where, machine) => {
    const hosting = started(machine);
    expect(hosting.told).toMatchObject([{ type: 'xstate.error.actor.one' }]);
    assertNothingLeft(hosting);
  });

  it('when it is a callback whose receiver throws', () => {
    const hosting = started(callback, { input: 'root' });
    hosting.actor.deliver({ type: 'fail' });
    expect(hosting.told).toMatchObject([{ type: 'xstate.error.actor.one' }]);
    // Whether it is too late for that, its parent knows.
    assertNothingLeft(hosting, 1);
  });

  it('when the failure comes while a child is at its own step', () => {
    const telling = setup({ actors }).createMachine({
      after: { 10: { actions: [sendParent({ type: 'fail' }), spawnChild('callback', { input: 'late' })] } },
      invoke: invoked,
    });
    const machine = setup({ actors: { telling } }).createMachine({
      invoke: { src: 'telling', id: 'telling' },
      on: { fail: { actions: () => fail() } },
    });
    const hosting = started(machine);
    hosting.clock.pass(10);
    expect(hosting.told).toMatchObject([{ type: 'xstate.error.actor.one' }]);
    expect(work).not.toContain('+late');
    assertNothingLeft(hosting);
  });

  it('also when it spent a turn on telling more than fits one: that is told before its end', () => {
    const machine = setup({}).createMachine({
      on: {
        much: { actions: Array.from({ length: 1500 }, (_, n) => sendParent({ type: 'told', n })) },
        fail: { actions: () => fail() },
      },
    });
    const { actor, told } = started(machine);
    actor.deliver({ type: 'much' });
    expect(actor.pending).toBeGreaterThan(0);
    actor.deliver({ type: 'fail' });

    expect(told.slice(0, -1).map(({ n }) => n as number)).toEqual(Array.from({ length: 1500 }, (_, n) => n));
    expect(told.at(-1)?.type).toBe('xstate.error.actor.one');
    expect(actor.pending).toBe(0);
  });
});

describe('a child whose id another has taken', () => {
  const again = setup({ actors: { ...actors, child } }).createMachine({
    on: {
      spawn: { actions: spawnChild('callback', { id: 'kid', input: 'kid' }) },
      machine: { actions: spawnChild('child', { id: 'kid' }) },
      stop: { actions: stopChild('kid') },
      fail: { actions: () => fail() },
    },
    initial: 'on',
    states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
  });

  it.each(['stop', 'fail', 'end'])('ends with the one that began it: %s', (type) => {
    const hosting = started(again);
    for (const spawn of ['spawn', 'spawn', 'machine', 'spawn']) hosting.actor.deliver({ type: spawn });
    expect(cleanedUp()).toEqual([]);
    hosting.actor.deliver({ type });
    if (type === 'stop') hosting.actor.stop();
    assertNothingLeft(hosting);
  });

  it('keeps the instance where it is: a move would lose it', () => {
    const { actor } = started(again);
    actor.deliver({ type: 'machine' });
    actor.deliver({ type: 'machine' });
    expect(actor.movable()).toMatch(/^a child "kid", whose id another has taken/);
  });
});

describe('a child that fails, whose parent goes on', () => {
  const parent = setup({ actors: { child, callback } }).createMachine({
    initial: 'on',
    states: {
      on: {
        invoke: [
          { src: 'child', id: 'child', onError: 'off' },
          { src: 'callback', id: 'callback', input: 'sibling', onError: 'off' },
        ],
      },
      off: {},
    },
    on: {
      fail: { actions: sendTo('child', { type: 'fail' }) },
      receive: { actions: sendTo('callback', { type: 'fail' }) },
      late: { actions: sendParent({ type: 'heard what is late' }) },
      ticked: { actions: sendParent({ type: 'heard a tick' }) },
    },
  });

  it.each(['fail', 'receive'])('leaves none of its own children: %s', (type) => {
    const { actor, clock, told } = started(parent);
    actor.deliver({ type });
    expect(actor.ref.getSnapshot()).toMatchObject({ status: 'active', value: 'off' });
    expect(cleanedUp()).toEqual(begun());
    expect([actor.running, clock.pending]).toEqual([1, 0]);
    for (const late of ghosts) late();
    expect(told).toEqual([]);
  });

  it('leaves the names of those that it had made free', () => {
    const named = setup({ actors: { callback } }).createMachine({
      on: {
        fail: {
          actions: [spawnChild('callback', { systemId: 'the-one', input: 'named' }), () => fail()],
        },
      },
    });
    const reviving = setup({ actors: { named } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'named', id: 'named', onError: { target: 'on', reenter: true } } } },
      on: { fail: { actions: sendTo('named', { type: 'fail' }) } },
    });
    const { actor } = started(reviving);
    for (let n = 0; n < 3; n++) actor.deliver({ type: 'fail' });
    expect(actor.ref.getSnapshot()).toMatchObject({ status: 'active' });
    expect(actor.ref.system.get('the-one')).toBeUndefined();
  });
});

describe('cleanup that throws', () => {
  const bad = fromCallback(() => () => fail());

  it.each(['stop', 'fail'])('costs no other its own: %s', (how) => {
    const failed: unknown[] = [];
    const below = setup({ actors: { ...actors, bad } }).createMachine({
      invoke: [{ src: 'bad' }, ...invoked, { src: 'bad' }],
    });
    const machine = setup({ actors: { ...actors, below, bad } }).createMachine({
      invoke: [{ src: 'bad' }, { src: 'below' }, ...invoked, { src: 'bad' }],
      on: { fail: { actions: () => fail() } },
    });
    const hosting = started(machine, { onFailedEnd: (error) => failed.push(error) });
    if (how === 'stop') hosting.actor.stop();
    else hosting.actor.deliver({ type: 'fail' });
    assertNothingLeft(hosting);
    expect(failed).toMatchObject(Array.from({ length: 4 }, () => ({ message: 'on purpose' })));
  });

  it('of a callback that has failed is told', () => {
    const failed: unknown[] = [];
    const twice = fromCallback(({ receive }) => {
      receive(() => fail());
      return () => {
        throw new Error('in cleanup');
      };
    });
    const { actor } = started(twice, { onFailedEnd: (error) => failed.push(error) });
    actor.deliver({ type: 'go' });
    expect(failed).toMatchObject([{ message: 'in cleanup' }]);
  });
});

describe('an observable that is over', () => {
  const over = (how: string) => ({
    subscribe(observer: { error?: (error: unknown) => void; complete?: () => void }) {
      work.push('+over');
      ghosts.push(() =>
        how === 'fails' ? observer.error?.(new Error('on purpose')) : observer.complete?.(),
      );
      return {
        unsubscribe() {
          work.push('-over');
          fail();
        },
      };
    },
  });

  it.each(['fails', 'completes'])('is unsubscribed from, for it may not end its own work: %s', (how) => {
    for (const create of [fromObservable, fromEventObservable]) {
      const failed: unknown[] = [];
      const machine = setup({ actors: { over: create(() => over(how) as never) } }).createMachine({
        invoke: { src: 'over', onDone: {}, onError: {} },
      });
      const { actor } = started(machine, { onFailedEnd: (error) => failed.push(error) });
      for (const end of ghosts.splice(0)) end();
      expect(work.splice(0)).toEqual(['+over', '-over']);
      expect(failed).toHaveLength(1);
      expect([actor.running, actor.ref.getSnapshot().status]).toEqual([1, 'active']);
      actor.stop();
      expect(work).toEqual([]);
    }
  });
});

describe('what comes after the end', () => {
  it('starts nobody', () => {
    let self: AnyActorRef | undefined;
    const machine = setup({}).createMachine({
      entry: (args) => {
        self = args.self;
      },
      on: { fail: { actions: () => fail() } },
    });
    const { actor, clock } = started(machine);
    actor.deliver({ type: 'fail' });
    const late = createActor(family, { parent: self as AnyActorRef });
    late.start();
    expect(late.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'AGENT_STOPPED' } });
    expect([work, actor.running, clock.pending]).toEqual([[], 0, 0]);
  });

  it('sets no timer, and none comes whose id a later one had taken', () => {
    const machine = setup({}).createMachine({
      on: {
        twice: { actions: [1, 2].map(() => raise({ type: 'late' }, { id: 'one', delay: 50 })) },
        outside: { actions: sendParent({ type: 'late' }, { delay: 50 }) },
        fail: { actions: () => fail() },
      },
    });
    const { actor, clock, told } = started(machine);
    for (const type of ['twice', 'outside', 'fail']) actor.deliver({ type });
    expect(clock.pending).toBe(0);
    clock.pass(100);
    expect(told).toHaveLength(1);
    const { scheduler } = actor.ref.system as unknown as {
      scheduler: { schedule(...timer: unknown[]): void };
    };
    scheduler.schedule(actor.ref, actor.ref, { type: 'late' }, 50, 'one');
    expect(clock.pending).toBe(0);
  });
});

describe('a thread that exits', () => {
  it('cleans up after an actor in the middle of its turn, and whoever else there is', () => {
    const exiting = fromCallback<AnyEventObject>(({ receive }) => {
      work.push('+exiting');
      receive(() => hosting.actor.abandon());
      return () => work.push('-exiting');
    });
    const machine = setup({ actors: { exiting, child } }).createMachine({
      invoke: [{ src: 'child' }, { src: 'exiting', id: 'exiting' }],
      on: { exit: { actions: sendTo('exiting', { type: 'exit' }) } },
    });
    const hosting = host(machine);
    hosting.actor.start();
    hosting.actor.deliver({ type: 'exit' });
    expect(cleanedUp()).toEqual(begun());
  });

  it('costs nobody the cleanup when that of another throws', () => {
    const bad = fromCallback(() => () => fail());
    const machine = setup({ actors: { bad, child } }).createMachine({
      invoke: [{ src: 'bad' }, { src: 'child' }, { src: 'bad' }],
    });
    const hosting = started(machine);
    hosting.actor.abandon();
    assertNothingLeft(hosting);
  });
});

it('keeps nothing of children that have ended, however many there were', () => {
  const quick = fromTransition((state) => state, 0);
  const machine = setup({ actors: { quick } }).createMachine({
    on: {
      one: { actions: [spawnChild('quick', { id: 'kid' }), stopChild('kid')] },
    },
  });
  const { actor } = started(machine);
  for (let n = 0; n < 100_000; n++) actor.deliver({ type: 'one' });
  expect(actor.running).toBe(1);
});

function fail(): never {
  throw new Error('on purpose');
}
