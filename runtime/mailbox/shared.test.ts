import { expect, test } from 'vitest';
import { measure, sharesMemory } from './size.ts';
import { transfer, transferablesOf } from './transfer.ts';

const shared = (): SharedArrayBuffer => new SharedArrayBuffer(8);

test('who may share is not asked; who may not is told before the size is known', () => {
  const event = { type: 'a', memory: shared() };
  expect(measure(event, Infinity)).toBeLessThan(200);
  expect(measure(event, Infinity, false)).toBe('shared');
  expect(measure({ type: 'a', own: new ArrayBuffer(8) }, Infinity, false)).toBeLessThan(200);
});

test('what is too large is not searched', () => {
  expect(measure({ text: 'x'.repeat(1000), list: Array.from({ length: 1000 }) }, 100, false)).toBe(
    'too-large',
  );
});

test('a list of four thousand million holes is searched at once', () => {
  const holes: unknown[] = [];
  holes[4_000_000_000] = shared();
  expect(sharesMemory(holes)).toBe(true);
  holes[4_000_000_000] = 1;
  expect(sharesMemory(holes)).toBe(false);
});

test('shared memory does not move: to list it changes nothing', () => {
  const memory = shared();
  const event = transfer({ memory }, [memory]);
  expect(transferablesOf([event])).toEqual([]);
  expect(measure(event, Infinity, false)).toBe('shared');
});

test('what throws when it is read shares nothing: it cannot be cloned', () => {
  const event = Object.defineProperty({}, 'memory', {
    enumerable: true,
    get: () => {
      throw new Error('not to be read');
    },
  });
  expect(sharesMemory(event)).toBe(false);
});
