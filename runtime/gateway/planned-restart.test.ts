import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { FrontOptions } from './front.ts';
import { gateway } from './fixtures/gateway.ts';
import { ServiceProcess } from './service-process.ts';

/** A gateway with a store, and who deploys another module of its agent `one`. */
async function kept(name: string, options?: Partial<FrontOptions>) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-planned-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const configOf = (name: string) => {
    const module = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
    const one = { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module };
    const store = { type: 'sqlite', path: join(folder, 'agents.db'), fsync: 'os' };
    return { agents: { one }, store, gateway: { port: 0, reload: false } };
  };
  const served = await gateway(configOf(name), options);
  const call: typeof served.call = (method, path, body, headers) =>
    served.call(method, path, body, { connection: 'close', ...headers });
  const ask = (id: string, event: object) => call('POST', `/v1/agents/one/${id}/ask?timeoutMs=30000`, event);
  const deploy = (name: string): Promise<void> => served.write(configOf(name));
  return { ...served, folder, call, ask, deploy };
}

test('a restart into machines that cannot read what the store keeps says whose states they are, and the old process goes on', async () => {
  const { front, call, ask, deploy } = await kept('account');
  for (const id of ['a', 'b']) await call('PUT', `/v1/agents/one/${id}`);
  await ask('a', { type: 'deposit', amount: 5 });
  const { servicePid } = front.status();
  await deploy('counter');
  const { status, body } = await call('POST', '/v1/gateway/restart');
  expect(status).toBe(409);
  const { error } = body as { error: { code: string; message: string; retryable: boolean } };
  expect(error).toMatchObject({ code: 'STATE_INCOMPATIBLE', retryable: false });
  expect(error.message).toMatch(/^2 instances .* one\/a \[STATE_INCOMPATIBLE\] .*; one\/b .*store check/);
  expect(front.status()).toMatchObject({ servicePid, restarts: 0 });
  expect(await ask('a', { type: 'total' })).toEqual({ status: 200, body: { reply: 5 } });
  // Its migrations lead there.
  await deploy('grown');
  expect(await front.restart()).toMatchObject({ result: 'restarted', lost: [] });
  expect(await ask('a', { type: 'read' })).toEqual({ status: 200, body: { reply: [1] } });
}, 60_000);

test('a restart lets durable agents end what they have under way, and serves everybody as long as nothing has to be held', async () => {
  const { front, folder, log, call, ask } = await kept('toiling');
  const notes = join(folder, 'notes');
  const begun = (): string[] => readFileSync(notes, 'utf8').split('\n').slice(0, -1);
  const begin = async (id: string, type = 'toil') => {
    await call('PUT', `/v1/agents/one/${id}`, { input: { notes } });
    await call('POST', `/v1/agents/one/${id}/events?wait=handled`, { type });
  };
  const end = (id: string): void => writeFileSync(`${notes}-${id}`, '');
  await begin('a');
  const orders = vi.spyOn(ServiceProcess.prototype, 'ask');
  onTestFinished(() => orders.mockRestore());
  const comesTo = async (type: string): Promise<void> => {
    await expect.poll(() => orders.mock.calls.at(-1)?.[0].type, { timeout: 30_000 }).toBe(type);
  };
  const restarting = call('POST', '/v1/gateway/restart');
  await comesTo('finish');
  // It is no request that has to wait.
  expect(await ask('a', { type: 'done' })).toEqual({ status: 200, body: { reply: 0 } });
  await begin('b');
  expect(front.status().servicePid).not.toBe(null);
  end('a');
  await comesTo('hand-over');
  // What began in the meantime is waited for while requests are.
  const held = ask('b', { type: 'done' });
  await expect.poll(() => front.status().held).toBeGreaterThan(0);
  end('b');
  expect(await restarting).toMatchObject({ status: 200, body: { result: 'restarted', lost: [] } });
  expect(await held).toEqual({ status: 200, body: { reply: 1 } });
  expect(await ask('a', { type: 'done' })).toEqual({ status: 200, body: { reply: 1 } });
  expect(begun()).toEqual(['a begins', 'b begins', 'a has done it', 'b has done it']);
  expect(log.filter((line) => line.includes('is cut by the restart'))).toEqual([]);
}, 120_000);
