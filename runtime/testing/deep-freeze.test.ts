import { expect, test } from 'vitest';
import { deepFreeze } from './deep-freeze.ts';

test('objects and arrays are frozen all the way down, also below what was frozen already', () => {
  const event = { type: 'a', list: [{ n: 1 }], outer: Object.freeze({ inner: { n: 1 } }) };
  deepFreeze(event);
  for (const frozen of [event, event.list, event.list[0], event.outer.inner])
    expect(Object.isFrozen(frozen)).toBe(true);
});

test('a ring of objects comes to an end', () => {
  const ring: { next?: object } = {};
  ring.next = { next: ring };
  deepFreeze(ring);
  expect(Object.isFrozen(ring.next)).toBe(true);
});

test('a long chain does not run out of stack', () => {
  let chain: { next?: object } = {};
  for (let i = 0; i < 100_000; i++) chain = { next: chain };
  deepFreeze(chain);
  expect(Object.isFrozen(chain.next)).toBe(true);
});

test('what is no plain data stays as it is: bytes cannot be frozen, and other objects may live on', () => {
  class Order {
    n = 1;
  }
  const event = { bytes: new Uint8Array(2), map: new Map([['a', { n: 1 }]]), order: new Order() };
  deepFreeze(event);
  event.bytes[0] = 1;
  event.order.n = 2;
  expect([event.bytes[0], event.order.n, Object.isFrozen(event)]).toEqual([1, 2, true]);
});

test('a getter is not asked', () => {
  const event = Object.defineProperty({}, 'price', { get: () => expect.unreachable(), enumerable: true });
  deepFreeze(event);
  expect(Object.isFrozen(event)).toBe(true);
});

test.each([[null], [undefined], ['text'], [1]])('%s is left alone', (value) => {
  expect(() => deepFreeze(value)).not.toThrow();
});
