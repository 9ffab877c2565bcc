import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDotenv } from './dotenv-file.ts';
import { isEnvFile, readEnv } from './env-file.ts';

const pieces = ['A', 'B', 'C_1', 'export ', '=', '=', ' ', '\t', '\n', '\n', '\r\n', '\r'].concat([
  '"',
  '"',
  "'",
  '`',
  '#',
  ' # ',
  String.raw`\n`,
  '\\',
  'x',
  'y z',
  ': ',
  'ü',
]);
const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 40 }).map((parts) => parts.join(''));

test('generated texts have the values that Node reads', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const read = parseEnv(text);
      // There ours is another name on purpose.
      fc.pre(!Object.keys(read).some((name) => name === '' || name.startsWith('export ')));
      expect(Object.fromEntries(readEnv(text).map(({ name, value }) => [name, value]))).toEqual(read);
    }),
    { numRuns: 3000 },
  );
});

test.each([
  ['Node', readEnv],
  ['dotenv', readDotenv],
])('generated texts have their values where the reading of %s says', (_who, read) => {
  fc.assert(
    fc.property(texts, (text) => {
      let before = 0;
      for (const { name, value, start, end, valueStart, valueEnd } of read(text)) {
        expect(before).toBeLessThanOrEqual(start);
        expect([start, valueStart, valueEnd, end]).toEqual(
          [start, valueStart, valueEnd, end].toSorted((a, b) => a - b),
        );
        expect(text.slice(start, end).replaceAll('\r', '')).toContain(name);
        // The same, but for escapes and what a line break is.
        const flat = (one: string): string => one.replaceAll(/\\[nr]|[\n\r]/g, '');
        expect(flat(text.slice(valueStart, valueEnd))).toBe(flat(value));
        before = end;
      }
    }),
    { numRuns: 2000 },
  );
});

test('a file is an .env by its name', () => {
  const are = (...names: string[]): boolean[] => names.map((name) => isEnvFile(`/desk/${name}`));
  expect(are('.env', '.env.local', 'desk.env', '.env.bak')).toEqual([true, true, true, true]);
  expect(are('env.ts', 'env.test.ts', 'environment', '.env.json')).toEqual([false, false, false, false]);
});

const key = ['-----BEGIN X KEY-----', 'line/one+', 'line/two=', '-----END X KEY-----'];

describe('an assignment', () => {
  test.each([
    ['over lines', `KEY="${key.join('\n')}"\nB=1`, key.join('\n')],
    ['over lines of Windows', `KEY='${key.join('\r\n')}'\r\nB=1`, key.join('\n')],
    ['in one line with \\n', `KEY="${key.join(String.raw`\n`)}" # a key\nB=1`, key.join('\n')],
    ['with \\n in single quotes', String.raw`KEY='a\nb'` + '\nB=1', String.raw`a\nb`],
    ['with a comment that has quotes', 'export KEY="first" # it was "old"\nB=1', 'first'],
    ['with a # that is no part of it', 'KEY = abc#def\nB=1', 'abc'],
    ['with a # in quotes', 'KEY=`abc#def`\nB=1', 'abc#def'],
    ['with a quote that is never closed', 'KEY="abc\nB=1', '"abc'],
    ['without a value', 'export KEY=\nB=1', ''],
    ['behind a byte order mark', '\uFEFFKEY=abc\nB=1', 'abc'],
  ])('%s is read whole, and has a place', (_what, text, value) => {
    const [first, second] = readEnv(text);
    expect([first?.name, first?.value, first?.isDisputed]).toEqual(['KEY', value, false]);
    expect([second?.name, second?.value]).toEqual(['B', '1']);
    // Without it the other one is as it was.
    const rest = text.slice(0, first?.start) + text.slice(first?.end);
    expect(readEnv(rest)).toMatchObject([{ name: 'B', value: '1' }]);
  });

  test('of a name that is there twice each has a place', () => {
    expect(readEnv('A=1\nA=2\n').map(({ value, start, end }) => [value, start, end])).toEqual([
      ['1', 0, 3],
      ['2', 4, 7],
    ]);
  });

  test.each([
    ['a quote behind a backslash', String.raw`A="x\"y"`, 'x\\', String.raw`x\"y`],
    ['what follows a closing quote', 'A="x" y', 'x', '"x" y'],
    ['\\r in double quotes', String.raw`A="x\ry"`, String.raw`x\ry`, 'x\ry'],
    ['a lone CR', 'A=x\rB=y', 'xB=y', 'x'],
    ['spaces behind the =', 'A= \nB=y', 'B=y', ''],
    ['quotes below the =', 'A=\n"y"', '', 'y'],
  ])('that dotenv reads otherwise is disputed: %s', (_what, text, node, dotenv) => {
    expect(readEnv(text)[0]).toMatchObject({ value: node, isDisputed: true });
    expect(readDotenv(text)[0]).toMatchObject({ value: dotenv });
  });

  test('with a colon is one for dotenv alone', () => {
    expect(readEnv('A: x\n')).toEqual([]);
    expect(readDotenv('A: x\n')).toMatchObject([{ name: 'A', value: 'x' }]);
  });
});
