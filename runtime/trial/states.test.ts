import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { type StoredState, tryStates } from './states.ts';

test('the record of an instance that begins anew has no state to restore, and is fine', async () => {
  const module = fileURLToPath(new URL('../fixtures/account.ts', import.meta.url));
  const config = await loadConfig({
    agents: { account: { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module } },
  });
  async function* states(): AsyncGenerator<StoredState> {
    yield { address: 'account/a', state: '' };
  }
  const found: unknown[] = [];
  for await (const finding of tryStates(config, states())) found.push(finding);
  expect(found).toEqual([undefined]);
});
