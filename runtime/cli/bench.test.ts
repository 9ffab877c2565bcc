import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { shell } from './fixtures/shell.ts';

const run = shell(tmpdir());

test('bench measures this machine, and says so for people and for programs', async () => {
  const { code, out } = await run('bench --json');
  expect(code).toBe(0);
  const { rows, cores, node } = JSON.parse(out) as {
    rows: { name: string; median: number; min: number; max: number; ratio?: number }[];
    cores: number;
    node: string;
  };
  expect([cores > 0, node]).toEqual([true, process.versions.node]);
  expect(rows.map(({ name }) => name)).toEqual([
    'from nothing to the answer of an agent in a thread',
    'bare worker: a message and its answer',
    'one ask after the other',
    '64 asks at a time',
    'events, one way',
  ]);
  for (const { median, min, max } of rows) expect(0 < min && min <= median && median <= max).toBe(true);
  expect(rows[1]?.ratio).toBe(1);
  const shown = await run('bench', { isTTY: true, env: { NO_COLOR: '1' } });
  expect(shown.out).toMatch(/one ask after the other +[\d,.]+ asks\/s +[\d,.]+ to [\d,.]+ +[\d.]+x\n/);
});
