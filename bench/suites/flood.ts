import { setTimeout as sleep } from 'node:timers/promises';
import { createRuntime, type AgentRef, type Runtime } from 'holdfast';
import type { Results } from '../lib/results.ts';

const EVENTS = 5_000_000;
const CAPACITY = 1000;
const BURST = 256;
/** What the process may grow by after the warm-up. */
const GROWTH_MB = 64;
const SAMPLE_MS = 250;

/** Events into a bounded mailbox faster than they are handled: nothing is lost unseen, and memory stays flat. */
export async function flood(results: Results, minutes: number): Promise<void> {
  await sends(results);
  await deliveries(results, minutes);
}

async function sends(results: Results): Promise<void> {
  await using runtime = await startRuntime();
  const slow = await runtime.spawn('slow', { id: 'a' });
  // Once to warm up: the heap of a process that floods for the first time finds its size.
  await sendAll(slow);
  const memory = watchMemory();
  const started = performance.now();
  await sendAll(slow);
  const seconds = (performance.now() - started) / 1000;
  const handled = await handledBy(runtime, slow);
  const dead = runtime.status().deadLetters;
  console.log(
    `\n${EVENTS} events by send() in ${seconds.toFixed(1)} s, after as many to warm up: ${handled} handled,` +
      ` ${dead} dead letters (${runtime.deadLetters.list().length} of them kept)`,
  );
  results.gate('flood', 'events lost, or counted twice', Math.abs(2 * EVENTS - handled - dead), {
    atMost: 0,
  });
  memory.report(results, 'send() into a full mailbox');
}

/** Nobody waits for room: the pauses only let the process read its messages. */
async function sendAll(ref: AgentRef): Promise<void> {
  for (let sent = 0; sent < EVENTS;) {
    for (let i = 0; i < BURST && sent < EVENTS; i++, sent++) ref.send({ type: 'tick', n: sent });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function deliveries(results: Results, minutes: number): Promise<void> {
  await using runtime = await startRuntime();
  const slow = await runtime.spawn('slow', { id: 'a' });
  const memory = watchMemory();
  const until = performance.now() + minutes * 60_000;
  let sent = 0;
  let delivered = 0;
  const producer = async (): Promise<void> => {
    while (performance.now() < until) {
      await slow.deliver({ type: 'tick', n: sent++ });
      delivered += 1;
    }
  };
  await Promise.all(Array.from({ length: CAPACITY }, producer));
  const handled = await handledBy(runtime, slow);
  console.log(
    `\n${CAPACITY} producers for ${minutes} min, each waiting for deliver(): ${sent} sent, ${delivered} delivered,` +
      ` ${handled} handled`,
  );
  results.gate('flood', 'deliveries not handled, or handled twice', Math.abs(sent - handled), { atMost: 0 });
  memory.report(results, 'deliver() at the pace of the consumer');
}

const startRuntime = () =>
  createRuntime(
    {
      agents: {
        slow: {
          type: 'thread-bound',
          threadId: 'slow',
          maxThreads: 1,
          module: new URL('../agents/slow.ts', import.meta.url),
          mailbox: { capacity: CAPACITY },
        },
      },
    },
    // Five million refusals are no news.
    { logger: { debug() {}, info() {}, warn() {}, error() {} } },
  );

/** The count, asked for when everything before is through, so that the question itself is never refused. */
async function handledBy(runtime: Runtime, ref: AgentRef): Promise<number> {
  const deadline = performance.now() + 60_000;
  while (runtime.status().instances[0]?.mailbox !== 0) {
    if (performance.now() > deadline) throw new Error('the mailbox does not empty');
    await sleep(10);
  }
  return (await ref.ask({ type: 'read' })) as number;
}

interface Sampled {
  readonly rssMb: number;
  readonly heapMb: number;
}

/** Memory of the whole process while something runs. */
function watchMemory(): { report(results: Results, what: string): void } {
  const mb = (bytes: number): number => bytes / 2 ** 20;
  const samples: Sampled[] = [];
  const take = (): void => {
    const { rss, heapUsed } = process.memoryUsage();
    samples.push({ rssMb: mb(rss), heapMb: mb(heapUsed) });
  };
  take();
  const timer = setInterval(take, SAMPLE_MS);
  return {
    report(results, what) {
      clearInterval(timer);
      take();
      const line = (name: string, of: (sample: Sampled) => number): void => {
        const curve = samples.map(of);
        const text = [curve[0], curve[curve.length >> 1], curve.at(-1), Math.max(...curve)]
          .map((value) => (value as number).toFixed(0))
          .join(' / ');
        console.log(`  ${name}, MB: start / middle / end / most ${text} (${curve.length} samples)`);
      };
      line('resident', ({ rssMb }) => rssMb);
      line('heap of the host', ({ heapMb }) => heapMb);
      // The first fifth warms up: code is compiled, the heap finds its size.
      const warm = samples.slice(Math.floor(samples.length / 5));
      const first = (warm[0] as Sampled).rssMb;
      const growth = Math.max(...warm.map(({ rssMb }) => rssMb)) - first;
      results.gate('flood', `${what}: growth of resident memory after the warm-up, MB`, growth, {
        atMost: GROWTH_MB,
      });
    },
  };
}
