import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';
import { serviceProcesses } from './fixtures/service-processes.ts';

const module = fileURLToPath(new URL('../fixtures/account.ts', import.meta.url));
const agents = { account: { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module } };
const path = '/v1/agents/account/a';

/** A gateway whose agents outlive its processes. */
async function durable() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-durable-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const store = { type: 'sqlite', path: join(folder, 'agents.db') };
  const served = await gateway({ agents, store, gateway: { port: 0, reload: false } });
  const { call } = served;
  const deposit = async (amount: number, headers?: Record<string, string>) =>
    call('POST', `${path}/events`, { type: 'deposit', amount }, headers);
  const ask = async (event: object, headers?: Record<string, string>) =>
    call('POST', `${path}/ask?timeoutMs=20000`, event, headers);
  await call('PUT', path);
  return { ...served, folder, store, deposit, ask };
}

test('a restart hands no state of a durable instance over, which goes on from the store', async () => {
  const { front, deposit, ask, call } = await durable();
  expect(await deposit(5)).toEqual({ status: 202, body: { accepted: true } });
  expect(await front.restart()).toMatchObject({ instances: 1, lost: [] });
  expect(await ask({ type: 'deposit', amount: 2 })).toEqual({ status: 200, body: { reply: 7 } });
  expect(await call('PUT', path)).toMatchObject({ status: 200 });
});

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
