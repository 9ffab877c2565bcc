import { expect, test } from 'vitest';
import { runExample, shownOutput } from '../program.fixture.ts';

const here = new URL('./', import.meta.url);

/** What is another in each run: ports, times, counts of tokens and records. */
function stable(text = ''): string[] {
  const lines = text
    .replaceAll(/127\.0\.0\.1:\d+/g, 'here')
    .replaceAll(/\b[\d,]+\b/g, 'n')
    .split('\n');
  // Those who are asked at the same time answer in any order.
  return lines.toSorted();
}

test('the desks stream, call tools, try again, fall silent, get stuck and go on, as the README shows', async () => {
  const { stdout, stderr } = await runExample(here);
  expect(stderr).toBe('');
  expect(stable(stdout)).toEqual(stable(shownOutput(here)));
  expect(stdout).not.toContain('wrong:');
});
