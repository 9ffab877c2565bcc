import type { AgentRef, Runtime } from 'holdfast';
import { rowNamed, type Results } from './results.ts';
import { measure, ratio, stopwatch, type Sample } from './rounds.ts';

type Work = Parameters<typeof working>;

/** Durable agents beside others that do the same. */
export async function compared(
  results: Results,
  rounds: number,
  [durables, plain, ...work]: [durables: Work[0], ...Work],
  { what, title, atLeast }: { what: string; title: string; atLeast: number },
): Promise<void> {
  const [one, base] = [`durable: ${what}`, `not durable: ${what}`];
  const rows = await measure(
    { [one]: () => working(durables, ...work), [base]: () => working(plain, ...work) },
    rounds,
  );
  results.table({ suite: 'durable', title, unit: 'events/s', base, rows });
  const found = ratio(rowNamed(rows, one), rowNamed(rows, base));
  results.gate('durable', `durable to not durable: ${what}`, found, { atLeast });
}

/** So many instances of an agent, with the same input. */
export function spawned(
  runtime: Pick<Runtime, 'spawn'>,
  agent: string,
  count: number,
  input?: { readonly bytes: number },
): Promise<AgentRef[]> {
  const spawns = Array.from({ length: count }, (_, i) =>
    runtime.spawn(agent, { id: `${count}-${input?.bytes ?? 0}-${i}`, ...(input && { input }) }),
  );
  return Promise.all(spawns);
}

/** `n` events over all instances in turn, each of which is counted by its answer or by being handled. */
async function working(
  refs: readonly AgentRef[],
  call: 'ask' | 'deliver' | 'read',
  inFlight: number,
  n: number,
): Promise<Sample> {
  let next = 0;
  let last = 0;
  const lane = async (): Promise<void> => {
    while (next < n) {
      const i = next++;
      const ref = refs[i % refs.length] as AgentRef;
      if (call === 'deliver') await ref.deliver({ type: 'add', n: i });
      else {
        const answer: unknown = await ref.ask({ type: call === 'read' ? 'read' : 'add', n: i });
        if (typeof answer !== 'number') throw new Error(`ask ${i} was answered ${String(answer)}`);
      }
      last += 1;
    }
  };
  const measured = stopwatch();
  await Promise.all(Array.from({ length: inFlight }, lane));
  const rate = measured(n);
  if (last !== n) throw new Error(`${last} of ${n} came`);
  return rate;
}
