import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { FrontOptions } from './front.ts';
import { gateway } from './fixtures/gateway.ts';

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
