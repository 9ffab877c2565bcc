import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runExample, shownOutput } from '../program.fixture.ts';

const here = new URL('./', import.meta.url);

test('the smallest program prints what its README shows', async () => {
  const { stdout, stderr } = await runExample(here);
  expect(stderr).toBe('');
  expect(stdout).toBe(shownOutput(here));
});

test('it has 40 lines at most, the agent and the program together', () => {
  const lines = ['main.ts', 'agents/greeter.ts'].map((file) =>
    readFileSync(new URL(file, here), 'utf8').split('\n'),
  );
  expect(lines.flat().length).toBeLessThanOrEqual(40);
});
