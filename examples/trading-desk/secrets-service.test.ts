import { ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { expect, test } from 'vitest';
import { openAws, openEmulator } from './secrets-service.ts';

const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'];
const environment = (): (string | undefined)[] => names.map((name) => process.env[name]);

test('the emulator answers the real SDK, on loopback, in the region of the config', async () => {
  const service = await openEmulator('ap-east-1');
  try {
    expect(service.place.region).toBe('ap-east-1');
    expect(new URL(service.place.endpoint ?? '').hostname).toBe('127.0.0.1');
    const { SecretList } = await service.client.send(new ListSecretsCommand({}));
    expect(SecretList).toEqual([]);
  } finally {
    await service.stop();
  }
});

test('the environment has the made-up credentials while it runs, and what it had before afterwards', async () => {
  process.env['AWS_PROFILE'] = 'the-profile-of-the-user';
  try {
    const before = environment();
    const service = await openEmulator('ap-east-1');
    const [id, secret, token, profile] = environment();
    expect([typeof id, typeof secret, token, profile]).toEqual(['string', 'string', undefined, undefined]);
    await service.stop();
    expect(environment()).toEqual(before);
  } finally {
    delete process.env['AWS_PROFILE'];
  }
});

test('the real service gets no endpoint and leaves the environment alone', async () => {
  const before = environment();
  const service = openAws('eu-central-1');
  expect(service.place).toEqual({ region: 'eu-central-1' });
  expect(environment()).toEqual(before);
  await service.stop();
});
