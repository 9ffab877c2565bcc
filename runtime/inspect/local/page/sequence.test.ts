import { expect, test } from 'vitest';
import type { Message } from './actors.ts';
import { sequenceOf } from './sequence.ts';

const message = (at: number, from: string | undefined, to: string, type = 'go'): Message => ({
  at,
  from,
  to,
  type,
});
const all = (one: Message): Message => one;

test('the oldest comes first, also of what came late, and actors stand in the order in which they speak', () => {
  const { lanes, rows } = sequenceOf([message(3, 'a', 'b'), message(1, undefined, 'a')], 5, all);
  expect(rows.map(({ at }) => at)).toEqual([1, 3]);
  expect(lanes.slice(1)).toEqual(['a', 'b']);
});

test('what is said over and over is one arrow', () => {
  const said = [1, 2, 3].map((at) => message(at, 'a', 'b'));
  const { rows } = sequenceOf([...said, message(4, 'a', 'b', 'stop'), message(5, 'a', 'b')], 5, all);
  expect(rows.map(({ at, type, times }) => [at, type, times])).toEqual([
    [1, 'go', 3],
    [4, 'stop', 1],
    [5, 'go', 1],
  ]);
});

test('for whom there is no room is left out, the latest have it', () => {
  const { rows } = sequenceOf([message(1, 'a', 'b'), message(2, 'b', 'c'), message(3, 'c', 'd')], 3, all);
  expect(rows.map(({ at }) => at)).toEqual([2, 3]);
});

test('the beginning of actors is no message, nor is what is not asked for', () => {
  const said = [message(1, 'a', 'b', 'xstate.init'), message(2, 'a', 'b'), message(3, 'a', 'c')];
  const { rows } = sequenceOf(said, 5, (one) => (one.to === 'b' ? one : undefined));
  expect(rows.map(({ at }) => at)).toEqual([2]);
});
