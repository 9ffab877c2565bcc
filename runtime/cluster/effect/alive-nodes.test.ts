import { expect, it } from 'vitest';
import { aliveNodes } from './alive-nodes.ts';

const SILENT_MS = 3000;

/** The nodes that are alive of `count`, when those pairs do not reach each other, one way or both. */
function alive(count: number, cut: (from: number, to: number) => boolean, silent: readonly number[] = []) {
  const all = Array.from({ length: count }, (_, node) => node);
  const nodes = new Map(all.map((node) => [node, silent.includes(node) ? SILENT_MS + 1 : 500]));
  const reached = all.flatMap((from) =>
    all.filter((to) => to !== from && !cut(from, to)).map((to) => [from, to, 500] as const),
  );
  return [...aliveNodes({ nodes, reached }, SILENT_MS)];
}

it('of three nodes one that is cut from the others is dead, whichever it is', () => {
  for (const lone of [0, 1, 2])
    expect(alive(3, (from, to) => from === lone || to === lone)).toEqual([0, 1, 2].filter((n) => n !== lone));
});

it('a node that reaches nobody is alive while the others reach it', () => {
  expect(alive(3, (from) => from === 0)).toEqual([0, 1, 2]);
});

it('a node that nobody reaches is dead, though it reaches the others', () => {
  expect(alive(3, (_, to) => to === 1)).toEqual([0, 2]);
});

it('of two nodes that do not reach each other both are alive', () => {
  expect(alive(2, () => true)).toEqual([0, 1]);
});

it('a node that says nothing is dead, and is not one of those that are counted', () => {
  expect(alive(2, () => false, [1])).toEqual([0]);
  expect(alive(4, (from, to) => from === 3 || to === 3, [3])).toEqual([0, 1, 2]);
  expect(alive(4, (from, to) => from + to === 1, [3])).toEqual([0, 1, 2]);
});

it('of two halves that do not reach each other the one with the lowest number is alive', () => {
  expect(alive(4, (from, to) => from % 2 !== to % 2)).toEqual([0, 2]);
});

it('what was reached too long ago is not reached', () => {
  const nodes = new Map([
    [0, 10],
    [1, 10],
    [2, 10],
  ]);
  const reached = [
    [0, 1, 10],
    [1, 0, 10],
    [0, 2, SILENT_MS + 1],
    [1, 2, SILENT_MS + 1],
  ] as const;
  expect([...aliveNodes({ nodes, reached }, SILENT_MS)]).toEqual([0, 1]);
});

it('a newcomer is alive before anybody has reached it, and those that are there judge each other without it', () => {
  const nodes = new Map([0, 1, 2, 3].map((node) => [node, 10]));
  const reached = [
    [0, 1, 10],
    [1, 0, 10],
    [1, 2, 10],
  ] as const;
  const newcomers = new Set([3]);
  expect([...aliveNodes({ nodes, reached }, SILENT_MS, newcomers)].toSorted((a, b) => a - b)).toEqual([
    0, 1, 2, 3,
  ]);
  expect([...aliveNodes({ nodes, reached }, SILENT_MS)]).toEqual([0, 1]);
  expect([
    ...aliveNodes({ nodes: new Map(nodes).set(3, SILENT_MS + 1), reached }, SILENT_MS, newcomers),
  ]).toEqual([0, 1, 2]);
});
