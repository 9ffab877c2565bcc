import { env } from 'node:process';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createRuntime, type AgentRef, type DurableStore, type Runtime } from 'holdfast';
import { fixture } from '../runtime/fixtures/start.ts';
import type { Act } from '../runtime/fixtures/mixing.ts';
import {
  durableMemory,
  memoryDurableStore,
  type DurableMemory,
} from '../runtime/store/memory-durable-store.ts';

/** More of them in the nightly run: `HOLDFAST_RUNS=1000 npx vitest run props/durable-order.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 3);
/** Of all runs, and of shrinking one that failed, so that its seed is printed in any case. */
const timeLimitMs = 60_000 + 1000 * numRuns;
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};
vi.setConfig({ testTimeout: timeLimitMs + 30_000 });

const supervision = {
  restart: 'permanent',
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 1000, withinMs: 1000 },
} as const;
const agents = {
  one: fixture('mixing', { threadId: 'one', supervision }),
  near: fixture('mixing', { threadId: 'one', supervision }),
  other: fixture('mixing', { threadId: 'other', supervision, passivateAfterMs: 5 }),
};
const RECIPIENTS = ['near/b', 'other/b', 'other/c'] as const;

interface Turn {
  readonly acts: readonly Pick<Act, 'kind' | 'to' | 'ends'>[];
  /** Whether the turn throws in the end. */
  readonly end: 'throw' | undefined;
  /** Whether the thread of the sender dies after it. */
  readonly dies: true | undefined;
}

const seldom = <T>(weight: number, ...what: T[]): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...what) });
const turns: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({
    acts: fc.array(
      fc.record({
        kind: fc.constantFrom('send', 'ask', 'deliver'),
        to: fc.constantFrom(...RECIPIENTS),
        ends: seldom(30, 'exit' as const),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    end: seldom(10, 'throw' as const),
    dies: seldom(10, true as const),
  }),
  { minLength: 2, maxLength: 12 },
);

/** An event in the store that ends a thread does so five times: what is sent ends none. */
function numbered({ kind, to, ends }: Turn['acts'][number], n: number): Act {
  return { kind, to, n, ends: kind === 'send' ? undefined : ends };
}

async function open(
  store: DurableStore,
  answered: (n: number) => void,
): Promise<{ runtime: Runtime; one: AgentRef; recipients: AgentRef[] }> {
  const logger = {
    debug() {},
    info: (fields: object, message?: string) => {
      if (message === 'answered') answered((fields as { n: number }).n);
    },
    warn() {},
    error() {},
  };
  const runtime = (await createRuntime({ agents }, { store, logger })) as Runtime;
  const [one, ...recipients] = await Promise.all(
    ['one/a', ...RECIPIENTS].map((address) =>
      runtime.getOrSpawn(...(address.split('/') as [string, string])),
    ),
  );
  return { runtime, one: one as AgentRef, recipients };
}

/** The notes that an instance has heard, when it is there again. */
async function heardBy(ref: AgentRef): Promise<number[]> {
  for (;;) {
    const notes = await ref.ask({ type: 'heard' }).catch(() => undefined);
    if (notes !== undefined) return notes as number[];
  }
}

const drained = (memory: DurableMemory): Promise<void> =>
  vi.waitFor(() => expect(memory.rows.size).toBe(0), { timeout: 60_000, interval: 5 });

test('what a durable agent does with others comes in the order in which it was done, whatever ends, and nothing that it sends is lost', async () => {
  await fc.assert(
    fc.asyncProperty(turns, fc.nat({ max: 20 }), async (all, commits) => {
      const memory = durableMemory();
      const inner = memoryDurableStore(memory);
      let left: DurableMemory | undefined;
      let [isMixing, lefts] = [false, commits];
      const store: DurableStore = {
        ...inner,
        async commit(group) {
          // What is in the store before this commit is what a process that ends now leaves to the next.
          if (isMixing && lefts-- === 0) left = structuredClone(memory);
          return inner.commit(group);
        },
      };
      const answered = new Set<number>();
      const first = await open(store, (n) => left === undefined && answered.add(n));
      let n = 0;
      const mixes = all.map(({ acts, end }, i) => ({
        event: { type: 'mix', acts: acts.map((one) => numbered(one, ++n)), end },
        id: { id: `mix-${i}` },
      }));
      isMixing = true;
      await Promise.all(
        mixes.map(({ event, id }, i) => {
          const kept = first.one.enqueue(event, id);
          if (all[i]?.dies === true) first.one.send({ type: 'exit' });
          return kept;
        }),
      );
      await drained(memory);
      left ??= structuredClone(memory);
      await first.runtime.stop();

      const after = left;
      const second = await open(memoryDurableStore(after), () => {});
      // Whoever does not know sends again, and each of them is handled once.
      await Promise.all(mixes.map(({ event, id }) => second.one.enqueue(event, id)));
      await drained(after);
      for (const [i, to] of RECIPIENTS.entries()) {
        const notes = await heardBy(second.recipients[i] as AgentRef);
        expect(notes).toEqual([...new Set(notes)].toSorted((a, b) => a - b));
        const own = mixes.flatMap(({ event: { acts, end } }) =>
          acts.flatMap((act) => (act.to === to ? [{ act, isMade: end === undefined }] : [])),
        );
        const never = own.flatMap(({ act, isMade }) => (isMade ? [] : [act]));
        const due = own.flatMap(({ act, isMade }) => {
          const isDue = act.ends === undefined && (act.kind === 'send' || answered.has(act.n));
          return isMade && isDue ? [act] : [];
        });
        expect(never.filter(({ n }) => notes.includes(n))).toEqual([]);
        expect(due.filter(({ n }) => !notes.includes(n))).toEqual([]);
      }
      await second.runtime.stop();
    }),
    { numRuns, ...replay, interruptAfterTimeLimit: timeLimitMs },
  );
});
