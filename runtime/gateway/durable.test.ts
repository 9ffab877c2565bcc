import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { FrontOptions } from './front.ts';
import { connect } from '../client/index.ts';
import { gateway } from './fixtures/gateway.ts';
import { serviceProcesses } from './fixtures/service-processes.ts';
import { toldBy } from './fixtures/told-events.ts';

const of = (name: string) => {
  const module = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
  return { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module };
};
const agents = { account: of('account'), dictating: of('dictating') };
const path = '/v1/agents/account/a';

/** Options with a store that opens only for the process whose number stands in the file beside it, if there is one. */
const optionsWith = (path: string): string => `
  import { readFileSync } from 'node:fs';
  import { sqliteStore } from '${new URL('../store/sqlite/sqlite-store.ts', import.meta.url).href}';
  const store = sqliteStore({ path: '${path}' });
  const open = store.open.bind(store);
  store.open = async (context) => {
    const pid = readFileSync('${path}-for', 'utf8');
    if (pid !== '' && pid !== String(process.pid)) throw new Error('the disk is away');
    return open(context);
  };
  export default { store };
`;

/** A gateway whose agents outlive its processes. */
async function durable(
  options?: Partial<FrontOptions>,
  folder = mkdtempSync(join(tmpdir(), 'holdfast-durable-')),
) {
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const store = join(folder, 'agents.db');
  const module = join(folder, 'options.mjs');
  writeFileSync(module, optionsWith(store));
  const onlyFor = (pid: number | undefined): void => writeFileSync(`${store}-for`, String(pid ?? ''));
  onlyFor(undefined);
  const config = { agents, gateway: { port: 0, reload: false, options: module } };
  const served = await gateway(config, options);
  // So that no process waits for idle connections.
  const call: typeof served.call = (method, path, body, headers) =>
    served.call(method, path, body, { connection: 'close', ...headers });
  const deposit = async (amount: number, headers?: Record<string, string>) =>
    call('POST', `${path}/events`, { type: 'deposit', amount }, headers);
  const ask = async (event: object, headers?: Record<string, string>) =>
    call('POST', `${path}/ask?timeoutMs=20000`, event, headers);
  if (options?.isPaused !== true) await call('PUT', path);
  return { ...served, folder, call, onlyFor, deposit, ask };
}

test('events that were accepted and answers that were given outlive a service process that is killed', async () => {
  const { front, log, deposit, ask } = await durable();
  let accepted = 0;
  let [running, killed] = [true, false];
  const sending = Array.from({ length: 4 }, async () => {
    while (running) {
      // The connection ends with the process, and nobody was told anything.
      const answer = await deposit(1).catch(() => undefined);
      if (answer?.status === 202) accepted += 1;
      if (accepted > 200 && !killed) {
        killed = true;
        const [pid = 0] = serviceProcesses();
        process.kill(pid, 'SIGKILL');
      }
      if (killed && front.status().restarts === 1 && answer?.status === 202) running = false;
    }
  });
  await Promise.all(sending);
  const { body } = await ask({ type: 'history' });
  const { total, deposits } = (body as { reply: { total: number; deposits: number } }).reply;
  expect(total).toBeGreaterThanOrEqual(accepted);
  // Of each client one request may have been handled whose answer got lost.
  expect(total).toBeLessThanOrEqual(accepted + 4);
  expect(deposits).toBe(total);
  expect(log.filter((line) => line.includes('instances ended'))).toEqual([]);
});

test('a restart whose new process cannot open the store says why, and the old process goes on with everything', async () => {
  const { front, onlyFor, deposit, ask, call } = await durable();
  await call('PUT', path.replace('/a', '/b'));
  const [pid = 0] = serviceProcesses();
  onlyFor(pid);
  await deposit(5);
  const restarting = call('POST', '/v1/gateway/restart');
  await expect.poll(() => front.status().servicePid).toBe(null);
  const held = ask({ type: 'deposit', amount: 2 });
  expect(await restarting).toMatchObject({
    status: 503,
    body: {
      error: {
        code: 'SERVICE_FAILED',
        message: expect.stringMatching(/the old one goes on: .*the disk is away/) as string,
      },
    },
  });
  expect(await held).toEqual({ status: 200, body: { reply: 7 } });
  expect(front.status()).toMatchObject({ servicePid: pid, restarts: 0 });
  // And as often as it takes.
  await expect(front.restart()).rejects.toThrow('the disk is away');
  expect(await ask({ type: 'deposit', amount: 1 })).toEqual({ status: 200, body: { reply: 8 } });
  onlyFor(undefined);
  expect(await front.restart()).toMatchObject({ result: 'restarted', instances: 1 });
  expect(await ask({ type: 'total' })).toEqual({ status: 200, body: { reply: 8 } });
  await expect.poll(() => serviceProcesses().includes(pid), { timeout: 20_000 }).toBe(false);
}, 60_000);

test('a gateway that was started paused shows what there is, and handles nothing until it is resumed', async () => {
  const before = await durable();
  await before.ask({ type: 'deposit', amount: 5 });
  await before.call('POST', `${path}/events`, { type: 'remind', afterMs: 2000 });
  await before.front.stop();
  const { call, front, ask } = await durable({ isPaused: true }, before.folder);
  const paused = { status: 503, body: { error: { code: 'PAUSED', retryable: true } } };
  expect(await call('PUT', path)).toMatchObject(paused);
  expect(await ask({ type: 'total' })).toMatchObject(paused);
  expect(await call('GET', `${path}/snapshot`)).toMatchObject(paused);
  expect(await call('GET', '/v1/agents')).toEqual({ status: 200, body: { instances: [] } });
  const said = { paused: true, next: 'holdfast gateway resume' };
  expect(await call('GET', '/readyz')).toMatchObject({ status: 503, body: { ready: false, ...said } });
  expect(await call('GET', '/v1/gateway')).toMatchObject({ body: said });
  // Neither a restart nor a crash is the word to go on.
  await front.restart();
  process.kill(front.status().servicePid ?? 0, 'SIGKILL');
  await expect.poll(() => front.status(), { timeout: 20_000 }).toMatchObject({ restarts: 2 });
  expect(await ask({ type: 'total' })).toMatchObject(paused);
  expect(await call('POST', '/v1/gateway/resume')).toEqual({ status: 200, body: { result: 'resumed' } });
  expect(await call('POST', '/v1/gateway/resume')).toEqual({ status: 200, body: { result: 'running' } });
  // Its timer was due meanwhile.
  const residents = async (): Promise<unknown> => (await call('GET', '/v1/agents')).body;
  const woken = { instances: [{ address: 'account/a' }] };
  await expect.poll(residents, { timeout: 60_000 }).toMatchObject(woken);
  expect(await ask({ type: 'total' })).toEqual({ status: 200, body: { reply: 5 } });
  expect(await call('GET', '/readyz')).toMatchObject({ status: 200 });
  expect(front.status()).not.toHaveProperty('paused');
}, 60_000);

test('a request with a key is done once, and has its first answer, over a process that is killed and a restart, which hands no state over', async () => {
  const { front, ask, deposit, call } = await durable();
  const first = { 'idempotency-key': 'first' };
  const second = { 'idempotency-key': 'second' };
  const paid = { status: 200, body: { reply: 5 } };
  const taken = { status: 202, body: { accepted: true } };
  const both = async (): Promise<void> => {
    expect(await ask({ type: 'deposit', amount: 5 }, first)).toEqual(paid);
    expect(await deposit(1, second)).toEqual(taken);
  };
  await both();
  await both();
  const [pid = 0] = serviceProcesses();
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => front.status(), { timeout: 20_000 }).toMatchObject({ restarts: 1 });
  // Nobody keeps a key but the store.
  await both();
  expect(await ask({ type: 'deposit', amount: 6 }, first)).toMatchObject({
    status: 422,
    body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } },
  });
  expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
  await both();
  expect(await ask({ type: 'deposit', amount: 2 })).toEqual({ status: 200, body: { reply: 8 } });
  expect(await call('PUT', path)).toMatchObject({ status: 200 });
  expect(await ask({ type: 'history' })).toEqual({
    status: 200,
    body: { reply: { total: 8, deposits: 3 } },
  });
}, 60_000);

test('amendment 21: an answer that a kill has cut never looks whole, and its key asks anew until there is a reply', async () => {
  const { front, call, token } = await durable();
  const at = '/v1/agents/dictating/a';
  await call('PUT', at);
  const ask = (headers: Record<string, string> = {}, n = 2) =>
    fetch(`${front.url}${at}/ask?timeoutMs=60000`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        connection: 'close',
        'idempotency-key': 'one',
        ...headers,
      },
      body: JSON.stringify({ type: 'write', n, waitsAt: 1 }),
    });
  const kill = async (restarts: number): Promise<void> => {
    const [pid = 0] = serviceProcesses();
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => front.status(), { timeout: 20_000 }).toMatchObject({ restarts });
  };
  const cut = toldBy(await ask());
  expect(await cut.until(1)).toMatchObject([{ event: 'chunk', data: 0 }]);
  await kill(1);
  const [{ id } = { id: '' }, ...more] = await cut.until(9);
  expect(more).toEqual([]);
  const goOn = { authorization: `Bearer ${token}`, 'last-event-id': id };
  const gone = { status: 410, body: { error: { code: 'STREAM_GONE' } } };
  expect(await call('GET', cut.location, undefined, goOn)).toMatchObject(gone);
  expect((await ask({ 'last-event-id': id })).status).toBe(410);
  const anew = toldBy(await ask());
  // The place in the one that was cut is none in this one.
  expect((await ask({ 'last-event-id': id })).status).toBe(410);
  expect(await anew.until(1)).toMatchObject([{ event: 'chunk', data: 0 }]);
  await call('POST', `${at}/events?wait=handled`, { type: 'go' });
  const reply = { event: 'end', data: { reply: { wrote: 2 } } };
  expect(await anew.until(9)).toMatchObject([{ event: 'chunk' }, { event: 'chunk', data: 1 }, reply]);
  await kill(2);
  const again = toldBy(await ask());
  expect(again.isReplay).toBe(true);
  expect(await again.until(9)).toMatchObject([{ event: 'gap', data: { code: 'ANSWER_NOT_KEPT' } }, reply]);
  expect((await ask({}, 3)).status).toBe(422);
  const client = connect({ url: front.url, token }).agent('dictating/a');
  const answer = client.askStream({ type: 'write', n: 2, waitsAt: 1 }, { idempotencyKey: 'one' });
  await expect(answer[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ANSWER_NOT_KEPT' });
  expect(await answer.result).toEqual({ wrote: 2 });
  expect(await call('POST', `${at}/ask`, { type: 'asked' })).toMatchObject({ body: { reply: 2 } });
}, 60_000);
