import { expect, test } from 'vitest';
import { Referee, type Side } from './referee.ts';
import type { Place } from './turns.ts';

/** Two processes that measure these places in their order, and who was let in how. */
function played(places: Readonly<Record<Side, readonly Place[]>>): string[] {
  const seen: string[] = [];
  const left = { this: [...places.this], ref: [...places.ref] };
  const granted: Side[] = [];
  const referee = new Referee((side) => granted.push(side));
  const goesOn = (side: Side): void => {
    const place = left[side][0];
    if (place === undefined) referee.ended(side);
    else referee.waits(side, place);
  };
  goesOn('this');
  goesOn('ref');
  for (let side = granted.shift(); side !== undefined; side = granted.shift()) {
    expect(granted, 'one measures at a time').toEqual([]);
    seen.push(`${side} ${left[side].shift()?.join('.')}`);
    referee.over(side);
    expect(granted, 'nobody measures while the other prepares').toEqual([]);
    goesOn(side);
  }
  expect(left).toEqual({ this: [], ref: [] });
  return seen;
}

test('each row is measured by both in turn, and who is first changes with the rows and rounds', () => {
  const places: Place[] = [
    [0, 1, 0, 0],
    [0, 1, 0, 1],
    [0, 1, 1, 0],
  ];
  expect(played({ this: places, ref: places })).toEqual([
    'ref 0.1.0.0',
    'this 0.1.0.0',
    'this 0.1.0.1',
    'ref 0.1.0.1',
    'this 0.1.1.0',
    'ref 0.1.1.0',
  ]);
});

test('a row or a suite that one build lacks does not bring the others out of step', () => {
  const all: Place[] = [
    [0, 1, 0, 0],
    [0, 1, 0, 1],
    [0, 1, 1, 0],
    [0, 1, 1, 1],
    [1, 1, 0, 0],
    [2, 1, 0, 0],
  ];
  const some = all.filter(([suite, , , row]) => suite !== 1 && row === 0);
  const order = played({ this: all, ref: some }).map((turn) => turn.split(' ')[1]);
  expect(order).toEqual(order.toSorted((a = '', b = '') => a.localeCompare(b)));
  expect(order).toHaveLength(all.length + some.length);
});

test('who is left when the other has ended goes on alone', () => {
  const granted: Side[] = [];
  const referee = new Referee((side) => granted.push(side));
  referee.waits('this', [0, 1, 0, 0]);
  expect(granted).toEqual([]);
  referee.ended('ref');
  expect(granted).toEqual(['this']);
});

test('one that ends while it measures gives its turn back', () => {
  const granted: Side[] = [];
  const referee = new Referee((side) => granted.push(side));
  referee.waits('ref', [0, 1, 0, 0]);
  referee.waits('this', [0, 1, 0, 1]);
  expect(granted).toEqual(['ref']);
  referee.ended('ref');
  expect(granted).toEqual(['ref', 'this']);
});
