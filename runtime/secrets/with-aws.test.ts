import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createRuntime } from 'holdfast';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  startSecretsManagerEmulator,
  type SecretsManagerEmulator,
} from '../../providers/emulator/secrets-manager-emulator.ts';
import type { HoldfastError } from '../base/errors.ts';
import { createSecretsBroker, type SecretsBroker } from './broker.ts';
import { defineCapability } from './capabilities/capability.ts';
import type { SecretEvent } from './secret-event.ts';

const root = new URL('../../', import.meta.url);
const caller = { address: 'trading-agent/btc', incarnation: 1, pool: 'trading-pool' };
const sign = defineCapability('sign', (secret, args) =>
  secret.use((key) => createHmac('sha256', key).update(String(args)).digest('hex')),
);
const signed = (key: string): string => createHmac('sha256', key).update('order').digest('hex');
const grant = {
  label: 'key',
  provider: 'default',
  id: 'prod/key',
  mode: 'capability',
  capabilities: ['sign'],
} as const;

let emulator: SecretsManagerEmulator;
let broker: SecretsBroker;

const brokerOf = (options: Record<string, unknown>): SecretsBroker =>
  createSecretsBroker({
    providers: [{ alias: 'default', provider: 'aws-secrets-manager', cacheTtlMs: 300_000, options }],
    capabilities: [sign],
  });

beforeAll(async () => {
  emulator = await startSecretsManagerEmulator();
  vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
});
beforeEach(() => {
  emulator.reset();
  const { region, url: endpoint } = emulator;
  broker = brokerOf({ region, endpoint, requestTimeoutMs: 500, maxAttempts: 1 });
});
afterEach(() => broker.stop());
afterAll(async () => {
  vi.unstubAllEnvs();
  await emulator.stop();
});

const call = () => broker.call(caller, 'sign', 'key', 'order');

test('an agent signs with a key of Secrets Manager, hears of its rotation and signs with the new one', async () => {
  const first = emulator.put('prod/key', 'CANARY-first-key');
  const events: SecretEvent[] = [];
  broker.open(caller, [grant], (event) => events.push(event));
  expect(await Promise.all(Array.from({ length: 1000 }, call))).toEqual(
    Array(1000).fill(signed('CANARY-first-key')),
  );
  expect(emulator.calls).toEqual({ GetSecretValue: 1 });

  const second = emulator.rotate('prod/key', 'CANARY-second-key');
  expect(await call()).toBe(signed('CANARY-first-key'));
  await broker.refresh('default', 'prod/key');
  expect(events).toMatchObject([{ epoch: 2, versionId: second, previousVersionId: first, cause: 'manual' }]);
  expect(await call()).toBe(signed('CANARY-second-key'));
  expect(emulator.calls).toEqual({ GetSecretValue: 2, DescribeSecret: 1 });
});

test.each([
  ['two calls', undefined, { BatchGetSecretValue: 2 }],
  ['single calls where the host may not batch', 2, { BatchGetSecretValue: 2, GetSecretValue: 26 }],
])(
  'secrets that are granted in one tick are %s, and what fails for one fails for it alone',
  async (_, refusals, calls) => {
    await broker.stop();
    broker = brokerOf({ region: emulator.region, endpoint: emulator.url, requestTimeoutMs: 60_000 });
    const ids = Array.from({ length: 25 }, (_key, n) => `prod/key-${n}`);
    for (const id of ids) emulator.put(id, `CANARY-value-of-${id}`);
    if (refusals !== undefined)
      emulator.fail('BatchGetSecretValue', { error: 'AccessDeniedException', times: refusals });
    const grants = [...ids, 'prod/absent'].map((id) => Object.assign({}, grant, { label: id, id }));
    broker.open(caller, grants, () => {});
    const uses = grants.map(({ label }) =>
      broker.call(caller, 'sign', label, 'order').catch((error: HoldfastError) => error.code),
    );
    expect(await Promise.all(uses)).toEqual([
      ...ids.map((id) => signed(`CANARY-value-of-${id}`)),
      'SECRET_NOT_FOUND',
    ]);
    expect(emulator.calls).toEqual(calls);
  },
);

test('taken rights take effect at the next fetch: the value that was cached is not served', async () => {
  emulator.put('prod/key', 'CANARY-first-key');
  broker.open(caller, [grant], () => {});
  await call();
  emulator.fail('*', { error: 'AccessDeniedException', times: 9 });
  await expect(broker.refresh('default', 'prod/key')).rejects.toMatchObject({ code: 'SECRET_DENIED' });
  await expect(call()).rejects.toMatchObject({ code: 'SECRET_DENIED' });
  expect(broker.status()).toMatchObject([{ state: 'failed', failure: 'denied' }]);
});

test('a key of the host that is replaced in its file stops nobody, and nothing is revoked', async () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const file = join(home, 'credentials');
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  onTestFinished(() => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
  });
  const write = (): void => {
    const keys = emulator.createUser({ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } });
    const { accessKeyId: id, secretAccessKey: key } = keys;
    writeFileSync(file, `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${key}\n`);
  };
  write();
  emulator.put('prod/key', 'CANARY-first-key');
  const events: SecretEvent[] = [];
  broker.open(caller, [grant], (event) => events.push(event));
  expect(await call()).toBe(signed('CANARY-first-key'));
  // The old key is not known any more, and the new one is late.
  emulator.reset();
  emulator.put('prod/key', 'CANARY-second-key');
  await expect(broker.refresh('default', 'prod/key')).rejects.toMatchObject({
    code: 'SECRET_UNAVAILABLE',
    message: expect.stringContaining('expired-credentials'),
  });
  expect(await call()).toBe(signed('CANARY-first-key'));
  expect(broker.status()).toMatchObject([{ state: 'stale', failure: 'expired-credentials' }]);
  write();
  await vi.waitFor(async () => expect(await call()).toBe(signed('CANARY-second-key')), { timeout: 60_000 });
  expect(events.map(({ type }) => type)).toEqual(['secret.stale', 'secret.rotated', 'secret.recovered']);
});

test('without a region, and with one that is not that of a secret, a runtime does not start', async () => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, '.aws'));
  for (const [name, value] of [
    ['HOME', home],
    ['AWS_REGION', undefined],
    ['AWS_EC2_METADATA_DISABLED', 'true'],
  ] as const) {
    const before = process.env[name];
    vi.stubEnv(name, value);
    onTestFinished(() => void vi.stubEnv(name, before));
  }
  const arn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/key-AbCdEf';
  const module = new URL('../fixtures/signer.ts', import.meta.url);
  const start = (id: string, provider = 'desk') => {
    const ref = { provider, id };
    const secrets = { key: { ref, mode: 'capability', capabilities: ['sign.hmac'] } } as const;
    return createRuntime({
      secrets: { providers: { desk: { provider: 'aws-secrets-manager', endpoint: emulator.url } } },
      agents: { signer: { type: 'thread-bound', threadId: 'signing', maxThreads: 1, module, secrets } },
    });
  };
  await expect(start('prod/key')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/"desk": No AWS region is known\. Write "region" .* or set AWS_REGION/),
  });
  const runtime = await start(arn);
  await runtime.stop();
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  await expect(start(arn)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/"desk": .*in the region us-east-1, and the provider reads in eu-west-1/),
  });
});

test('a service that hangs rejects in time, and recovers by itself after a back-off', async () => {
  emulator.put('prod/key', 'CANARY-first-key');
  emulator.fail('GetSecretValue', { hang: true });
  broker.open(caller, [grant], () => {});
  await expect(call()).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  await vi.waitFor(async () => expect(await call()).toBe(signed('CANARY-first-key')), { timeout: 60_000 });
});

test('a program that declares a provider and grants nothing never loads the SDK or needs credentials', async () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const { createSecretsBroker } = await import('./runtime/secrets/broker.ts');
    const providers = [{ alias: 'default', provider: 'aws-secrets-manager', cacheTtlMs: 1, options: { region: 'ap-east-1' } }];
    const broker = createSecretsBroker({ providers });
    broker.open({ address: 'a/1', incarnation: 1, pool: 'p' }, [], () => {});
    await broker.call({ address: 'a/1', incarnation: 1, pool: 'p' }, 'sign', 'key', null).catch((error) => console.log(error.code));
    console.log(JSON.stringify(broker.calls()), loaded.filter((url) => url.includes('aws-sdk')).length, loaded.some((url) => url.endsWith('broker.ts')));
    if (process.argv[1] === 'grant') {
      broker.open({ address: 'a/1', incarnation: 1, pool: 'p' }, [{ label: 'key', provider: 'default', id: 'k', mode: 'capability', capabilities: [] }], () => {});
      await broker.refresh('default', 'k').catch((error) => console.log(error.code));
      console.log(loaded.some((url) => url.includes('aws-sdk')));
    }
    await broker.stop();
  `;
  const run = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['-C', 'holdfast-source', '--input-type=module', '-e', program, ...args],
      { cwd: root, timeout: 60_000, env: { PATH: process.env['PATH'], AWS_EC2_METADATA_DISABLED: 'true' } },
    );
    return stdout.trim().split('\n');
  };
  const idle = ['SECRET_NOT_GRANTED', '{"describe":0,"fetch":0,"fetchMany":0,"total":0} 0 true'];
  expect(await run()).toEqual(idle);
  // The other way round, so that the first half cannot pass by looking in the wrong place.
  expect(await run('grant')).toEqual([...idle, 'SECRET_UNAVAILABLE', 'true']);
});
