import zlib from 'node:zlib';
import { expect, onTestFinished, test, vi } from 'vitest';
import { checksum, type Column } from './checksum.ts';

const SMALL = ['account/7', 'owner.12', 1_700_000_000_000, 1, null, 0];

test('a row has the checksum that its columns have one after the other, so that stores of before are read', () => {
  const long = 'm'.repeat(20_000);
  const rows: Column[][] = [
    ['{}', '{"count":1}'],
    ['{}', long],
    [long, long],
    ['é\u{1f600}', '\ud83d', '\ude00'],
    ['', ''],
    [null, '{}'],
    [new Uint8Array([1, 2]), '{}', new Uint8Array()],
    [],
  ];
  for (const large of rows) expect(checksum(SMALL, ...large)).toBe(oneByOne(SMALL, large));
  expect(checksum(SMALL, 'a')).not.toBe(checksum(SMALL, new Uint8Array([97])));
});

test('a row with a small state takes one call of the checksum', () => {
  const crc32 = vi.spyOn(zlib, 'crc32');
  onTestFinished(() => crc32.mockRestore());
  checksum(SMALL, '{}', `{"memory":"${'m'.repeat(900)}"}`);
  expect(crc32).toHaveBeenCalledTimes(1);
});

function oneByOne(small: readonly Column[], large: readonly Column[]): number {
  let crc = zlib.crc32(small.join('\u0000'));
  for (const one of large) {
    if (typeof one === 'string') crc = zlib.crc32(one, zlib.crc32('t', crc));
    else if (one === null || typeof one === 'number') crc = zlib.crc32(String(one), crc);
    else {
      crc = zlib.crc32('b', crc);
      if (one.length > 0) crc = zlib.crc32(one, crc);
    }
  }
  return crc;
}
