import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { freePort } from '../fixtures/free-port.ts';
import { CrashBudget } from './crash-budget.ts';
import { gateway } from './fixtures/gateway.ts';
import { serviceProcesses } from './fixtures/service-processes.ts';

const read = { type: 'read' };
const byHand = { port: 0, reload: false };

/** A folder that is the TMPDIR of the test. */
async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-life-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  vi.stubEnv('TMPDIR', folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  return folder;
}

function socketFolders(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^holdfast-[^-]+$/.test(name));
}

/** A client that keeps its connection. */
async function connected(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const sent = request(`${url}/healthz`, { agent }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await once(response.resume(), 'end');
}

/** Somebody else who has the port. */
async function taken(port: number): Promise<() => Promise<unknown>> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return () => once(server.close(), 'close');
}

describe('a stop', () => {
  type Change = 'restart' | 'reload' | 'roll' | 'crash';

  /** A gateway, and what has it change. */
  async function changing(change: Change) {
    const { front, write, call, log } = await gateway({ gateway: byHand });
    await call('PUT', '/v1/agents/counter/a');
    const threads = { pool: change === 'roll' ? { minThreads: 2 } : { sharedMemory: true } };
    if (change === 'reload' || change === 'roll') await write({ gateway: byHand, threads });
    const begin = async (): Promise<void> => {
      if (change === 'restart') await front.restart();
      else if (change !== 'crash') await front.reload();
      else process.kill(front.status().servicePid ?? 0, 'SIGKILL');
    };
    return { front, log, begin };
  }

  async function measured(change: Change): Promise<number> {
    const { front, begin } = await changing(change);
    const { servicePid } = front.status();
    const at = performance.now();
    await begin();
    const restarts = change === 'roll' ? 0 : 1;
    await expect.poll(() => front.status().restarts, { timeout: 60_000 }).toBe(restarts);
    expect(front.status().servicePid === servicePid).toBe(change === 'roll');
    const ms = performance.now() - at;
    await front.stop();
    return ms;
  }

  const known = new Map<Change, Promise<number>>();
  /** What the new process of a crash takes, that of a restart has taken as well. */
  function lastsMs(change: Change): Promise<number> {
    const like = change === 'crash' ? 'restart' : change;
    const ms = known.get(like) ?? measured(like);
    known.set(like, ms);
    return ms;
  }

  /** Parts of the time that a change lasts; the nightly run has more of them. */
  const most = process.env['HOLDFAST_RUNS'] === undefined ? 1 : 8;
  const moments = (least: number): number[] =>
    Array.from({ length: least * most }, (_, n) => n / (least * most));

  test.for([
    { change: 'restart', at: moments(2) },
    { change: 'reload', at: moments(1) },
    { change: 'roll', at: moments(1) },
    { change: 'crash', at: moments(2).slice(1) },
  ] as const)('ends everything at each moment of a $change', { timeout: 240_000 }, async ({ change, at }) => {
    const folder = await temporary();
    const outcomes = new Set<string | undefined>();
    const lasts = at.some((n) => n > 0) ? await lastsMs(change) : 0;
    for (const n of at) {
      const { front, log, begin } = await changing(change);
      const begun = begin().then(
        () => 'done',
        (error: { code?: string }) => error.code ?? 'done',
      );
      await delay(lasts * n);
      await Promise.all([front.stop(), front.stop()]);
      outcomes.add(await begun);
      expect({ n, left: [...serviceProcesses(), ...socketFolders(folder)] }).toEqual({ n, left: [] });
      expect(log.filter((line) => /gives up|took over|could not be|crashed too/.test(line))).toEqual([]);
    }
    // It was passed, which is no failure of the change itself.
    expect([...outcomes].filter((one) => one !== 'done' && one !== 'RUNTIME_STOPPED')).toEqual([]);
    expect(outcomes.has('RUNTIME_STOPPED')).toBe(change !== 'crash');
  });

  test('passes a start, which rejects, and no process is left', { timeout: 60_000 }, async () => {
    const folder = await temporary();
    for (const ms of [0, 200, 450]) {
      const stopping = new AbortController();
      const starting = gateway({}, { signal: stopping.signal });
      const outcome = starting.then(
        () => 'started',
        (error: { code?: string }) => error.code,
      );
      await delay(ms);
      stopping.abort();
      expect(await outcome).toBe('RUNTIME_STOPPED');
      expect(serviceProcesses()).toEqual([]);
    }
    expect(socketFolders(folder)).toEqual([]);
  });
});

test('a storm of restarts is the one that is under way and one more, and so it is of reloads; however many there are, few processes are left for the connections of before', async () => {
  const { front, call } = await gateway({ gateway: byHand });
  await call('PUT', '/v1/agents/counter/a', { input: { start: 4 } });
  const first = front.restart();
  await call('GET', '/healthz');
  const others = Array.from({ length: 20 }, () => front.restart());
  const reloads = Array.from({ length: 20 }, () => front.reload());
  expect(new Set(await Promise.all([first, ...others])).size).toBe(2);
  expect(new Set(await Promise.all(reloads))).toEqual(new Set(['nothing']));
  expect(front.status().restarts).toBe(2);
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 4 } });

  for (let n = 0; n < 6; n += 1) {
    await connected(front.url);
    await front.restart();
  }
  await expect.poll(() => serviceProcesses().length, { timeout: 60_000 }).toBeLessThanOrEqual(5);
});

describe('a connection that is made as the service dies', () => {
  /** Sends a request on a connection of its own. */
  function asked(port: number): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    return new Promise((resolve, reject) => {
      let seen = '';
      socket.setEncoding('utf8').on('data', (text: string) => (seen += text));
      socket.once('error', reject).once('close', () => resolve(seen.split('\r\n', 1)[0] ?? ''));
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
  }

  test('is answered by the next one, and closed when its client has gone', async () => {
    const { front, call } = await gateway();
    const port = Number(new URL(front.url).port);
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    process.kill(front.status().servicePid ?? 0, 'SIGKILL');
    const answers: Promise<string>[] = [];
    for (const until = performance.now() + 20; performance.now() < until;) {
      answers.push(asked(port), asked(port));
      await delay(1);
    }
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 200 OK']));

    const before = sockets();
    process.kill(front.status().servicePid ?? 0, 'SIGKILL');
    const clients = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    for (const client of clients) client.destroy();
    expect(await call('GET', '/healthz')).toMatchObject({ status: 200 });
    await expect.poll(sockets, { timeout: 60_000 }).toBeLessThanOrEqual(before + 1);
  });
});

test.runIf(process.platform === 'linux')(
  'a connection that a service has no file descriptor for is told so',
  async () => {
    const { front, call } = await gateway({ gateway: byHand });
    const pid = front.status().servicePid ?? 0;
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).map(Number);
    // With a few to spare for what the service itself opens meanwhile.
    const most = Math.max(...descriptors()) + 9;
    execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${most}:`]);
    const { hostname, port } = new URL(front.url);
    const others: Socket[] = [];
    while (descriptors().length < most) {
      const missing = most - descriptors().length;
      const more = Array.from({ length: missing }, () => connect(Number(port), hostname));
      others.push(...more);
      await Promise.all(more.map((one) => once(one, 'connect')));
      await expect.poll(() => descriptors().length, { timeout: 60_000 }).toBeGreaterThan(most - missing);
    }
    expect(await call('GET', '/healthz')).toMatchObject({
      status: 503,
      body: { error: { code: 'SERVICE_FAILED' } },
    });
    for (const one of others) one.destroy();
    await expect.poll(() => descriptors().length).toBeLessThan(most);
    expect(await call('GET', '/healthz')).toMatchObject({ status: 200 });
  },
);

describe('the folder of a socket', () => {
  test('may be taken away while the gateway runs, and a restart loses nothing', async () => {
    const folder = await temporary();
    const { front, call } = await gateway({ gateway: byHand });
    await call('PUT', '/v1/agents/counter/a', { input: { start: 9 } });
    expect(socketFolders(folder)).toHaveLength(1);
    for (const name of socketFolders(folder)) rmSync(join(folder, name), { recursive: true });
    expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
    expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 9 } });
  });

  test('is another one where the path of TMPDIR is too long for a socket', async () => {
    const folder = join(await temporary(), 'x'.repeat(90));
    mkdirSync(folder);
    vi.stubEnv('TMPDIR', folder);
    const { front, call } = await gateway({ gateway: byHand });
    await call('PUT', '/v1/agents/counter/a', { input: { start: 9 } });
    expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
    expect(socketFolders(folder)).toEqual([]);
    expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 9 } });
  });
});

describe('a process that is prepared', () => {
  const inspected = (port: number) => ({ gateway: byHand, inspect: { port } });

  test('does not need the port of the inspector, which the one before has', async () => {
    const port = await freePort();
    const { front, call } = await gateway(inspected(port));
    await call('PUT', '/v1/agents/counter/a', { input: { start: 2 } });
    for (let n = 0; n < 2; n += 1) {
      expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
      const { status, body } = await call('POST', '/v1/inspector');
      const { link } = body as { link: string };
      expect([status, link]).toEqual([201, expect.stringContaining(`http://127.0.0.1:${port}/`)]);
      expect((await fetch(link)).status).toBe(200);
    }
    expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 2 } });
  });

  test('goes on without the inspector when another program has its port, until that is free', async () => {
    const { front, write, call, log } = await gateway({ gateway: byHand });
    await call('PUT', '/v1/agents/counter/a', { input: { start: 2 } });
    const port = await freePort();
    const free = await taken(port);
    await write(inspected(port));
    expect(await front.reload()).toBe('restarted');
    expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 2 } });
    await expect.poll(() => log.join('')).toContain('the page of the inspector cannot be served yet');
    expect(log.join('')).toContain(`cannot listen on port ${port}`);
    await free();
    const link = async () => (await call('POST', '/v1/inspector')).status;
    await expect.poll(link, { timeout: 60_000 }).toBe(201);
  });

  test('is refused that port at the first start, and nothing is left', async () => {
    const port = await freePort();
    await taken(port);
    await expect(gateway(inspected(port))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`port ${port}`) as string,
    });
    expect(serviceProcesses()).toEqual([]);
  });

  test('and dies, or cannot have the new port, has the one before go on', async () => {
    const { front, write, call } = await gateway({ gateway: byHand });
    await call('PUT', '/v1/agents/counter/a', { input: { start: 2 } });
    const { url, servicePid } = front.status();
    const file = join(dirname(front.status().config), 'options.mjs');
    writeFileSync(file, 'process.kill(process.pid, "SIGKILL");\n');
    await write({ gateway: { ...byHand, options: './options.mjs' } });
    await expect(front.reload()).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
    expect(front.status()).toMatchObject({ url, servicePid, restarts: 0 });
    await expect.poll(() => serviceProcesses()).toEqual([servicePid]);
    expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 2 } });

    const port = await freePort();
    await taken(port);
    await write({ gateway: { ...byHand, port } });
    await expect(front.reload()).rejects.toThrow(`127.0.0.1:${port} is in use`);
    expect(front.status()).toMatchObject({ url, servicePid, restarts: 0 });
    expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 2 } });
  });
});

test('a gateway that has given up ends with all of its processes', async () => {
  const { front, call, ended } = await gateway({ gateway: byHand }, { crashes: new CrashBudget(0) });
  await connected(front.url);
  await front.restart();
  expect(serviceProcesses()).toHaveLength(2);
  process.kill(front.status().servicePid ?? 0, 'SIGKILL');
  expect(await ended).toMatchObject({ code: 'RUNTIME_STOPPED' });
  expect(await call('GET', '/v1/agents')).toMatchObject({ status: 503 });
  await front.stop();
  expect(serviceProcesses()).toEqual([]);
});
