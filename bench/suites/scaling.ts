import { createRuntime, type AgentRef } from 'holdfast';
import { ACTORS, asking, type Ask } from '../lib/load.ts';
import { peerNames, startPeers } from '../lib/peers.ts';
import { rawPool } from '../raw/thread.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio } from '../lib/rounds.ts';

/** About 0.2 ms of work. */
const STEPS = 120_000;
const IN_FLIGHT = 32;

/** Work that keeps a core busy, on one thread and on two. */
export async function scaling(results: Results, rounds: number): Promise<void> {
  const asks: Record<string, Ask> = {};
  const stops: (() => Promise<unknown>)[] = [];
  for (const threads of [1, 2]) {
    const label = threads === 1 ? '1 thread' : '2 threads';
    const burners = await startBurners(threads);
    const raw = rawPool(threads);
    const peers = await startPeers(threads);
    stops.push(
      () => burners.stop(),
      () => raw.stop(),
      () => peers.stop(),
    );
    asks[`raw postMessage, ${label}`] = (to, { n }) => raw.ask(to, { type: 'work', n });
    asks[`holdfast, ${label}`] = burners.ask;
    for (const name of peerNames) {
      asks[`${name}, ${label}`] = (_to, { n }) => peers.pools[name].run({ type: 'work', n });
    }
  }
  const working =
    (ask: Ask): Ask =>
    async (to, { n }) => {
      // The answer is checked, so it has to differ from task to task; a step more or less is no matter.
      const steps = (await ask(to, { type: 'add', n: STEPS + n })) as number;
      return steps - STEPS;
    };
  const rows = await measure(
    Object.fromEntries(
      Object.entries(asks).map(([name, ask]) => [
        name,
        () => asking(working(ask), { inFlight: IN_FLIGHT, limit: 5000 }),
      ]),
    ),
    rounds,
  );
  results.table({
    suite: 'scaling',
    title: `work of about 0.2 ms, ${IN_FLIGHT} in flight, 0.4 s a run, median of ${rounds}`,
    unit: 'tasks/s',
    base: 'raw postMessage, 1 thread',
    rows,
    alsoUnit: 'µs',
  });
  for (const name of ['raw postMessage', 'holdfast', ...peerNames]) {
    const [one, two] = [rowNamed(rows, `${name}, 1 thread`), rowNamed(rows, `${name}, 2 threads`)];
    results.note('scaling', `${name}, two threads to one`, ratio(two, one));
  }
  for (const stop of stops) await stop();
}

async function startBurners(threads: number): Promise<{ ask: Ask; stop(): Promise<void> }> {
  const runtime = await createRuntime({
    agents: {
      burner: {
        type: 'thread-bound',
        threadId: 'burners',
        maxThreads: threads,
        module: new URL('../agents/burner.ts', import.meta.url),
      },
    },
  });
  const refs: AgentRef[] = [];
  for (let id = 0; id < ACTORS; id++) refs.push(await runtime.spawn('burner', { id: String(id) }));
  return {
    ask: (to, { n }) => (refs[to] as AgentRef).ask({ type: 'work', n }),
    stop: () => runtime.stop(),
  };
}
