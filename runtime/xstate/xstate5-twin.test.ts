import {
  createActor,
  sendTo,
  setup,
  toPromise,
  waitFor,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { keeping, seenBy, twinLike } from './fixtures/twin-like.ts';
import { interceptEvents, putSnapshot, reviveActor, watchObservers } from './xstate5.ts';

describe('interceptEvents', () => {
  function intercepted(): {
    logic: AnyActorLogic;
    taken: string[];
    queue: (event: AnyEventObject) => void;
  } {
    const taken: string[] = [];
    let queue: ((event: AnyEventObject) => void) | undefined;
    const logic = twinLike((self) => {
      queue = interceptEvents(self, (event) => taken.push(event.type));
    });
    return { logic, taken, queue: (event) => queue?.(event) };
  }

  it('takes every event that is sent, by whatever way, before XState’s queue', () => {
    const { logic, taken } = intercepted();
    const clock = new FakeClock();
    const parent = createActor(
      setup({ actors: { logic } }).createMachine({
        invoke: { id: 'twin', src: 'logic', systemId: 'the-twin' },
        on: {
          byId: { actions: sendTo('twin', { type: 'sendTo by id' }) },
          byRef: {
            actions: sendTo(({ system }) => system.get('the-twin') as AnyActorRef, {
              type: 'sendTo by name',
            }),
          },
          delayed: { actions: sendTo('twin', { type: 'delayed' }, { delay: 0 }) },
        },
      }),
      { clock },
    ).start();
    const twin = parent.system.get('the-twin') as AnyActorRef;

    twin.send({ type: 'send' });
    for (const type of ['byId', 'byRef', 'delayed']) parent.send({ type });
    clock.pass(0);

    expect(taken).toEqual(['send', 'sendTo by id', 'sendTo by name', 'delayed']);
    expect(seenBy(twin)).toEqual([]);
    parent.stop();
  });

  it('notifies no observer of what was taken', () => {
    const { logic, taken } = intercepted();
    const twin = createActor(logic).start();
    let notified = 0;
    twin.subscribe(() => (notified += 1));

    for (let n = 0; n < 5; n++) twin.send({ type: 'user' });

    expect([taken.length, notified]).toEqual([5, 0]);
    twin.stop();
  });

  it('gives the runtime the way to the queue', () => {
    const { logic, queue, taken } = intercepted();
    const twin = createActor(logic).start();

    queue({ type: 'from the runtime' });

    expect(seenBy(twin)).toEqual(['from the runtime']);
    expect(taken).toEqual([]);
    queue({ type: 'end' });
    expect(twin.getSnapshot()).toMatchObject({ status: 'done', output: 'over' });
  });

  it('does not take XState’s own stop: not of a root, nor by its parent', () => {
    const root = intercepted();
    const twin = createActor(root.logic).start();
    twin.stop();
    expect(twin.getSnapshot()).toMatchObject({ status: 'stopped' });

    const child = intercepted();
    const parent = createActor(
      setup({ actors: { logic: child.logic } }).createMachine({ invoke: { id: 'twin', src: 'logic' } }),
    ).start();
    const ref = parent.getSnapshot().children['twin'] as AnyActorRef;
    parent.stop();

    expect(ref.getSnapshot()).toMatchObject({ status: 'stopped' });
    expect([root.taken, child.taken]).toEqual([[], []]);
  });
});

describe('watchObservers', () => {
  function watched(): {
    twin: ReturnType<typeof createActor>;
    changes: boolean[];
    queue: (event: AnyEventObject) => void;
  } {
    const changes: boolean[] = [];
    const twin = createActor(twinLike((self) => watchObservers(self, (watched) => changes.push(watched))));
    return {
      twin: twin.start(),
      changes,
      queue: (event) => twin.send(event),
    };
  }

  it.each([
    ['a function', (): void => {}],
    ['an observer with next', { next() {} }],
    ['an observer with everything', { next() {}, error() {}, complete() {} }],
  ])('tells of the first observer and of the last one gone: %s', (_what, observer) => {
    const { twin, changes } = watched();

    const subscription = twin.subscribe(observer as never);
    expect(changes).toEqual([true]);
    subscription.unsubscribe();

    expect(changes).toEqual([true, false]);
  });

  it.each([
    ['complete alone', { complete() {} }],
    ['error alone', { error() {} }],
    ['a next that is none', { next: undefined, complete() {} }],
    ['nothing', {}],
  ])('tells nothing of those who want no snapshots: %s', (_what, observer) => {
    const { twin, changes } = watched();

    twin.subscribe(observer as never).unsubscribe();

    expect(changes).toEqual([]);
  });

  it('closes only when the last of several has gone, and counts nobody twice', () => {
    const { twin, changes } = watched();
    const [one, two] = [twin.subscribe(() => {}), twin.subscribe(() => {})];

    one.unsubscribe();
    one.unsubscribe();
    expect(changes.at(-1)).toBe(true);
    two.unsubscribe();

    expect(changes.filter((open) => !open)).toHaveLength(1);
    expect(changes.at(-1)).toBe(false);
  });

  it('lets observers see as before', () => {
    const { twin, queue } = watched();
    const seen: unknown[] = [];
    const subscription = twin.subscribe((snapshot) =>
      seen.push((snapshot as unknown as { context: unknown }).context),
    );

    queue({ type: 'a' });
    subscription.unsubscribe();
    queue({ type: 'b' });

    expect(seen).toEqual([['a']]);
  });

  it('keeps from observers what is not known, also when it starts', () => {
    const heard: unknown[] = [];
    const twin = createActor(
      twinLike((self) =>
        watchObservers(
          self,
          () => {},
          () => {},
          (snapshot) => (snapshot as { context: string[] }).context.length > 0,
        ),
      ),
    );
    twin.subscribe((snapshot) => heard.push((snapshot as unknown as { context: unknown }).context));
    twin.start();
    expect(heard).toEqual([]);

    twin.send({ type: 'a' });

    expect(heard).toEqual([['a']]);
    twin.stop();
  });

  it('hears of waitFor while it waits, and of toPromise not at all', async () => {
    const { twin, changes, queue } = watched();
    const end = toPromise(twin);
    expect(changes).toEqual([]);

    const waiting = waitFor(twin, (snapshot) =>
      (snapshot as unknown as { context: string[] }).context.includes('a'),
    );
    expect(changes).toEqual([true]);
    queue({ type: 'a' });
    await waiting;
    expect(changes).toEqual([true, false]);
    queue({ type: 'end' });

    expect(await end).toBe('over');
    expect(changes).toEqual([true, false]);
  });

  it('hears of select', () => {
    const { twin, changes } = watched();
    const lengths: unknown[] = [];

    const selection = twin
      .select((snapshot) => (snapshot as unknown as { context: string[] }).context.length)
      .subscribe((length) => lengths.push(length));
    expect(changes).toEqual([true]);
    twin.send({ type: 'a' });
    selection.unsubscribe();

    expect(lengths).toContain(1);
    expect(changes).toEqual([true, false]);
  });

  it('hears of a parent machine that follows with onSnapshot, and not of one that does not', () => {
    const changes: boolean[] = [];
    const logic = twinLike((self) => watchObservers(self, (watched) => changes.push(watched)));
    const following = setup({ actors: { logic } }).createMachine({
      invoke: { src: 'logic', onSnapshot: { actions: () => {} } },
    });
    const plain = setup({ actors: { logic } }).createMachine({
      invoke: { src: 'logic', onDone: { actions: () => {} }, onError: { actions: () => {} } },
    });

    createActor(plain).start().stop();
    expect(changes).toEqual([]);
    createActor(following).start().stop();

    expect(changes[0]).toBe(true);
  });
});

/** Logic like a twin's that can also end with an error. */
const breakable = {
  ...keeping,
  transition: (state: never, event: AnyEventObject, scope: never) => {
    if (event.type === 'break') return { ...(state as object), status: 'error', error: new Error('broken') };
    return twinLike(() => {}).transition(state, event, scope) as unknown;
  },
} as unknown as AnyActorLogic;

describe('putSnapshot', () => {
  it('is what is read from then on and what the next event meets, and no observer is told', () => {
    const actor = createActor(keeping).start();
    const seen: unknown[] = [];
    actor.subscribe(() => seen.push(seenBy(actor)));

    putSnapshot(actor, { ...actor.getSnapshot(), context: ['put'] });
    expect([seenBy(actor), seen]).toEqual([['put'], []]);
    actor.send({ type: 'next' });

    expect(seen).toEqual([['put', 'next']]);
  });
});

describe('reviveActor', () => {
  it('starts an actor again that ended with an error, for those who hold it', () => {
    const parent = createActor(setup({}).createMachine({ on: { 'xstate.error.actor.*': {} } })).start();
    const twin = createActor(breakable, { id: 'twin', parent } as never) as AnyActorRef & { start(): void };
    const taken: string[] = [];
    const queue = interceptEvents(twin, (event) => taken.push(event.type));
    twin.start();
    const ends: string[] = [];
    twin.subscribe({ error: () => ends.push('error'), complete: () => ends.push('complete') });
    queue({ type: 'break' });
    expect([ends, twin.getSnapshot().status]).toEqual([['error'], 'error']);

    reviveActor(twin, { status: 'active', context: [] });
    twin.send({ type: 'user' });
    queue({ type: 'queued' });
    expect([taken, seenBy(twin), twin.getSnapshot().status]).toEqual([['user'], ['queued'], 'active']);

    twin.subscribe({ complete: () => ends.push('complete') });
    queue({ type: 'end' });
    expect([ends, twin.getSnapshot().status, parent.getSnapshot().status]).toEqual([
      ['error', 'complete'],
      'done',
      'active',
    ]);
  });
});

describe('watchObservers of an actor that ends', () => {
  it.each(['end', 'break'])('says that nobody observes it any more, once: %s', (type) => {
    const told: boolean[] = [];
    const twin = createActor(breakable);
    watchObservers(twin, (watched) => told.push(watched));
    twin.start();
    const subscription = twin.subscribe({ next: () => {}, error: () => {} });
    twin.send({ type });
    subscription.unsubscribe();
    twin.subscribe({ next: () => {}, error: () => {} }).unsubscribe();
    expect(told).toEqual([true, false]);
  });
});
