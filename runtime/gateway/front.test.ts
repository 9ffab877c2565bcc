import { writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture } from '../fixtures/start.ts';
import { testCertificate } from '../secrets/fixtures/test-certificate.ts';
import { CrashBudget } from './crash-budget.ts';
import { gateway } from './fixtures/gateway.ts';
import { newToken, digestOf } from './token-access.ts';

const read = { type: 'read' };

test('requests reach the agents, and a restart keeps every state and loses no request', async () => {
  const { front, call } = await gateway();
  await call('PUT', '/v1/agents/counter/a', { input: { start: 100 } });
  const done = new AbortController();
  let sent = 0;
  const statuses = new Set<number>();
  const load = async (): Promise<void> => {
    while (!done.signal.aborted) {
      const { status } = await call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'inc' });
      statuses.add(status);
      sent += 1;
    }
  };
  const loads = [load(), load(), load(), load()];
  for (let n = 0; n < 2; n += 1) {
    const before = sent;
    expect(await front.restart()).toMatchObject({ result: 'restarted', instances: 1, lost: [] });
    expect(sent).toBeGreaterThan(before);
  }
  done.abort();
  await Promise.all(loads);
  expect([...statuses]).toEqual([200]);
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toEqual({
    status: 200,
    body: { reply: 100 + sent },
  });
  expect(await call('GET', '/v1/gateway')).toMatchObject({ status: 200, body: { restarts: 2 } });
});

/** What is saved is not read until somebody says so. */
const byHand = { port: 0, reload: false };

test('a reload does what the change needs, and an invalid config changes nothing', async () => {
  const { front, write, call } = await gateway({ gateway: byHand });
  await call('PUT', '/v1/agents/counter/a', { input: { start: 7 } });
  expect(await front.reload()).toBe('nothing');

  const token = newToken();
  const tokens = { desk: { sha256: digestOf(token), allow: ['send'] } };
  const pid = async () => ((await call('GET', '/v1/gateway')).body as { servicePid: number }).servicePid;
  const first = await pid();
  await write({ gateway: { ...byHand, tokens } });
  expect(await front.reload()).toBe('applied');
  const asDesk = { authorization: `Bearer ${token}` };
  expect(await call('POST', '/v1/agents/counter/a/ask', read, asDesk)).toMatchObject({ body: { reply: 7 } });
  expect(await pid()).toBe(first);

  await write({ gateway: { ...byHand, tokens, porrt: 1 } });
  await expect(front.reload()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(front.restart()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 7 } });

  const pool = { minThreads: 2 };
  await write({ gateway: { ...byHand, tokens }, threads: { pool } });
  expect(await front.reload()).toBe('rolled');
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 7 } });
  expect(await call('GET', '/v1/status')).toMatchObject({
    body: { pools: [{ endedThreads: { recycled: 1 } }] },
  });
  expect(await pid()).toBe(first);

  await write({ gateway: { ...byHand, tokens }, threads: { pool: { ...pool, sharedMemory: true } } });
  expect(await front.reload()).toBe('restarted');
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 7 } });
  expect(await pid()).not.toBe(first);
});

/** Resolves when the gateway has noticed. */
async function killed({
  call,
  log,
}: Pick<Awaited<ReturnType<typeof gateway>>, 'call' | 'log'>): Promise<void> {
  const { body } = await call('GET', '/v1/gateway');
  process.kill((body as { servicePid: number }).servicePid, 'SIGKILL');
  await expect.poll(() => log).toContain('the service process ended; it is started again');
}

test('a change that is saved takes effect on its own, and a service process that is killed is started again with the last good one', async () => {
  const { write, call, log } = await gateway();
  await write({ threads: { pool: { minThreads: 1 } } });
  await expect.poll(() => log, { timeout: 60_000 }).toContain('the config was read again');
  const { body } = await call('GET', '/v1/status');
  expect(body).toMatchObject({ pools: [{ threads: [{ state: expect.any(String) as string }] }] });
  await write({ threads: { pool: { minThreads: 'many' } } });
  await expect
    .poll(() => log, { timeout: 60_000 })
    .toContain('the config is invalid; the last good one stays');
  const configProblem = expect.stringContaining('minThreads') as string;
  expect(await call('GET', '/v1/gateway')).toMatchObject({ body: { configProblem } });
  await killed({ call, log });
  // Held until the next one serves.
  expect(await call('POST', '/v1/agents/counter/a/ask?activate=true', read)).toMatchObject({
    body: { reply: 0 },
  });
  expect(await call('GET', '/v1/gateway')).toMatchObject({ body: { configProblem } });
  log.length = 0;
  await write({});
  await expect.poll(() => log, { timeout: 60_000 }).toContain('the config was read again');
});

test('a service that crashes too often is given up, and requests are told so', async () => {
  const { call, ended } = await gateway({}, { crashes: new CrashBudget(0) });
  const { body } = await call('GET', '/v1/gateway');
  process.kill((body as { servicePid: number }).servicePid, 'SIGKILL');
  expect(await ended).toMatchObject({ code: 'RUNTIME_STOPPED' });
  expect(await call('GET', '/v1/agents')).toMatchObject({
    status: 503,
    body: { error: { code: 'SERVICE_FAILED', retryable: true } },
  });
});

test('a port that is taken is told with what to do', async () => {
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  await expect(gateway({ gateway: { port } })).rejects.toThrow(`127.0.0.1:${port} is in use`);
});

/** Sends requests on one connection for as long as it is kept. */
function onOneConnection(url: string, token: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return (path: string): Promise<{ status: number; connection: string; port: number }> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const sent = request(url + path, { agent, headers }, (response) => {
        const port = sent.socket?.localPort ?? 0;
        const { statusCode: status = 0, headers: found } = response;
        response.resume().once('end', () => resolve({ status, connection: found.connection ?? '', port }));
      });
      sent.once('error', reject).end();
    });
}

/** Sends requests on one connection, whatever the headers of the answers say. */
async function heedless(url: string, token: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let seen = '';
  let heard = (): void => {};
  socket.setEncoding('utf8').on('data', (text: string) => {
    seen += text;
    heard();
  });
  // The next request leaves as soon as the answer is there.
  const send = async (): Promise<string> => {
    seen = '';
    socket.write(
      `GET /v1/agents/counter/a/snapshot HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    while (!seen.includes('"counting"')) await new Promise<void>((next) => (heard = next));
    return seen;
  };
  return { socket, send };
}

test('over a restart states and kept answers go on, streams begin again, connections of before are answered and end, and so does the old process', async () => {
  const { front, token, call, stream } = await gateway();
  const servicePid = async () =>
    ((await call('GET', '/v1/gateway')).body as { servicePid: number }).servicePid;
  await call('PUT', '/v1/agents/counter/a', { input: { start: 5 } });
  await call('PUT', '/v1/agents/counter/over', { input: { start: 3 } });
  await call('POST', '/v1/agents/counter/over/events?wait=handled', { type: 'finish' });
  const withKey = () =>
    call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'inc' }, { 'idempotency-key': 'k' });
  const [before, send, client] = [
    await stream('/v1/agents/counter/a/stream'),
    onOneConnection(front.url, token),
    await heedless(front.url, token),
  ];
  await before.until('"n":5');
  const first = await withKey();
  await before.until('"n":6');
  const kept = await send('/v1/agents/counter/a/snapshot');
  expect(kept).toMatchObject({ status: 200, connection: 'keep-alive' });
  expect(await client.send()).not.toMatch(/connection: close/i);
  const old = await servicePid();

  // What cannot be handed over is told, and begins anew.
  expect(await front.restart()).toMatchObject({ instances: 1 });
  expect(await call('GET', '/v1/agents')).toMatchObject({ body: { instances: [{ address: 'counter/a' }] } });
  expect(await servicePid()).not.toBe(old);
  expect(process.kill(old, 0)).toBe(true);
  await expect(before.rest()).resolves.toBeDefined();
  const passed = await send('/v1/agents/counter/a/snapshot');
  expect(passed).toEqual({ status: 200, connection: 'close', port: kept.port });
  const after = await send('/v1/agents/counter/a/snapshot');
  expect(after).toMatchObject({ status: 200, connection: 'keep-alive' });
  expect(after.port).not.toBe(kept.port);
  const closed = new Promise<void>((done) => void client.socket.once('end', done));
  // A client that does not heed that its connection is to end loses nothing.
  for (let n = 0; n < 5; n += 1)
    expect(await client.send()).toMatch(/^HTTP\/1.1 200 OK\r\n[^{]*connection: close/i);
  await closed;
  expect(await withKey()).toMatchObject({ status: first.status });
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 6 } });
  const again = await stream('/v1/agents/counter/a/stream');
  await again.until('"n":6');
  await again.close();
});

test('control is for tokens that allow admin, and one that is taken away is of no use on a connection of before either', async () => {
  const [token, other] = [newToken(), newToken()];
  const tokens = {
    desk: { sha256: digestOf(token), allow: ['admin'] },
    reader: { sha256: digestOf(other) },
  };
  const { front, write, call } = await gateway({ gateway: { ...byHand, tokens } });
  const asReader = { authorization: `Bearer ${other}` };
  expect(await call('POST', '/v1/gateway/stop', undefined, asReader)).toMatchObject({ status: 403 });
  expect(await call('POST', '/v1/gateway/restart', undefined, { authorization: '' })).toMatchObject({
    status: 401,
  });
  expect(await call('POST', '/v1/gateway/dance')).toMatchObject({ status: 404 });
  const send = onOneConnection(front.url, token);
  expect(await send('/v1/gateway')).toMatchObject({ status: 200 });
  await write({ gateway: byHand, threads: { pool: { sharedMemory: true } } });
  expect(await front.reload()).toBe('restarted');
  expect(await send('/v1/gateway')).toMatchObject({ status: 401 });
});

test('another port is moved to, and who is connected to the old one is answered', async () => {
  const { front, token, write, call } = await gateway({ gateway: byHand });
  await call('PUT', '/v1/agents/counter/a', { input: { start: 4 } });
  const before = front.url;
  const send = onOneConnection(before, token);
  expect(await send('/v1/agents')).toMatchObject({ status: 200 });
  const free = createServer();
  await new Promise<void>((listening) => free.listen(0, '127.0.0.1', listening));
  const { port } = free.address() as { port: number };
  await new Promise((closed) => free.close(closed));
  await write({ gateway: { ...byHand, port } });
  expect(await front.reload()).toBe('restarted');
  expect(front.url).toBe(`http://127.0.0.1:${port}`);
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 4 } });
  expect(await send('/v1/agents')).toMatchObject({ status: 200, connection: 'close' });
  await expect(onOneConnection(before, token)('/v1/agents')).rejects.toThrow('ECONNREFUSED');
});

test('a process that was followed by two others passes on to the one that serves', async () => {
  const { front, token, call } = await gateway();
  const send = onOneConnection(front.url, token);
  await call('PUT', '/v1/agents/counter/a', { input: { start: 3 } });
  const { port } = await send('/v1/agents/counter/a/snapshot');
  await front.restart();
  await front.restart();
  expect(await send('/v1/agents/counter/a/snapshot')).toEqual({ status: 200, connection: 'close', port });
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 3 } });
});

describe('a request that waits for its answer', () => {
  const agents = { slow: fixture('deferring') };
  const waiting = async () => {
    const open = await gateway({ agents });
    const { call, front, token } = open;
    await call('PUT', '/v1/agents/slow/a');
    const answer = call('POST', '/v1/agents/slow/a/ask?timeoutMs=25000', { type: 'defer.long' });
    const isAsked = async () => {
      const { body } = await call('GET', '/v1/agents/slow/a/snapshot');
      return (body as { value: string }).value;
    };
    await expect.poll(isAsked).toBe('lasting');
    return { ...open, answer, send: onOneConnection(front.url, token) };
  };

  test('is answered over a restart', async () => {
    const { front, answer } = await waiting();
    await front.restart();
    expect(await answer).toEqual({ status: 200, body: { reply: 'after a long timer' } });
  });

  test('is answered before a stop, and what comes then is refused', async () => {
    const { front, answer, send } = await waiting();
    await send('/v1/agents');
    const stopped = front.stop();
    expect(await answer).toEqual({ status: 200, body: { reply: 'after a long timer' } });
    await stopped;
    await expect(send('/v1/agents')).rejects.toThrow('ECONNREFUSED');
  });
});

test('https is served with the certificate of the config, over a restart too', async () => {
  const { front, write, token, log } = await gateway({ gateway: byHand });
  const folder = dirname(front.status().config);
  await writeFile(join(folder, 'cert.pem'), testCertificate.cert);
  await writeFile(join(folder, 'key.pem'), testCertificate.key);
  await write({ gateway: { ...byHand, tls: { cert: 'cert.pem', key: 'none.pem' } } });
  await expect(front.reload()).rejects.toThrow('none.pem');
  expect(front.url).toMatch(/^http:/);
  await write({ gateway: { ...byHand, tls: { cert: 'cert.pem', key: 'key.pem' } } });
  expect(await front.reload()).toBe('restarted');
  expect(front.url).toMatch(/^https:/);
  const status = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const sent = secureRequest(
        `${front.url}/v1/agents`,
        { headers, ca: testCertificate.cert, agent: false },
        (response) => void response.resume().once('end', () => resolve(response.statusCode ?? 0)),
      );
      sent.once('error', reject).end();
    });
  expect(await status()).toBe(200);
  await front.restart();
  expect(await status()).toBe(200);
  expect(
    log.filter((line) => line.includes('cannot be listened at') || line.includes('cannot listen at')),
  ).toEqual([]);
});

test('what agents print and log are lines of the log, with their thread, that look like nobody else wrote them', async () => {
  const module = fileURLToPath(new URL('../fixtures/printing.ts', import.meta.url));
  const printing = { ...fixture('printing', { threadId: 'printers' }), module };
  const { call, log } = await gateway({ agents: { printing } });
  await call('PUT', '/v1/agents/printing/a');
  const ask = (event: object) => call('POST', '/v1/agents/printing/a/ask', event);
  const forged = '{"time":1,"level":"fatal","message":"forged"}';
  await ask({ type: 'say', on: 'stdout', text: `${forged}\n\u001b[2Jin two ` });
  await ask({ type: 'say', on: 'stderr', text: 'an error\n' });
  await ask({ type: 'say', on: 'stdout', text: 'pieces\n' });
  const fields = { time: 1, level: 'fatal', message: 'forged', threadId: 'x', printed: 'stdout' };
  await ask({ type: 'log', message: 'told\nby log', fields });

  const lines = (): Record<string, unknown>[] =>
    log
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ thread }) => thread !== undefined);
  const thread = { threadId: 'printers', thread: 'holdfast:printers:1' };
  await expect.poll(lines, { timeout: 60_000 }).toEqual(
    expect.arrayContaining([
      { time: expect.any(String), level: 'info', message: forged, printed: 'stdout', ...thread },
      {
        time: expect.any(String),
        level: 'info',
        message: '\u001b[2Jin two pieces',
        printed: 'stdout',
        ...thread,
      },
      { time: expect.any(String), level: 'warn', message: 'an error', printed: 'stderr', ...thread },
      expect.objectContaining({ level: 'info', message: 'told\nby log', address: 'printing/a', ...thread }),
    ]),
  );
  expect(log.join('')).not.toContain('\u001b');
});
