import { createRuntime, sqliteStore, type AgentRef } from 'holdfast';
import { asking, type Ask } from '../lib/load.ts';
import type { Results } from '../lib/results.ts';
import { median, rowOf, type Sample } from '../lib/rounds.ts';

/** How long each half of a round asks. */
const FOR_MS = 1500;
const BIG = 5 * 1024 * 1024;
const OTHERS = 64;
const IN_FLIGHT = 16;

/** What an instance with another state of 5 MB after each turn does to those in another pool. */
export async function besideBig(results: Results, rounds: number, path: string): Promise<void> {
  const module = new URL('../agents/account.ts', import.meta.url);
  const pool = (threadId: string) => ({ type: 'thread-bound' as const, threadId, maxThreads: 1, module });
  const runtime = await createRuntime(
    { agents: { other: pool('others'), big: pool('big') } },
    { logger: { debug() {}, info() {}, warn() {}, error() {} }, store: sqliteStore({ path }) },
  );
  try {
    const others = await Promise.all(
      Array.from({ length: OTHERS }, (_, i) => runtime.spawn('other', { id: `${i}` })),
    );
    const big: AgentRef = await runtime.spawn('big', { id: 'one', input: { bytes: BIG } });
    const asks = async (): Promise<Sample> => {
      const ask: Ask = async (_to, event) => {
        const count: unknown = await (others[event.n % OTHERS] as AgentRef).ask(event);
        return typeof count === 'number' ? event.n : count;
      };
      const { also } = await asking(ask, { inFlight: IN_FLIGHT, forMs: FOR_MS });
      const { p50 = 0, p99 = 0 } = also ?? {};
      return { value: p99, also: { p50 } };
    };
    const samples: Record<'before' | 'during', Sample[]> = { before: [], during: [] };
    for (let round = -1; round < rounds; round++) {
      const before = await asks();
      const writing = { isOn: true };
      const written = writes(big, writing);
      const during = await asks();
      writing.isOn = false;
      const turns = await written;
      if (turns < 1) throw new Error('no turn of the big instance was committed');
      if (round < 0) continue;
      samples.before.push(before);
      samples.during.push({ ...during, also: { ...during.also, turns } });
    }
    const [before, during] = ['no other writes', 'another instance writes 5 MB a turn'];
    const rows = [rowOf(before, samples.before), rowOf(during, samples.during)];
    results.table({
      suite: 'durable',
      title: `p99 of asks, ${IN_FLIGHT} in flight, median of ${rounds}`,
      unit: 'µs',
      alsoUnit: 'µs',
      base: before,
      rows,
    });
    const ratios = samples.during.map(({ value }, i) => value / (samples.before[i] as Sample).value);
    results.gate('durable', 'p99 beside an instance with 5 MB a turn, to before', median(ratios), {
      atMost: 3,
    });
  } finally {
    await runtime.stop();
  }
}

/** Turns, one after the other, each of which leaves a state of its own. */
async function writes(big: AgentRef, writing: { readonly isOn: boolean }): Promise<number> {
  let turns = 0;
  while (writing.isOn) await big.ask({ type: 'write', n: turns++ }, { timeoutMs: 60_000 });
  return turns;
}
