import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createRuntime } from 'holdfast';
import { loadConfig } from '../config/load.ts';
import { checkKeptStates } from './kept-states.ts';

test('a check whose time is up says how many states nobody has looked at, and one that came to the end says nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-kept-states-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const module = fileURLToPath(new URL('../fixtures/account.ts', import.meta.url));
  const config = {
    agents: { account: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module } },
    store: { type: 'sqlite', path: join(folder, 'agents.db'), fsync: 'os' },
  } as const;
  const runtime = await createRuntime(config);
  for (const id of ['a', 'b', 'c']) await runtime.spawn('account', { id });
  await runtime.stop();
  const loaded = await loadConfig(config);
  const warnings: object[] = [];
  const logger = { debug() {}, info() {}, warn: (fields: object) => void warnings.push(fields), error() {} };
  await checkKeptStates({ config: loaded, providers: undefined, logger, ms: 60_000 });
  expect(warnings).toEqual([]);
  await checkKeptStates({ config: loaded, providers: undefined, logger, ms: -1 });
  expect(warnings).toEqual([{ tried: 1, left: 2, ms: -1 }]);
});
