import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anySeed, seeded } from './random.ts';

const take = (random: () => number, n: number): number[] => Array.from({ length: n }, random);

test('a seed has the same numbers each time, now and in later versions', () => {
  expect(take(seeded(1), 3)).toEqual(take(seeded(1), 3));
  expect(take(seeded(1), 3).map((n) => Math.floor(n * 1e6))).toMatchInlineSnapshot(`
    [
      891450,
      6544,
      214081,
    ]
  `);
});

test('the sources of one seed are independent of each other, and of those of the seed beside it', () => {
  const seen = new Set<number>();
  for (const seed of [0, 1, 2, 3]) {
    for (const n of [0, 1, 2, 3]) for (const value of take(seeded(seed, n), 100)) seen.add(value);
  }
  expect(seen.size).toBe(1600);
});

test('numbers are in [0, 1) and spread evenly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
      const tenths = Array.from({ length: 10 }, () => 0);
      for (const value of take(seeded(seed), 2000)) {
        if (!(value >= 0 && value < 1)) return false;
        tenths[Math.floor(value * 10)] = (tenths[Math.floor(value * 10)] ?? 0) + 1;
      }
      // Each expected 200, with a standard deviation of 13.
      return tenths.every((count) => count > 120 && count < 280);
    }),
    { seed: 20_261_122 },
  );
});

test('the environment chooses a seed for those who have none', () => {
  const before = process.env['HOLDFAST_TEST_SEED'];
  try {
    process.env['HOLDFAST_TEST_SEED'] = '42';
    expect([anySeed(), anySeed()]).toEqual([42, 42]);
    delete process.env['HOLDFAST_TEST_SEED'];
    expect(new Set(take(anySeed, 20)).size).toBeGreaterThan(15);
  } finally {
    if (before !== undefined) process.env['HOLDFAST_TEST_SEED'] = before;
  }
});
