import { env } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRuntime, type AgentConfig, type DeadLetter } from 'holdfast';
import { ON_A_BUSY_MACHINE } from './busy-machine.ts';
import type { Logs, Tell } from './agents/messenger.ts';
import { createLog, openLog, type Entry } from './log.ts';

/** More of them in the long runs before a release: `HOLDFAST_RUNS=1000 npx vitest run props/peers.prop.ts`. */
const numRuns = Number(env['HOLDFAST_RUNS'] ?? 10);
/** Of all runs, and of shrinking one that failed, so that its seed is printed in any case. */
const timeLimitMs = 60_000 + 4000 * numRuns;
/** What a failure prints: the same runs again, or only the one that failed, shrunk. */
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};
/** Milliseconds within which every event has come to its end. */
const REST_MS = 15_000;

const POOLS = ['a', 'b'] as const;
const which = fc.nat({ max: 5 });
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('tell' as const),
      from: which,
      to: which,
      times: fc.integer({ min: 1, max: 40 }),
      manner: fc.constantFrom('note', 'note', 'note', 'fail', 'exit', 'unclonable reply'),
      asks: fc.boolean(),
      end: fc.constantFrom('go on', 'go on', 'go on', 'go on', 'fail', 'exit'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), to: which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pause' as const), ms: fc.constantFrom(0, 2, 20) }) },
);

const plan = fc.record({
  instances: fc.integer({ min: 1, max: 6 }),
  threads: fc.integer({ min: 1, max: 2 }),
  capacity: fc.constantFrom(64, 1000),
  steps: fc.array(step, { minLength: 1, maxLength: 14 }),
});

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function agents({ threads, capacity }: Plan): Record<string, AgentConfig> {
  const config = (threadId: string): AgentConfig => ({
    type: 'thread-bound',
    threadId,
    maxThreads: threads,
    module: new URL('./agents/messenger.ts', import.meta.url),
    mailbox: { capacity },
    supervision: {
      intensity: { restarts: 1000, withinMs: 1000 },
      backoff: { minMs: 1, maxMs: 2, factor: 2, jitter: 0.2 },
    },
  });
  return Object.fromEntries(POOLS.map((pool) => [pool, config(pool)]));
}

/** How often what happened in all runs: those in which nothing does prove nothing. */
const total = new Map<string, number>();

function seen(what: string, times: number): void {
  total.set(what, (total.get(what) ?? 0) + times);
}

async function carryOut(run: Plan): Promise<void> {
  const pool = { ...ON_A_BUSY_MACHINE, sharedMemory: true };
  const runtime = await createRuntime({ agents: agents(run), threads: { a: pool, b: pool } }, { logger });
  try {
    const letters: DeadLetter[] = [];
    runtime.on('dead-letter', (letter) => letters.push(letter));
    const all = await Promise.all(
      Array.from({ length: run.instances }, async (_, i) => {
        const logs: Logs = { sent: createLog(), handled: createLog(), settled: createLog() };
        const ref = await runtime.spawn(POOLS[i % 2] as string, { id: String(i), input: logs });
        return { ref, logs };
      }),
    );
    const at = (i: number): (typeof all)[number] => all[i % all.length] as (typeof all)[number];
    const addressed = new Map<number, { readonly to: string; readonly asked: boolean }>();
    let last = 0;
    for (const next of run.steps) {
      if (next.do === 'pause') await pause(next.ms);
      else if (next.do === 'stop') await at(next.to).ref.stop();
      else {
        const { from, times, manner, asks, end } = next;
        const to = at(next.to).ref.address;
        const first = last + 1;
        last += times;
        for (let n = first; n <= last; n++) addressed.set(n, { to, asked: asks });
        at(from).ref.send({ type: 'tell', to, first, last, manner, asks, end });
      }
    }

    const read = (log: keyof Logs): Entry[] => all.flatMap(({ logs }) => openLog(logs[log]).read());
    const noted = (): number[] =>
      letters.flatMap(({ event }) => {
        const n = (event as { n?: unknown } | undefined)?.n;
        return typeof n === 'number' ? [n] : [];
      });
    const account = (): Record<string, [sent: number, ended: number]> =>
      Object.fromEntries(
        all.map(({ ref: { address }, logs }) => {
          const sent = read('sent').filter(({ n }) => addressed.get(n)?.to === address).length;
          const own = letters.filter((letter) => letter.address === address);
          const lost = own.reduce((sum, letter) => sum + (letter.lost ?? 0), 0);
          const dead = noted().filter((n) => addressed.get(n)?.to === address).length;
          return [address, [sent, openLog(logs.handled).read().length + dead + lost]];
        }),
      );
    const unsettled = (): number[] => {
      const settled = new Set(read('settled').map(({ n }) => n));
      // Of incarnations that live: the others' promises ended with their threads.
      return all.flatMap(({ ref, logs }) =>
        openLog(logs.sent)
          .read()
          .filter(({ n, incarnation }) => addressed.get(n)?.asked && incarnation === ref.incarnation)
          .map(({ n }) => n)
          .filter((n) => !settled.has(n) && runtime.get(ref.address) !== undefined),
      );
    };
    const told = (): number => {
      const tells = letters.filter(({ event }) => (event as Tell | undefined)?.type === 'tell').length;
      return tells + new Set(read('sent').map(({ n }) => stepOf(n))).size;
    };
    const stepOf = (n: number): number => {
      let [index, upTo] = [-1, 0];
      for (const next of run.steps) {
        if (next.do !== 'tell' || upTo >= n) continue;
        upTo += next.times;
        index += 1;
      }
      return index;
    };
    const tells = run.steps.filter((next) => next.do === 'tell').length;
    const rest = (): boolean =>
      told() >= tells &&
      unsettled().length === 0 &&
      Object.values(account()).every(([sent, ended]) => sent === ended);
    for (const until = Date.now() + REST_MS; !rest() && Date.now() < until;) await pause(10);

    for (const [address, [sent, ended]] of Object.entries(account())) {
      expect(ended, `events for ${address} that were handled, dead letters or counted as lost`).toBe(sent);
    }
    expect(unsettled(), 'asks without an end').toEqual([]);
    const ends = [...read('handled').map(({ n }) => n), ...noted()];
    expect(new Set(ends).size, 'each event has one end').toBe(ends.length);
    for (const { logs: from } of all) {
      const incarnationOf = new Map(
        openLog(from.sent)
          .read()
          .map(({ n, incarnation }) => [n, incarnation]),
      );
      for (const { logs } of all) {
        const handled = openLog(logs.handled).read();
        for (const incarnation of new Set(incarnationOf.values())) {
          const own = handled.map(({ n }) => n).filter((n) => incarnationOf.get(n) === incarnation);
          expect(own, 'in the order they were sent').toEqual(own.toSorted((x, y) => x - y));
        }
      }
    }
    seen('handled', read('handled').length);
    seen('settled', read('settled').length);
    for (const { reason, lost } of letters) seen(lost === undefined ? reason : 'lost', 1);
  } finally {
    await runtime.stop();
  }
}

test(
  'what agents send each other is handled once and in order, a dead letter or counted as lost, and asks end',
  { timeout: timeLimitMs + 30_000 },
  async () => {
    await fc.assert(fc.asyncProperty(plan, carryOut), {
      numRuns,
      ...replay,
      interruptAfterTimeLimit: timeLimitMs,
      markInterruptAsFailure: true,
    });
    const wanted = ['handled', 'settled', 'poison', 'lost', 'stopped'];
    const missing =
      replay.path === undefined && numRuns >= 20 ? wanted.filter((what) => !total.has(what)) : [];
    expect(missing, 'runs in which none of these happened would prove nothing').toEqual([]);
  },
);
