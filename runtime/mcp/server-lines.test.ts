import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { tellLines } from './server-lines.ts';

test('lines are told one by one, cut where they are long, and so many in a second', async () => {
  const [from, told] = [new PassThrough(), [] as string[]];
  let now = 0;
  tellLines(from, { clock: { now: () => now }, tell: (line) => told.push(line) });
  from.write('one\r\ntw');
  from.write(`o\n${'x'.repeat(20_000)}\n`);
  from.write('y'.repeat(20_000));
  from.write('z\n');
  expect(told).toEqual(['one', 'two', `${'x'.repeat(8192)}…`, `${'y'.repeat(8192)}…`]);
  from.write('n\n'.repeat(200));
  expect(told).toHaveLength(100);
  now = 1000;
  from.end('after\nlast');
  await once(from, 'close');
  expect(told.slice(100)).toEqual(['104 lines were left out', 'after', 'last']);
});
