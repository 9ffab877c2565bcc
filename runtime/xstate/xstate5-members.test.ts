import { readFileSync } from 'node:fs';
import {
  createActor,
  fromEventObservable,
  fromObservable,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  type AnyActor,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';

/** What XState does not document and `xstate5.ts` touches. */
interface Private {
  _send(event: AnyEventObject): void;
  _stop(): void;
  readonly _parent: AnyActorRef | undefined;
  readonly _actorScope: { emit(event: AnyEventObject): void };
  readonly system: Record<string, unknown> & { _relay(...args: unknown[]): void };
  readonly _processingStatus: number;
  readonly id: string;
  logic: AnyActorLogic;
}

const counting = fromTransition((n: number) => n + 1, 0);
const resting = setup({}).createMachine({});
const inside = (ref: AnyActorRef): Private => ref as unknown as Private;
const contextOf = (ref: AnyActorRef): unknown => (ref.getSnapshot() as { context: unknown }).context;

/** A parent that is no actor, with a system that notes what is asked of it. */
function noting(changes: Record<string, unknown> = {}) {
  const asked: [string, ...unknown[]][] = [];
  const note =
    (name: string, answer?: unknown) =>
    (...args: unknown[]) => {
      asked.push([name, ...args]);
      return answer;
    };
  const clock = { setTimeout: () => 0, clearTimeout: () => {} };
  const logger = (): void => {};
  const system: Record<string, unknown> = {
    _bookId: note('_bookId', 'booked'),
    _register: note('_register'),
    _unregister: note('_unregister'),
    _set: note('_set'),
    _relay: note('_relay'),
    _sendInspectionEvent: () => {},
    _clock: clock,
    _logger: logger,
    scheduler: { schedule: note('schedule'), cancel: note('cancel'), cancelAll: note('cancelAll') },
    ...changes,
  };
  const parent = { system, id: 'no actor' } as unknown as AnyActorRef;
  const of = (name: string): unknown[][] =>
    asked.filter(([what]) => what === name).map(([, ...rest]) => rest);
  return { parent, system, clock, logger, of };
}

/** One contract for each private member, against XState alone. */
const contracts: Record<string, () => void> = {
  _send() {
    const actor = createActor(counting).start();
    inside(actor)._send({ type: 'a' });
    expect(contextOf(actor)).toBe(1);

    const taken: unknown[] = [];
    inside(actor)._send = (event) => taken.push(event.type);
    actor.send({ type: 'b' });
    inside(actor).system._relay(undefined, actor, { type: 'c' });
    expect([contextOf(actor), taken]).toEqual([1, ['b', 'c']]);
    actor.stop();
    expect(taken).toEqual(['b', 'c']);
  },
  _stop() {
    const { parent, of } = noting();
    const actor = createActor(resting, { parent }).start();
    inside(actor)._stop();
    expect(actor.getSnapshot().status).toBe('stopped');
    expect(of('_relay')).toEqual([]);
  },
  _subscription() {
    for (const create of [fromObservable, fromEventObservable]) {
      let end = (): void => {};
      const told: string[] = [];
      const actor = createActor(
        create(
          () =>
            ({
              subscribe(observer: { complete(): void }) {
                end = () => observer.complete();
                return { unsubscribe: () => told.push('unsubscribed') };
              },
            }) as never,
        ),
      ).start();
      const subscription = (): unknown => (actor.getSnapshot() as { _subscription?: unknown })._subscription;
      expect(subscription()).toMatchObject({ unsubscribe: expect.any(Function) as unknown });
      end();
      expect([actor.getSnapshot().status, subscription(), told]).toEqual(['done', undefined, []]);
    }
  },
  _processingStatus() {
    // Already when `_unregister` is called for an end, and not when it is called for one that is about to stop.
    const seen: unknown[] = [];
    const { parent } = noting({
      _unregister: (actor: Private) => seen.push([actor.id, actor._processingStatus]),
    });
    const machine = setup({ actors: { resting } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { id: 'kid', src: 'resting' }, on: { end: 'off' } }, off: {} },
      on: { fail: { actions: () => fail() } },
    });
    const actor = createActor(machine, { id: 'one', parent });
    expect(inside(actor)._processingStatus).toBe(0);
    actor.start();
    expect(inside(actor)._processingStatus).toBe(1);
    inside(actor)._send({ type: 'end' });
    inside(actor)._send({ type: 'fail' });
    expect(seen).toEqual([
      ['kid', 1],
      ['kid', 2],
      ['one', 2],
    ]);
  },
  _parent() {
    const { parent } = noting();
    expect(inside(createActor(resting, { parent }))._parent).toBe(parent);
    expect(inside(createActor(resting))._parent).toBeUndefined();
  },
  _actorScope() {
    const actor = createActor(counting).start();
    const heard: unknown[] = [];
    actor.on('*', (event) => heard.push(event));
    inside(actor)._actorScope.emit({ type: 'noted' });
    expect(heard).toEqual([{ type: 'noted' }]);
    actor.stop();
  },
  _bookId() {
    const { parent, of } = noting();
    const actor = createActor(resting, { parent });
    expect([actor.sessionId, of('_bookId')]).toEqual(['booked', [[]]]);
  },
  _register() {
    const { parent, of } = noting();
    const actor = createActor(resting, { parent });
    expect(of('_register')).toEqual([]);
    actor.start();
    expect(of('_register')).toEqual([['booked', actor]]);
  },
  _unregister() {
    const { parent, of } = noting();
    const actor = createActor(resting, { parent }).start();
    inside(actor)._stop();
    expect(of('_unregister')).toEqual([[actor]]);
    expect(of('cancelAll')).toEqual([[actor]]);
  },
  _set() {
    const { parent, of } = noting();
    const actor = createActor(resting, { parent, systemId: 'named' });
    expect(of('_set')).toEqual([['named', actor]]);
  },
  _relay() {
    const { parent, of } = noting();
    const machine = setup({ actors: { counting } }).createMachine({
      invoke: { id: 'kid', src: 'counting' },
      entry: [sendParent({ type: 'born' }), sendTo('kid', { type: 'count' })],
      initial: 'on',
      states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
    });
    const actor = createActor(machine, { id: 'one', parent }).start();
    inside(actor)._send({ type: 'end' });
    const told = of('_relay').map(([source, target, event]) => [
      source === actor,
      target === parent ? 'parent' : (target as AnyActorRef).id,
      (event as AnyEventObject).type,
    ]);
    expect(told).toEqual([
      [true, 'parent', 'born'],
      [true, 'kid', 'count'],
      [true, 'parent', 'xstate.done.actor.one'],
    ]);
  },
  _sendInspectionEvent() {
    // A machine that is replaced when its actor is announced takes no step: the actor is of the other one.
    const other = setup({}).createMachine({ context: { which: 'other' } });
    const announced: unknown[] = [];
    const { parent } = noting({
      _sendInspectionEvent({ type, actorRef }: { type: string; actorRef: Private & { _snapshot: unknown } }) {
        if (type !== '@xstate.actor') return;
        announced.push([actorRef.logic === resting, actorRef._snapshot]);
        actorRef.logic = other;
      },
    });
    const actor = createActor(resting, { parent });
    expect(announced).toEqual([[true, undefined]]);
    expect(contextOf(actor)).toEqual({ which: 'other' });
  },
  _clock() {
    const { parent, clock } = noting();
    expect((createActor(resting, { parent }) as AnyActor).clock).toBe(clock);
  },
  _logger() {
    const { parent, logger } = noting();
    expect(createActor(resting, { parent })).toHaveProperty('logger', logger);
  },
  _snapshot() {
    const actor = createActor(resting, { parent: noting().parent }) as AnyActor;
    const internals = actor as unknown as { _stop(): void; _snapshot: unknown };
    // One that has failed before it starts takes no step.
    const { parent, of } = noting();
    const early = createActor(setup({}).createMachine({ entry: () => fail() }), { id: 'early', parent });
    Object.assign(early, { _snapshot: { status: 'error', error: 'too late' } });
    early.start();
    expect(of('_relay').map(([, , event]) => (event as AnyEventObject)['error'])).toEqual(['too late']);

    actor.start();
    internals._stop();
    expect(actor.getSnapshot()).toHaveProperty('status', 'stopped');
    internals._snapshot = { ...(actor.getSnapshot() as object), status: 'active' };
    actor.start();
    expect(actor.getSnapshot()).toHaveProperty('status', 'active');
  },
  _scheduledEvents() {
    expect(createActor(resting).system.getSnapshot()).toEqual({ _scheduledEvents: {} });
  },
};

describe('a private member of XState', () => {
  it.each(Object.entries(contracts))('does what xstate5.ts relies on: %s', (_member, contract) => {
    expect.hasAssertions();
    contract();
  });

  it('is touched nowhere without a contract here', () => {
    const source = readFileSync(new URL('xstate5.ts', import.meta.url), 'utf8');
    // Not the names of unused parameters.
    const touched = new Set([...source.matchAll(/(?<!\(|, )\b_[a-z]\w*/g)].map(([name]) => name));

    expect([...touched].toSorted()).toEqual(Object.keys(contracts).toSorted());
  });
});

describe('the system of an actor', () => {
  it('needs no more than what is offered here, whatever its actors do', () => {
    const touched = new Set<string>();
    const { parent, system } = noting({ get: () => undefined });
    const watched = new Proxy(system, {
      get(target, key) {
        touched.add(String(key));
        return Reflect.get(target, key) as unknown;
      },
    });
    Object.assign(parent, { system: watched });
    const machine = setup({ actors: { counting } }).createMachine({
      invoke: { id: 'kid', src: 'counting', systemId: 'kid', onSnapshot: {} },
      entry: [spawnChild('counting'), ({ system }) => system.get('kid') as unknown],
      after: { 10: {} },
      on: { fail: { actions: () => fail() } },
    });
    const actor = createActor(machine, { parent, systemId: 'one' }).start();
    const persisted = actor.getPersistedSnapshot();
    inside(actor)._send({ type: 'fail' });
    inside(createActor(machine, { parent, snapshot: persisted }).start())._stop();

    expect([...touched].toSorted()).toEqual(
      [
        '_bookId',
        '_clock',
        '_logger',
        '_register',
        '_relay',
        '_sendInspectionEvent',
        '_set',
        '_unregister',
        'get',
        'scheduler',
      ].toSorted(),
    );
  });
});

describe('a machine', () => {
  it('is told from other logic by its root, and its copy takes a bound of its own', () => {
    const machine = setup({}).createMachine({ options: { maxIterations: 3 } });
    const copy = machine.provide({});

    expect([Object.hasOwn(machine, 'root'), Object.hasOwn(counting, 'root')]).toEqual([true, false]);
    expect([resting.options.maxIterations, machine.options.maxIterations]).toEqual([Infinity, 3]);
    expect(copy).not.toBe(machine);
    expect(copy.options).not.toBe(machine.options);
  });
});

function fail(): never {
  throw new Error('on purpose');
}
