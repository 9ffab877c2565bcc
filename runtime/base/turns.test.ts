import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

const never = new AbortController().signal;

test('so many run at one time, the others in their order, and none of those that gave up', async () => {
  const turns = new Turns(2, 100);
  const order: string[] = [];
  const gates = new Map<string, () => void>();
  const run = (name: string, signal = never) =>
    turns.run(10, signal, () => {
      order.push(name);
      return new Promise<void>((resolve) => gates.set(name, resolve));
    });
  const given = new AbortController();
  const [a, b, c, d, e] = [run('a'), run('b'), run('c'), run('d', given.signal), run('e')];
  expect([turns.running, turns.waiting, order]).toEqual([2, 3, ['a', 'b']]);
  given.abort(new Error('gave up'));
  await expect(d).rejects.toThrow('gave up');
  gates.get('b')?.();
  await b;
  await expect.poll(() => order).toEqual(['a', 'b', 'c']);
  gates.get('a')?.();
  await a;
  await expect.poll(() => order).toEqual(['a', 'b', 'c', 'e']);
  for (const name of ['c', 'e']) gates.get(name)?.();
  await Promise.all([c, e]);
  expect([turns.running, turns.waiting]).toEqual([0, 0]);
});

test('a turn that comes as its caller gives up goes to the next', async () => {
  const turns = new Turns(1, 100);
  let end = (): void => {};
  const first = turns.run(0, never, () => new Promise<void>((resolve) => (end = resolve)));
  const given = new AbortController();
  const second = turns.run(0, given.signal, async () => 'second');
  const third = turns.run(0, never, async () => 'third');
  end();
  await first;
  given.abort(new Error('gave up'));
  const outcomes = await Promise.allSettled([second, third]);
  expect(outcomes[1]).toEqual({ status: 'fulfilled', value: 'third' });
  expect([turns.running, turns.waiting]).toEqual([0, 0]);
});

test('what waits is bounded in bytes', async () => {
  const turns = new Turns(1, 100);
  expect(turns.isFull(1000)).toBe(false);
  void turns.run(60, never, () => new Promise(() => {}));
  void turns.run(60, never, () => new Promise(() => {}));
  expect(turns.isFull(40)).toBe(false);
  expect(turns.isFull(41)).toBe(true);
});
