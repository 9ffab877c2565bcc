import {
  assign,
  fromPromise,
  fromTransition,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  type AnyEventObject,
} from 'xstate';
import { describe, expect, it } from 'vitest';
import { host, started } from './fixtures/hosting.ts';

describe('a hosted actor', () => {
  it('takes a plain object for its parent, and input', () => {
    const machine = setup({}).createMachine({ context: ({ input }) => ({ input }) });
    const { actor } = started(machine, { input: { symbol: 'BTC' } });

    expect(actor.ref.getSnapshot()).toMatchObject({
      status: 'active',
      context: { input: { symbol: 'BTC' } },
    });
  });

  it('has its id for its parent, and its session id in the whole runtime', () => {
    const { actor } = host(setup({}).createMachine({}), { id: 'btc', sessionId: 'trading/btc#2' });

    expect([actor.ref.id, actor.ref.sessionId]).toEqual(['btc', 'trading/btc#2']);
  });

  it('handles an event within deliver', () => {
    const { actor } = started(fromTransition((n: number) => n + 1, 0));

    actor.deliver({ type: 'any' });

    expect(actor.ref.getSnapshot()).toMatchObject({ context: 1 });
  });

  it('handles events that come in the middle of a turn after it, in order', () => {
    const seen: unknown[] = [];
    const logic = fromTransition((state, event: AnyEventObject) => {
      if (event['n'] === 1) {
        actor.deliver({ type: 'e', n: 2 });
        actor.deliver({ type: 'e', n: 3 });
      }
      seen.push(event['n']);
      return state;
    }, 0);
    const { actor } = started(logic);

    actor.deliver({ type: 'e', n: 1 });

    expect(seen).toEqual([1, 2, 3]);
  });

  it('waits with events until it was started', () => {
    const { actor } = host(fromTransition((n: number) => n + 1, 0));
    actor.deliver({ type: 'early' });
    expect(actor.ref.getSnapshot()).toMatchObject({ context: 0 });

    actor.start();

    expect(actor.ref.getSnapshot()).toMatchObject({ context: 1 });
  });
});

describe('what a hosted actor tells its parent', () => {
  it('is its output when it is done', () => {
    const machine = setup({}).createMachine({
      initial: 'on',
      states: { on: { on: { end: 'off' } }, off: { type: 'final' } },
      output: { total: 3 },
    });
    const { actor, told } = started(machine);

    actor.deliver({ type: 'end' });

    expect(told).toMatchObject([{ type: 'xstate.done.actor.one', output: { total: 3 }, actorId: 'one' }]);
    expect(actor.ref.getSnapshot()).toMatchObject({ status: 'done' });
  });

  it('is that it is done at once, when it is', () => {
    const machine = setup({}).createMachine({
      initial: 'end',
      states: { end: { type: 'final' } },
      output: 7,
    });

    expect(started(machine).told).toMatchObject([{ type: 'xstate.done.actor.one', output: 7 }]);
  });

  it.each([
    ['in an action', setup({}).createMachine({ on: { go: { actions: () => fail() } } })],
    ['in a guard', setup({}).createMachine({ on: { go: { guard: () => fail(), actions: () => {} } } })],
    ['in an assigner', setup({}).createMachine({ on: { go: { actions: assign(() => fail()) } } })],
    ['in a reducer', fromTransition(() => fail(), 0)],
  ])('is its error, and nothing is thrown to us: %s', (_where, logic) => {
    const { actor, told } = started(logic);

    actor.deliver({ type: 'go' });

    expect(told).toHaveLength(1);
    expect(told[0]?.type).toBe('xstate.error.actor.one');
    // XState puts words of its own around the failure of a guard.
    expect(messageOf(told)).toContain('on purpose');
    expect(actor.ref.getSnapshot()).toMatchObject({ status: 'error' });
  });

  it('is its error also when it fails at birth', () => {
    const machine = setup({}).createMachine({ entry: () => fail() });

    expect(started(machine).told).toMatchObject([
      { type: 'xstate.error.actor.one', error: { message: 'on purpose' } },
    ]);
  });

  it('is the failure of a child that nobody handles', async () => {
    const { told } = started(
      setup({ actors: { job: fromPromise(() => Promise.reject(new Error('job failed'))) } }).createMachine({
        invoke: { src: 'job' },
      }),
    );
    await new Promise((resolve) => {
      setImmediate(resolve);
    });

    expect(told).toMatchObject([{ type: 'xstate.error.actor.one', error: { message: 'job failed' } }]);
  });

  it('is what it sends with sendParent, also at birth', () => {
    const machine = setup({}).createMachine({
      entry: sendParent({ type: 'born' }),
      on: { tell: { actions: sendParent({ type: 'told', n: 1 }) } },
    });
    const { actor, told } = started(machine);

    actor.deliver({ type: 'tell' });

    expect(told).toEqual([{ type: 'born' }, { type: 'told', n: 1 }]);
  });

  it('is nothing when it is stopped, though it has a parent, which XState’s own stop refuses', () => {
    const { actor, told } = started(setup({}).createMachine({ exit: sendParent({ type: 'exit' }) }));
    expect(() => actor.ref.stop()).toThrow('non-root');

    actor.stop();
    actor.deliver({ type: 'late' });

    expect(told).toEqual([]);
    expect(actor.ref.getSnapshot()).toMatchObject({ status: 'stopped' });
  });
});

describe('a machine that never rests', () => {
  const spinning = (maxIterations?: number) =>
    setup({}).createMachine({
      initial: 'rest',
      states: { rest: { on: { spin: 'a' } }, a: { always: 'b' }, b: { always: 'a' } },
      ...(maxIterations === undefined ? {} : { options: { maxIterations } }),
    });

  it('is ended with an error after the bound it was given', () => {
    const { actor, told } = started(spinning(), { maxIterations: 50 });

    actor.deliver({ type: 'spin' });

    expect(told).toHaveLength(1);
    expect(messageOf(told)).toContain('more than 50 microsteps');
  });

  it('keeps a bound of its own', () => {
    const { actor, told } = started(spinning(7), { maxIterations: 50 });

    actor.deliver({ type: 'spin' });

    expect(messageOf(told)).toContain('more than 7 microsteps');
  });

  it('is bounded from its first step', () => {
    const machine = setup({}).createMachine({
      initial: 'a',
      states: { a: { always: 'b' }, b: { always: 'a' } },
    });

    expect(() => started(machine, { maxIterations: 50 })).not.toThrow();
    const { told } = started(machine, { maxIterations: 50 });
    expect(messageOf(told)).toContain('microsteps');
  });

  it('has the bound of each agent that hosts it, one after the other and at once', () => {
    const machine = spinning();
    const all = [50, 20, 50, 30].map((maxIterations) => started(machine, { maxIterations }));

    for (const { actor } of all) actor.deliver({ type: 'spin' });

    expect(all.map(({ told }) => /more than (\d+)/.exec(messageOf(told))?.[1])).toEqual([
      '50',
      '20',
      '50',
      '30',
    ]);
  });

  it('is bounded as a child too, invoked, spawned or continued', () => {
    const parent = setup({ actors: { spinning: spinning() } }).createMachine({
      invoke: { id: 'invoked', src: 'spinning' },
      on: {
        spawn: { actions: spawnChild('spinning', { id: 'spawned' }) },
        spin: { actions: sendTo(({ event }) => event['kid'] as string, { type: 'spin' }) },
      },
    });
    for (const kid of ['invoked', 'spawned']) {
      const { actor, told } = started(parent, { maxIterations: 40 });
      actor.deliver({ type: 'spawn' });
      const snapshot = structuredClone(actor.ref.getPersistedSnapshot());
      actor.deliver({ type: 'spin', kid });
      const again = started(parent, { maxIterations: 60, snapshot });
      again.actor.deliver({ type: 'spin', kid });

      expect(messageOf(told)).toContain('more than 40 microsteps');
      expect(messageOf(again.told)).toContain('more than 60 microsteps');
    }
  });

  it('is not what a long but finite row of steps is', () => {
    const machine = setup({}).createMachine({
      context: { n: 0 },
      initial: 'up',
      states: {
        up: {
          always: [
            {
              guard: ({ context }) => (context as { n: number }).n < 90,
              target: 'up',
              reenter: true,
              actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }),
            },
          ],
        },
      },
    });

    expect(started(machine, { maxIterations: 100 }).actor.ref.getSnapshot()).toMatchObject({
      status: 'active',
      context: { n: 90 },
    });
  });
});

function messageOf([first]: readonly AnyEventObject[]): string {
  const error: unknown = first?.['error'];
  return error instanceof Error ? error.message : 'no error';
}

function fail(): never {
  throw new Error('on purpose');
}
