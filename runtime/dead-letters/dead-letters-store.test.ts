import { expect, test } from 'vitest';
import { DeadLetters, type DeadLetter } from './dead-letters.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';

const HOUR = 60 * 60 * 1000;
const MIB = 1024 * 1024;

/** A store with a clock that stands still until it is told, and all that was told to its listener. */
function open() {
  const told: DeadLetter[] = [];
  const clock = { ms: 1_000_000 };
  const letters = new DeadLetters(
    (letter) => told.push(letter),
    () => clock.ms,
  );
  const add = (event: unknown, reason: DeadLetterReason = 'mailbox-full'): void =>
    letters.add({ address: 'agent/1', reason, event, incarnation: 1 });
  return { letters, add, told, clock };
}

const hostile = (): object => ({
  type: 'hostile',
  get data(): never {
    throw new Error('no');
  },
});

const payload = (n: number, bytes: number): object => ({ type: `n${n}`, data: 'x'.repeat(bytes) });

test('a letter is kept as it was added, with an id and the time, and told as it is kept', () => {
  const { letters, add, told, clock } = open();
  const event = { type: 'note', n: 1 };
  add(event, 'stopped');
  expect(letters.list()).toEqual([
    { id: '1', address: 'agent/1', reason: 'stopped', event, incarnation: 1, at: clock.ms, replays: 0 },
  ]);
  expect(letters.list()[0]?.event).toBe(event);
  expect(letters.list()[0]).not.toHaveProperty('truncated');
  expect(told[0]).toBe(letters.list()[0]);
});

test('the time is that of the system unless another clock is given', () => {
  const letters = new DeadLetters(() => {});
  const before = Date.now();
  letters.add({ address: 'agent/1', reason: 'stopped', event: { type: 'a' }, incarnation: 1 });
  const at = letters.list()[0]?.at ?? 0;
  expect(at).toBeGreaterThanOrEqual(before);
  expect(at).toBeLessThanOrEqual(Date.now());
});

test('the last 1000 are kept, oldest first, and all are counted', () => {
  const { letters, add } = open();
  for (let n = 1; n <= 3500; n++) add({ type: 'note', n });
  const kept = letters.list();
  expect(kept.map(({ id }) => Number(id))).toEqual(Array.from({ length: 1000 }, (_, i) => 2501 + i));
  expect(kept.every(({ event, id }) => (event as { n: number }).n === Number(id))).toBe(true);
  expect(letters.total).toBe(3500);
});

test('a letter is listed for an hour, and no longer', () => {
  const { letters, add, clock } = open();
  add({ type: 'first' });
  clock.ms += HOUR / 2;
  add({ type: 'second' });
  clock.ms += HOUR / 2;
  expect(letters.list().map(({ id }) => id)).toEqual(['1', '2']);
  clock.ms += 1;
  expect(letters.list().map(({ id }) => id)).toEqual(['2']);
  clock.ms += HOUR;
  expect(letters.list()).toEqual([]);
  expect(letters.total).toBe(2);
});

test('letters that are too old go when another comes, without anybody listing them', () => {
  const { letters, add, clock } = open();
  add({ type: 'old' });
  clock.ms += HOUR + 1;
  add({ type: 'new' });
  clock.ms -= HOUR;
  expect(letters.list().map(({ event }) => event)).toEqual([{ type: 'new' }]);
});

test('over 16 MiB the oldest bodies go first, and their letters stay', () => {
  const { letters, add, told } = open();
  for (let n = 1; n <= 20; n++) add(payload(n, MIB - 1000));
  const kept = letters.list();
  expect(kept.map(({ id }) => id)).toEqual(told.map(({ id }) => id));
  expect(kept.slice(0, 4).map(({ event, truncated }) => ({ event, truncated }))).toEqual(
    [1, 2, 3, 4].map((n) => ({ event: { type: `n${n}` }, truncated: true })),
  );
  expect(kept.slice(4).every((letter, i) => letter.event === told[i + 4]?.event)).toBe(true);
  expect(kept.slice(4).some((letter) => 'truncated' in letter)).toBe(false);
});

test('a letter that was told is not changed when its body goes', () => {
  const { letters, add, told } = open();
  add(payload(1, 9 * MIB));
  add(payload(2, 9 * MIB));
  expect(letters.list()[0]).toEqual({ ...told[0], event: { type: 'n1' }, truncated: true });
  expect(told[0]?.event).toHaveProperty('data');
  expect(told[0]).not.toHaveProperty('truncated');
});

test('bodies that went with their letters leave room for new ones', () => {
  const { letters, add, clock } = open();
  add(payload(1, 15 * MIB));
  clock.ms += HOUR + 1;
  for (let n = 2; n <= 1001; n++) add(payload(n, 15 * 1024));
  expect(letters.list().filter(({ truncated }) => truncated)).toEqual([]);
  for (let n = 1002; n <= 4000; n++) add(payload(n, 15 * 1024));
  expect(letters.list()).toHaveLength(1000);
  expect(letters.list().filter(({ truncated }) => truncated)).toEqual([]);
});

test('room that a dropped body left is not counted again when its letter goes', () => {
  const { letters, add, clock } = open();
  add(payload(1, 9 * MIB));
  add(payload(2, 9 * MIB));
  clock.ms += HOUR + 1;
  add(payload(3, 9 * MIB));
  add(payload(4, 9 * MIB));
  expect(letters.list().map(({ truncated }) => truncated)).toEqual([true, undefined]);
});

test('a body larger than all room is dropped at once and costs no other its body', () => {
  const { letters, add, told } = open();
  add(payload(1, MIB));
  add(payload(2, 17 * MIB));
  expect(letters.list().map(({ truncated }) => truncated)).toEqual([undefined, true]);
  expect(told[1]).toMatchObject({ event: { type: 'n2' }, truncated: true });
});

test('a body that cannot be measured is dropped, for its type', () => {
  const { letters, add } = open();
  add(hostile(), 'unclonable');
  expect(letters.list()).toMatchObject([{ event: { type: 'hostile' }, truncated: true }]);
});

const revoked = Proxy.revocable({}, {});
revoked.revoke();

test.each<[string, unknown, unknown]>([
  ['an event with a type', { type: 'big', data: [1] }, { type: 'big' }],
  ['an event with data that throws', hostile(), { type: 'hostile' }],
  ['a type that is no string', { type: { nested: true } }, undefined],
  ['a type that is as good as data', { type: 'x'.repeat(257) }, undefined],
  [
    'a type that throws',
    Object.defineProperty({}, 'type', { get: () => revoked.proxy['x' as never] }),
    undefined,
  ],
  ['a revoked proxy', revoked.proxy, undefined],
  ['a string', 'x'.repeat(1000), undefined],
  ['a function', Object.assign(() => {}, { type: 'function' }), undefined],
  ['null', null, undefined],
  ['undefined', undefined, undefined],
])('of a letter that is too large only the type is kept: %s', (_name, event, kept) => {
  const { letters, add, told } = open();
  add(event, 'too-large');
  expect(letters.list()[0]?.event).toEqual(kept);
  expect(letters.list()[0]?.truncated).toBe(true);
  expect(told).toEqual(letters.list());
});

test('a type is read once, and is a string when it is kept', () => {
  const { letters, add } = open();
  let reads = 0;
  const event = {
    get type(): unknown {
      reads += 1;
      return reads === 1 ? 'first' : { huge: true };
    },
  };
  add(event, 'too-large');
  expect(letters.list()[0]?.event).toEqual({ type: 'first' });
  expect(reads).toBe(1);
});

test('an event that makes another dead letter while it is read, and a listener that does, mix nothing up', () => {
  const told: DeadLetter[] = [];
  const letters = new DeadLetters((letter) => {
    told.push(letter);
    if (letter.reason === 'stopped') add({ type: 'echo' }, 'expired');
  });
  const add = (event: unknown, reason: DeadLetterReason): void =>
    letters.add({ address: 'agent/1', reason, event, incarnation: 1 });
  let inner = true;
  const event = {
    type: 'outer',
    get data(): number {
      if (inner) {
        inner = false;
        add({ type: 'inner' }, 'crashed');
      }
      return 1;
    },
  };
  add(event, 'stopped');
  expect(letters.list().map(({ id, reason }) => `${id} ${reason}`)).toEqual([
    '1 crashed',
    '2 stopped',
    '3 expired',
  ]);
  expect(told).toEqual(letters.list());
  expect(letters.total).toBe(3);
});

test('a list belongs to the one who asked for it', () => {
  const { letters, add } = open();
  add({ type: 'a' });
  letters.list().length = 0;
  expect(letters.list()).toHaveLength(1);
});

const handled = (): Promise<void> => Promise.resolve();

test('letters whose replay was handled leave gaps that the limits of number, age and bytes step over', async () => {
  const { letters, add, clock } = open();
  for (let n = 1; n <= 1000; n++) add(payload(n, 15 * 1024));
  for (let n = 1; n <= 1000; n += 2) await letters.replay(String(n), handled);
  expect(letters.list()).toHaveLength(500);
  for (let n = 1001; n <= 1500; n++) add(payload(n, 15 * 1024));
  expect(letters.list()).toHaveLength(1000);
  expect(letters.list().some(({ truncated }) => truncated)).toBe(false);
  add(payload(1501, MIB));
  expect(letters.list()[0]).toMatchObject({ id: '4' });
  for (let n = 0; n < 14; n++) add(payload(n, MIB));
  expect(letters.list()[0]).toHaveProperty('truncated');
  expect(letters.list().at(-1)).not.toHaveProperty('truncated');
  clock.ms += HOUR + 1;
  expect(letters.list()).toEqual([]);
  for (let n = 0; n < 15; n++) add(payload(n, MIB - 1000));
  expect(letters.list().some(({ truncated }) => truncated)).toBe(false);
});

test('a letter that failed again is the last of the list, for an hour from then, and not counted again', async () => {
  const { letters, add, clock, told } = open();
  add({ type: 'a' });
  add({ type: 'b' });
  clock.ms += HOUR / 2;
  const failing = letters.replay('1', (letter, begun) => {
    begun(-5);
    letters.add({ address: letter.address, reason: 'crashed', event: letter.event, incarnation: 2 }, -5);
    return Promise.reject(new Error('again'));
  });
  await expect(failing).rejects.toThrow('again');
  add({ type: 'c' });
  expect(letters.list().map(({ id, replays, reason }) => ({ id, replays, reason }))).toEqual([
    { id: '2', replays: 0, reason: 'mailbox-full' },
    { id: '1', replays: 1, reason: 'crashed' },
    { id: '4', replays: 0, reason: 'mailbox-full' },
  ]);
  expect(letters.total).toBe(3);
  expect(told[2]).toBe(letters.list()[1]);
  clock.ms += HOUR / 2 + 1;
  expect(letters.list().map(({ id }) => id)).toEqual(['1', '4']);
  await letters.replay('1', handled);
  expect(letters.list().map(({ id }) => id)).toEqual(['4']);
});

test('a letter that is dropped while it is replayed comes back when it fails, and not when it was handled', async () => {
  const { letters, add, clock } = open();
  add({ type: 'a' });
  add({ type: 'b' });
  let settle!: { fail(): void; handle(): void };
  const failing = new Promise<void>((handle, fail) => (settle = { handle, fail }));
  const handling = new Promise<void>((handle) => (settle = { ...settle, handle }));
  const replays = [
    letters.replay('1', (_letter, begun) => (begun(-1), failing)),
    letters.replay('2', (_letter, begun) => (begun(-2), handling)),
  ];
  clock.ms += HOUR + 1;
  expect(letters.list()).toEqual([]);
  letters.add({ address: 'agent/1', reason: 'stopped', event: { type: 'a' }, incarnation: 1 }, -1);
  settle.fail();
  settle.handle();
  await Promise.allSettled(replays);
  expect(letters.list()).toMatchObject([{ id: '1', replays: 1, event: { type: 'a' } }]);
});
