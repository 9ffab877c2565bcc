import { readFile } from 'node:fs/promises';
import { testSecretProvider } from 'holdfast/testing';
import { describe, expect, test } from 'vitest';
import { runExample } from '../program.fixture.ts';
import { createVaultProvider } from './vault.ts';
import { startVaultServer } from './vault-server.ts';

describe('the Vault provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    async create() {
      const server = await startVaultServer();
      return {
        provider: createVaultProvider(server.address, server.token),
        put: (id, value) => server.put(id, value),
        dispose: () => server.stop(),
      };
    },
  });
});

test('a wrong token is denied, and a server that is away is transient', async () => {
  const { signal } = new AbortController();
  const ref = { provider: 'default', id: 'desk/key' };
  const server = await startVaultServer();
  server.put('desk/key', 'value');
  const kind = async (token: string): Promise<string> => {
    const provider = createVaultProvider(server.address, token);
    return provider.fetch(ref, {}, signal).then(
      () => 'read',
      (error: unknown) => provider.classify(error),
    );
  };
  expect([await kind(server.token), await kind('hvs.other')]).toEqual(['read', 'denied']);
  await server.stop();
  expect(await kind(server.token)).toBe('transient');
});

test('the provider has less than 40 lines', async () => {
  const lines = (await readFile(new URL('./vault.ts', import.meta.url), 'utf8')).trimEnd().split('\n');
  expect(lines.length).toBeLessThan(40);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(120);
});

test('the example runs: the agent signs with the key in Vault, and again when it has changed', async () => {
  const { stdout, stderr } = await runExample(new URL('./', import.meta.url));
  expect(stderr).toBe('');
  const lines = stdout.split('\n').slice(0, 4);
  expect(lines).toEqual([
    'signed with key 1',
    'version 2 is in Vault',
    'secret.rotated: the key has changed, epoch 2',
    'signed with key 2',
  ]);
});
