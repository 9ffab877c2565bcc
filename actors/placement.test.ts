import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePlacement, freeNumber, numberOf, type PlacedThread, type PlacementRule } from './placement.ts';

const ready = (n: number, owned: number): PlacedThread => ({ n, state: 'ready', owned });
const starting = (n: number, owned: number): PlacedThread => ({ n, state: 'starting', owned });
const leaving = (n: number, owned: number): PlacedThread => ({ n, state: 'leaving', owned });

/** Threads of a pool in any state and order, never more than `maxThreads`. */
const pools = fc.integer({ min: 1, max: 6 }).chain((maxThreads) =>
  fc.record({
    maxThreads: fc.constant(maxThreads),
    threads: fc.uniqueArray(
      fc.record({
        n: fc.integer({ min: 1, max: maxThreads }),
        state: fc.constantFrom('starting' as const, 'ready' as const, 'leaving' as const),
        owned: fc.integer({ min: 0, max: 4 }),
      }),
      { selector: ({ n }) => n, maxLength: maxThreads },
    ),
  }),
);

describe('placement', () => {
  test.each<[string, PlacedThread[], number, ReturnType<typeof choosePlacement>]>([
    ['the first instance starts thread 1', [], 1, { kind: 'new', n: 1 }],
    ['an idle thread is taken before a new one is started', [ready(2, 0)], 8, { kind: 'existing', n: 2 }],
    ['a starting thread is as good as a ready one', [starting(1, 0)], 8, { kind: 'existing', n: 1 }],
    ['a thread that owns one leads to a new one', [ready(1, 1)], 2, { kind: 'new', n: 2 }],
    ['a gap in the numbers is filled', [ready(1, 1), ready(3, 1)], 4, { kind: 'new', n: 2 }],
    ['a full pool shares the emptiest thread', [ready(1, 3), ready(2, 2)], 2, { kind: 'existing', n: 2 }],
    ['of equals the first is taken', [ready(2, 1), ready(1, 1)], 2, { kind: 'existing', n: 2 }],
    ['a leaving thread gets nothing', [leaving(1, 0), ready(2, 9)], 2, { kind: 'existing', n: 2 }],
    ['a leaving thread takes up room', [leaving(1, 0)], 1, { kind: 'wait' }],
    ['with room beside a leaving thread, a new one starts', [leaving(1, 0)], 2, { kind: 'new', n: 2 }],
    ['everybody leaving at the cap means waiting', [leaving(1, 0), leaving(2, 1)], 2, { kind: 'wait' }],
  ])('%s', (_name, threads, maxThreads, expected) => {
    expect(choosePlacement(threads, maxThreads)).toEqual(expected);
  });

  test('goes where the fewest are, an unstarted thread counting as one that owns none', () => {
    fc.assert(
      fc.property(pools, ({ threads, maxThreads }) => {
        const staying = threads.filter(({ state }) => state !== 'leaving');
        const counts = staying.map(({ owned }) => owned);
        if (threads.length < maxThreads) counts.push(0);
        const choice = choosePlacement(threads, maxThreads);
        const owned = choice.kind === 'existing' ? staying.find(({ n }) => n === choice.n)?.owned : 0;
        expect(choice.kind === 'wait' ? Infinity : owned).toBe(Math.min(...counts));
      }),
    );
  });

  test('starts a thread only below the cap, with a number of its own, and only if nobody stays idle', () => {
    fc.assert(
      fc.property(pools, ({ threads, maxThreads }) => {
        const choice = choosePlacement(threads, maxThreads);
        if (choice.kind !== 'new') return;
        expect(threads.length).toBeLessThan(maxThreads);
        expect(threads.map(({ n }) => n)).not.toContain(choice.n);
        expect(choice.n).toBeGreaterThanOrEqual(1);
        expect(choice.n).toBeLessThanOrEqual(maxThreads);
        expect(threads.filter(({ state, owned }) => state !== 'leaving' && owned === 0)).toEqual([]);
      }),
    );
  });

  test('the free number is the lowest that nobody has', () => {
    fc.assert(
      fc.property(pools, ({ threads }) => {
        const taken = new Set(threads.map(({ n }) => n));
        const free = freeNumber(threads);
        expect(taken.has(free)).toBe(false);
        for (let n = 1; n < free; n += 1) expect(taken.has(n)).toBe(true);
      }),
    );
  });
});

const own = (n: number): PlacedThread => ({ n, state: 'ready', owned: 1, exclusive: true });
const exclusive: PlacementRule = { kind: 'exclusive' };
const keyed = (key: string): PlacementRule => ({ kind: 'key', key });
/** A key whose thread of four is the second. */
const second = keyed(['a', 'b', 'c', 'd', 'e', 'f', 'g'].find((key) => numberOf(key, 4) === 2) as string);

describe('placement by a rule', () => {
  test.each<[string, PlacementRule, PlacedThread[], number, ReturnType<typeof choosePlacement>]>([
    ['exclusive takes an idle thread', exclusive, [ready(1, 1), ready(2, 0)], 2, { kind: 'existing', n: 2 }],
    ['exclusive starts a thread', exclusive, [ready(1, 1)], 2, { kind: 'new', n: 2 }],
    ['exclusive waits when each has somebody', exclusive, [ready(1, 1), own(2)], 2, { kind: 'wait' }],
    ['exclusive waits for one that leaves', exclusive, [leaving(1, 0)], 1, { kind: 'wait' }],
    [
      'fewest passes by what somebody has for itself',
      { kind: 'fewest' },
      [own(1), ready(2, 9)],
      2,
      { kind: 'existing', n: 2 },
    ],
    ['fewest waits when all belong to somebody', { kind: 'fewest' }, [own(1)], 1, { kind: 'wait' }],
    ['a key has its thread', second, [ready(1, 0), ready(2, 9)], 4, { kind: 'existing', n: 2 }],
    ['a key starts its thread', second, [ready(1, 0), ready(3, 0)], 4, { kind: 'new', n: 2 }],
    ['a key waits while its thread leaves', second, [leaving(2, 0)], 4, { kind: 'wait' }],
    ['a key waits while somebody has its thread', second, [own(2)], 4, { kind: 'wait' }],
  ])('%s', (_name, rule, threads, maxThreads, expected) => {
    expect(choosePlacement(threads, maxThreads, rule)).toEqual(expected);
  });

  test.each<[string, PlacementRule, PlacedThread[], ReturnType<typeof choosePlacement>]>([
    ['fewest', { kind: 'fewest' }, [ready(1, 3)], { kind: 'existing', n: 1 }],
    ['exclusive', exclusive, [ready(1, 3)], { kind: 'wait' }],
    ['a key', second, [ready(1, 0)], { kind: 'wait' }],
    ['anybody without a thread', { kind: 'fewest' }, [], { kind: 'wait' }],
  ])('no thread is started where none may be: %s', (_name, rule, threads, expected) => {
    expect(choosePlacement(threads, 4, rule, false)).toEqual(expected);
  });
});

describe('the number of a key', () => {
  const keys = fc.string({ maxLength: 40 });

  test('is the same each time, and one of the numbers', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 64 }), (key, maxThreads) => {
        const n = numberOf(key, maxThreads);
        expect(numberOf(key, maxThreads)).toBe(n);
        expect(n >= 1 && n <= maxThreads && Number.isInteger(n)).toBe(true);
      }),
    );
  });

  test('moves only to the new thread when there is one more', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 63 }), (key, maxThreads) => {
        const [before, after] = [numberOf(key, maxThreads), numberOf(key, maxThreads + 1)];
        expect(after === before || after === maxThreads + 1).toBe(true);
      }),
    );
  });

  test.each([
    ['numbers', (i: number) => String(i)],
    ['names with numbers', (i: number) => `customer-${i}`],
    ['addresses in hexadecimal', (i: number) => (i * 2_654_435_761).toString(16)],
  ])(
    'spreads ten thousand %s evenly: each of eight threads has its share, give or take a tenth',
    (_of, key) => {
      const counts = Array.from({ length: 8 }, () => 0);
      for (let i = 0; i < 10_000; i++) {
        const at = numberOf(key(i), 8) - 1;
        counts[at] = (counts[at] as number) + 1;
      }
      for (const count of counts) expect(Math.abs(count - 1250)).toBeLessThan(125);
    },
  );
});
