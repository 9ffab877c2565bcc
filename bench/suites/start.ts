import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alone, SOURCE } from '../lib/alone.ts';
import { build } from '../lib/build.ts';
import { installPeers, peerNames, peers } from '../lib/peers.ts';
import type { Results } from '../lib/results.ts';
import { byTurns, rowOf, type Row } from '../lib/rounds.ts';

const BARE = 'bare workers';

/** How fast a program and its threads come up, and what they weigh. */
export async function start(results: Results, rounds: number): Promise<void> {
  if (peerNames.length > 0) installPeers();
  await programs(results, rounds);
  for (const threads of [1, 8]) await threadStarts(results, rounds, threads);
}

/** The import, and a program with one thread and with eight. */
export async function programs(results: Results, rounds: number): Promise<void> {
  build();
  const cache = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  await imports(results, rounds, cache);
  for (const threads of [1, 8]) await fromNothing(results, rounds, threads, cache);
  rmSync(cache, { recursive: true });
}

/** What `alone/from-nothing.mjs` prints. */
interface FromNothing {
  /** Processor time of the import, in milliseconds. */
  readonly imported: number;
  /** Processor time of the process, and its time on the clock, in milliseconds. */
  readonly cpu: number;
  readonly ms: number;
}

const rows = {
  [BARE]: 'bare',
  'bare workers importing xstate and comlink': 'importing',
  'holdfast, as published': 'holdfast',
} as const;
/** The same with what V8 has compiled on the disk, from the first run on: `NODE_COMPILE_CACHE`, which an app sets if it wants it. */
const CACHED = ', with a compile cache';

/** A process each: what was imported, by the name of the row. */
function fromNothingEach(
  whats: Readonly<Record<string, string>>,
  threads: number,
  cache: string,
): Record<string, () => Promise<FromNothing>> {
  const runs = Object.entries(whats).flatMap(([name, what]) =>
    [{}, { NODE_COMPILE_CACHE: cache }].map((env, i): [string, () => Promise<FromNothing>] => [
      i === 0 ? name : name + CACHED,
      () => alone('from-nothing', [what, threads], [], env) as Promise<FromNothing>,
    ]),
  );
  return Object.fromEntries(runs);
}

async function imports(results: Results, rounds: number, cache: string): Promise<void> {
  const base = 'import xstate and comlink';
  const some = { [base]: 'importing', "import 'holdfast', as published": 'holdfast' };
  const all = await byTurns(fromNothingEach(some, 0, cache), rounds);
  results.table({
    suite: 'start',
    title: `processor time of the import, a process each, median of ${rounds}`,
    unit: 'ms',
    base,
    rows: Object.entries(all).map(([name, found]) =>
      rowOf(
        name,
        found.map(({ imported }) => ({ value: imported })),
      ),
    ),
  });
}

/** The start of Node itself and the import are in it. */
async function fromNothing(results: Results, rounds: number, threads: number, cache: string): Promise<void> {
  const all = await byTurns(fromNothingEach(rows, threads, cache), rounds);
  results.table({
    suite: 'start',
    title: `processor time from nothing, import included, to a reply of ${each(threads)}, a process each, median of ${rounds}`,
    unit: 'ms',
    base: BARE,
    rows: Object.entries(all).map(([name, found]) =>
      rowOf(
        name,
        found.map(({ cpu, ms }) => ({ value: cpu, also: { 'by the clock': ms } })),
      ),
    ),
    alsoUnit: 'ms',
  });
}

const each = (threads: number): string => (threads === 1 ? 'one thread' : `each of ${threads} threads`);

/** What `alone/measure.mjs` prints. */
interface Started {
  readonly ms: number;
  /** Processor time, in milliseconds. */
  readonly cpu: number;
  /** Bytes for each. */
  readonly rss: number;
}

const threadsBeside: Readonly<Record<string, readonly [what: string, flags?: readonly string[]]>> = {
  [BARE]: ['bare'],
  'bare workers importing xstate and comlink': ['importing'],
  'holdfast, as published': ['holdfast'],
  'holdfast, from source': ['holdfast', SOURCE],
  ...Object.fromEntries(peerNames.map((name) => [name, [`peer-${peers[name]}`]] as const)),
};

/** What was imported before is not in it. */
async function threadStarts(results: Results, rounds: number, threads: number): Promise<void> {
  const runs = Object.entries(threadsBeside).map(([name, [what, flags]]) => [
    name,
    () => alone('measure', [what, threads], flags) as Promise<Started>,
  ]);
  const seen: Record<string, Started[]> = await byTurns(Object.fromEntries(runs), rounds);
  const table = { suite: 'start', base: BARE } as const;
  const rowsOf = (of: (one: Started) => number): Row[] =>
    Object.entries(seen).map(([name, all]) =>
      rowOf(
        name,
        all.map((one) => ({ value: of(one), cpu: one.cpu * 1000 })),
      ),
    );
  results.table({
    ...table,
    title: `from the import to a reply of ${each(threads)}, a process each, median of ${rounds}`,
    unit: 'ms',
    rows: rowsOf(({ ms }) => ms),
  });
  if (threads === 1) return;
  results.table({
    ...table,
    title: `resident memory that one of ${threads} idle threads adds, a process each, median of ${rounds}`,
    unit: 'MB',
    rows: rowsOf(({ rss }) => rss / 2 ** 20),
  });
}
