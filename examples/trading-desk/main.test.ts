import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { valuePortfolio } from './agents/portfolio.ts';
import { marksOf, STAKE } from './finance-desk.ts';
import { ordersOf } from './plain-strategy.fixture.ts';
import { loadSeries } from './prices.ts';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const DEADLINE_MS = 60_000;

/** Runs the example as a user does, piped, without any AWS setting of the machine. */
async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('AWS_') && name !== 'FORCE_COLOR',
  );
  const child = spawn(process.execPath, ['-C', 'holdfast-source', main, ...args], {
    env: { ...Object.fromEntries(own), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, out, err };
}

test(
  'the whole desk runs in a pipe: table, books, proof and exit code 0',
  async () => {
    const { code, out, err } = await run(['--seconds', '1']);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).not.toContain('\u001B');

    const row = (agent: string): string[] =>
      out
        .split('\n')
        .find((line) => line.startsWith(`${agent}  `))
        ?.split(/\s{2,}/) ?? [];
    const [, instances, threads, events, , restarts, secrets, rotated] = row('trading-agent');
    expect([instances, threads, restarts, secrets, rotated]).toEqual([
      '8',
      '8 of 8',
      '0',
      'desk-key',
      '8 of 8',
    ]);
    expect(Number(events?.replaceAll(',', ''))).toBeGreaterThan(5832);
    expect(row('finance-agent').slice(1, 3)).toEqual(['2', '2 of 2']);
    expect(row('finance-agent').at(-1)).toBe('2 of 2');
    expect(row('security-agent').slice(1, 3)).toEqual(['4', '4 of 4']);
    expect(row('security-agent').slice(-2)).toEqual(['none', '-']);

    expect(out).toContain('9 credentials in plain text, in 8 of 17 files');
    expect(out).toContain('4 reports, all verify');
    expect(out.match(/with key version/g)).toHaveLength(2);
    expect(out).toMatch(/proof +no trace of the key in [\d,]+ records/);
    expect(out).toContain('the same search finds a value that is planted');
    expect(out).not.toContain('wrong:');
    for (const line of out.split('\n')) expect(line).not.toContain('made-up');

    const series = await loadSeries();
    for (const [book, isIn] of [
      ['shares', true],
      ['indices', false],
    ] as const) {
      const own = series.filter(({ unit }) => (unit === 'USD') === isIn);
      const { value, drawdown, trades, asOf } = valuePortfolio(
        marksOf(own),
        own.flatMap((one) => ordersOf(one)),
        STAKE,
      );
      const worth = Math.round(value).toLocaleString('en-US');
      expect(out).toContain(
        `${book.padEnd(8)} ${worth} on ${asOf}, drawdown ${(drawdown * 100).toFixed(1)} %, ${trades} trades`,
      );
    }
  },
  DEADLINE_MS + 5000,
);

test(
  'without credentials --aws says what is missing and fails',
  async () => {
    const nowhere = '/nonexistent';
    const { code, out, err } = await run(['--aws'], {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: nowhere,
      AWS_SHARED_CREDENTIALS_FILE: nowhere,
    });
    expect(code).toBe(1);
    expect(err).toContain('No AWS credentials were found');
    expect(err).not.toContain('    at ');
    expect(out).toBe('');
  },
  DEADLINE_MS,
);

test('help and a wrong option end at once', async () => {
  expect(await run(['--help'])).toMatchObject({ code: 0, err: '' });
  const wrong = await run(['--secnds', '3']);
  expect(wrong.code).toBe(2);
  expect(wrong.err).toContain("Unknown option '--secnds'");
});
