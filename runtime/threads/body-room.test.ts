import { expect, test } from 'vitest';
import { LARGEST_WHOLE, ROOM, UNASKED } from '../wire/request-bodies.ts';
import { BodyRoom } from './body-room.ts';

function opened() {
  const due = new Set<() => void>();
  const room = new BodyRoom({
    setTimeout(run) {
      due.add(run);
      return run;
    },
    clearTimeout: (run) => void due.delete(run as never),
  });
  const said: string[] = [];
  const ask = (n: number, bytes: number = LARGEST_WHOLE): void => {
    room.ask(n, bytes)?.then(
      () => said.push(`${n}`),
      (error: { code: string }) => said.push(`${n}: ${error.code}`),
    );
  };
  return { room, due, said, ask };
}

const most = ROOM / LARGEST_WHOLE;
const settled = (): Promise<void> => new Promise(setImmediate);

test('bodies beyond the room of a thread wait in their order, small ones behind large ones, until others are over', async () => {
  const { room, due, said, ask } = opened();
  for (let n = 1; n <= most + 1; n++) ask(n);
  ask(100, 100_000);
  await settled();
  expect(said).toHaveLength(most);
  room.over(3);
  await settled();
  expect(said.slice(most)).toEqual([`${most + 1}`]);
  room.over(1);
  await settled();
  expect(said.at(-1)).toBe('100');
  expect(due.size).toBe(0);
});

test('one that waits too long, or that nobody waits for, keeps no place, and the next goes on', async () => {
  const { room, due, said, ask } = opened();
  for (let n = 1; n <= most; n++) ask(n);
  for (const n of [50, 51, 52]) ask(n);
  await settled();
  const [first] = due;
  first?.();
  room.over(51);
  room.over(1);
  await settled();
  expect(said.slice(most)).toEqual(['50: FETCH_FAILED', '51: FETCH_FAILED', '52']);
  ask(60);
  room.close({ code: 'THREAD_CRASHED' });
  await settled();
  expect(said.at(-1)).toBe('60: THREAD_CRASHED');
  expect(due.size).toBe(0);
});

test('a body is taken that has the room it takes, or needs none; and no more is asked for than one can have', () => {
  const { room } = opened();
  const body = new Uint8Array(1_000_000);
  expect(room.hasFor(1, { body: new Uint8Array(UNASKED) })).toBe(true);
  expect(room.hasFor(1, undefined)).toBe(true);
  expect(room.hasFor(1, { body })).toBe(false);
  expect(room.hasFor(1, { uploads: true })).toBe(false);
  expect(room.ask(1, LARGEST_WHOLE + 1)).toBeUndefined();
  expect(room.ask(1, UNASKED)).toBeUndefined();
  expect(room.ask(1, 1_000_000)).toBeInstanceOf(Promise);
  expect(room.ask(1, 1_000_000)).toBeUndefined();
  expect(room.hasFor(1, { body })).toBe(true);
  expect(room.hasFor(2, { body })).toBe(false);
  room.over(1);
  expect(room.hasFor(1, { body })).toBe(false);
});
