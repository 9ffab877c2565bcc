import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';
import { openSigningKey } from './signing-key.ts';

const emulator = await startSecretsManagerEmulator();
const { region, url: endpoint, credentials } = emulator;
const client = new SecretsManagerClient({ region, endpoint, credentials });
beforeEach(() => emulator.reset());
afterAll(async () => {
  client.destroy();
  await emulator.stop();
});

async function current(id: string): Promise<{ version: string | undefined; value: string | undefined }> {
  const found = await client.send(new GetSecretValueCommand({ SecretId: id }));
  return { version: found.VersionId, value: found.SecretString };
}

test('a missing key is made, and is what the service then holds', async () => {
  const key = await openSigningKey(client, 'desk/key');
  expect(key.created).toBe(true);
  const { version, value } = await current('desk/key');
  expect([...key.versions]).toEqual([[version, value]]);
  expect(value?.length).toBeGreaterThan(40);
});

test('a rotation writes another random value and remembers both', async () => {
  const key = await openSigningKey(client, 'desk/key');
  const before = await current('desk/key');
  const rotatedTo = await key.rotate();
  const after = await current('desk/key');
  expect(after.version).toBe(rotatedTo);
  expect(after.value).not.toBe(before.value);
  expect([...key.versions]).toEqual([
    [before.version, before.value],
    [after.version, after.value],
  ]);
});

test('the key of an earlier run is found again and may be rotated', async () => {
  await openSigningKey(client, 'desk/key');
  const before = await current('desk/key');
  const key = await openSigningKey(client, 'desk/key');
  expect(key.created).toBe(false);
  expect([...key.versions]).toEqual([[before.version, before.value]]);
  expect(await key.rotate()).toBeTypeOf('string');
});

test('a secret that somebody else made is used but never written to', async () => {
  await client.send(new CreateSecretCommand({ Name: 'payroll/key', SecretString: 'made-up-foreign' }));
  const before = await current('payroll/key');
  const key = await openSigningKey(client, 'payroll/key');
  expect(await key.rotate()).toBeUndefined();
  expect(await current('payroll/key')).toEqual(before);
  expect(emulator.calls['PutSecretValue']).toBeUndefined();
});

test('a secret of bytes is refused, with its name and what is wrong', async () => {
  emulator.put('desk/bytes', new Uint8Array([1, 2, 3]));
  await expect(openSigningKey(client, 'desk/bytes')).rejects.toThrow('desk/bytes holds bytes');
});

test('a refusal of the service is passed on', async () => {
  emulator.fail('DescribeSecret', { error: 'AccessDeniedException', status: 400 });
  await expect(openSigningKey(client, 'desk/key')).rejects.toMatchObject({ name: 'AccessDeniedException' });
});
