import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createRuntime, type AgentRef } from 'holdfast';
import type { Writing } from '../agents/writer.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, type Variant } from '../lib/rounds.ts';

const N = 200_000;
/** A stream of the platform takes so much longer that it gets fewer. */
const N_MOVED = 20_000;
const READERS = 32;

const ONE = 'holdfast: askStream, numbers';
const RAW = 'raw postMessage for each chunk, 64 on the way';

/** Chunks from one thread to readers in the host, each of which is counted and looked at. */
export async function askStream(results: Results, rounds: number): Promise<void> {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const module = new URL('../agents/writer.ts', import.meta.url);
  const agents = { writer: { type: 'thread-bound', threadId: 'writers', maxThreads: 1, module } } as const;
  const runtime = await createRuntime({ agents }, { logger: silent });
  const ref: AgentRef = await runtime.spawn('writer');
  const raw = new Worker(new URL('../raw/writer.ts', import.meta.url));
  const variants: Record<string, Variant> = {
    [ONE]: () => perSecond(N, () => reading(ref, N, false)),
    'holdfast: askStream, deltas of a model': () => perSecond(N, () => reading(ref, N, true)),
    [`holdfast: askStream, numbers, ${READERS} readers`]: () =>
      perSecond(N, async () => {
        await Promise.all(Array.from({ length: READERS }, () => reading(ref, N / READERS, false)));
      }),
    'holdfast: a ReadableStream that moves, numbers': () =>
      perSecond(N_MOVED, async () => {
        const event: Writing = { type: 'move', n: N_MOVED, deltas: false };
        const { body } = (await ref.ask(event)) as { body: ReadableStream<unknown> };
        await counted(body, N_MOVED);
      }),
    [RAW]: () => perSecond(N, () => rawReading(raw, N)),
  };
  const rows = await measure(variants, rounds);
  results.table({
    suite: 'ask-stream',
    title: `chunks from a thread to its reader, ${N} a run, median of ${rounds}`,
    unit: 'chunks/s',
    base: RAW,
    rows,
  });
  results.gate('ask-stream', 'chunks a second to one reader', rowNamed(rows, ONE).median, {
    atLeast: 400_000,
  });
  await Promise.all([runtime.stop(), raw.terminate()]);
}

async function perSecond(n: number, run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return (n / (performance.now() - began)) * 1000;
}

async function reading(ref: AgentRef, n: number, deltas: boolean): Promise<void> {
  const event: Writing = { type: 'write', n, deltas };
  await counted(ref.askStream(event), n);
}

async function counted(chunks: AsyncIterable<unknown>, n: number): Promise<void> {
  let count = 0;
  for await (const chunk of chunks) {
    if (chunk !== count && typeof chunk !== 'object') throw new Error(`chunk ${count} was not the next one`);
    count += 1;
  }
  if (count !== n) throw new Error(`${count} of ${n} chunks came`);
}

/** What a program does that knows nothing better: a message for each chunk, and one back for each 32. */
async function rawReading(worker: Worker, n: number): Promise<void> {
  let count = 0;
  const done = Promise.withResolvers<void>();
  const read = (chunk: unknown): void => {
    if (chunk !== count) done.reject(new Error(`chunk ${count} was not the next one`));
    count += 1;
    if (count % 32 === 0) worker.postMessage({ credit: 32 });
    if (count === n) done.resolve();
  };
  worker.on('message', read);
  worker.postMessage({ n });
  await Promise.race([done.promise, once(worker, 'error')]);
  worker.off('message', read);
}
