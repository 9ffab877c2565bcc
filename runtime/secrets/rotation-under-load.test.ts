import { createHmac } from 'node:crypto';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { waitFor, type SnapshotFrom } from 'xstate';
import { agent, defineCapability, type Grant } from 'holdfast';
import type signer from '../fixtures/busy-signer.ts';
import { fixture, start } from '../fixtures/start.ts';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';

const AGENTS = 20;
/** The nightly run has 10,000 calls. */
const TIMES = process.env['HOLDFAST_RUNS'] === undefined ? 100 : 500;

afterEach(() => vi.unstubAllEnvs());

test('a rotation in the middle of thousands of signed calls fails none, and one refresh later all sign with the new key', async () => {
  const emulator = await startSecretsManagerEmulator();
  onTestFinished(() => emulator.stop());
  vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
  const keys = new Map([[emulator.put('desk/key', 'CANARY-the-first-key'), 'CANARY-the-first-key']]);

  /** The version of each call, in the order in which they began. */
  const begun: string[] = [];
  let before: Record<string, number> | undefined;
  let after: Record<string, number> | undefined;
  const sign = defineCapability('sign', (secret, n) => {
    begun.push(secret.versionId);
    if (begun.length === (AGENTS * TIMES) / 2) {
      before = { ...emulator.calls };
      keys.set(emulator.rotate('desk/key', 'CANARY-the-second-key'), 'CANARY-the-second-key');
    }
    if (secret.versionId !== begun[0]) after ??= { ...emulator.calls };
    return secret.use((key) => ({
      version: secret.versionId,
      signature: createHmac('sha256', key).update(String(n)).digest('hex'),
    }));
  });

  const grant: Grant = { ref: 'desk/key', mode: 'capability', capabilities: ['sign'], required: true };
  const { region, url: endpoint } = emulator;
  const runtime = await start(
    {
      externalSecrets: { provider: 'aws-secrets-manager', region, endpoint, cacheTTL: 1 },
      agents: {
        signer: agent<typeof signer>(fixture('busy-signer', { maxThreads: 4, secrets: { key: grant } })),
      },
    },
    { capabilities: [sign] },
  );
  const refs = await Promise.all(
    Array.from({ length: AGENTS }, () => runtime.spawn('signer', { input: { times: TIMES } })),
  );
  await Promise.all(refs.map((ref) => waitFor(ref, (state) => state.value === 'done', { timeout: 60_000 })));
  const all = (await Promise.all(refs.map((ref) => ref.ask({ type: 'read' })))) as SnapshotFrom<
    typeof signer
  >['context'][];

  expect(all.flatMap(({ failed }) => failed)).toEqual([]);
  const signed = all.flatMap(({ signed }) => signed);
  expect(signed.length).toBeGreaterThanOrEqual(AGENTS * TIMES);
  const forged = signed.filter(
    ({ n, version, signature }) =>
      signature !==
      createHmac('sha256', keys.get(version) ?? '')
        .update(String(n))
        .digest('hex'),
  );
  expect(forged).toEqual([]);

  // One look, one read, and from then on nobody begins with the key before.
  const [first, second] = [...keys.keys()];
  expect(begun.indexOf(second as string)).toBeGreaterThanOrEqual((AGENTS * TIMES) / 2);
  expect(begun.lastIndexOf(first as string)).toBe(begun.indexOf(second as string) - 1);
  const more = (name: string): number => (after?.[name] ?? 0) - (before?.[name] ?? 0);
  expect([more('DescribeSecret'), more('GetSecretValue')]).toEqual([1, 1]);
  for (const { heard } of all)
    expect(heard).toMatchObject([{ epoch: 2, versionId: second, previousVersionId: first }]);
});
