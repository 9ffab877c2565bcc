import { createActor, fromTransition } from 'xstate';
import { expect, test } from 'vitest';
import { leaving } from './leaving.ts';
import { findWhy, whyUnclonable } from './unclonable.ts';

const actor = createActor(fromTransition((n: number) => n, 0));
class Order {
  readonly price = 1;
  readonly show = (): number => 1;
}

test.each<[string, unknown, string]>([
  ['a function', { a: [{ b: () => 1 }] }, 'at a.0.b: a function'],
  ['a symbol', { a: Symbol('x') }, 'at a: a symbol'],
  ['an actor, and not its system', { list: [{ ref: actor }] }, 'at list.0.ref: an actor'],
  ['a promise', { a: Promise.resolve() }, 'at a: a promise'],
  ['a proxy', { a: new Proxy({}, {}) }, 'at a: a proxy'],
  ['a field of a class', { order: new Order() }, 'at order.show: a function'],
  [
    'an object of a class that cannot be',
    { at: new URL('http://a.example/') },
    'at at: an object of the class URL',
  ],
  ['a value of a map', new Map([['k', { f: () => 1 }]]), 'at k.f: a function'],
  ['a key of a map', { m: new Map([[() => 1, 1]]) }, 'at m.key [0]: a function'],
  ['a member of a set', { s: new Set([1, () => 1]) }, 'at s.[1]: a function'],
  ['a cause', { error: new Error('x', { cause: () => 1 }) }, 'at error.cause: a function'],
  ['itself', () => 1, 'a function'],
])('names %s', (_name, value, why) => {
  expect(() => structuredClone(value)).toThrow(/clone/u);
  expect(whyUnclonable(value)).toBe(`${why} cannot be cloned`);
});

test('keeps to keys, and to few of them', () => {
  let value: unknown = { go: () => 'canary' };
  for (let level = 0; level < 100; level++) value = { [`k${level}`]: value, note: 'canary' };
  const why = whyUnclonable(value);
  expect(why).toBe('at k99.k98.k97.k96.k95.k94.….k4.k3.k2.k1.k0.go: a function cannot be cloned');
  expect(whyUnclonable({ ['x'.repeat(1000)]: () => 1 }).length).toBeLessThan(100);
});

test('looks at no more than ten thousand parts, and finds nothing in what can be cloned', () => {
  const many = [...Array.from({ length: 20_000 }, () => ({})), () => 1];
  expect(findWhy(many)).toBeUndefined();
  expect(
    findWhy({ a: [new Date(), /x/u, new Uint8Array(2), new Blob(['x']), new Map([[1, { b: null }]])] }),
  ).toBeUndefined();
  const cycle: Record<string, unknown> = { f: undefined };
  cycle['self'] = cycle;
  expect(findWhy(cycle)).toBeUndefined();
});

test('says where it is too deep, and that something cannot be read', () => {
  let value: unknown = 1;
  for (let level = 0; level < 1000; level++) value = [value];
  expect(whyUnclonable({ fine: 1, history: value })).toMatch(
    /^at history: it is nested deeper than 500 levels/u,
  );
  const broken = Object.defineProperty({}, 'x', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  expect(whyUnclonable(broken)).toBe('something in it cannot be read');
});

test('a message with several values keeps each by itself, and is the same when there is nothing to do', () => {
  const message = [1, 'report', [2, 0, { a: [1] }, 2, 1, { b: new Date() }]];
  expect(leaving(message, 2, 'MESSAGE_UNCLONABLE')).toBe(message);
  const memory = new ArrayBuffer(64);
  const [one, other] = [new Uint8Array(memory, 0, 8), new Uint8Array(memory, 4, 8)];
  const left = leaving([[one, other, one]], 2, 'MESSAGE_UNCLONABLE');
  expect(left[0]?.map((view) => view.buffer.byteLength)).toEqual([8, 8, 8]);
  let deep: unknown = 1;
  for (let level = 0; level < 501; level++) deep = [deep];
  expect(() => leaving([{ deep }], 1, 'REPLY_UNCLONABLE')).toThrow(
    expect.objectContaining({ code: 'REPLY_UNCLONABLE' }),
  );
});
