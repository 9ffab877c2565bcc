import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, type AgentRef, type Runtime, type RuntimeOptions } from 'holdfast';
import { laidOut } from '../../runtime/inspect/local/fixtures/elk.ts';
import { largeMachine } from '../../runtime/inspect/local/fixtures/large-machine.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, median, ratio, stopwatch } from '../lib/rounds.ts';
import { openViewer, type InspectViewer } from './inspect-viewer.ts';

const FEW = 2000;
const MANY = 10_000;
const RATE = 50_000;
/** Of one run by turns. */
const RUN_MS = 2000;
const SAMPLE_MS = 10_000;
/** At one time: how many a program begins as it starts. */
const AT_ONCE = 500;

const OFF = 'nobody inspects';
const OPEN = 'the page, open in a browser';

/** The page over thousands of machines: how soon it is there, and what it costs them, and it, that much happens for minutes. */
export async function inspectCrowd(results: Results, rounds: number, minutes: number): Promise<void> {
  const note = (text: string, value: number): void => results.note('inspect-crowd', text, value);
  const gate = (text: string, value: number, limit: { atMost: number } | { atLeast: number }): void =>
    results.gate('inspect-crowd', text, value, limit);
  const [first, ...others] = await layouts(6);
  note('processor of the first layout of 210 states, ms', first ?? NaN);
  gate('processor of a layout of 210 states, ms', median(others), { atMost: 1000 });

  const few = await startCrowd(FEW, { inspect: 'local', ...silent });
  const small = await openViewer(few.link());
  gate(`from the link to a page that can be used, with ${FEW} actors, ms`, small.opened.ms, { atMost: 500 });
  note('processor of its main thread in that time, ms', small.opened.cpuMs);
  await small.close();
  await few.stop();

  const watched = await startCrowd(MANY, { inspect: 'local', ...silent });
  const crowds = { [OFF]: await startCrowd(MANY, silent), [OPEN]: watched };
  const viewer = await openViewer(watched.link());
  note(`from the link to a page that can be used, with ${MANY} actors, ms`, viewer.opened.ms);
  note('processor of its main thread in that time, with as many, ms', viewer.opened.cpuMs);
  const rows = await measure(
    Object.fromEntries(
      Object.entries(crowds).map(([name, crowd]) => [
        name,
        async () => {
          const handled = await crowd.handled();
          const taken = stopwatch();
          await crowd.pace(RUN_MS);
          return taken((await crowd.handled()) - handled);
        },
      ]),
    ),
    rounds,
  );
  const title = `${RATE} events/s offered to ${MANY} machines on two threads, ${RUN_MS / 1000} s a run, median of ${rounds}`;
  results.table({ suite: 'inspect-crowd', title, unit: 'events/s', base: OFF, rows });
  gate('events handled with the page open, to nobody', ratio(rowNamed(rows, OPEN), rowNamed(rows, OFF)), {
    atLeast: 0.95,
  });
  await hold(watched, viewer, minutes, { note, gate });
  await viewer.close();
  await Promise.all(Object.values(crowds).map((crowd) => crowd.stop()));
}

/** Goes on for minutes, and looks at frames and memory of the page. */
async function hold(
  crowd: Crowd,
  viewer: InspectViewer,
  minutes: number,
  told: {
    readonly note: (text: string, value: number) => void;
    readonly gate: (text: string, value: number, limit: { atMost: number }) => void;
  },
): Promise<void> {
  await viewer.frames();
  const heaps: number[] = [];
  const until = performance.now() + minutes * 60_000;
  while (performance.now() < until) {
    await crowd.pace(SAMPLE_MS);
    heaps.push(await viewer.heap());
  }
  const frames = await viewer.frames();
  told.gate('frames of the page meanwhile, 95 % in ms', frames.p95, { atMost: 20 });
  told.note('frames of the page meanwhile, median in ms', frames.median);
  told.gate('heap of the page, most in MB', Math.max(...heaps), { atMost: 250 });
  // The first fifth warms up: the records fill.
  const warm = heaps.slice(Math.floor(heaps.length / 5));
  const half = warm.length >> 1;
  if (half > 0)
    told.gate(
      'heap of the page in the second half of the time, to the first',
      median(warm.slice(half)) / median(warm.slice(0, half)),
      { atMost: 1.25 },
    );
}

/** Milliseconds of the processor, one after the other. */
async function layouts(count: number): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const began = process.cpuUsage();
    await laidOut(largeMachine({ isVaried: true }), { direction: n % 2 === 0 ? 'RIGHT' : 'DOWN' });
    const { user, system } = process.cpuUsage(began);
    took.push((user + system) / 1000);
  }
  return took;
}

const silent: RuntimeOptions = {
  logger: { debug() {}, info() {}, warn: console.warn, error: console.error },
};

interface Crowd {
  link(): string;
  /** Sends at the rate, for so long; what cannot be sent in time is sent late. */
  pace(ms: number): Promise<void>;
  /** Events so far, when all that were sent are through. */
  handled(): Promise<number>;
  stop(): Promise<void>;
}

async function startCrowd(count: number, options: RuntimeOptions): Promise<Crowd> {
  const module = new URL('../agents/counter-machine.ts', import.meta.url);
  const runtime = await createRuntime(
    {
      agents: { machine: { type: 'thread-bound', threadId: 'machine', maxThreads: 2, module } },
      // A browser may have the processors meanwhile.
      threads: { machine: { startTimeoutMs: 60_000 } },
    },
    options,
  );
  const refs: AgentRef[] = [];
  while (refs.length < count) {
    const next = Array.from({ length: Math.min(AT_ONCE, count - refs.length) }, (_, n) =>
      runtime.spawn('machine', { id: String(refs.length + n) }),
    );
    refs.push(...(await Promise.all(next)));
  }
  let sent = 0;
  return {
    link: () => String(runtime.inspector?.link()),
    async pace(ms) {
      const began = performance.now();
      for (let step = 0; step < ms / 10; step += 1) {
        for (let n = 0; n < RATE / 100; n += 1, sent += 1)
          refs[sent % count]?.send({ type: 'tick', n: sent });
        await sleep(Math.max(0, began + (step + 1) * 10 - performance.now()));
      }
    },
    handled: () => handledBy(runtime),
    stop: () => runtime.stop(),
  };
}

async function handledBy(runtime: Runtime): Promise<number> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { instances } = runtime.status();
    if (instances.every(({ mailbox }) => mailbox === 0))
      return instances.reduce((sum, { handled }) => sum + handled, 0);
    if (performance.now() > deadline) throw new Error('the mailboxes do not empty');
    await sleep(10);
  }
}
