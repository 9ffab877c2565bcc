import { expect, it } from 'vitest';
import { KeptSteps } from './kept-steps.ts';

const MB = 1024 * 1024;
const step = (start: string, key: string, value: string | Uint8Array = '1') => ({ start, key, value });

it('steps have 16 MiB in all, and what ends makes room', () => {
  const steps = new KeptSteps();
  const large = new Uint8Array(5 * MB);
  expect(['a', 'b', 'c', 'd'].map((start) => steps.add(step(start, 'k', large)))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(steps.end(['b', 'd', 'x'])).toEqual(['b']);
  expect(steps.add(step('d', 'k', large))).toBe(true);
  expect(steps.add(step('d', 'l', 'x'.repeat(MB)))).toBe(false);
  expect(steps.all?.map(({ start }) => start)).toEqual(['a', 'c', 'd']);
});

it('a step that comes again takes the place of the first, and its room', () => {
  const steps = new KeptSteps();
  for (let n = 0; n < 10; n++) expect(steps.add(step('a', 'k', new Uint8Array(5 * MB)))).toBe(true);
  expect(steps.all).toHaveLength(1);
  expect(steps.clear()).toEqual(['a']);
  expect([steps.all, steps.clear()]).toEqual([undefined, []]);
});
