import { createHmac } from 'node:crypto';
import { afterEach, onTestFinished, expect, test } from 'vitest';
import { waitFor } from 'xstate';
import { agent, defineCapability, type Grant, type RuntimeEvents } from 'holdfast';
import type signer from '../fixtures/signer.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';

const CANARY = 'canary-9f2c41d7-never-to-be-seen';
const grant: Grant = { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] };
const saved = { id: process.env['AWS_ACCESS_KEY_ID'], key: process.env['AWS_SECRET_ACCESS_KEY'] };

const sign = defineCapability('sign', (secret, args) =>
  secret.use((key) => ({
    signature: createHmac('sha256', key).update(String(args)).digest('hex'),
    version: secret.versionId,
  })),
);

const signed = (key: string): string => createHmac('sha256', key).update('an order').digest('hex');

afterEach(() => {
  for (const [name, value] of [
    ['AWS_ACCESS_KEY_ID', saved.id],
    ['AWS_SECRET_ACCESS_KEY', saved.key],
  ] as const) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

async function desk(secrets: Record<string, Grant> = { key: grant }) {
  const emulator = await startSecretsManagerEmulator();
  onTestFinished(() => emulator.stop());
  emulator.put('desk/key', CANARY);
  process.env['AWS_ACCESS_KEY_ID'] = emulator.credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = emulator.credentials.secretAccessKey;
  const { region, url: endpoint } = emulator;
  const runtime = await start(
    {
      externalSecrets: { provider: 'aws-secrets-manager', region, endpoint, cacheTTL: 1 },
      agents: { signer: agent<typeof signer>(fixture('signer', { secrets })) },
    },
    { capabilities: [sign] },
  );
  return { emulator, runtime };
}

test('an agent signs with a secret that only the host ever sees, fetched by the real SDK', async () => {
  const { runtime, emulator } = await desk();
  const ref = await runtime.spawn('signer');
  ref.send({ type: 'sign' });
  const { context } = await waitFor(ref, (state) => state.context?.last !== undefined, { timeout: 60_000 });
  expect(context.last?.signature).toBe(signed(CANARY));
  expect(emulator.calls['GetSecretValue']).toBe(1);
  const everything = JSON.stringify([context, await ref.persist(), runtime.status()]);
  expect(everything).not.toContain(CANARY);
  expect(everything).toContain(context.last?.version);
});

test('a rotation that a refresh notices reaches the granted agent, which then signs with the new key', async () => {
  const { runtime, emulator } = await desk();
  const ref = await runtime.spawn('signer');
  ref.send({ type: 'sign' });
  await waitFor(ref, (state) => state.context?.last !== undefined, { timeout: 60_000 });
  const heard = nextEvent<RuntimeEvents['secret']>((listener) => runtime.on('secret', listener));
  emulator.rotate('desk/key', `${CANARY}-2`);
  expect(await heard).toMatchObject({ type: 'secret.rotated', address: ref.address, label: 'key', epoch: 2 });
  const { context } = await ref.snapshot();
  expect(context.heard).toMatchObject([
    { type: 'secret.rotated', label: 'key', epoch: 2, handle: `secret:${ref.address}/key`, cause: 'poll' },
  ]);
  const before = context.last?.version;
  ref.send({ type: 'sign' });
  const after = await waitFor(ref, (state) => state.context.last?.version !== before, { timeout: 60_000 });
  expect(after.context.last?.signature).toBe(signed(`${CANARY}-2`));
  expect(JSON.stringify(after.context)).not.toContain(CANARY);
});

test('a label that is not granted and one that does not exist fail alike', async () => {
  const { runtime, emulator } = await desk({ key: { ...grant, capabilities: ['another'] } });
  for (const label of ['key', 'nothing']) {
    const ref = await runtime.spawn('signer', { input: { label } });
    ref.send({ type: 'sign' });
    const { context } = await waitFor(ref, (state) => state.context?.error !== undefined, {
      timeout: 60_000,
    });
    expect(context.error).toBe('SECRET_NOT_GRANTED');
  }
  expect(emulator.calls['GetSecretValue'] ?? 0).toBeLessThanOrEqual(1);
});

test('without a declared secret no provider is ever called', async () => {
  const { runtime, emulator } = await desk({});
  const ref = await runtime.spawn('signer');
  ref.send({ type: 'sign' });
  const { context } = await waitFor(ref, (state) => state.context?.error !== undefined, { timeout: 60_000 });
  expect(context.error).toBe('SECRET_NOT_GRANTED');
  expect(emulator.calls).toEqual({});
});

test('the grants of an instance end with it', async () => {
  const { runtime } = await desk();
  const ref = await runtime.spawn('signer');
  ref.send({ type: 'sign' });
  await waitFor(ref, (state) => state.context?.last !== undefined, { timeout: 60_000 });
  expect(runtime.status().secrets).toMatchObject([{ id: 'desk/key', epoch: 1, state: 'fresh' }]);
  expect(runtime.status().secrets).toMatchObject([{ holders: 1 }]);
  await ref.stop();
  expect(runtime.status().secrets.map(({ holders }) => holders)).not.toContain(1);
});
