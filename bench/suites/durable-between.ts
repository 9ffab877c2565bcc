import { createRuntime, sqliteStore, type Runtime } from 'holdfast';
import { spawned } from '../lib/compared.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio } from '../lib/rounds.ts';

const ASKED = 64;
const IN_FLIGHT = 64;
const ASKS = 8000;

/** Asks of a durable agent to durable agents in another thread, beside agents that are not durable. */
export async function betweenDurable(results: Results, rounds: number, path: string): Promise<void> {
  const runtimes = { 'between durable agents': true, 'between others': false };
  const open: Runtime[] = [];
  const variants: Record<string, () => Promise<number>> = {};
  try {
    for (const [name, isDurable] of Object.entries(runtimes)) {
      const runtime = await started(isDurable ? path : undefined);
      open.push(runtime);
      variants[name] = await asksIn(runtime);
    }
    const rows = await measure(variants, rounds);
    const base = 'between others';
    const title = `asks from one thread to another, ${IN_FLIGHT} in flight`;
    results.table({ suite: 'durable', title, unit: 'asks/s', base, rows });
    const found = ratio(rowNamed(rows, 'between durable agents'), rowNamed(rows, base));
    results.gate('durable', 'asks between durable agents to those between others', found, { atLeast: 0.3 });
  } finally {
    await Promise.all(open.map((runtime) => runtime.stop()));
  }
}

function started(path: string | undefined): Promise<Runtime> {
  const pool = (threadId: string, name: string) => ({
    type: 'thread-bound' as const,
    threadId,
    maxThreads: 1,
    module: new URL(`../agents/${name}.ts`, import.meta.url),
  });
  return createRuntime(
    { agents: { asker: pool('askers', 'asker'), account: pool('accounts', 'account') } },
    {
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      ...(path !== undefined && { store: sqliteStore({ path }) }),
    },
  );
}

async function asksIn(runtime: Runtime): Promise<() => Promise<number>> {
  const others = (await spawned(runtime, 'account', ASKED)).map(({ address }) => address);
  const asker = await runtime.spawn('asker', { id: 'one' });
  const run = { type: 'run', others, inFlight: IN_FLIGHT, limit: ASKS };
  return async () => {
    const rate: unknown = await asker.ask(run, { timeoutMs: 120_000 });
    if (typeof rate !== 'number') throw new Error(String(rate));
    return rate;
  };
}
