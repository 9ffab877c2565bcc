import { createHmac } from 'node:crypto';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ResolvedGrant } from '../config/resolve.ts';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';
import { createSecretsBroker, type SecretsBroker } from './broker.ts';
import { defineCapability } from './capabilities/capability.ts';
import type { SecretEvent } from './secret-event.ts';

const caller = { address: 'trading-agent/btc', incarnation: 1, pool: 'trading-pool' };
const sign = defineCapability('sign', (secret, args) =>
  secret.use((key) => createHmac('sha256', key).update(String(args)).digest('hex')),
);
const signed = (key: string): string => createHmac('sha256', key).update('order').digest('hex');
const grant = (id: string, rest: Partial<ResolvedGrant> = {}): ResolvedGrant => ({
  label: 'key',
  provider: 'default',
  id,
  mode: 'capability',
  capabilities: ['sign'],
  ...rest,
});

let folder: string;
let broker: SecretsBroker;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-providers-'));
  warnings = [];
});
afterEach(async () => {
  await broker.stop();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A cache time of an hour: what is noticed sooner was told. */
function use(provider: string, options: Record<string, unknown> = {}): void {
  broker = createSecretsBroker({
    providers: [{ alias: 'default', provider, cacheTtlMs: 3_600_000, options }],
    capabilities: [sign],
    onWarning: (message) => warnings.push(message),
  });
}
const call = (): Promise<unknown> => broker.call(caller, 'sign', 'key', 'order');
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 10 });

function put(name: string, value: string, mode = 0o600): void {
  writeFileSync(join(folder, `${name}.new`), value, { mode });
  renameSync(join(folder, `${name}.new`), join(folder, name));
}

test('an agent hears at once that a file has another key, and that others can read it now', async () => {
  put('key', 'CANARY-first-key\n');
  use('file', { root: folder });
  const events: SecretEvent[] = [];
  broker.open(caller, [grant('key')], (event) => events.push(event));
  expect(await call()).toBe(signed('CANARY-first-key'));
  put('key', 'CANARY-second-key\n');
  await until(() => expect(events).toMatchObject([{ type: 'secret.rotated', epoch: 2, cause: 'push' }]));
  expect(await call()).toBe(signed('CANARY-second-key'));

  chmodSync(join(folder, 'key'), 0o644);
  await until(() => expect(call()).rejects.toMatchObject({ code: 'SECRET_DENIED' }));
  await until(() => expect(warnings.join()).toContain(`chmod go= ${join(folder, 'key')}`));
  expect(JSON.stringify([warnings, events, broker.status()])).not.toContain('CANARY');
});

test('variables that a config grants are out of the environment before anybody uses them', async () => {
  vi.stubEnv('HOLDFAST_DESK_KEY', 'CANARY-env-key');
  use('env');
  const prefetching = broker.prefetch([{ name: 'trading-agent', grants: [grant('HOLDFAST_DESK_KEY')] }]);
  expect(process.env).not.toHaveProperty('HOLDFAST_DESK_KEY');
  await prefetching;
  broker.open(caller, [grant('HOLDFAST_DESK_KEY')], () => {});
  expect(await call()).toBe(signed('CANARY-env-key'));
});

test('a resolver serves many agents with one run at the start', async () => {
  const command = join(folder, 'resolver');
  const script = `#!/bin/sh
    echo run >> runs
    printf '{"protocolVersion":1,"values":{"a":"CANARY-a","b":"CANARY-b"}}'`;
  writeFileSync(command, script, { mode: 0o700 });
  use('exec', { command });
  const grants = ['a', 'b'].map((id) => grant(id, { label: id }));
  await broker.prefetch([
    { name: 'trading-agent', grants: grants.map((one) => ({ ...one, required: true })) },
  ]);
  broker.open(caller, grants, () => {});
  expect(await broker.call(caller, 'sign', 'a', 'order')).toBe(signed('CANARY-a'));
  expect(await broker.call(caller, 'sign', 'b', 'order')).toBe(signed('CANARY-b'));
  expect(broker.calls()).toMatchObject({ fetchMany: 1, fetch: 0 });
});

test('two agents read one secret with two roles, each with its own rights', async () => {
  await using emulator = await startSecretsManagerEmulator();
  vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
  emulator.put('prod/key', 'CANARY-aws-key');
  const Action = 'secretsmanager:*';
  const reader = emulator.createRole('reader', { Statement: { Effect: 'Allow', Action, Resource: '*' } });
  const other = emulator.createRole('other', { Statement: { Effect: 'Deny', Action, Resource: '*' } });
  const { region, url } = emulator;
  use('aws-secrets-manager', { region, endpoint: url, stsEndpoint: url, maxAttempts: 1 });
  const eth = { ...caller, address: 'trading-agent/eth' };
  broker.open(caller, [grant('prod/key', { role: reader })], () => {});
  broker.open(eth, [grant('prod/key', { role: other })], () => {});
  expect(await call()).toBe(signed('CANARY-aws-key'));
  await expect(broker.call(eth, 'sign', 'key', 'order')).rejects.toMatchObject({ code: 'SECRET_DENIED' });
});
