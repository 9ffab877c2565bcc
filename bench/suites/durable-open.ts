import { existsSync } from 'node:fs';
import type * as Holdfast from 'holdfast';
import { median } from '../lib/rounds.ts';
import type { Results } from '../lib/results.ts';

const RECORDS = 1_000_000;
const AT_ONCE = 2000;

/** As it ships: from source, most of the time would go into the types of what the store's thread loads. */
const built = new URL('../../dist/runtime/index.js', import.meta.url);

/** How long a store with a million records takes to open. */
export async function opening(results: Results, rounds: number, path: string): Promise<void> {
  if (!existsSync(built)) throw new Error('there is no dist/ to open a store with: npm run build');
  const { sqliteStore } = (await import(built.href)) as typeof Holdfast;
  const store = sqliteStore({ path, fsync: 'os' });
  const context = { now: () => Date.now(), warn: () => {} };
  await store.open(context);
  for (let i = 0; i < RECORDS; i += AT_ONCE) {
    const turns = Array.from({ length: AT_ONCE }, (_, k) => {
      const address = `agent/${((i + k) * 7919) % RECORDS}`;
      const of = { address, incarnation: 1, seq: 1, meta: '{}', wakes: false, quarantined: false };
      return { address, after: undefined, record: { ...of, state: 's'.repeat(200), dueAt: 1e12 + i + k } };
    });
    await store.commit({ id: `${i}`, at: 1, turns });
  }
  await store.close();
  const times: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const began = performance.now();
    await store.open(context);
    const ms = performance.now() - began;
    if ((await store.load('agent/5')) === undefined) throw new Error('a record is gone');
    await store.close();
    if (round >= 0) times.push(ms);
  }
  results.gate('durable', 'milliseconds to open a store with a million records', median(times), {
    atMost: 100,
  });
}
