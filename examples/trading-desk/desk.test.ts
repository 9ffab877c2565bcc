import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { runDesk } from './desk.ts';
import type { Output } from './progress.ts';

const options = {
  aws: false,
  secretId: 'trading-desk/signing-key',
  inspect: false,
  store: undefined,
  region: undefined,
  seconds: 1,
};

test('on a terminal the block is redrawn in place and gone at the end; nothing is left behind in the environment', async () => {
  const before = { ...process.env };
  const written: string[] = [];
  const output: Output = { isTTY: true, columns: 80, write: (text) => written.push(text) };
  expect(await runDesk(options, output)).toBe(0);
  expect(process.env).toEqual(before);

  const redraws = written.filter((text) => text.startsWith('\u001B[4A'));
  expect(redraws.length).toBeGreaterThan(3);
  const whole = stripVTControlCharacters(written.join(''));
  expect(whole).toContain('━');
  const closing = stripVTControlCharacters(written.at(-1) ?? '');
  for (const name of ['findings', 'books', 'signatures', 'trading-agent', 'proof'])
    expect(closing).toContain(name);
  expect(closing).not.toContain('━');
});
