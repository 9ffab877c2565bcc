import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { digestOf, newToken } from '../../runtime/gateway/token-access.ts';
import { build } from '../lib/build.ts';
import { installPeers } from '../lib/peers.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { byTurns, ratio, rowOf, type Row, type Sample } from '../lib/rounds.ts';

/** As in the owner's document: 14 agents, on 4, 2 and 8 threads. */
const pools = { security: 4, finance: 2, trading: 8 } as const;
const addresses = Object.entries(pools).flatMap(([agent, count]) =>
  Array.from({ length: count }, (_, id) => `${agent}-agent/${id}`),
);
/** The one that is busy when one is. */
const BUSY = 'trading-agent/7';

const CONNECTIONS = 64;
/** Requests of a round. */
const AMOUNT = 12_000;
/** Before them: until then, no code is as fast as it gets. */
const AMOUNT_FIRST = 12_000;
/** And while one agent is busy, which in one event loop takes a while. */
const AMOUNT_BUSY = 3000;
/** How long the busy one is at it, and how long from one time to the next. */
const BURN_MS = 150;
const BURN_EVERY_MS = 250;
/** Requests during which the gateway is restarted twice. */
const AMOUNT_RESTART = 40_000;

/** A row: a server with all agents. */
interface Served {
  readonly url: string;
  readonly pids: readonly number[];
  readonly headers: Readonly<Record<string, string>>;
  /** From nothing to an answer of each agent. */
  readonly startMs: number;
  stop(): Promise<void>;
}

const rows: Readonly<Record<string, () => Promise<Served>>> = {
  'holdfast gateway': startGateway,
  'a process each, HTTP': () => startPeer('forked-http'),
  'a process each, fork IPC': () => startPeer('forked-ipc'),
  'one event loop': () => startPeer('one-loop'),
};
const OURS = 'holdfast gateway';

/** A restart of the gateway in a fleet under load, and the same agents as processes and in one loop. */
export async function gateway(results: Results, rounds: number): Promise<void> {
  await besideProcesses(results, rounds);
  const { failed, restarts } = await restarted();
  results.gate('gateway', `failed requests of ${AMOUNT_RESTART} during ${restarts} restarts`, failed, {
    atMost: 0,
  });
}

/** The fleet as threads of a gateway, as processes and in one loop. */
export async function besideProcesses(results: Results, rounds: number): Promise<void> {
  installPeers();
  build();
  const runs = Object.entries(rows).map(([name, start]) => [
    name,
    async () => {
      const served = await start();
      try {
        return { ...(await measured(served)), start: { value: served.startMs } };
      } finally {
        await served.stop();
      }
    },
  ]);
  const all: Record<string, Seen[]> = await byTurns(Object.fromEntries(runs), rounds);
  const table = (of: keyof Seen): Row[] =>
    Object.entries(all).map(([name, found]) =>
      rowOf(
        name,
        found.map((one) => one[of]),
      ),
    );
  const suite = 'gateway';
  const agents = `${addresses.length} agents (4 + 2 + 8 threads)`;
  results.table({
    suite,
    title: `${agents}: from nothing to an answer of each over HTTP, median of ${rounds}`,
    unit: 'ms',
    base: OURS,
    rows: table('start'),
  });
  const rate = table('rate');
  results.table({
    suite,
    title: `${agents}: asks over HTTP, ${CONNECTIONS} connections, each answer checked, median of ${rounds}`,
    unit: 'requests/s',
    base: OURS,
    rows: rate,
    alsoUnit: 'ms',
  });
  const busy = table('busy');
  results.table({
    suite,
    title: `the same while ${BUSY} is busy for ${BURN_MS} of each ${BURN_EVERY_MS} ms: p99 of the others, median of ${rounds}`,
    unit: 'ms',
    base: OURS,
    rows: busy,
    alsoUnit: 'ms',
  });
  results.table({
    suite,
    title: `${agents}: memory of all processes, shared pages once, median of ${rounds}`,
    unit: 'MB',
    base: OURS,
    rows: table('memory'),
  });
  results.gate(
    suite,
    'requests/s of the gateway, to those of a process each behind a proxy',
    ratio(rowNamed(rate, OURS), rowNamed(rate, 'a process each, HTTP')),
    { atLeast: 1.5 },
  );
  results.note(
    suite,
    'requests/s of the gateway, to those of a process each over fork IPC',
    ratio(rowNamed(rate, OURS), rowNamed(rate, 'a process each, fork IPC')),
  );
  results.gate(
    suite,
    'p99 beside a busy agent, to that in one event loop',
    ratio(rowNamed(busy, OURS), rowNamed(busy, 'one event loop')),
    { atMost: 0.99 },
  );
}

/** Of a round of a row. */
type Seen = Readonly<Record<'start' | 'rate' | 'busy' | 'memory', Sample>>;

async function measured(served: Served): Promise<Omit<Seen, 'start'>> {
  await load(served, addresses, AMOUNT_FIRST);
  const rate = await load(served, addresses, AMOUNT);
  const memory = served.pids.reduce((sum, pid) => sum + megabytesOf(pid), 0);
  const over = new AbortController();
  const burning = keepBusy(served, over.signal);
  const others = addresses.filter((address) => address !== BUSY);
  const busy = await load(served, others, AMOUNT_BUSY);
  over.abort();
  await burning;
  // Nothing counts that did not arrive.
  const counts = await Promise.all(addresses.map((address) => ask(served, address, { type: 'count' })));
  const total = (counts as number[]).reduce((sum, count) => sum + count, 0);
  const sent = AMOUNT_FIRST + AMOUNT + AMOUNT_BUSY + addresses.length;
  if (total !== sent) throw new Error(`${total} of ${sent} requests were handled`);
  return {
    rate: { value: rate.perSecond, also: { p50: rate.p50, p99: rate.p99 } },
    busy: { value: busy.p99, also: { p50: busy.p50 } },
    memory: { value: memory },
  };
}

interface Load {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** The part of autocannon that is used; its types are not installed where types are checked. */
type Autocannon = (options: object) => Promise<Fired> & {
  on(event: 'response', heard: () => void): unknown;
};

interface Fired {
  readonly '2xx': number;
  readonly non2xx: number;
  readonly errors: number;
  readonly resets: number;
  readonly timeouts: number;
  readonly mismatches: number;
  readonly latency: { readonly p50: number; readonly p99: number };
}

async function cannon({ url, headers }: Served, to: readonly string[], amount: number) {
  const { href } = new URL('../peers/node_modules/autocannon/autocannon.js', import.meta.url);
  const { default: autocannon } = (await import(href)) as { default: Autocannon };
  const started = performance.now();
  let last = started;
  const firing = autocannon({
    url,
    amount,
    connections: CONNECTIONS,
    requests: to.map((address, n) => ({
      method: 'POST',
      path: `/v1/agents/${address}/ask`,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'quote', n }),
    })),
    verifyBody: (text: string) => /^\{"reply":\d+\}$/.test(text),
  });
  // Its own end waits for the full second.
  firing.on('response', () => (last = performance.now()));
  return { ...(await firing), ms: last - started };
}

async function load(served: Served, to: readonly string[], amount: number): Promise<Load> {
  const { '2xx': answered, ms, latency, ...result } = await cannon(served, to, amount);
  const failed = failures(result);
  if (answered !== amount || failed > 0) throw new Error(`${answered} of ${amount} were answered`);
  return { perSecond: (answered * 1000) / ms, p50: latency.p50, p99: latency.p99 };
}

function failures(result: Omit<Fired, '2xx' | 'latency'>): number {
  return result.non2xx + result.errors + result.resets + result.timeouts + result.mismatches;
}

/** Two restarts under load: what failed, and whether every request was handled by the agent that went on. */
async function restarted(): Promise<{ failed: number; restarts: number }> {
  const served = await startGateway();
  try {
    const firing = cannon(served, addresses, AMOUNT_RESTART);
    for (let n = 0; n < 2; n += 1) {
      await sleep(500);
      const response = await fetch(`${served.url}/v1/gateway/restart`, {
        method: 'POST',
        headers: served.headers,
      });
      if (!response.ok) throw new Error(`the restart failed: ${await response.text()}`);
    }
    const { restarts } = (await (
      await fetch(`${served.url}/v1/gateway`, { headers: served.headers })
    ).json()) as {
      restarts: number;
    };
    const { '2xx': answered, latency: _, ...result } = await firing;
    const counts = await Promise.all(addresses.map((address) => ask(served, address, { type: 'count' })));
    const handled = (counts as number[]).reduce((sum, count) => sum + count, 0) - addresses.length;
    if (handled !== AMOUNT_RESTART) throw new Error(`${handled} of ${AMOUNT_RESTART} requests were handled`);
    return { failed: failures(result) + AMOUNT_RESTART - answered, restarts };
  } finally {
    await served.stop();
  }
}

async function keepBusy(served: Served, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await post(served, `${BUSY}/events`, { type: 'burn', ms: BURN_MS });
    await sleep(BURN_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}

async function post(
  { url, headers }: Pick<Served, 'url' | 'headers'>,
  path: string,
  body: object,
): Promise<unknown> {
  const response = await fetch(`${url}/v1/agents/${path}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

async function ask(
  served: Pick<Served, 'url' | 'headers'>,
  address: string,
  event: object,
): Promise<unknown> {
  return ((await post(served, `${address}/ask`, event)) as { reply: unknown }).reply;
}

async function startPeer(name: string): Promise<Served> {
  const started = performance.now();
  const main = fileURLToPath(new URL(`../gateway/${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [main, ...addresses], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { url, pids } = (await firstLine(child, () => true)) as { url: string; pids: number[] };
  const served = { url, pids, headers: {}, stop: () => ended(child) };
  await answersOfAll(served);
  return { ...served, startMs: performance.now() - started };
}

export async function startGateway(): Promise<Served> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-bench-'));
  const token = newToken();
  const module = fileURLToPath(new URL('../gateway/agent.mjs', import.meta.url));
  const config = {
    agents: Object.fromEntries(
      Object.entries(pools).map(([name, maxThreads]) => [
        `${name}-agent`,
        { type: 'thread-bound', threadId: name, maxThreads, module },
      ]),
    ),
    gateway: {
      port: 0,
      tokens: { bench: { sha256: digestOf(token), allow: ['read', 'send', 'manage', 'admin'] } },
    },
  };
  const file = join(folder, 'openclaw.json');
  writeFileSync(file, JSON.stringify(config));
  const started = performance.now();
  const main = fileURLToPath(new URL('../../dist/runtime/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'gateway', 'run', '-c', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, XDG_STATE_HOME: folder },
  });
  const { url } = (await firstLine(child, (line) => 'url' in line)) as { url: string };
  const headers = { authorization: `Bearer ${token}` };
  await Promise.all(
    addresses.map(async (address) => {
      const response = await fetch(`${url}/v1/agents/${address}`, { method: 'PUT', headers });
      if (!response.ok) throw new Error(`${address}: ${await response.text()}`);
    }),
  );
  await answersOfAll({ url, headers });
  const startMs = performance.now() - started;
  const { pid, servicePid } = (await (await fetch(`${url}/v1/gateway`, { headers })).json()) as {
    pid: number;
    servicePid: number;
  };
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return { url, headers, startMs, pids: [pid, servicePid], stop };
}

async function answersOfAll(served: Pick<Served, 'url' | 'headers'>): Promise<void> {
  await Promise.all(addresses.map((address) => ask(served, address, { type: 'quote', n: 1 })));
}

async function firstLine(child: ChildProcess, wanted: (line: object) => boolean): Promise<object> {
  if (child.stdout === null) throw new TypeError('its output is piped');
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as object;
    if (!wanted(line)) continue;
    // What comes later is of no interest, and must not stop the child.
    child.stdout.resume();
    return line;
  }
  throw new Error('it ended before it served');
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Shared pages are counted once where the system says so; else all resident ones. */
function megabytesOf(pid: number): number {
  const rollup = `/proc/${pid}/smaps_rollup`;
  const kilobytes = existsSync(rollup)
    ? Number(/^Pss:\s+(\d+)/m.exec(readFileSync(rollup, 'utf8'))?.[1])
    : Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
  return kilobytes / 1024;
}
