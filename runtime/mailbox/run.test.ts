import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packRun, unpackEvent } from './run.ts';

const pack = (events: readonly unknown[], from = 0) => packRun((at) => events[at], from, events.length);

/** What comes out on the other side of a port. */
const through = (events: readonly unknown[]): unknown[] => {
  const packed = structuredClone(pack(events));
  return Array.from({ length: packed?.length ?? 0 }, (_, i) =>
    unpackEvent(packed?.keys ?? [], packed?.columns ?? [], i),
  );
};

const primitive = fc.oneof(
  fc.string(),
  fc.double(),
  fc.constantFrom(0, -0, NaN, Infinity, undefined, null, true, false),
  fc.bigInt(),
);

test('a packed run is what structured clone would have made of its events', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string(), { maxLength: 5 }),
      fc.array(fc.array(primitive, { minLength: 5, maxLength: 5 }), { minLength: 4, maxLength: 40 }),
      (names, rows) => {
        const keys = names.filter((name) => name !== '__proto__');
        const events = rows.map((row) => Object.fromEntries(keys.map((key, k) => [key, row[k]])));
        expect(through(events)).toStrictEqual(structuredClone(events));
        expect(through(events).map((event) => Object.keys(event as object))).toEqual(
          events.map((event) => Object.keys(event)),
        );
      },
    ),
  );
});

test('a run ends before the first event of another shape, whatever it is', () => {
  const ticks = Array.from({ length: 6 }, (_, n) => ({ type: 'tick', n }));
  class Tick {
    type = 'tick';
    n = 1;
  }
  const others: unknown[] = [
    { n: 1, type: 'tick' },
    { type: 'tick' },
    { type: 'tick', n: 1, more: 1 },
    { type: 'tick', n: {} },
    { type: 'tick', n: () => 1 },
    { type: 'tick', n: Symbol('s') },
    Object.assign(Object.create(null), { type: 'tick', n: 1 }),
    new Tick(),
    ['tick', 1],
    'tick',
    null,
  ];
  for (const other of others) {
    expect(pack([...ticks, other, ...ticks])).toMatchObject({ length: 6, keys: ['type', 'n'] });
    expect(through([...ticks, other])).toEqual(ticks);
    expect(pack([other, ...ticks], 1)?.length).toBe(6);
  }
});

test('what never changes crosses once', () => {
  const events = Array.from({ length: 4 }, (_, n) => ({ type: 'tick', n, by: -0 }));
  expect(pack(events)?.columns).toEqual(['tick', [0, 1, 2, 3], -0]);
  expect(pack([{ z: 0 }, { z: -0 }, { z: 0 }, { z: 0 }])?.columns).toEqual([[0, -0, 0, 0]]);
});

test('too few events, odd ones and those that throw when read are left to structured clone', () => {
  const hostile = {
    type: 'x',
    get n(): number {
      throw new Error('no');
    },
  };
  const evil = JSON.parse('{"type":"x","__proto__":1}') as object;
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  for (const event of [hostile, evil, revoked.proxy, [], 7, null, undefined])
    expect(pack(Array(8).fill(event))).toBeUndefined();
  expect(pack([{ a: 1 }, { a: 2 }, { a: 3 }])).toBeUndefined();
});

test('each unpacked event is an object of its own', () => {
  const [first, second] = through(Array.from({ length: 4 }, () => ({ type: 'x' })));
  expect(first).not.toBe(second);
});
