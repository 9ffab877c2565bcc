import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createRuntime, type AgentRef } from 'holdfast';
import { createMemoryProvider } from 'holdfast/testing';
import type { ReadingEvent } from '../agents/reading-event.ts';
import { readBytes, readTokens, type TokensRead } from '../lib/model-reading.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, percentile, ratio, type Sample, type Variant } from '../lib/rounds.ts';

const KEY = 'a-key-of-the-bench';
const IN_HOST = 'in the host, which has the key';
const BOUND = 'in 4 threads, by boundFetch';
const BOUND_BYTES = 'in a thread, by boundFetch';
const STREAMS = 32;
const MB = 1024 * 1024;
/** The most of each figure, in those of the host. */
const AT_A_MODELS_SPEED: { readonly [name: string]: number } = {
  'first p50': 1.5,
  'CPU a token': 1.4,
  'asks p50': 1.2,
};

/** An SDK with its key in the host, beside the same SDK in threads that do not have it. */
export async function boundFetch(results: Results, rounds: number): Promise<void> {
  const service = fork(fileURLToPath(new URL('../raw/model-service.ts', import.meta.url)));
  const [origin] = (await once(service, 'message')) as [string];
  const provider = createMemoryProvider();
  provider.set('key', KEY);
  const key = {
    ref: 'key',
    mode: 'inject',
    required: true,
    hosts: [origin],
    methods: ['GET', 'POST'],
    maxStreamBytes: 2 ** 32,
  } as const;
  await using runtime = await createRuntime(
    {
      externalSecrets: { provider: 'memory' },
      threads: { models: { isolation: 'thread' } },
      agents: {
        reader: {
          type: 'thread-bound',
          threadId: 'models',
          maxThreads: 4,
          module: new URL('../agents/model-reader.ts', import.meta.url),
          secrets: { key },
        },
      },
    },
    { providers: [provider] },
  );
  const readers = await Promise.all(Array.from({ length: STREAMS }, () => runtime.spawn('reader')));
  try {
    await streamsOfTokens(results, rounds, origin, readers);
    await bytes(results, rounds, origin, readers[0] as AgentRef);
  } finally {
    service.disconnect();
  }
}

async function streamsOfTokens(
  results: Results,
  rounds: number,
  origin: string,
  readers: readonly AgentRef[],
): Promise<void> {
  const loads = [
    { what: 'of 25 tokens/s', count: 100, everyMs: 40, fewest: 0.95, most: AT_A_MODELS_SPEED },
    { what: 'of 200 tokens/s', count: 600, everyMs: 5, fewest: 0.75, most: {} },
  ];
  for (const { what, fewest, most, ...tokens } of loads) {
    const inHost = (): Promise<TokensRead[]> =>
      Promise.all(readers.map(() => readTokens(fetch, origin, tokens)));
    const inThreads = (): Promise<TokensRead[]> =>
      Promise.all(readers.map((reader) => asked<TokensRead>(reader, { type: 'tokens', origin, ...tokens })));
    const rows = await measure(
      { [IN_HOST]: reading(inHost, readers), [BOUND]: reading(inThreads, readers) },
      rounds,
    );
    const [host, bound] = [rowNamed(rows, IN_HOST), rowNamed(rows, BOUND)];
    results.table({
      suite: 'bound-fetch',
      title: `${STREAMS} streams ${what}, AI SDK: tokens/s of all, median of ${rounds}; first token and how late each comes in ms, CPU a token in µs`,
      unit: 'events/s',
      base: IN_HOST,
      rows,
    });
    results.gate('bound-fetch', `${what}: tokens/s, bound : host`, ratio(bound, host), { atLeast: fewest });
    for (const name of ['first p50', 'CPU a token', 'asks p50'] as const) {
      const value = (bound.also[name] ?? NaN) / (host.also[name] ?? NaN);
      const atMost = most[name];
      const text = `${what}: ${name}, bound : host`;
      if (atMost === undefined) results.note('bound-fetch', text, value);
      else results.gate('bound-fetch', text, value, { atMost });
    }
  }
}

/** What all streams gave, and the asks of the agents in the same threads meanwhile. */
function reading(read: () => Promise<TokensRead[]>, readers: readonly AgentRef[]): Variant {
  return async () => {
    const [cpu, begun] = [process.cpuUsage(), performance.now()];
    const reads = { isOver: false };
    const all = read().finally(() => {
      reads.isOver = true;
    });
    const asks: number[] = [];
    while (!reads.isOver) {
      for (const reader of readers.slice(0, 4)) {
        const at = performance.now();
        await reader.ask({ type: 'ping' }, { timeoutMs: 60_000 });
        asks.push(performance.now() - at);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const streams = await all;
    const ms = performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    const late = streams.flatMap((stream) => stream.late);
    const at = (values: readonly number[], share: number): number =>
      percentile(
        values.toSorted((a, b) => a - b),
        share,
      );
    const first = streams.map((stream) => stream.first);
    return {
      value: (late.length / ms) * 1000,
      also: {
        'first p50': at(first, 0.5),
        'first p99': at(first, 0.99),
        'late p50': at(late, 0.5),
        'late p99': at(late, 0.99),
        'CPU a token': (user + system) / late.length,
        'asks p50': at(asks, 0.5),
        'asks p99': at(asks, 0.99),
      },
    };
  };
}

async function bytes(results: Results, rounds: number, origin: string, reader: AgentRef): Promise<void> {
  const count = 256 * MB;
  const speed = (ms: number): Sample => ({ value: count / MB / (ms / 1000) });
  const rows = await measure(
    {
      [IN_HOST]: async () => speed((await readBytes(fetch, origin, { count })).ms),
      [BOUND_BYTES]: async () =>
        speed((await asked<{ ms: number }>(reader, { type: 'bytes', origin, count })).ms),
    },
    rounds,
  );
  results.table({
    suite: 'bound-fetch',
    title: `256 MiB to one reader: MB/s, median of ${rounds}`,
    unit: 'MB',
    base: IN_HOST,
    rows,
  });
  const times = ratio(rowNamed(rows, BOUND_BYTES), rowNamed(rows, IN_HOST));
  results.gate('bound-fetch', 'MB/s, bound : host', times, { atLeast: 0.7 });
  for (const { what, atMost, pauseEach } of [
    { what: 'a fast reader', atMost: 96, pauseEach: Infinity },
    { what: 'a slow reader', atMost: 32, pauseEach: MB },
  ]) {
    const all = { count: 1024 * MB, pauseEach };
    const inHost = await memoryWhile(() => readBytes(fetch, origin, all));
    const bound = await memoryWhile(() => asked(reader, { type: 'bytes', origin, ...all }));
    results.note('bound-fetch', `1 GiB to ${what} in the host adds to it, MB`, inHost / MB);
    results.gate('bound-fetch', `1 GiB to ${what} adds to host and thread, MB`, bound / MB, { atMost });
  }
}

/** The most that the process had more than at the beginning. */
async function memoryWhile(run: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 10);
  await run().finally(() => clearInterval(timer));
  return most - before;
}

async function asked<T>(reader: AgentRef, event: ReadingEvent): Promise<T> {
  const read = (await reader.ask(event, { timeoutMs: 300_000 })) as T | string;
  if (typeof read === 'string') throw new Error(read);
  return read;
}
