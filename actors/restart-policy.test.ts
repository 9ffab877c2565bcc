import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs, decideRestart, type FailureHistory, type RestartPolicy } from './restart-policy.ts';

type Backoff = RestartPolicy['backoff'];

const backoffs: fc.Arbitrary<Backoff> = fc
  .record({
    minMs: fc.integer({ min: 0, max: 60_000 }),
    above: fc.integer({ min: 0, max: 600_000 }),
    factor: fc.double({ min: 1, max: 8, noNaN: true }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ minMs, above, factor, jitter }) => ({ minMs, maxMs: minMs + above, factor, jitter }));
const streaks = fc.integer({ min: 0, max: 5_000 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const policy = (change: Partial<RestartPolicy> = {}): RestartPolicy => ({
  restart: 'permanent',
  intensity: { restarts: 1_000, withinMs: 60_000 },
  backoff: { minMs: 200, maxMs: 10_000, factor: 2, jitter: 0 },
  ...change,
});

/** Lets an instance fail; `random` is the jitter's share. */
function life(rules: RestartPolicy) {
  let history: FailureHistory | undefined;
  const failAt = (at: number, random = 0, reason: 'done' | 'failed' = 'failed'): number | string => {
    const decision = decideRestart(rules, history, { reason, at, random });
    if (decision.kind !== 'restart') return decision.kind;
    history = decision.history;
    return decision.delayMs;
  };
  return { failAt, remembered: () => history?.restarts.length ?? 0 };
}

describe('backoff', () => {
  test('doubles from the minimum and stays at the maximum', () => {
    const backoff = { minMs: 200, maxMs: 10_000, factor: 2, jitter: 0.2 };
    const delays = [0, 1, 2, 5, 6, 100, 1_023, 5_000].map((streak) => backoffMs(backoff, streak, 0));
    expect(delays).toEqual([200, 400, 800, 6_400, 10_000, 10_000, 10_000, 10_000]);
  });

  test('grows by the factor until the cap, without jitter', () => {
    fc.assert(
      fc.property(backoffs, fc.integer({ min: 0, max: 40 }), (backoff, streak) => {
        let expected = backoff.minMs;
        for (let i = 0; i < streak; i += 1) expected = Math.min(backoff.maxMs, expected * backoff.factor);
        expect(Math.abs(backoffMs(backoff, streak, 0) - expected)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('is never shorter than the curve, nor longer than the curve plus its jitter', () => {
    fc.assert(
      fc.property(backoffs, streaks, chance, (backoff, streak, random) => {
        const curve = backoffMs({ ...backoff, jitter: 0 }, streak, 0);
        const wait = backoffMs(backoff, streak, random);
        expect(wait).toBeGreaterThanOrEqual(curve - 1);
        // The curve is rounded to a whole number before its jitter is added here, and after it there.
        expect(wait).toBeLessThanOrEqual((curve + 0.5) * (1 + backoff.jitter) + 0.5);
      }),
    );
  });

  test('is a whole number a timer can wait, for every streak', () => {
    fc.assert(
      fc.property(backoffs, streaks, chance, (backoff, streak, random) => {
        const wait = backoffMs(backoff, streak, random);
        expect(Number.isSafeInteger(wait) ? wait : Number.NaN).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('of nothing stays nothing, also after so many failures that the factor overflows', () => {
    expect(backoffMs({ minMs: 0, maxMs: 10_000, factor: 2, jitter: 0.2 }, 2_000, 0.5)).toBe(0);
  });

  test('uses all of the jitter and no more', () => {
    const backoff = { minMs: 1_000, maxMs: 1_000, factor: 2, jitter: 0.2 };
    expect([0, 0.5, 0.999_999].map((random) => backoffMs(backoff, 0, random))).toEqual([1_000, 1_100, 1_200]);
  });

  test('never sinks while an instance fails as soon as it is restarted', () => {
    fc.assert(
      fc.property(
        backoffs,
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 }),
        (backoff, lives) => {
          const half = (backoff.minMs + backoff.maxMs) / 2;
          const { failAt } = life(
            policy({ backoff: { ...backoff, jitter: 0 }, intensity: { restarts: 1_000, withinMs: 1 } }),
          );
          let at = 0;
          let before = -1;
          for (const lived of lives.filter((ms) => ms < half)) {
            const delay = Number(failAt(at));
            expect(delay).toBeGreaterThanOrEqual(before);
            before = delay;
            at += delay + lived;
          }
        },
      ),
    );
  });

  test('stays at the cap although waiting there takes longer than the quiet time', () => {
    const { failAt } = life(policy({ intensity: { restarts: 1_000, withinMs: 1 } }));
    const delays: number[] = [];
    for (let at = 0; delays.length < 9; at += (delays.at(-1) as number) + 10) delays.push(Number(failAt(at)));
    expect(delays).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
  });

  test.each([
    ['a millisecond less than (min + max) / 2', 5_099, 400],
    ['exactly (min + max) / 2', 5_100, 200],
    ['longer', 50_000, 200],
  ])('after it ran quietly for %s, the next wait is as expected', (_name, ran, expected) => {
    const { failAt } = life(policy());
    const restartedAt = 1_000 + Number(failAt(1_000));
    expect(failAt(restartedAt + ran)).toBe(expected);
  });
});

describe('intensity', () => {
  test.each([
    [0, ['give-up']],
    [1, [200, 'give-up', 'give-up']],
    [3, [200, 400, 800, 'give-up']],
  ])('%i restarts are allowed within the window, the next one is not', (restarts, expected) => {
    const { failAt } = life(policy({ intensity: { restarts, withinMs: 1_000 } }));
    expect(expected.map((_decision, i) => failAt(i))).toEqual(expected);
  });

  test.each([
    [999, 'give-up'],
    [1_000, 400],
    [1_001, 400],
  ])('a restart %i ms ago in a window of 1000 leads to %s', (age, expected) => {
    const { failAt } = life(policy({ intensity: { restarts: 1, withinMs: 1_000 } }));
    failAt(50);
    expect(failAt(50 + age)).toBe(expected);
  });

  test('no window ever holds more restarts than allowed, and none is refused that would fit', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 });
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 1, max: 100 }),
        (times, restarts, withinMs) => {
          const { failAt, remembered } = life(policy({ intensity: { restarts, withinMs } }));
          const allowed: number[] = [];
          let at = 0;
          for (const gap of times) {
            at += gap;
            // The restart that would have to have left the window for this one to fit.
            const blocking = restarts === 0 ? at : (allowed.at(-restarts) ?? -Infinity);
            const decision = failAt(at);
            expect(decision === 'give-up').toBe(at - blocking < withinMs);
            if (decision !== 'give-up') allowed.push(at);
            expect(remembered()).toBeLessThanOrEqual(restarts);
          }
        },
      ),
    );
  });

  test('a refused restart does not count: room comes back when the old ones leave the window', () => {
    const { failAt } = life(policy({ intensity: { restarts: 2, withinMs: 100 } }));
    expect([0, 10, 20, 99, 100, 105].map((at) => typeof failAt(at))).toEqual([
      'number',
      'number',
      'string',
      'string',
      'number',
      'string',
    ]);
  });
});

describe('restart type', () => {
  test.each([
    ['permanent', 'failed', 'restart'],
    ['permanent', 'done', 'restart'],
    ['transient', 'failed', 'restart'],
    ['transient', 'done', 'end'],
    ['temporary', 'failed', 'end'],
    ['temporary', 'done', 'end'],
  ] as const)('a %s instance that is %s: %s', (restart, reason, expected) => {
    expect(decideRestart(policy({ restart }), undefined, { reason, at: 0, random: 0 }).kind).toBe(expected);
  });

  test.each(['transient', 'temporary'] as const)(
    'a %s instance that is done ends, however much it failed',
    (restart) => {
      const history: FailureHistory | undefined = (() => {
        const first = decideRestart(policy(), undefined, { reason: 'failed', at: 0, random: 0 });
        return first.kind === 'restart' ? first.history : undefined;
      })();
      const intensity = { restarts: 0, withinMs: 1_000 };
      const decision = decideRestart(policy({ restart, intensity }), history, {
        reason: 'done',
        at: 1,
        random: 0,
      });
      expect(decision).toEqual({ kind: 'end' });
    },
  );

  test('deciding changes nothing of the history it is given', () => {
    const first = decideRestart(policy(), undefined, { reason: 'failed', at: 0, random: 0 });
    if (first.kind !== 'restart') throw new Error('expected a restart');
    const copy = structuredClone(first.history);
    decideRestart(policy(), first.history, { reason: 'failed', at: 5, random: 0 });
    expect(first.history).toEqual(copy);
  });
});

test('Backoff curve: exponential, capped, jitter within ±factor, reset after quiet time, window boundary exact (N allowed, N+1 refused)', () => {
  const rules = fc.record({
    backoff: backoffs,
    restarts: fc.integer({ min: 0, max: 6 }),
    withinMs: fc.integer({ min: 1, max: 120_000 }),
  });
  const lives = fc.array(
    fc.record({
      random: chance,
      // How long it runs: from nothing to past the quiet time or the window, and exactly at their edges.
      lived: fc.oneof(
        fc.integer({ min: 0, max: 200_000 }),
        fc.constantFrom(
          'just quiet' as const,
          'not quiet' as const,
          'window over' as const,
          'window' as const,
        ),
      ),
    }),
    { minLength: 1, maxLength: 12, size: 'max' },
  );
  fc.assert(
    fc.property(rules, lives, ({ backoff, restarts, withinMs }, runs) => {
      const { failAt } = life(policy({ backoff, intensity: { restarts, withinMs } }));
      const times: number[] = [];
      const quiet = Math.ceil((backoff.minMs + backoff.maxMs) / 2);
      let [at, ranAt, streak] = [0, 0, 0];
      for (const { random, lived } of runs) {
        const oldest = times.at(-restarts) ?? ranAt;
        if (lived === 'just quiet') at = ranAt + quiet;
        else if (lived === 'not quiet') at = ranAt + Math.max(0, quiet - 1);
        else if (lived === 'window over') at = Math.max(ranAt, oldest + withinMs);
        else if (lived === 'window') at = Math.max(ranAt, oldest + withinMs - 1);
        else at = ranAt + lived;
        const wait = failAt(at, random);
        // Exact at both edges: a restart counts for `withinMs`, and not a millisecond longer.
        const recent = times.filter((time) => at - time < withinMs).length;
        expect(wait === 'give-up').toBe(recent >= restarts);
        if (typeof wait === 'string') return;
        // The first failure of all follows upon quiet, as does one after half of the shortest and longest wait.
        streak = times.length === 0 || at - ranAt >= (backoff.minMs + backoff.maxMs) / 2 ? 0 : streak + 1;
        const curve = Math.min(
          backoff.maxMs,
          backoff.minMs * Math.min(backoff.factor ** streak, Number.MAX_VALUE),
        );
        // Our jitter only adds: up to `jitter` of the wait, and never less than the curve.
        expect(wait).toBeGreaterThanOrEqual(Math.floor(curve));
        expect(wait).toBeLessThanOrEqual(Math.ceil(curve * (1 + backoff.jitter)));
        times.push(at);
        ranAt = at + wait;
      }
    }),
    { numRuns: 1000 },
  );
});

test('an instance whose thread was replaced begins anew at once, and nothing counts against it', () => {
  const strict = policy({ restart: 'transient', intensity: { restarts: 0, withinMs: 60_000 } });
  const replaced = { reason: 'replaced', at: 70, random: 0.5 } as const;
  expect(decideRestart(strict, undefined, replaced)).toMatchObject({ kind: 'restart', delayMs: 0 });
  const history: FailureHistory = { restarts: [10, 20], streak: 1, restartAt: 30 };
  expect(decideRestart(policy(), history, replaced)).toEqual({ kind: 'restart', delayMs: 0, history });
  expect(decideRestart(policy({ restart: 'temporary' }), history, replaced)).toEqual({ kind: 'end' });
});

test.each(['unfit', 'damaged', 'quarantined'] as const)(
  'an instance that ended as %s is given up at once, whatever its policy',
  (reason) => {
    for (const restart of ['permanent', 'transient', 'temporary'] as const)
      expect(decideRestart(policy({ restart }), undefined, { reason, at: 0, random: 0 })).toEqual({
        kind: 'give-up',
      });
  },
);
