import { expect, test } from 'vitest';
import { Ticket } from '../base/ticket.ts';
import { HeldOutputs } from './held-outputs.ts';
import { holding } from './holding-reports.ts';

const MB = 1024 * 1024;

/** The reports of a thread, each with so many bytes, that rest on a commit which does not come. */
function rig(isFailing: boolean) {
  const held = new HeldOutputs();
  const commit = new Ticket();
  const [told, overflown]: [number[], number[]] = [[], []];
  const holder = holding({
    held,
    failing: () => isFailing,
    reports: {
      commit: () => {
        held.hold(commit);
        return [];
      },
      pass: (items) => items,
      overflow: (items) => {
        overflown.push(lengthOf(items));
        return [];
      },
      receive: (items) => void (items.length > 0 && told.push(lengthOf(items))),
    },
  });
  return { held, commit, told, overflown, tell: (bytes: number) => holder.receive(['x'.repeat(bytes)]) };
}

function lengthOf([text]: readonly unknown[]): number {
  return (text as string).length;
}

test('amendment 25: while the store fails a thread may have 64 MiB held; then it waits, and what comes all the same ends its instance', async () => {
  const { held, commit, told, overflown, tell } = rig(true);
  for (let n = 0; n < 63; n++) expect(tell(MB)).toBeUndefined();
  const waits = tell(MB);
  expect(waits).toBeInstanceOf(Promise);
  for (let n = 0; n < 15; n++) void tell(MB);
  expect(overflown).toEqual([]);
  void tell(2 * MB);
  expect(overflown).toEqual([2 * MB]);
  expect(held.bytes).toBeLessThan(81 * MB);
  expect(told).toEqual([]);
  commit.settle();
  await waits;
  expect(told.slice(0, 64)).toEqual(Array.from({ length: 64 }, () => MB));
});

test('a thread waits for no commit of a store that does not fail', () => {
  const { tell, overflown } = rig(false);
  for (let n = 0; n < 100; n++) expect(tell(MB)).toBeUndefined();
  expect(overflown).toEqual([]);
});
