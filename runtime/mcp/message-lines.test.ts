import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageLines, type Line } from './message-lines.ts';

function linesOf(bytes: Buffer, most: number, cuts: readonly number[]): Line[] {
  const lines: Line[] = [];
  const cutter = new MessageLines(most, (line) => lines.push(line));
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  for (let i = 1; i < at.length; i++) cutter.push(bytes.subarray(at[i - 1], at[i]));
  return lines;
}

test('lines are the same, however the bytes are cut', () => {
  const text = fc.array(fc.constantFrom('a', 'é', '漢', '\n', '{"id":1}'), { maxLength: 200 });
  fc.assert(
    fc.property(text, fc.array(fc.nat()), fc.integer({ min: 1, max: 40 }), (parts, cuts, most) => {
      const bytes = Buffer.from(`${parts.join('')}\n`);
      const lines = linesOf(bytes, most, cuts);
      const expected = parts
        .join('')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => Buffer.from(line));
      expect(lines.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
      const told = expected.map((whole): Line => {
        const { length } = whole;
        const ends = whole.toString('latin1');
        return length <= most ? { text: whole.toString(), length } : { begin: ends, end: ends, length };
      });
      expect(lines).toEqual(told);
    }),
  );
});

test('of a line that is too long its ends are kept, and the next one is whole', () => {
  const long = `${'b'.repeat(300)}${'x'.repeat(100_000)}${'e'.repeat(300)}`;
  const lines = linesOf(Buffer.from(`${long}\nnext\n`), 1000, [1, 250, 700, 1200, 100_400]);
  expect(lines).toEqual([
    { begin: 'b'.repeat(256), end: 'e'.repeat(256), length: 100_600 },
    { text: 'next', length: 4 },
  ]);
});
