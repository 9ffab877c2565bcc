import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRateLimit } from './rate-limit.ts';

test('so many may begin within a span, and the next when the first of them is that long ago', () => {
  const limit = createRateLimit({ requests: 2, withinMs: 1000 });
  expect([limit.admit(0), limit.admit(400), limit.admit(400)]).toEqual([0, 0, 600]);
  expect([limit.admit(999), limit.admit(1000), limit.admit(1000)]).toEqual([1, 0, 400]);
  expect(limit.admit(1400)).toBe(0);
});

test('in no span do more begin than are allowed, and one that waits as told may', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.nat({ max: 40 }), { maxLength: 60 }),
      (requests, withinMs, pauses) => {
        const limit = createRateLimit({ requests, withinMs });
        const begun: number[] = [];
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          const wait = limit.admit(now);
          now += wait;
          const again = wait > 0 ? limit.admit(now) : 0;
          expect(again).toBe(0);
          begun.push(now);
        }
        for (const at of begun) {
          expect(begun.filter((other) => other > at - withinMs && other <= at).length).toBeLessThanOrEqual(
            requests,
          );
        }
      },
    ),
  );
});
