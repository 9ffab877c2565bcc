// npm run soak:kills [-- 22 24 26] [--kills 50] [--threads 1,4] [--seed n]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath, versions } from 'node:process';
import { parseArgs } from 'node:util';
import { binary, lines } from '../../scripts/node-lines.ts';
import { chanceOf } from '../soak/chance.ts';
import { type Found, runUntilKilled } from './killed-run.ts';
import { Known } from './known.ts';

/** Milliseconds of load before a kill, at most. */
const LOAD_MS = 900;
/** Milliseconds in which instances wake by themselves; only those do that have something to do. */
const ASLEEP_MS = 700;
/** One in so many processes is killed while it starts, in that time. */
const [STARTING, STARTING_MS] = [5, 1500];

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      kills: { type: 'string', default: '50' },
      threads: { type: 'string', default: '1,4' },
      seed: { type: 'string' },
    },
  });
  const kills = Number(values.kills);
  const threads = values.threads.split(',').map(Number);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const isWhole = [kills, seed, ...threads].every((n) => Number.isInteger(n));
  if (!isWhole || kills < 1 || threads.some((n) => n < 1) || positionals.some((line) => !lines.has(line))) {
    console.error(
      `npm run soak:kills -- [${[...lines.keys()].join('] [')}] [--kills 50] [--threads 1,4] [--seed n]`,
    );
    return 2;
  }
  const nodes =
    positionals.length === 0
      ? [{ name: versions.node, node: execPath }]
      : positionals.map((line) => ({ name: lines.get(line) as string, node: binary(line) }));
  console.log(`${kills} kills each on Node ${nodes.map(({ name }) => name).join(', ')}, seed ${seed}`);
  const columns: Column[] = [];
  for (const { name, node } of nodes)
    for (const count of threads)
      columns.push({
        title: `Node ${name.split('.')[0]}, ${count} thread${count === 1 ? '' : 's'}`,
        ...(await office(node, count, kills, seed)),
      });
  console.log(`\n${tableOf(columns)}\n`);
  const all = columns.flatMap(({ found }) => Object.values(found).flat());
  const never = columns.flatMap(({ title, figures }) =>
    Object.entries(figures).flatMap(([what, count]) => (count > 0 ? [] : [`${title}: nothing was ${what}`])),
  );
  for (const what of [...all.slice(0, 20), ...never]) console.log(`WRONG: ${what}`);
  const [lost, doubled, torn] = (['lost', 'doubled', 'torn'] as const).map((kind) =>
    columns.reduce((sum, { found }) => sum + found[kind].length, 0),
  );
  const done = columns.reduce((sum, column) => sum + column.kills, 0);
  console.log(`${done} kills, ${lost} lost, ${doubled} doubled, ${torn} torn`);
  return all.length + never.length === 0 ? 0 : 1;
}

interface Column {
  readonly title: string;
  readonly kills: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly found: Found;
}

/** One store, and process after process with it, until something is wrong. */
async function office(
  node: string,
  threads: number,
  kills: number,
  seed: number,
): Promise<Omit<Column, 'title'>> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-kills-'));
  const known = new Known();
  const { below } = chanceOf(seed);
  const found: Found = { lost: [], doubled: [], torn: [] };
  let done = 0;
  try {
    for (; done < kills && Object.values(found).flat().length === 0; done++) {
      const from = done % STARTING === STARTING - 1 ? 'start' : 'load';
      const killAfterMs = below(from === 'start' ? STARTING_MS : LOAD_MS);
      const path = join(folder, 'office.db');
      const asleepMs = done === 0 ? 0 : ASLEEP_MS;
      const one = await runUntilKilled({ node, path, threads, killAfterMs, from, asleepMs, known });
      for (const kind of ['lost', 'doubled', 'torn'] as const) found[kind].push(...one[kind]);
      process.stdout.write('.');
    }
    return { kills: done, figures: known.figures, found };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tableOf(columns: readonly Column[]): string {
  const names = ['kills', ...Object.keys(columns[0]?.figures ?? {}), 'lost', 'doubled', 'torn'];
  const cells = columns.map(({ title, kills, figures, found }) => {
    const { lost, doubled, torn } = found;
    const values = [kills, ...Object.values(figures), lost.length, doubled.length, torn.length];
    return [title, ...values.map((value) => value.toLocaleString('en-US'))];
  });
  return ['', ...names]
    .map((name, i) => [name.padEnd(14), ...cells.map((column) => (column[i] ?? '').padStart(20))].join(''))
    .join('\n');
}
