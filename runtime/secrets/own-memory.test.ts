import { expect, test } from 'vitest';
import { ownMemory } from './own-memory.ts';

const CANARY = 'canary-in-the-shared-pool';

test('a small buffer crosses without what lies beside it in the pool', () => {
  const secret = Buffer.from(CANARY);
  const result = Buffer.from('ok');
  expect(result.buffer).toBe(secret.buffer);
  const nested = { list: [result], map: new Map([['b', result]]), set: new Set([result]) };
  const crossed = structuredClone(ownMemory(nested)) as typeof nested;
  const views = [crossed.list[0], crossed.map.get('b'), ...crossed.set] as Uint8Array[];
  expect(views.map((view) => Buffer.from(view.buffer as ArrayBuffer).toString())).toEqual(['ok', 'ok', 'ok']);
});

test('other values cross as they are: numbers of any view, cycles, dates', () => {
  const memory = new Float64Array([1, 2, 3, 4]);
  const loop: { self?: unknown; at: Date } = { at: new Date(5) };
  loop.self = loop;
  expect(ownMemory(memory.subarray(1, 3))).toEqual(new Float64Array([2, 3]));
  expect(ownMemory(new DataView(memory.buffer, 8, 8))).toBeInstanceOf(DataView);
  expect(ownMemory(memory)).toBe(memory);
  expect(ownMemory(loop)).toEqual(loop);
  expect([ownMemory('x'), ownMemory(null), ownMemory(7)]).toEqual(['x', null, 7]);
});
