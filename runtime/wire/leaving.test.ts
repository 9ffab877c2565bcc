import { expect, test } from 'vitest';
import { leaving } from './leaving.ts';

test('what one value of a list shows of a memory is nothing to the others, also of what they have in common', () => {
  const memory = new Uint8Array(64).fill(7);
  const common = { head: memory.subarray(0, 2) };
  const [, events] = structuredClone(
    leaving([1, [{ common, more: memory.subarray(0, 32) }, { common }]], 2, 'MESSAGE_UNCLONABLE'),
  ) as [number, [{ common: { head: Uint8Array } }, { common: { head: Uint8Array } }]];
  expect(events.map((event) => event.common.head.buffer.byteLength)).toEqual([32, 2]);
});
