import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { kindNames, kinds, type Kind } from '../agents/local.ts';
import { startFleet } from '../lib/fleet.ts';
import { sending } from '../lib/load.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio, type Variant } from '../lib/rounds.ts';

/** Events of one run. */
const EVENTS = 100_000;

/** What is left of an actor's own speed when its events come from the host. */
export async function machine(results: Results, rounds: number): Promise<void> {
  const fleet = await startFleet(1);
  const worker = new Worker(new URL('../raw/driven-worker.ts', import.meta.url));
  const driven = async (kind: Kind): Promise<number> => {
    worker.postMessage({ kind, events: EVENTS });
    const [{ count, ms }] = (await once(worker, 'message')) as [{ count: number; ms: number }];
    if (count !== EVENTS) throw new Error(`${count} of ${EVENTS} events were handled`);
    return EVENTS / (ms / 1000);
  };
  const all = Object.keys(kinds) as Kind[];
  for (const kind of all) {
    const base = `${kindNames[kind]} in a bare worker, no messages`;
    const mine = `holdfast send, ${kindNames[kind]}`;
    const variants: Record<string, Variant> = {
      [base]: () => driven(kind),
      [mine]: () => sending(fleet.sender(kind), { limit: EVENTS, forMs: 5000 }),
    };
    const rows = await measure(variants, rounds);
    results.table({
      suite: 'machine',
      title: `${kindNames[kind]}: events from the host, beside the same actors driven in a thread, ${EVENTS} events, median of ${rounds}`,
      unit: 'events/s',
      base,
      rows,
    });
    results.note(
      'machine',
      `${kindNames[kind]}, to the same without messages`,
      ratio(rowNamed(rows, mine), rowNamed(rows, base)),
    );
  }
  await worker.terminate();
  await fleet.stop();
}
