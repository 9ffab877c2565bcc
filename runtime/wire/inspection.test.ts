import { expect, test } from 'vitest';
import { jsonSafe } from './inspection.ts';

test('a list is shown as far as somebody reads it, however long and empty it is', () => {
  const list: unknown[] = ['first'];
  list.length = 4_000_000_000;
  const shown = (jsonSafe({ list }) as { list: unknown[] }).list;
  expect([shown[0], shown[1], shown.at(-1)]).toEqual(['first', null, '…']);
  expect(shown.length).toBeLessThan(10_002);
});
