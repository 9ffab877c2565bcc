import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stepsOf } from '../fixtures/steps.ts';
import { DeadLetters, type NewDeadLetter } from './dead-letters.ts';

const letter = (address: string, more: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  address,
  incarnation: 1,
  reason: 'stopped',
  event: { type: 'note' },
  ...more,
});

describe('the letter of a suspect', () => {
  test('is the last that there is of an incarnation, whatever else is kept, has gone or is in the store', () => {
    const steps = fc.array(
      fc.record({
        address: fc.constantFrom('a/1', 'a/2'),
        incarnation: fc.integer({ min: 1, max: 2 }),
        reason: fc.constantFrom('poison' as const, 'crashed' as const, 'stopped' as const),
        kept: fc.option(fc.constantFrom('s1', 's2', 's3'), { nil: undefined, freq: 2 }),
        isLost: fc.boolean(),
        gone: fc.constantFrom(undefined, undefined, 'stored' as const, 'old' as const),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        let now = 0;
        const letters = new DeadLetters(
          () => {},
          () => now,
        );
        for (const { address, incarnation, reason, kept, isLost, gone } of all) {
          now += gone === 'old' ? 2_000_000 : 1;
          if (gone === 'stored' && kept !== undefined) letters.removeStored(kept);
          else letters.add(letter(address, { incarnation, reason, kept, ...(isLost && { lost: 3 }) }));
          for (const one of ['a/1', 'a/2'])
            for (const life of [1, 2]) {
              const found = letters
                .list()
                .findLast(
                  (other) =>
                    other.address === one &&
                    other.incarnation === life &&
                    other.lost === undefined &&
                    other.reason !== 'stopped',
                );
              expect(letters.suspectOf(one, life)).toEqual(found);
            }
        }
      }),
    );
  });

  test('is not searched for where there is none: of thousands that die together one is a suspect', async () => {
    const stepsWith = async (n: number): Promise<number> => {
      const letters = new DeadLetters(() => {});
      for (let i = 0; i < n; i += 1) letters.add(letter('a/1', { reason: i === 7 ? 'poison' : 'stopped' }));
      expect(letters.suspectOf('a/1', 1)).toMatchObject({ reason: 'poison' });
      return stepsOf(() => letters.suspectOf('a/2', 1));
    };
    expect(await stepsWith(1000)).toBe(await stepsWith(10));
  });
});
