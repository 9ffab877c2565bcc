import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createActor } from 'xstate';
import { createRuntime, HoldfastError } from 'holdfast';
import quietLogic from '../agents/counter.ts';
import { spinUntil } from '../agents/spinner.ts';
import { asking } from '../lib/load.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { byTurns, ratio, rowOf, type Sample } from '../lib/rounds.ts';

/** How long each half of a round asks. */
const FOR_MS = 1500;
/** How long the neighbour in the same event loop is busy: it has to end, or the bench would not. */
const BUSY_MS = 2000;
/** What somebody who asks is ready to wait. */
const PATIENCE_MS = 500;
const QUIET = 'nothing else runs';
const BUSY = 'beside a busy process for each core';

/** What a pool that never comes back does to another, and what the same agents do to each other without threads. */
export async function neighbour(results: Results, rounds: number): Promise<void> {
  await twoPools(results, rounds);
  const alone = await inOneLoop();
  results.table({
    suite: 'neighbour',
    title: `the same two actors in one event loop: the longest an ask took, the other busy for ${BUSY_MS} ms`,
    unit: 'ms',
    base: 'before',
    rows: alone,
  });
  const during = rowNamed(alone, 'during').median;
  console.log(
    during > PATIENCE_MS
      ? `  nobody who waits ${PATIENCE_MS} ms gets an answer; in while (true) nobody ever would`
      : `  an answer came within ${PATIENCE_MS} ms`,
  );
}

/** Alone on the machine, and beside other work. */
export async function twoPools(results: Results, rounds: number): Promise<void> {
  const all = await byTurns({ [QUIET]: inThreads, [BUSY]: () => besideWork(inThreads) }, rounds);
  for (const [machine, threads] of Object.entries(all)) inBoth(results, rounds, machine, threads);
}

type Halves = Record<'before' | 'during', Sample>;

function inBoth(results: Results, rounds: number, machine: string, threads: readonly Halves[]): void {
  const [idle, stuck] = ['before: the other pool is idle', 'during: the other pool is in while (true)'];
  const rows = [
    rowOf(
      idle,
      threads.map(({ before }) => before),
    ),
    rowOf(
      stuck,
      threads.map(({ during }) => during),
    ),
  ];
  results.table({
    suite: 'neighbour',
    title: `a noisy neighbour, ${machine}: p99 of asks to one pool, ${FOR_MS} ms before and ${FOR_MS} ms during, median of ${rounds}`,
    unit: 'µs',
    base: idle,
    rows,
    alsoUnit: 'µs',
  });
  const what = "p99 of a pool's asks while another is in while (true), to before";
  results.gate(
    'neighbour',
    machine === QUIET ? what : `${what}, ${machine}`,
    ratio(rowNamed(rows, stuck), rowNamed(rows, idle)),
    {
      atMost: 1.5,
    },
  );
}

/** With a process for each core that is busy all the time. */
async function besideWork<T>(run: () => Promise<T>): Promise<T> {
  const others = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  const kill = (): void => others.forEach((other) => void other.kill('SIGKILL'));
  process.once('exit', kill);
  try {
    return await run();
  } finally {
    kill();
    process.off('exit', kill);
  }
}

async function inThreads(): Promise<Halves> {
  const pool = (threadId: string, file: string) => ({
    type: 'thread-bound' as const,
    threadId,
    maxThreads: 1,
    module: new URL(file, import.meta.url),
  });
  const runtime = await createRuntime(
    {
      agents: { quiet: pool('quiet', '../agents/counter.ts'), noisy: pool('noisy', '../agents/spinner.ts') },
    },
    // What the stuck one leaves behind is no news.
    { logger: { debug() {}, info() {}, warn() {}, error() {} } },
  );
  const quiet = await runtime.spawn('quiet', { id: 'a' });
  const noisy = await runtime.spawn('noisy', { id: 'b' });
  const asks = async (): Promise<Sample> => {
    const { also } = await asking((_to, event) => quiet.ask(event), { inFlight: 1, forMs: FOR_MS });
    const { p50 = 0, p99 = 0 } = also ?? {};
    return { value: p99, also: { p50 } };
  };
  // The code is warm before anything is compared.
  await asking((_to, event) => quiet.ask(event), { inFlight: 1, forMs: FOR_MS / 3 });
  const before = await asks();
  noisy.send({ type: 'spin' });
  await isStuck(noisy);
  const during = await asks();
  await isStuck(noisy);
  await runtime.stop({ timeoutMs: 1000 }).catch(() => undefined);
  return { before, during };
}

async function isStuck(noisy: {
  ask(event: { type: 'ping' }, options: object): Promise<unknown>;
}): Promise<void> {
  const outcome = await noisy.ask({ type: 'ping' }, { timeoutMs: 100 }).then(
    () => 'answered',
    (error: unknown) => (error instanceof HoldfastError ? error.code : 'failed'),
  );
  if (outcome !== 'ASK_TIMEOUT') throw new Error(`the neighbour should be stuck, and ${outcome}`);
}

/** Asks every 10 ms; how long the slowest answer took while nothing and while something kept the loop busy. */
async function inOneLoop() {
  const quiet = createActor(quietLogic).start();
  const ask = async (): Promise<number> => {
    const from = performance.now();
    await sleep(10);
    quiet.send({ type: 'add', n: 1 });
    return performance.now() - from - 10;
  };
  let before = 0;
  for (let i = 0; i < 50; i++) before = Math.max(before, await ask());
  setImmediate(() => spinUntil(performance.now() + BUSY_MS));
  let during = 0;
  for (let i = 0; i < 5; i++) during = Math.max(during, await ask());
  return [rowOf('before', [{ value: before }]), rowOf('during', [{ value: during }])];
}
