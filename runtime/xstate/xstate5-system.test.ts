import {
  assign,
  cancel,
  createActor,
  fromCallback,
  fromPromise,
  fromTransition,
  raise,
  sendTo,
  setup,
  SimulatedClock,
  spawnChild,
  stopChild,
  type AnyActor,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { host, started } from './fixtures/hosting.ts';
import { keepTimersByActor } from './xstate5.ts';

const counter = fromTransition((n: number) => n + 1, 0);

function childrenOf(ref: AnyActor): Record<string, AnyActorRef> {
  return (ref.getSnapshot() as unknown as { children: Record<string, AnyActorRef> }).children;
}

function contextOf(ref: AnyActor): Record<string, unknown> {
  return (ref.getSnapshot() as unknown as { context: Record<string, unknown> }).context;
}

describe('the timers of a root that keeps them by actor', () => {
  const timer = setup({}).createMachine({
    initial: 'waits',
    states: { waits: { on: { stay: 'stays' }, after: { 100: 'rings' } }, rings: {}, stays: {} },
  });
  const root = setup({ actors: { timer } }).createMachine({
    entry: ['a', 'b', 'c'].map((id) => spawnChild('timer', { id })),
    on: { end: { actions: stopChild('b') } },
  });

  function ticking(keep: typeof keepTimersByActor) {
    const clock = new SimulatedClock();
    const ref = createActor(root, { clock });
    keep(ref, clock);
    ref.start();
    const values = (): unknown[] =>
      Object.values(childrenOf(ref)).map((child) => (child.getSnapshot() as { value: unknown }).value);
    /** What XState walks whenever an actor stops. */
    const walked = (): number => Object.keys(ref.system.getSnapshot()._scheduledEvents).length;
    return { clock, ref, values, walked };
  }

  it.each<[string, typeof keepTimersByActor, walked: number]>([
    ["are walked by XState's own scheduler", () => {}, 3],
    ['are not walked when another one stops', keepTimersByActor, 0],
  ])('%s; they come, are cancelled and end with their actors', (_name, keep, listed) => {
    const { clock, ref, values, walked } = ticking(keep);
    expect(walked()).toBe(listed);
    const b = childrenOf(ref)['b'] as AnyActor;
    childrenOf(ref)['c']?.send({ type: 'stay' });
    clock.increment(99);
    ref.send({ type: 'end' });
    expect(values()).toEqual(['waits', 'stays']);
    clock.increment(1);
    expect([values(), (b.getSnapshot() as unknown as { value: unknown }).value]).toEqual([
      ['rings', 'stays'],
      'waits',
    ]);
  });
});

describe('the ids of a hosted system', () => {
  it('stand under the prefix of the actor, for children and grandchildren, whatever their number', () => {
    const inner = setup({ actors: { counter } }).createMachine({ invoke: { id: 'deep', src: 'counter' } });
    const outer = setup({ actors: { inner, counter } }).createMachine({
      invoke: [
        { id: 'a', src: 'inner' },
        { id: 'b', src: 'counter' },
      ],
    });
    const { actor } = started(outer, { sessionId: 'trading/btc' });

    const children = childrenOf(actor.ref);
    const ids = [...Object.values(children), ...Object.values(childrenOf(children['a'] as AnyActor))].map(
      ({ sessionId }) => sessionId,
    );

    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^trading\/btc\/\d+$/);
  });

  it('never meet those of another hosted actor', () => {
    const machine = setup({ actors: { counter } }).createMachine({ invoke: { id: 'a', src: 'counter' } });
    const ids = ['a/1', 'a/2', 'a/2#2'].map((sessionId) => {
      const { ref } = started(machine, { sessionId }).actor;
      return [ref.sessionId, childrenOf(ref)['a']?.sessionId];
    });

    expect(new Set(ids.flat()).size).toBe(6);
  });
});

describe('names in a hosted system', () => {
  const named = setup({ actors: { counter } }).createMachine({
    invoke: { id: 'a', src: 'counter', systemId: 'the-counter' },
    initial: 'on',
    states: {
      on: {
        on: {
          again: { actions: spawnChild('counter', { systemId: 'the-counter' }) },
          drop: { actions: stopChild('a') },
          reach: {
            actions: sendTo(({ system }) => system.get('the-counter') as AnyActorRef, { type: 'inc' }),
          },
        },
      },
    },
  });

  it('are found by everyone in it, and reached', () => {
    const { actor } = started(named);

    actor.deliver({ type: 'reach' });

    const found = actor.ref.system.get('the-counter') as AnyActor;
    expect(found).toBe(childrenOf(actor.ref)['a']);
    expect(found.getSnapshot()).toMatchObject({ context: 1 });
    expect(Object.keys(actor.ref.system.getAll())).toEqual(['the-counter']);
  });

  it('cannot be given twice: that is an error of the agent', () => {
    const { actor, told } = started(named);

    actor.deliver({ type: 'again' });

    expect(told).toMatchObject([
      {
        type: 'xstate.error.actor.one',
        error: { message: "Actor with system ID 'the-counter' already exists." },
      },
    ]);
  });

  it('are free again when their actor has ended', () => {
    const { actor, told } = started(named);

    actor.deliver({ type: 'drop' });
    expect(actor.ref.system.get('the-counter')).toBeUndefined();
    actor.deliver({ type: 'again' });

    expect(told).toEqual([]);
    expect(actor.ref.system.get('the-counter')).toBeDefined();
  });

  it('are nobody’s in another hosted system', () => {
    started(named);
    expect(started(setup({}).createMachine({})).actor.ref.system.get('the-counter')).toBeUndefined();
  });
});

describe('time in a hosted system', () => {
  const timed = setup({}).createMachine({
    initial: 'green',
    states: {
      green: { after: { 100: 'yellow' }, on: { skip: 'red' } },
      yellow: { after: { 50: 'red' } },
      red: {
        entry: raise({ type: 'later' }, { delay: 30, id: 'raised' }),
        on: { later: 'done', cancel: { actions: cancel('raised') } },
      },
      done: {},
    },
  });
  const value = (ref: AnyActor): unknown => (ref.getSnapshot() as unknown as { value: unknown }).value;

  it('is the clock it was given: after and delayed events come when they are due', () => {
    const { actor, clock } = started(timed);
    const seen: unknown[] = [];
    for (const ms of [99, 1, 49, 1, 29, 1]) {
      clock.pass(ms);
      seen.push(value(actor.ref));
    }

    expect(seen).toEqual(['green', 'yellow', 'yellow', 'red', 'red', 'done']);
    expect(clock.pending).toBe(0);
  });

  it('lets a timer go when its state is left, and a delayed event when it is cancelled', () => {
    const { actor, clock } = started(timed);
    actor.deliver({ type: 'skip' });
    expect(clock.pending).toBe(1);

    actor.deliver({ type: 'cancel' });
    clock.pass(1000);

    expect(clock.pending).toBe(0);
    expect(value(actor.ref)).toBe('red');
  });

  it('has no timers left when the actor is stopped, nor those of its children', () => {
    const parent = setup({ actors: { timed } }).createMachine({
      invoke: [
        { id: 'a', src: 'timed' },
        { id: 'b', src: 'timed' },
      ],
      after: { 500: {} },
    });
    const { actor, clock } = started(parent);
    expect(clock.pending).toBe(3);

    actor.stop();

    expect(clock.pending).toBe(0);
  });

  it('sends to others when it is due', () => {
    const parent = setup({ actors: { counter } }).createMachine({
      invoke: { id: 'counter', src: 'counter' },
      on: { go: { actions: sendTo('counter', { type: 'inc' }, { delay: 20 }) } },
    });
    const { actor, clock } = started(parent);

    actor.deliver({ type: 'go' });
    actor.deliver({ type: 'go' });
    clock.pass(20);

    expect(childrenOf(actor.ref)['counter']?.getSnapshot()).toMatchObject({ context: 2 });
  });

  it('begins its turns around what it was told, and so do promises and callbacks', async () => {
    const turns: string[] = [];
    const around = (run: () => void): void => {
      turns.push('begin');
      run();
      turns.push('end');
    };
    const machine = setup({ actors: { job: fromPromise(async () => 1) } }).createMachine({
      invoke: { src: 'job', onDone: { actions: () => turns.push('done') } },
      after: { 10: { actions: () => turns.push('after') } },
      on: { go: { actions: () => turns.push('delivered') } },
    });
    const { actor, clock } = started(machine, { around });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    const promised = turns.splice(0);
    clock.pass(10);
    const timed = turns.splice(0);

    actor.deliver({ type: 'go' });

    // The promise relays to itself, and then to its parent.
    expect(promised).toEqual(['begin', 'begin', 'done', 'end', 'end']);
    expect(timed).toEqual(['begin', 'after', 'end']);
    expect(turns).toEqual(['delivered']);
  });
});

describe('what works by itself in a hosted system', () => {
  it('is surrounded as it starts and as it takes an event, each by its actor, and is told to have ended', async () => {
    const seen: string[] = [];
    const machine = setup({
      actors: {
        job: fromPromise(async () => void seen.push('job')),
        bell: fromCallback(({ receive }) => {
          seen.push('bell');
          receive(() => seen.push('rung'));
          return () => seen.push('over');
        }),
      },
    }).createMachine({
      invoke: [
        { src: 'job', id: 'job' },
        { src: 'bell', id: 'bell' },
      ],
      on: { ring: { actions: sendTo('bell', { type: 'ring' }) } },
    });
    const { actor } = started(machine, {
      within<T>({ id }: AnyActorRef, run: () => T): T {
        seen.push(`${id} begins`);
        const result = run();
        seen.push(`${id} ends`);
        return result;
      },
      onEnded: ({ id }) => void seen.push(`${id} has ended`),
    });
    expect(seen.splice(0)).toEqual(['job begins', 'job', 'job ends', 'bell begins', 'bell', 'bell ends']);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    actor.deliver({ type: 'ring' });
    expect(seen.splice(0)).toEqual(['job has ended', 'bell begins', 'rung', 'bell ends']);
    const { id } = actor.ref;
    actor.stop();
    expect(seen.toSorted()).toEqual([`${id} has ended`, 'bell has ended', 'over'].toSorted());
  });
});

describe('children in a hosted system', () => {
  const callback = fromCallback<AnyEventObject>(({ receive, sendBack }) => {
    receive((event) => sendBack({ type: 'echo', of: event.type }));
  });
  const machine = setup({
    types: { context: {} as { result: unknown; echoes: unknown[] } },
    actors: { job: fromPromise(async ({ input }: { input: string }) => `did ${input}`), callback, counter },
  }).createMachine({
    context: { result: undefined, echoes: [] },
    invoke: [
      {
        id: 'job',
        src: 'job',
        input: 'it',
        onDone: { actions: assign({ result: ({ event }) => event.output }) },
      },
      { id: 'callback', src: 'callback' },
    ],
    on: {
      ping: { actions: sendTo('callback', { type: 'ping' }) },
      echo: { actions: assign({ echoes: ({ context, event }) => [...context.echoes, event['of']] }) },
      spawn: { actions: spawnChild('counter', { id: 'counter' }) },
      count: { actions: sendTo('counter', { type: 'inc' }) },
      stop: { actions: stopChild('counter') },
    },
  });

  it('are invoked, spawned, talked to and stopped as anywhere', async () => {
    const { actor, told } = started(machine);
    for (const type of ['ping', 'spawn', 'count', 'count']) actor.deliver({ type });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });

    expect(contextOf(actor.ref)).toEqual({ result: 'did it', echoes: ['ping'] });
    const child = childrenOf(actor.ref)['counter'] as AnyActor;
    expect(child.getSnapshot()).toMatchObject({ context: 2 });
    actor.deliver({ type: 'stop' });
    // It has counted XState's own stop; what comes later does not reach it.
    child.send({ type: 'inc' });
    expect(child.getSnapshot()).toMatchObject({ context: 3 });
    expect(childrenOf(actor.ref)).not.toHaveProperty('counter');
    expect(told).toEqual([]);
  });

  it('are there again when a persisted snapshot is continued, with what they knew', () => {
    const { actor } = started(machine);
    for (const type of ['spawn', 'count', 'count']) actor.deliver({ type });
    const persisted = structuredClone(actor.ref.getPersistedSnapshot());
    actor.stop();

    const again = started(machine, { snapshot: persisted, sessionId: 'agent/one#2' });
    again.actor.deliver({ type: 'count' });
    again.actor.deliver({ type: 'ping' });

    const child = childrenOf(again.actor.ref)['counter'] as AnyActor;
    expect(child.getSnapshot()).toMatchObject({ context: 3 });
    expect(child.sessionId).toMatch(/^agent\/one#2\/\d+$/);
    expect(contextOf(again.actor.ref)['echoes']).toEqual(['ping']);
  });

  it('persist like those of a root actor of XState’s own', () => {
    const own = createActor(machine).start();
    const { actor } = started(machine);
    for (const type of ['spawn', 'count']) {
      own.send({ type });
      actor.deliver({ type });
    }

    expect(actor.ref.getPersistedSnapshot()).toEqual(own.getPersistedSnapshot());
    own.stop();
  });

  it('end with a snapshot that says they have ended', () => {
    const done = setup({}).createMachine({ initial: 'end', states: { end: { type: 'final' } }, output: 5 });
    const first = started(done);

    const again = host(done, { snapshot: first.actor.ref.getPersistedSnapshot() });
    again.actor.start();

    expect(again.told).toMatchObject([{ type: 'xstate.done.actor.one', output: 5 }]);
  });
});

it('what agents may use of the system works also when it is taken off it, as with XState itself', () => {
  const named = setup({ actors: { counter } }).createMachine({
    entry: spawnChild('counter', { systemId: 'named' }),
  });
  for (const ref of [createActor(named).start(), started(named).actor.ref]) {
    const { get, getAll, inspect } = ref.system;
    expect(get('named')?.getSnapshot()).toMatchObject({ context: 0 });
    expect(Object.keys(getAll())).toEqual(['named']);
    expect(() => inspect(() => {}).unsubscribe()).not.toThrow();
  }
});
