import fc from 'fast-check';
import { createActor, setup, SimulatedClock, type ActorRefFrom } from 'xstate';
import { describe, expect, test } from 'vitest';
import { breakerLimits, providerBreakerMachine, type BreakerChanged } from './provider-breaker.ts';

function run() {
  const clock = new SimulatedClock();
  const told: BreakerChanged[] = [];
  const parent = setup({
    types: { events: {} as BreakerChanged },
    actors: { breaker: providerBreakerMachine },
  }).createMachine({
    invoke: { src: 'breaker', id: 'breaker', input: { provider: 'default' } },
    on: { 'breaker.changed': { actions: ({ event }) => void told.push(event) } },
  });
  const root = createActor(parent, { clock }).start();
  const actor = root.getSnapshot().children['breaker'] as ActorRefFrom<typeof providerBreakerMachine>;
  const state = (): string => {
    const { value } = actor.getSnapshot();
    return typeof value === 'string' ? value : value.halfOpen;
  };
  const answered = (times = 1): void => {
    for (let at = 0; at < times; at += 1) actor.send({ type: 'call.answered', at: clock.now() });
  };
  const failed = (times = 1, failure: 'transient' | 'throttled' = 'transient'): void => {
    for (let at = 0; at < times; at += 1) actor.send({ type: 'call.failed', at: clock.now(), failure });
  };
  return { actor, clock, told, state, answered, failed };
}

describe('the breaker of a provider', () => {
  test('opens after five failures in a row, and says of which kind', () => {
    const { state, failed, answered, told } = run();
    failed(4);
    answered();
    failed(4, 'throttled');
    expect(state()).toBe('closed');
    failed(1, 'throttled');
    expect([state(), told]).toEqual([
      'open',
      [{ type: 'breaker.changed', provider: 'default', open: true, failure: 'throttled' }],
    ]);
  });

  test('opens when half of at least twenty calls of the last 30 s failed', () => {
    const { state, failed, answered, clock } = run();
    for (let at = 0; at < 9; at += 1) {
      failed();
      answered();
      clock.increment(1_000);
    }
    answered();
    expect(state()).toBe('closed');
    failed();
    expect(state()).toBe('open');
  });

  test('forgets what is older than 30 s', () => {
    const { state, failed, answered, clock } = run();
    for (let at = 0; at < 9; at += 1) {
      failed();
      answered();
    }
    clock.increment(30_000);
    failed();
    answered();
    failed();
    expect(state()).toBe('closed');
  });

  test('stays open for 30 s whatever comes in, then lets one call try', () => {
    const { actor, state, failed, answered, clock } = run();
    failed(5);
    answered(10);
    clock.increment(breakerLimits.openMs - 1);
    expect(state()).toBe('open');
    clock.increment(1);
    expect(state()).toBe('waiting');
    actor.send({ type: 'trial' });
    expect(state()).toBe('trying');
    actor.send({ type: 'trial' });
    expect(state()).toBe('trying');
  });

  test('closes when the trial is answered, with its counts at zero', () => {
    const { actor, state, failed, answered, clock, told } = run();
    failed(5);
    clock.increment(30_000);
    actor.send({ type: 'trial' });
    answered();
    expect([state(), told.at(-1)?.open]).toEqual(['closed', false]);
    failed(4);
    expect(state()).toBe('closed');
  });

  test('opens again when the trial fails, without telling it again', () => {
    const { actor, state, failed, clock, told } = run();
    failed(5);
    clock.increment(30_000);
    actor.send({ type: 'trial' });
    failed();
    expect([state(), told.length]).toEqual(['open', 1]);
    clock.increment(30_000);
    expect(state()).toBe('waiting');
  });

  test('a trial whose end was lost does not keep it closed for ever', () => {
    const { actor, state, failed, clock } = run();
    failed(5);
    clock.increment(30_000);
    actor.send({ type: 'trial' });
    clock.increment(breakerLimits.trialMs);
    expect(state()).toBe('waiting');
  });
});

test('whatever calls come to, the breaker knows at most the last 30 s and lets no more than one try at a time', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom('call.answered' as const, 'call.failed' as const, 'trial' as const) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 999, 5_000, 30_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { actor, clock, state } = run();
      for (const next of steps) {
        const before = state();
        if (next.do === 'pass') clock.increment(next.ms);
        else if (next.do === 'call.failed')
          actor.send({ type: next.do, at: clock.now(), failure: 'transient' });
        else actor.send({ type: next.do, at: clock.now() });
        const isNewTrial = state() === 'trying' && before !== 'trying';
        expect(isNewTrial && (before !== 'waiting' || next.do !== 'trial')).toBe(false);
        const { recent, inARow } = actor.getSnapshot().context;
        expect(recent.length).toBeLessThanOrEqual(30);
        expect(state() === 'closed' && inARow >= breakerLimits.inARow).toBe(false);
      }
    }),
    { numRuns: 200 },
  );
});
