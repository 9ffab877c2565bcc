import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { CrashBudget } from './crash-budget.ts';
import { Front, type FrontOptions } from './front.ts';
import { newToken, digestOf } from './token-access.ts';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** A gateway on a free port with the agents `counter` and `stuck`, and who calls it. */
async function gateway(config: object = {}, options: Partial<FrontOptions> = {}) {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-gateway-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'openclaw.json');
  const agents = {
    counter: { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module: join(fixtures, 'counter.ts') },
  };
  const write = (changed: object): Promise<void> =>
    writeFile(file, JSON.stringify({ agents, gateway: { port: 0 }, ...changed }));
  await write(config);
  const token = newToken();
  const log: string[] = [];
  const logger = {
    debug() {},
    info: (fields: object, message: string) => void log.push(message),
    warn: (fields: object, message: string) => void log.push(message),
    error: (fields: object, message: string) => void log.push(message),
  };
  const ended = Promise.withResolvers<Error>();
  const front = await Front.start({
    file,
    token,
    logger,
    log: (line) => void log.push(line),
    failed: ended.resolve,
    ...options,
  });
  onTestFinished(() => front.stop());
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(front.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as never };
  };
  const stream = async (path: string) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
    const reader = (await fetch(front.url + path, { headers })).body?.getReader();
    const next = async (): Promise<string | undefined> => {
      const chunk = await reader?.read();
      return chunk?.value === undefined ? undefined : new TextDecoder().decode(chunk.value);
    };
    const until = async (text: string): Promise<void> => {
      for (let seen = ''; !seen.includes(text);) {
        const chunk = await next();
        if (chunk === undefined) throw new Error(`the stream ended before ${text}: ${seen}`);
        seen += chunk;
      }
    };
    const rest = async (): Promise<number> => {
      let chunks = 0;
      // It is cut off, so that its end may be an error.
      while ((await next().catch(() => undefined)) !== undefined) chunks += 1;
      return chunks;
    };
    return { next, until, rest, close: () => reader?.cancel() };
  };
  return { front, write, call, stream, log, ended: ended.promise };
}

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

test('a reload does what the change needs, and an invalid config changes nothing', async () => {
  const { front, write, call } = await gateway();
  await call('PUT', '/v1/agents/counter/a', { input: { start: 7 } });
  expect(await front.reload()).toBe('nothing');

  const token = newToken();
  const tokens = { desk: { sha256: digestOf(token), allow: ['send'] } };
  const pid = async () => ((await call('GET', '/v1/gateway')).body as { servicePid: number }).servicePid;
  const first = await pid();
  await write({ gateway: { port: 0, tokens } });
  expect(await front.reload()).toBe('applied');
  const asDesk = { authorization: `Bearer ${token}` };
  expect(await call('POST', '/v1/agents/counter/a/ask', read, asDesk)).toMatchObject({ body: { reply: 7 } });
  expect(await pid()).toBe(first);

  await write({ gateway: { port: 0, tokens, porrt: 1 } });
  await expect(front.reload()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(front.restart()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 7 } });

  await write({ gateway: { port: 0, tokens }, threads: { pool: { minThreads: 1 } } });
  expect(await front.reload()).toBe('restarted');
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 7 } });
  expect(await pid()).not.toBe(first);
});

test('a change that is saved takes effect on its own', async () => {
  const { write, call, log } = await gateway();
  await write({ threads: { pool: { minThreads: 1 } } });
  await expect.poll(() => log, { timeout: 30_000 }).toContain('the config was read again');
  const { body } = await call('GET', '/v1/status');
  expect(body).toMatchObject({ pools: [{ threads: [{ state: expect.any(String) as string }] }] });
  await write({ threads: { pool: { minThreads: 'many' } } });
  await expect
    .poll(() => log, { timeout: 30_000 })
    .toContain('the config is invalid; the last good one stays');
  expect(await call('GET', '/v1/gateway')).toMatchObject({
    body: { configProblem: expect.stringContaining('minThreads') as string },
  });
});

test('a service process that is killed is started again, and requests wait for it', async () => {
  const { call, log } = await gateway();
  await call('PUT', '/v1/agents/counter/a');
  const { body } = await call('GET', '/v1/gateway');
  const { servicePid } = body as { servicePid: number };
  process.kill(servicePid, 'SIGKILL');
  await expect.poll(() => log).toContain('the service process ended; it is started again');
  // Held until the next one serves.
  expect(await call('POST', '/v1/agents/counter/a/ask?activate=true', read)).toMatchObject({
    body: { reply: 0 },
  });
});

test('a service that crashes too often is given up, and requests are told so', async () => {
  const { call, ended } = await gateway({}, { crashes: new CrashBudget(0) });
  const { body } = await call('GET', '/v1/gateway');
  process.kill((body as { servicePid: number }).servicePid, 'SIGKILL');
  expect(await ended).toMatchObject({ code: 'RUNTIME_STOPPED' });
  expect(await call('GET', '/v1/agents')).toMatchObject({
    status: 503,
    body: { error: { code: 'SERVICE_FAILED' } },
  });
});

test('what cannot be handed over is told, and begins anew', async () => {
  const { front, call } = await gateway();
  await call('PUT', '/v1/agents/counter/a', { input: { start: 3 } });
  await call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'finish' });
  await call('PUT', '/v1/agents/counter/b');
  const { instances } = await front.restart();
  expect(instances).toBe(1);
  expect(await call('GET', '/v1/agents')).toMatchObject({ body: { instances: [{ address: 'counter/b' }] } });
});

test('an answer that is kept for its key is kept over a restart', async () => {
  const { front, call } = await gateway();
  await call('PUT', '/v1/agents/counter/a');
  const send = () =>
    call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'inc' }, { 'idempotency-key': 'k' });
  await send();
  await front.restart();
  expect(await send()).toMatchObject({ status: 200 });
  expect(await call('POST', '/v1/agents/counter/a/ask', read)).toMatchObject({ body: { reply: 1 } });
});

test('a stream ends with the restart, and begins again with the state as it is', async () => {
  const { front, call, stream } = await gateway();
  await call('PUT', '/v1/agents/counter/a', { input: { start: 5 } });
  const before = await stream('/v1/agents/counter/a/stream');
  expect(await before.next()).toContain('"n":5');
  await call('POST', '/v1/agents/counter/a/events', { type: 'inc' });
  await before.until('"n":6');
  await front.restart();
  await expect(before.rest()).resolves.toBeDefined();
  const after = await stream('/v1/agents/counter/a/stream');
  expect(await after.next()).toContain('"n":6');
  await after.close();
});

test('a port that is taken is told with what to do', async () => {
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  await expect(gateway({ gateway: { port } })).rejects.toThrow(`127.0.0.1:${port} is in use`);
});

test('control is for tokens that allow admin', async () => {
  const token = newToken();
  const tokens = { desk: { sha256: digestOf(token) } };
  const { call } = await gateway({ gateway: { port: 0, tokens } });
  const asDesk = { authorization: `Bearer ${token}` };
  expect(await call('POST', '/v1/gateway/stop', undefined, asDesk)).toMatchObject({ status: 403 });
  expect(await call('POST', '/v1/gateway/restart', undefined, { authorization: '' })).toMatchObject({
    status: 401,
  });
  expect(await call('POST', '/v1/gateway/dance')).toMatchObject({ status: 404 });
});
