import { expect, test } from 'vitest';
import { address, fill, storeFolder } from './fixtures/filled.ts';
import { type RecordOrder, storedRecords } from './stored-records.ts';

const { path, open } = storeFolder();
const COUNT = 2100;

async function addresses(file: string, order: RecordOrder): Promise<string[]> {
  const found: string[] = [];
  for await (const record of storedRecords(file, undefined, order)) found.push(record.address);
  return found;
}

test('all records are read, each once, in either order; whoever stops soon has seen of all parts of the store', async () => {
  const file = path('many.db');
  const store = await open({ path: file });
  expect(await addresses(file, 'spread')).toEqual([]);
  await fill(store, COUNT);
  const all = Array.from({ length: COUNT }, (_, i) => address(i));
  expect(await addresses(file, 'address')).toEqual(all);
  const spread = await addresses(file, 'spread');
  expect(spread.toSorted()).toEqual(all);
  const quarters = new Set(
    spread.slice(0, COUNT / 2).map((one) => Math.floor((4 * all.indexOf(one)) / COUNT)),
  );
  expect(quarters).toEqual(new Set([0, 1, 2, 3]));
});

test('each record comes with the number of those behind it, in either order', async () => {
  const file = path('counted.db');
  const store = await open({ path: file });
  const count = 450;
  await fill(store, count);
  for (const order of ['address', 'spread'] as const) {
    const left: number[] = [];
    for await (const _ of storedRecords(file, undefined, order, (behind) => void left.push(behind)));
    expect(left).toEqual(Array.from({ length: count }, (_, i) => count - i - 1));
  }
});

test('what is written while somebody reads is read, or not, and nothing twice', async () => {
  const file = path('while.db');
  const store = await open({ path: file });
  await fill(store, 500);
  const read: string[] = [];
  for await (const record of storedRecords(file, undefined, 'spread')) {
    if (read.push(record.address) === 1) await fill(store, 900);
  }
  expect(new Set(read).size).toBe(read.length);
  expect(read.length).toBeGreaterThanOrEqual(500);
});
