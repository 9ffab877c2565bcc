import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memoryStore, type AgentRef, type DeadLetter } from 'holdfast';
import { createTestRuntime, type TestRuntime } from 'holdfast/testing';

/** More of them in the long runs before a release: `HOLDFAST_RUNS=5000 npm test -- props`. */
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 30);

type Step =
  | { readonly do: 'send' | 'deliver' | 'ask'; readonly times: number }
  | { readonly do: 'fail' | 'kill' | 'drop' | 'arm' | 'store' | 'restart' }
  | { readonly do: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('send', 'deliver', 'ask'),
      times: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('fail', 'kill', 'kill', 'drop', 'arm', 'store', 'restart') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0, 1, 50, 300, 6000) }) },
);

const scenario = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  steps: fc.array(step, { minLength: 1, maxLength: 40 }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;
interface Told {
  readonly seen: number[];
  readonly rang: number;
}

const config = {
  agents: {
    keeping: {
      type: 'thread-bound',
      threadId: 'pool',
      maxThreads: 1,
      module: new URL('./agents/keeping.ts', import.meta.url),
      supervision: { state: 'snapshot', intensity: { restarts: 10_000, withinMs: 1000 } },
    },
  },
} as const;
const logger = { debug() {}, info() {}, warn() {}, error() {} };

async function run({ seed, steps }: Scenario): Promise<void> {
  const store = memoryStore();
  const open = (now = 0) => createTestRuntime(config, { seed, now, store, logger });
  let runtime = await open();
  let ref = await runtime.spawn('keeping', { id: 'a' });
  const letters: DeadLetter[] = [];
  let [sent, armed] = [0, 0];
  try {
    for (const one of steps) {
      if (one.do === 'send') for (let i = 0; i < one.times; i++) ref.send({ type: 'note', n: ++sent });
      if (one.do === 'deliver' || one.do === 'ask') {
        for (let i = 0; i < one.times; i++) {
          const event = { type: 'note', n: ++sent };
          void (one.do === 'deliver' ? ref.deliver(event) : ref.ask(event)).catch(() => {});
        }
      }
      if (one.do === 'fail') ref.send({ type: 'fail' });
      if (one.do === 'arm') {
        armed += 1;
        ref.send({ type: 'arm', n: armed });
      }
      if (one.do === 'store') runtime.faults.failStore(armed % 2 === 0 ? 'fail' : 'hang');
      if (one.do === 'pass') await runtime.clock.advance(one.ms);
      if (ref.thread > 0) {
        if (one.do === 'kill') runtime.faults.killThread('keeping/a');
        if (one.do === 'drop') runtime.faults.dropBatch('keeping/a');
      }
      if (one.do === 'restart') {
        // Another process; what is left of the faults of this one is gone.
        await runtime.clock.advance(120_000);
        await runtime.stop();
        letters.push(...runtime.deadLetters.list());
        runtime = await open(runtime.clock.now());
        ref = await runtime.spawn('keeping', { id: 'a' });
      }
    }
    await runtime.clock.advance(120_000);
    // A dropped batch is missed with the next one, and a timer that it brings has to come yet.
    await told(runtime, ref);
    await runtime.clock.advance(10_000);
    const { seen, rang } = await told(runtime, ref);
    letters.push(...runtime.deadLetters.list());
    const notes = letters.map(({ event }) => event as { type: string; n?: number });
    const lost = new Set(notes.map(({ type, n }) => (type === 'note' ? n : undefined)));
    const all = Array.from({ length: sent }, (_, i) => i + 1).filter((n) => !lost.has(n));
    expect(seen).toEqual(all);
    // Each timer came, once.
    expect(rang).toBe(armed - notes.filter(({ type }) => type === 'arm').length);
    const { snapshot } = await ref.persist();
    expect(snapshot).toMatchObject({ children: { book: { snapshot: { context: all } } } });
  } finally {
    await runtime.stop();
  }
}

/** A batch that a fault still waits to drop may be the very one that asks. */
async function told(runtime: TestRuntime, ref: AgentRef): Promise<Told> {
  for (let tries = 0; tries < 3; tries++) {
    const asked = ref.ask({ type: 'read' }).catch(() => undefined);
    await runtime.clock.advance(10_000);
    const answer = await asked;
    if (answer !== undefined) return answer as Told;
  }
  throw new Error('it did not answer three times');
}

test('whatever is lost and fails, each event is in the state once and in order, or a dead letter', async () => {
  await fc.assert(fc.asyncProperty(scenario, run), { numRuns });
});
