import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, type AgentConfig, type AgentRef, type Runtime } from 'holdfast';
import type { Fault } from '../agents/faulty.ts';
import { asking } from '../lib/load.ts';
import type { Results } from '../lib/results.ts';
import { median, rowOf, type Sample } from '../lib/rounds.ts';

/** Asks of each row in each round; each is answered, or the run ends. */
const ASKS = 10_000;
/** Milliseconds that a thread in `while (true)` has. */
const KILL_MS = 1000;
/** Milliseconds between the restart of who failed and its next fault. */
const PAUSE_MS = 100;

const FAULTS: Readonly<Record<Fault, string>> = {
  loop: 'while (true)',
  oom: 'out of memory',
  exit: 'process.exit',
  timer: 'a throw in a timer',
  reject: 'a rejected promise',
};

/** What one pool hears of it when the threads of another are lost again and again, in each way there is. */
export async function faults(results: Results, rounds: number): Promise<void> {
  const before: Sample[] = [];
  const during = new Map<Fault, Sample[]>();
  const ratios: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const seen = await oneRound();
    if (round < 0) continue;
    before.push(seen.before);
    for (const [fault, sample] of seen.during) {
      during.set(fault, [...(during.get(fault) ?? []), sample]);
      ratios.push(sample.value / seen.before.value);
    }
  }
  const base = 'before: nothing is wrong';
  results.table({
    suite: 'faults',
    title: `faults in another pool, again and again: p99 of ${ASKS} asks to one pool, one at a time, all answered, median of ${rounds}`,
    unit: 'µs',
    base,
    rows: [
      rowOf(base, before),
      ...Array.from(during, ([fault, samples]) => rowOf(`during: ${FAULTS[fault]}`, samples)),
    ],
    alsoUnit: 'µs',
  });
  results.note('faults', 'p99 during any of the faults, to before: the median', median(ratios));
}

async function oneRound() {
  const runtime = await startRuntime();
  try {
    const quiet = await runtime.spawn('quiet', { id: 'a' });
    const asks = async (): Promise<Sample> => {
      const { also } = await asking((_to, event) => quiet.ask(event), {
        inFlight: 1,
        limit: ASKS,
        forMs: Infinity,
      });
      const { p50 = 0, p99 = 0 } = also ?? {};
      return { value: p99, also: { p50 } };
    };
    // The code is warm before anything is compared.
    await asks();
    const before = await asks();
    const during: [Fault, Sample][] = [];
    for (const fault of Object.keys(FAULTS) as Fault[]) {
      const stop = await failing(runtime, fault);
      during.push([fault, await asks()]);
      await stop();
    }
    return { before, during };
  } finally {
    await runtime.stop();
  }
}

/** Has an instance fail again and again until the returned function is called; at least once. */
async function failing(runtime: Runtime, fault: Fault): Promise<() => Promise<void>> {
  const ref = await runtime.spawn(fault, { id: 'a' });
  const over = new AbortController();
  const lost = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const again = running(runtime, ref);
      ref.send({ type: fault });
      await again;
      await sleep(PAUSE_MS);
    }
  };
  const first = running(runtime, ref);
  const all = lost();
  // A thread that hangs does so during the asks, and not before them.
  if (fault !== 'loop') await first;
  return async () => {
    over.abort();
    await all;
    if (ref.incarnation < 2) throw new Error(`${FAULTS[fault]} did nothing`);
    await ref.stop();
  };
}

/** Resolves when the next incarnation runs. */
async function running(runtime: Runtime, ref: AgentRef): Promise<void> {
  const next = ref.incarnation + 1;
  const target = new EventTarget();
  const subscription = runtime.on('agent', ({ address, incarnation, state }) => {
    if (address === ref.address && incarnation === next && state === 'running')
      target.dispatchEvent(new Event('running'));
  });
  try {
    await once(target, 'running', { signal: AbortSignal.timeout(30_000) });
  } finally {
    subscription.unsubscribe();
  }
}

function startRuntime(): Promise<Runtime> {
  const pool = (threadId: string, file: string): AgentConfig => ({
    type: 'thread-bound',
    threadId,
    maxThreads: 1,
    module: new URL(file, import.meta.url),
    supervision: {
      intensity: { restarts: 100_000, withinMs: 1000 },
      backoff: { minMs: 10, maxMs: 10, factor: 1, jitter: 0 },
    },
  });
  const names = Object.keys(FAULTS) as Fault[];
  return createRuntime(
    {
      agents: {
        quiet: pool('quiet', '../agents/counter.ts'),
        ...Object.fromEntries(names.map((name) => [name, pool(name, '../agents/faulty.ts')])),
      },
      threads: {
        loop: { watchdog: { warnMs: 0, killMs: KILL_MS } },
        oom: { resourceLimits: { maxOldGenerationSizeMb: 24 } },
      },
    },
    // What fails here is no news.
    { logger: { debug() {}, info() {}, warn() {}, error() {} } },
  );
}
