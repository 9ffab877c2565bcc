// npm run soak:gateway -- --minutes 30 [--seed n]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { median } from '../../bench/lib/rounds.ts';
import { systemClock, within } from '../../runtime/base/clock.ts';
import { digestOf, newToken } from '../../runtime/gateway/token-access.ts';
import { chanceOf, type Chance } from './chance.ts';
import { soakCommand } from './soak-command.ts';

const KILL_MS = 20_000;
const SAVE_MS = 15_000;
const RESTART_MS = 40_000;
/** Clients with a connection that they keep, clients with a new one each time, and clients that go away in between. */
const LANES = { keeping: 6, fresh: 3, leaving: 2 } as const;
/** Between two requests of a client: the machine is to be busy, not full. */
const BREATH_MS = 5;
/** Longer than any time limit of the gateway: whoever waits so long was forgotten. */
const HANGS_MS = 45_000;
/** How much more memory the processes may have at the end than in the beginning. */
const GROWTH = 1.5;

type Outcome = 'answered' | 'refused' | 'reset' | 'left' | 'hung' | 'wrong';

interface Books {
  readonly counts: Record<Outcome, number>;
  readonly codes: Record<string, number>;
  /** Notes that were answered as handled. */
  readonly handled: Set<number>;
  readonly wrong: string[];
  sent: number;
}

process.exit(
  await soakCommand({
    script: 'soak:gateway',
    what: 'of a gateway',
    amounts: { minutes: 5 },
    soaked: (folder, { minutes }, seed) => soaked(folder, minutes * 60_000, chanceOf(seed)),
  }),
);

async function soaked(folder: string, ms: number, chance: Chance): Promise<string[]> {
  const token = newToken();
  const file = join(folder, 'openclaw.json');
  const ledger = join(folder, 'ledger');
  writeFileSync(ledger, '');
  const save = (n: number): void => writeFileSync(file, JSON.stringify(configOf(token, n)));
  save(0);
  const main = fileURLToPath(new URL('../../runtime/cli/main.ts', import.meta.url));
  const gateway = spawn(execPath, ['-C', 'holdfast-source', main, 'gateway', 'run', '-c', file], {
    env: { ...process.env, XDG_STATE_HOME: join(folder, 'state'), NODE_V8_COVERAGE: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: string[] = [];
  for (const output of [gateway.stdout, gateway.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => void log.push(text));
  }
  const books: Books = {
    counts: { answered: 0, refused: 0, reset: 0, left: 0, hung: 0, wrong: 0 },
    codes: {},
    handled: new Set(),
    wrong: [],
    sent: 0,
  };
  const fired = { killed: 0, saved: 0, restarted: 0 };
  const memory: number[] = [];
  const over = new AbortController();
  try {
    const url = await urlOf(gateway, log);
    const status = async () =>
      (await call(url, token, 'GET', '/v1/gateway')) as { servicePid?: number | null };
    const every = async (each: number, act: () => Promise<void> | void): Promise<void> => {
      while (await awake(each, over.signal)) await act();
    };
    const faults = [
      every(KILL_MS, async () => {
        const { servicePid } = await status().catch(() => ({ servicePid: null }));
        // It may be at a crash already, or say that it restarts.
        if (typeof servicePid !== 'number') return;
        process.kill(servicePid, 'SIGKILL');
        fired.killed += 1;
      }),
      every(SAVE_MS, () => {
        fired.saved += 1;
        save(fired.saved);
      }),
      every(RESTART_MS, async () => {
        // It may meet a crash, and says so then.
        await call(url, token, 'POST', '/v1/gateway/restart').catch(() => {});
        fired.restarted += 1;
      }),
      every(5000, () => void memory.push(residentOf(gateway.pid as number))),
    ];
    const lanes = Object.entries(LANES).flatMap(([kind, count]) =>
      Array.from({ length: count }, () =>
        lane(kind as keyof typeof LANES, {
          url,
          token,
          ledger,
          books,
          over: over.signal,
          chance: chance.fork(),
        }),
      ),
    );
    await pause(ms);
    over.abort();
    await Promise.all([...lanes, ...faults]);
    // What came last may be a kill.
    await answered(url, token);
    const openFiles = socketsOf(gateway.pid as number);
    const pids = childrenOf(gateway.pid as number);
    gateway.kill('SIGTERM');
    const [code] = (await within(
      systemClock,
      60_000,
      once(gateway, 'exit'),
      late('the gateway did not stop'),
    )) as [number | null];
    const found = judged({ books, fired, memory, ms, ledger: readFileSync(ledger, 'utf8'), code });
    for (const pid of pids) if (isThere(pid)) found.push(`process ${pid} outlived its gateway`);
    console.log(
      `${books.sent} requests: ${JSON.stringify(books.counts)}; errors ${JSON.stringify(books.codes)}; ` +
        `${JSON.stringify(fired)}; ${openFiles} sockets at the end; memory ${memory.map(Math.round).join(' ')} MB`,
    );
    if (found.length > 0) console.log(log.join('').split('\n').slice(-60).join('\n'));
    return found;
  } finally {
    over.abort();
    gateway.kill('SIGKILL');
  }
}

function configOf(token: string, n: number): object {
  const module = fileURLToPath(new URL('./agents/noting.ts', import.meta.url));
  return {
    agents: { noting: { type: 'thread-bound', threadId: 'noting', maxThreads: 2, module } },
    // Now a comment's worth, now a pool that is rolled, now a restart.
    threads: { noting: { env: n % 3 === 1 ? { N: String(n) } : {} } },
    secrets: {},
    gateway: {
      port: 0,
      requestTimeoutMs: n % 2 === 0 ? 15_000 : 16_000,
      tokens: { soak: { sha256: digestOf(token), allow: ['read', 'send', 'manage', 'admin'] } },
    },
  };
}

interface Lane {
  readonly url: string;
  readonly token: string;
  readonly ledger: string;
  readonly books: Books;
  readonly over: AbortSignal;
  readonly chance: Chance;
}

async function lane(
  kind: keyof typeof LANES,
  { url, token, ledger, books, over, chance }: Lane,
): Promise<void> {
  const agent = kind === 'keeping' ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
  while (await awake(BREATH_MS, over)) {
    const n = (books.sent += 1);
    const path = `/v1/agents/noting/${chance.below(8)}/ask?activate=true&timeoutMs=14000`;
    const body = JSON.stringify({ type: 'note', n, file: ledger, late: chance.below(20) === 0 });
    if (kind === 'leaving') {
      await leave(url, token, path, body, chance);
      books.counts.left += 1;
      continue;
    }
    const outcome = await asked({ url, token, path, body, n, agent, books, isKeyed: chance.below(3) === 0 });
    books.counts[outcome] += 1;
    if (outcome === 'answered') books.handled.add(n);
  }
  agent?.destroy();
}

interface Asked {
  readonly url: string;
  readonly token: string;
  readonly path: string;
  readonly body: string;
  readonly n: number;
  readonly agent: Agent | undefined;
  readonly books: Books;
  readonly isKeyed: boolean;
}

async function asked({ url, token, path, body, n, agent, books, isKeyed }: Asked): Promise<Outcome> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-length': Buffer.byteLength(body),
    ...(isKeyed && { 'idempotency-key': `note ${n}` }),
  };
  const sent = httpRequest(url + path, { method: 'POST', headers, ...(agent && { agent }) });
  sent.end(body);
  try {
    const [response] = (await within(systemClock, HANGS_MS, once(sent, 'response'), late('hung'))) as [
      IncomingMessage,
    ];
    const text = await within(systemClock, HANGS_MS, textOf(response), late('hung'));
    const found = JSON.parse(text) as { reply?: unknown; error?: { code?: string } };
    if (response.statusCode === 200 && found.reply === n) return 'answered';
    const code = found.error?.code;
    if (code === undefined) {
      books.wrong.push(`note ${n} was answered with ${response.statusCode} ${text.slice(0, 200)}`);
      return 'wrong';
    }
    books.codes[code] = (books.codes[code] ?? 0) + 1;
    return 'refused';
  } catch (error) {
    sent.destroy();
    if ((error as Error).message !== 'hung') return 'reset';
    books.wrong.push(`note ${n} was not answered within ${HANGS_MS} ms`);
    return 'hung';
  }
}

/** A client that goes away before, in the middle of, or after its request. */
async function leave(url: string, token: string, path: string, body: string, chance: Chance): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const whole = `POST ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  socket.write(whole.slice(0, chance.below(whole.length + 1)));
  await pause(chance.below(50));
  if (chance.below(2) === 0) socket.resetAndDestroy();
  else socket.destroy();
}

interface Found {
  readonly books: Books;
  readonly fired: Readonly<Record<string, number>>;
  readonly memory: readonly number[];
  readonly ms: number;
  readonly ledger: string;
  readonly code: number | null;
}

function judged({ books, fired, memory, ms, ledger, code }: Found): string[] {
  const wrong = [...books.wrong];
  const times = new Map<string, number>();
  for (const line of ledger.split('\n')) if (line !== '') times.set(line, (times.get(line) ?? 0) + 1);
  const twice = [...times].filter(([, count]) => count > 1);
  if (twice.length > 0)
    wrong.push(`${twice.length} notes were made more than once, such as ${twice[0]?.[0]}`);
  const missing = [...books.handled].filter((n) => !times.has(String(n)));
  if (missing.length > 0)
    wrong.push(`${missing.length} answered notes were never made, such as ${missing[0]}`);
  if (code !== 0) wrong.push(`the gateway ended with ${code}`);
  if (books.counts.answered === 0) wrong.push('nothing was answered');
  const due = { killed: KILL_MS, saved: SAVE_MS, restarted: RESTART_MS };
  for (const [what, each] of Object.entries(due)) {
    if (ms >= 2 * each && (fired[what] ?? 0) === 0) wrong.push(`nothing was ${what}`);
  }
  // Between two processes there are two for a while: medians do not see that.
  const quarter = Math.floor(memory.length / 4);
  if (quarter >= 12) {
    const [early, late] = [median(memory.slice(quarter, 2 * quarter)), median(memory.slice(-quarter))];
    if (late > early * GROWTH) wrong.push(`memory grew from ${Math.round(early)} to ${Math.round(late)} MB`);
  }
  return wrong;
}

async function urlOf(gateway: ChildProcess, log: readonly string[]): Promise<string> {
  for (let n = 0; n < 1200; n += 1) {
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(log.join(''));
    if (found !== null && log.join('').includes('serves')) return found[0];
    if (gateway.exitCode !== null) break;
    await pause(50);
  }
  throw new Error(`the gateway did not start: ${log.join('')}`);
}

async function answered(url: string, token: string): Promise<void> {
  const once = async (): Promise<void> => {
    for (;;) {
      try {
        await call(url, token, 'GET', '/v1/agents');
        return;
      } catch {
        await pause(100);
      }
    }
  };
  await within(systemClock, 60_000, once(), late('the gateway did not come back'));
}

async function call(url: string, token: string, method: string, path: string): Promise<unknown> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(HANGS_MS),
  });
  return response.json();
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return text;
}

function late(why: string): () => Error {
  return () => new Error(why);
}

/** `false`: the time is up. */
async function awake(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await pause(ms, undefined, { signal });
    return !signal.aborted;
  } catch {
    return false;
  }
}

/** Megabytes of a process and those that it has started. */
function residentOf(pid: number): number {
  let sum = 0;
  for (const one of [pid, ...childrenOf(pid)]) {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${one}/status`));
    sum += Number(found?.[1] ?? 0) / 1024;
  }
  return sum;
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

function isThere(pid: number): boolean {
  return /^State:\s+[^Z]/m.test(read(`/proc/${pid}/status`));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
