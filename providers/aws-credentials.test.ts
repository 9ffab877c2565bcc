import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from './emulator/secrets-manager-emulator.ts';
import { createAwsSecretsManagerProvider } from './aws-secrets-manager.ts';
import { awsHome } from './fixtures/aws-home.ts';

let emulator: SecretsManagerEmulator;
let home: string;
let remove: () => void;

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
});
beforeEach(() => {
  emulator.reset();
  emulator.put('a', 'value');
  ({ home, remove } = awsHome());
  mkdirSync(join(home, '.aws'));
});
afterEach(() => remove());
afterAll(() => emulator.stop());

/** Reads as a program would that gives no credentials, and tells what came of it. */
async function read(options: object = { region: emulator.region }): Promise<string> {
  const provider = createAwsSecretsManagerProvider({ endpoint: emulator.url, maxAttempts: 1, ...options });
  const { signal } = new AbortController();
  try {
    const { bytes } = await provider.fetch({ provider: 'default', id: 'a' }, {}, signal);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    return provider.classify(error);
  } finally {
    await provider.close?.();
  }
}

const profile = (name: string, lines: readonly string[], file = 'credentials'): void => {
  writeFileSync(join(home, '.aws', file), [`[${name}]`, ...lines, ''].join('\n'));
};
const keys = (): string[] => [
  `aws_access_key_id = ${emulator.credentials.accessKeyId}`,
  `aws_secret_access_key = ${emulator.credentials.secretAccessKey}`,
];

test('credentials come from the environment, the region too', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
  expect(await read()).toBe('value');
  vi.stubEnv('AWS_REGION', emulator.region);
  expect(await read({})).toBe('value');
});

test('credentials come from the default profile of the home folder', async () => {
  profile('default', keys());
  expect(await read()).toBe('value');
});

test('credentials come from the profile that is named', async () => {
  profile('desk', keys());
  expect(await read()).toBe('expired-credentials');
  vi.stubEnv('AWS_PROFILE', 'desk');
  expect(await read()).toBe('value');
});

test('credentials come from the process of a profile', async () => {
  const { accessKeyId, secretAccessKey } = emulator.credentials;
  const command = join(home, 'credentials.sh');
  const printed = JSON.stringify({ Version: 1, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey });
  writeFileSync(command, `#!/bin/sh\nprintf '%s' '${printed}'\n`);
  chmodSync(command, 0o700);
  profile('default', [`credential_process = ${command}`], 'config');
  expect(await read()).toBe('value');
});

test('the environment wins over a profile', async () => {
  profile('default', ['aws_access_key_id = AKIAWRONG', 'aws_secret_access_key = wrong']);
  expect(await read()).toBe('expired-credentials');
  vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
  expect(await read()).toBe('value');
});

test('without any the failure is one of credentials', async () => {
  expect(await read()).toBe('expired-credentials');
});

test('an abort and the deadline end a call that still waits for credentials', async () => {
  const credentials = (): Promise<never> => new Promise(() => {});
  const options = { region: emulator.region, endpoint: emulator.url };
  const { signal } = new AbortController();
  const ref = { provider: 'default', id: 'a' };
  const patient = createAwsSecretsManagerProvider(options, { credentials });
  const ending = new AbortController();
  const waiting = patient.fetch(ref, {}, ending.signal);
  ending.abort(new Error('given up'));
  await expect(waiting).rejects.toThrow('given up');
  const hasty = createAwsSecretsManagerProvider({ ...options, deadlineMs: 50 }, { credentials });
  const late: unknown = await hasty.fetch(ref, {}, signal).catch((error: unknown) => error);
  expect(hasty.classify(late)).toBe('transient');
});
