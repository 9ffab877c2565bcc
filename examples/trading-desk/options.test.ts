import { expect, test } from 'vitest';
import { readOptions, usage } from './options.ts';

test('without arguments it is four seconds on the emulator', () => {
  expect(readOptions([])).toEqual({
    aws: false,
    secretId: 'trading-desk/signing-key',
    region: undefined,
    seconds: 4,
    inspect: false,
  });
});

test('the real service takes a secret and a region', () => {
  expect(readOptions(['--aws', '--secret', 'desk/x', '--region', 'eu-west-1', '--seconds', '1.5'])).toEqual({
    aws: true,
    secretId: 'desk/x',
    region: 'eu-west-1',
    seconds: 1.5,
    inspect: false,
  });
});

test('the inspector is asked for', () => {
  expect(readOptions(['--inspect'])).toMatchObject({ inspect: true });
});

test('help is no run', () => {
  expect(readOptions(['--help'])).toBeUndefined();
  for (const option of ['--seconds', '--aws', '--secret', '--region', '--store', '--inspect'])
    expect(usage).toContain(option);
});

test.each([
  [['--seconds', 'soon'], '--seconds takes a number from 1 to 3600, not "soon"'],
  [['--seconds', '0'], '--seconds takes'],
  [['--secret', 'x'], 'add --aws'],
  [['--region', 'x'], 'add --aws'],
  [['--asw'], "Unknown option '--asw'"],
  [['file.json'], 'Unexpected argument'],
])('%j is refused: %s', (args, message) => {
  expect(() => readOptions(args)).toThrow(message);
});
