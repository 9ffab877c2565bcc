import type { Found } from './beside.ts';
import { figure, rowNamed, type Results } from './lib/results.ts';
import { cpuRatio, ratio, type Row } from './lib/rounds.ts';

export type Suite = (results: Results, rounds: number) => Promise<void>;

/** What the house holds itself to, part by part: a suite each, and only those of its rows that a line below needs. */
interface Part {
  readonly suite: () => Promise<Suite>;
  readonly rows?: RegExp;
}

export const houseParts: Readonly<Record<string, readonly Part[]>> = {
  many: [{ suite: async () => (await import('./suites/one-of-many.ts')).oneOfMany }],
  spawn: [
    { suite: async () => (await import('./suites/spawn.ts')).spawnRates },
    { suite: async () => (await import('./suites/spawn.ts')).eventsAmongMany },
  ],
  memory: [{ suite: async () => (await import('./suites/spawn.ts')).weights }],
  start: [{ suite: async () => (await import('./suites/start.ts')).programs, rows: /^(?!.*compile cache)/ }],
  hops: [
    { suite: async () => (await import('./suites/savina-between.ts')).savinaBetweenThreads },
    {
      suite: async () => {
        const { askOn } = await import('./suites/ask.ts');
        return (results, rounds) => askOn(1, results, rounds);
      },
      rows: /^(raw postMessage per ask|holdfast ask, fromTransition)$/,
    },
  ],
  kinds: [
    {
      suite: async () => (await import('./suites/one-way.ts')).oneWay,
      rows: /^(holdfast send, (machine|from\w+)|raw batches into .*)$/,
    },
    { suite: async () => (await import('./suites/machines-against-plain.ts')).machine, rows: /machine/ },
  ],
  secrets: [
    {
      suite: async () => (await import('./suites/secrets.ts')).uses,
      rows: /^(raw|holdfast ask|a capability)/,
    },
    {
      suite: async () => (await import('./suites/cold-secrets.ts')).coldSecrets,
      rows: /by hand|batched/,
    },
  ],
  tracing: [{ suite: async () => (await import('./suites/telemetry.ts')).telemetry }],
  gateway: [
    {
      suite: async () => (await import('./suites/gateway.ts')).besideProcesses,
      rows: /gateway|process each/,
    },
  ],
  neighbour: [{ suite: async () => (await import('./suites/neighbour.ts')).twoPools }],
  durable: [
    {
      suite: async () => (await import('./suites/wakes.ts')).wakes,
      rows: /^(fresh.*without a store|wakes)$/,
    },
    {
      suite: async () => (await import('./suites/durable.ts')).besideFresh,
      rows: /: (asks, (16|64) in flight|deliver, .* 1024 instances)$/,
    },
  ],
};

/** A line of the table: a figure of each build, or one of both. */
interface Line {
  readonly what: string;
  readonly toReach: { readonly atLeast: number } | { readonly atMost: number };
  /** Not a number where a build lacks what it takes. */
  readonly of: (found: Found, there?: Found) => number;
}

type Rows = (found: Found) => readonly Row[];

const titled =
  (title: string): Rows =>
  ({ tables }) =>
    tables.find((table) => table.title.includes(title))?.rows ?? [];
const rate =
  (rows: Rows, name: string, base: string): Line['of'] =>
  (found) =>
    ratio(rowNamed(rows(found), name), rowNamed(rows(found), base));
const processor =
  (rows: Rows, name: string, base: string): Line['of'] =>
  (found) =>
    cpuRatio(rowNamed(rows(found), name), rowNamed(rows(found), base));
const value =
  (rows: Rows, name: string): Line['of'] =>
  (found) =>
    rowNamed(rows(found), name).median;
const best =
  (rows: Rows, name: string, base: string): Line['of'] =>
  (found) =>
    rowNamed(rows(found), name).min / rowNamed(rows(found), base).min;
const p99 =
  (rows: Rows, name: string, base: string): Line['of'] =>
  (found) =>
    (rowNamed(rows(found), name).also['p99'] ?? Number.NaN) /
    (rowNamed(rows(found), base).also['p99'] ?? Number.NaN);

const spawns = titled('instances (fromTransition) into warm threads');
const [on1, on2] = ['holdfast, 64 at a time, 1 thread', 'holdfast, 64 at a time, 2 threads'] as const;
const [raw1, raw64] = ['raw worker, one in flight', 'raw worker, 64 in flight'] as const;
const weight = titled('memory of an idle instance');
const port = 'raw postMessage, a port between each two';
const between = (game: string): Line['of'] => rate(titled(game), 'holdfast', port);
const [rawAsk, ask] = ['raw postMessage per ask', 'holdfast ask, fromTransition'] as const;
const use = 'a capability that does nothing';
const kind = (name: string): Line['of'] =>
  rate(titled('one way to one thread: 32'), `holdfast send, ${name}`, `raw batches into the same ${name}`);
const traced = (title: string, name: string): Line['of'] => rate(titled(title), name, 'no SDK');
const [oneWay, asks] = ['one way to one thread, 32 actors', 'ask, 32 in flight, one thread'] as const;
const [gateway, http, ipc] = [
  'holdfast gateway',
  'a process each, HTTP',
  'a process each, fork IPC',
] as const;
const noisy = (machine: string): Line['of'] =>
  rate(
    titled(`a noisy neighbour, ${machine}`),
    'during: the other pool is in while (true)',
    'before: the other pool is idle',
  );
const nothing = (threads: string): Line['of'] =>
  rate(titled(`to a reply of ${threads}`), 'holdfast, as published', 'bare workers');
const committed = (what: string): Line['of'] =>
  rate(titled(what), `durable: ${what}`, `not durable: ${what}`);
const woken = titled('instances of a machine with a state of 1 KB');

const lines: readonly Line[] = [
  {
    what: 'a thread of 8000 instances crashes: the host, until all are told, ms CPU',
    toReach: { atMost: 200 },
    of: value(titled('a thread crashes'), 'until all are told'),
  },
  {
    what: 'idle instances that a stop ends in its default time, of 60,000',
    toReach: { atLeast: 60_000 },
    of: value(titled('idle instances that a stop ends'), 'ended'),
  },
  {
    what: 'one release where 2000 wait for a thread of their own, ms CPU of the host',
    toReach: { atMost: 3 },
    of: value(titled('wait for a thread of their own'), 'one release'),
  },
  {
    what: '/readyz with 10,000 alive, ms',
    toReach: { atMost: 1 },
    of: value(titled('probes of a gateway'), '/readyz'),
  },
  { what: 'spawn, 64 at a time, to raw one by one', toReach: { atLeast: 0.7 }, of: rate(spawns, on1, raw1) },
  {
    what: 'spawn, 64 at a time, to raw 64 at a time',
    toReach: { atLeast: 0.4 },
    of: rate(spawns, on1, raw64),
  },
  { what: 'spawn on 2 threads, to 1, CPU', toReach: { atMost: 1.2 }, of: processor(spawns, on2, on1) },
  {
    what: 'spawn one after the other, raw to holdfast, CPU',
    toReach: { atLeast: 0.25 },
    of: processor(spawns, raw1, 'holdfast, one after the other'),
  },
  {
    what: 'an event with 50,000 alive, to 1000, CPU',
    toReach: { atMost: 1.3 },
    of: processor(titled('events one way to 1000 instances'), '50000 alive', '1000 alive'),
  },
  {
    what: 'an idle instance: heap of the host, KB',
    toReach: { atMost: 2 },
    of: value(weight, "holdfast, the host's part: heap"),
  },
  {
    what: 'an idle instance: heap of the thread, KB',
    toReach: { atMost: 3 },
    of: value(weight, "holdfast, the thread's part: heap"),
  },
  {
    what: 'an idle instance: resident, KB',
    toReach: { atMost: 12 },
    of: value(weight, 'holdfast, host and thread: resident'),
  },
  {
    what: 'memory kept after 30,000 were spawned and stopped, MB',
    toReach: { atMost: 250 },
    of: value(titled('memory kept after'), 'resident'),
  },
  {
    what: "import 'holdfast', ms CPU",
    toReach: { atMost: 120 },
    of: value(titled('processor time of the import'), "import 'holdfast', as published"),
  },
  {
    what: 'from nothing to a reply of one thread, to bare workers, CPU',
    toReach: { atMost: 1.4 },
    of: nothing('one thread'),
  },
  {
    what: 'from nothing to a reply of 8 threads, to bare workers, CPU',
    toReach: { atMost: 1.3 },
    of: nothing('each of 8'),
  },
  {
    what: 'ping-pong between threads, to bare ports',
    toReach: { atLeast: 0.6 },
    of: between('ping-pong: two actors'),
  },
  { what: 'thread-ring, to bare ports', toReach: { atLeast: 0.35 }, of: between('thread-ring') },
  { what: 'big, to bare ports', toReach: { atLeast: 0.4 }, of: between('big: 8 actors') },
  {
    what: 'counting between threads, to bare ports',
    toReach: { atLeast: 2 },
    of: between('events from one actor to another'),
  },
  {
    what: 'one ask alone, best block, to raw',
    toReach: { atMost: 1.5 },
    of: best(titled('ask, one at a time, one thread: p50'), ask, rawAsk),
  },
  {
    what: 'asks, 32 in flight, to raw',
    toReach: { atLeast: 1.4 },
    of: rate(titled('ask, 32 in flight, one thread: up'), ask, rawAsk),
  },
  {
    what: 'asks, 1024 in flight: p99 of raw, to that of holdfast',
    toReach: { atLeast: 0.7 },
    of: p99(titled('ask, 1024 in flight, one thread'), rawAsk, ask),
  },
  {
    what: 'uses of a secret, 1024 in flight, to asks',
    toReach: { atLeast: 0.3 },
    of: rate(titled('a cached secret, 1024'), use, ask),
  },
  {
    what: 'a raw round trip, to a use of a secret alone',
    toReach: { atMost: 2.5 },
    of: rate(titled('a cached secret, one at'), rawAsk, use),
  },
  { what: 'machine, one way, to raw batches into the same', toReach: { atLeast: 0.95 }, of: kind('machine') },
  {
    what: 'fromCallback, one way, to raw batches into the same',
    toReach: { atLeast: 0.95 },
    of: kind('fromCallback'),
  },
  {
    what: 'fromTransition, one way, to raw batches into the same',
    toReach: { atLeast: 0.95 },
    of: kind('fromTransition'),
  },
  {
    what: 'a machine agent, to the machine in a bare worker',
    toReach: { atLeast: 0.8 },
    of: rate(
      titled('machine: events from the host'),
      'holdfast send, machine',
      'machine in a bare worker, no messages',
    ),
  },
  {
    what: 'tracing, 1 % of roots sampled: one way',
    toReach: { atLeast: 0.4 },
    of: traced(oneWay, 'a tracer, 1 % sampled'),
  },
  {
    what: 'tracing, 1 % of roots sampled: asks',
    toReach: { atLeast: 0.9 },
    of: traced(asks, 'a tracer, 1 % sampled'),
  },
  {
    what: 'tracing, inside a trace that is not sampled: one way',
    toReach: { atLeast: 0.97 },
    of: traced(oneWay, 'a tracer, inside a trace that is not sampled'),
  },
  {
    what: 'tracing, inside a trace that is not sampled: asks',
    toReach: { atLeast: 0.97 },
    of: traced(asks, 'a tracer, inside a trace that is not sampled'),
  },
  {
    what: 'tracing, all sampled: asks',
    toReach: { atLeast: 0.4 },
    of: traced(asks, 'a tracer, all sampled'),
  },
  { what: 'a meter alone: one way', toReach: { atLeast: 0.95 }, of: traced(oneWay, 'a meter') },
  { what: 'a meter alone: asks', toReach: { atLeast: 0.95 }, of: traced(asks, 'a meter') },
  {
    what: '200 secrets nobody has read, to ten batch calls by hand',
    toReach: { atMost: 2 },
    of: rate(
      titled('secrets that nobody has read'),
      'holdfast, createRuntime, batched',
      'BatchGetSecretValue by hand, all at once',
    ),
  },
  {
    what: 'gateway: requests/s, to a process each behind a proxy',
    toReach: { atLeast: 3 },
    of: rate(titled('asks over HTTP, 64'), gateway, http),
  },
  {
    what: "gateway: requests/s, to a process each over fork's channel",
    toReach: { atLeast: 1.2 },
    of: rate(titled('asks over HTTP, 64'), gateway, ipc),
  },
  {
    what: 'gateway: start, to a process each behind a proxy',
    toReach: { atMost: 0.9 },
    of: rate(titled('to an answer of each over HTTP'), gateway, http),
  },
  {
    what: 'gateway: memory, to a process each behind a proxy',
    toReach: { atMost: 0.6 },
    of: rate(titled('memory of all processes'), gateway, http),
  },
  {
    what: 'a noisy neighbour: p99 during, to before; quiet',
    toReach: { atMost: 1.3 },
    of: noisy('nothing else runs'),
  },
  {
    what: 'a noisy neighbour: p99 during, to before; beside other work',
    toReach: { atMost: 1.3 },
    of: noisy('beside a busy process'),
  },
  {
    what: 'wakes of passivated instances, to fresh spawns of the commit beside',
    toReach: { atLeast: 3 },
    of: (found, there = found) =>
      ratio(rowNamed(woken(found), 'wakes'), rowNamed(woken(there), 'fresh spawns, without a store')),
  },
  {
    what: 'durable to not: asks, 64 in flight',
    toReach: { atLeast: 0.6 },
    of: committed('asks, 64 in flight'),
  },
  {
    what: 'durable to not: asks, 16 in flight',
    toReach: { atLeast: 0.35 },
    of: committed('asks, 16 in flight'),
  },
  {
    what: 'durable to not: deliver, 1024 in flight, 1024 instances',
    toReach: { atLeast: 0.6 },
    of: committed('deliver, 1024 in flight, 1024 instances'),
  },
];

/** What was found for a line of the table. */
export interface HouseLine {
  readonly what: string;
  readonly there?: number;
  readonly here: number;
  readonly toReach: number;
  readonly reached: boolean;
}

/** The lines for which this run has figures. */
export function houseLines(here: Found, there?: Found): HouseLine[] {
  return lines.flatMap(({ what, toReach, of }) => {
    const found = of(here, there);
    if (Number.isNaN(found)) return [];
    const then = there === undefined ? Number.NaN : of(there);
    const [limit, reached] =
      'atLeast' in toReach
        ? [toReach.atLeast, found >= toReach.atLeast]
        : [toReach.atMost, found <= toReach.atMost];
    return [{ what, ...(!Number.isNaN(then) && { there: then }), here: found, toReach: limit, reached }];
  });
}

export const houseHead = ['', 'there', 'here', 'to reach', ''] as const;

/** As cells of a table. */
export function houseCells({ what, there, here, toReach, reached }: HouseLine): string[] {
  return [
    what,
    there === undefined ? '-' : figure(there),
    figure(here),
    String(toReach),
    reached ? 'reached' : '-',
  ];
}
