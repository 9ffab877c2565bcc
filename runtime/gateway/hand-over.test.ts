import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';

const byHand = { port: 0, reload: false };
const module = fileURLToPath(new URL('../fixtures/tidy.ts', import.meta.url));

/** A gateway with an instance that is at work, as every one of its kind is all the time, and what it notes. */
async function working() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hand-over-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'notes');
  writeFileSync(file, '');
  const tidy = { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module, export: 'working' };
  const config = { gateway: byHand, agents: { tidy } };
  const { front, write, call } = await gateway(config);
  await call('PUT', '/v1/agents/tidy/a', { input: { file, id: 'a' } });
  return { front, write, config, lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

test('what an instance has begun is over before it goes on in the next process', async () => {
  const { front, lines } = await working();
  await front.restart();
  expect(lines()).toEqual(['a begins', 'a cleans up', 'a aborts', 'a begins']);
});

test('what an instance has begun is over before it goes on in a thread of the new config', async () => {
  const { front, write, config, lines } = await working();
  await write({ ...config, threads: { pool: { env: { NEW: '1' } } } });
  expect(await front.reload()).toBe('rolled');
  expect(lines()).toEqual(['a begins', 'a cleans up', 'a aborts', 'a begins']);
  await front.stop();
  expect(lines().slice(4)).toEqual(['a cleans up', 'a aborts']);
});
