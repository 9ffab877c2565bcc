import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AgentConfig, DeadLetter, RuntimeConfig } from 'holdfast';
import { createTestRuntime, type Fault } from 'holdfast/testing';
import { ledger } from './agents/ledger.ts';

/** More of them in the long runs before a release: `HOLDFAST_RUNS=5000 npm test -- props`. */
const numRuns = Number(process.env['HOLDFAST_RUNS'] ?? 40);
/** As many runs as come to an end by then, however busy the machine is. */
const MOST_MS = 500_000;

const POOLS = ['a', 'b'] as const;

/** What a test does next; `to` counts the instances round. */
type Step =
  | { readonly do: 'send' | 'deliver' | 'ask' | 'fail'; readonly to: number; readonly times: number }
  | { readonly do: 'stop'; readonly to: number }
  | { readonly do: 'kill'; readonly pool: string; readonly cause: 'exit' | 'error' | 'oom' }
  | { readonly do: 'drop'; readonly pool: string }
  | { readonly do: 'hang'; readonly pool: string }
  | { readonly do: 'pass'; readonly ms: number };

const to = fc.nat({ max: 5 });
const pool = fc.constantFrom(...POOLS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('send', 'deliver', 'ask'),
      to,
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fail'), to, times: fc.constant(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop'), to }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('kill'), pool, cause: fc.constantFrom('exit', 'error', 'oom') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop'), pool }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hang'), pool }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0, 1, 50, 300, 6000) }) },
);

const scenario = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  instances: fc.integer({ min: 1, max: 5 }),
  threads: fc.integer({ min: 1, max: 3 }),
  capacity: fc.constantFrom(5, 50, 1000),
  overflow: fc.constantFrom('reject', 'drop-oldest', 'drop-newest'),
  steps: fc.array(step, { minLength: 1, maxLength: 40 }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function configOf({ threads, capacity, overflow }: Scenario): RuntimeConfig {
  const agents: Record<string, AgentConfig> = {};
  for (const threadId of POOLS) {
    agents[threadId] = {
      type: 'thread-bound',
      threadId,
      maxThreads: threads,
      module: new URL('./agents/ledger.ts', import.meta.url),
      mailbox: { capacity, overflow },
    };
  }
  return { agents };
}

interface Outcome {
  /** Numbers of the events that each instance was sent, in order. */
  readonly sent: Map<string, number[]>;
  readonly handled: Map<string, number[]>;
  readonly letters: DeadLetter[];
  /** Numbers of those whose handling was confirmed to the sender. */
  readonly confirmed: number[];
  /** Incarnations of each instance whose end was told, and how many there were. */
  readonly watched: { readonly told: number[]; readonly incarnation: number }[];
  /** Promises without an end. */
  readonly open: number;
}

/** Kinds of faults that happened in any run: those that never do test nothing. */
const happened = new Set<Fault['kind']>();

async function play(run: Scenario): Promise<Outcome> {
  ledger().clear();
  const runtime = await createTestRuntime(configOf(run), { logger, seed: run.seed, threads: false });
  const outcome = {
    sent: new Map<string, number[]>(),
    letters: [] as DeadLetter[],
    confirmed: [] as number[],
    open: 0,
  };
  runtime.on('dead-letter', (letter) => outcome.letters.push(letter));
  const refs = await Promise.all(
    Array.from({ length: run.instances }, (_, i) =>
      runtime.spawn(POOLS[i % POOLS.length] as string, { id: String(i) }),
    ),
  );
  const told = refs.map((ref) => {
    const incarnations: number[] = [];
    const watch = (): void =>
      void ref.watch(({ incarnation }) => {
        // Told again: there will be no other.
        if (incarnations.at(-1) === incarnation) return;
        incarnations.push(incarnation);
        watch();
      });
    watch();
    return incarnations;
  });
  let last = 0;

  function tell(does: 'send' | 'deliver' | 'ask' | 'fail', which: number): void {
    const ref = refs[which % refs.length] as (typeof refs)[number];
    const n = ++last;
    const numbers = outcome.sent.get(ref.address) ?? [];
    numbers.push(n);
    outcome.sent.set(ref.address, numbers);
    if (does === 'send' || does === 'fail') return ref.send({ type: does, n });
    outcome.open += 1;
    const over = (): void => {
      outcome.open -= 1;
    };
    const confirmed = (): void => {
      over();
      outcome.confirmed.push(n);
    };
    (does === 'ask' ? ref.ask({ type: 'ask', n }) : ref.deliver({ type: 'deliver', n })).then(
      confirmed,
      over,
    );
  }

  const faults: Fault[] = [];
  /** There may be no thread to do it to. */
  function fault(inject: () => Fault): void {
    try {
      faults.push(inject());
    } catch (error) {
      expect((error as Error).name).toBe('AssertionError');
    }
  }

  for (const next of run.steps) {
    if (next.do === 'pass') await runtime.clock.advance(next.ms);
    else if (next.do === 'kill') fault(() => runtime.faults.killThread(next.pool, next.cause));
    else if (next.do === 'drop') fault(() => runtime.faults.dropBatch(next.pool));
    else if (next.do === 'hang') fault(() => runtime.faults.hangThread(next.pool));
    else if (next.do === 'stop') void refs[next.to % refs.length]?.stop();
    else for (let i = 0; i < next.times; i++) tell(next.do, next.to);
  }
  await runtime.clock.advance(60_000);
  await runtime.stop();
  await runtime.settled();
  for (const { kind, fired } of faults) if (fired) happened.add(kind);
  const peaks = runtime.status().pools.map(({ peakThreads }) => peakThreads);
  expect(Math.max(...peaks)).toBeLessThanOrEqual(run.threads);
  const watched = refs.map(({ incarnation }, i) => ({ told: told[i] as number[], incarnation }));
  return { ...outcome, watched, handled: new Map(ledger()) };
}

test(
  'each event is handled once or is one dead letter, in order, and each end is told once, whatever threads do',
  async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (run) => {
        const { sent, handled, letters, confirmed, watched, open } = await play(run);
        const lettered = letters.map(({ event }) => (event as { n: number }).n);
        const done = [...handled.values()].flat();
        const all = [...sent.values()].flat();
        expect([...done, ...lettered].toSorted((x, y) => x - y)).toEqual(all.toSorted((x, y) => x - y));
        for (const numbers of handled.values()) expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
        expect(done).toEqual(expect.arrayContaining(confirmed));
        expect(open).toBe(0);
        for (const { told, incarnation } of watched)
          expect(told).toEqual(Array.from({ length: incarnation }, (_, i) => i + 1));
      }),
      { numRuns, interruptAfterTimeLimit: MOST_MS },
    );
    expect([...happened].toSorted()).toEqual(['drop-batch', 'hang-thread', 'kill-thread']);
  },
  MOST_MS + 100_000,
);
