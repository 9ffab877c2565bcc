import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';
import { shell } from './fixtures/shell.ts';

const canary = 'CANARY-rotated-5d1e';

/** A project whose agent may use two secrets of a folder, and one of AWS. */
async function project() {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-rotate-')));
  const [folder, store] = [join(home, 'desk'), join(home, 'store')];
  await mkdir(folder);
  await mkdir(store, { mode: 0o700 });
  const emulator = await startSecretsManagerEmulator();
  const run = shell(folder);
  const { accessKeyId, secretAccessKey } = emulator.credentials;
  const env = { XDG_STATE_HOME: join(home, 'state'), HOLDFAST_TOKEN: '' };
  const before = { ...process.env };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
  onTestFinished(async () => {
    await run('gateway stop', { env });
    process.env = before;
    await emulator.stop();
    await rm(home, { recursive: true });
  });
  const grant = (provider: string, id: string) => ({
    ref: { provider, id },
    mode: 'inject',
    hosts: ['api.example.com'],
    methods: ['GET'],
  });
  const config = {
    externalSecrets: { provider: 'aws-secrets-manager', region: emulator.region, endpoint: emulator.url },
    secrets: { providers: { kept: { provider: 'file', root: store }, own: { provider: 'env' } } },
    agents: {
      counter: {
        type: 'thread-bound',
        threadId: 'pool',
        maxThreads: 1,
        module: fileURLToPath(new URL('../fixtures/counter.ts', import.meta.url)),
        secrets: {
          key: grant('kept', 'key'),
          aws: grant('default', 'prod/key'),
          variable: grant('own', 'SOME_KEY'),
        },
      },
    },
    gateway: { port: 0 },
  };
  await writeFile(join(folder, 'openclaw.json'), JSON.stringify(config));
  await writeFile(join(store, 'key'), 'old', { mode: 0o600 });
  emulator.put('prod/key', 'old');
  emulator.put('prod/json', '{"user":"u","password":"old"}');
  const rotate = async (args: string, input?: string) => {
    const ran = await run(`secrets rotate ${args}`, { env, ...(input !== undefined && { input }) });
    expect(ran.out + ran.err).not.toContain(canary);
    return ran;
  };
  return { store, emulator, run: (args: string) => run(args, { env }), rotate };
}

test('a new value is written where the grants say, and a gateway that runs takes it at once', async () => {
  const { store, run, rotate } = await project();
  expect(await rotate('key', `${canary}\n`)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Rotated kept:key\. No gateway/) as string,
  });
  expect(await readFile(join(store, 'key'), 'utf8')).toBe(canary);
  await run('gateway start');
  const { out } = await rotate('key --json', `${canary}-2`);
  expect(JSON.parse(out)).toMatchObject({ ok: true, provider: 'kept', id: 'key', reloaded: true });
  const { secrets } = JSON.parse((await run('secrets list --json')).out) as { secrets: object[] };
  expect(secrets).toContainEqual(expect.objectContaining({ id: 'key', epoch: 2, state: 'fresh' }));
});

test('AWS gets a new version, of one field where that is wanted', async () => {
  const { emulator, rotate } = await project();
  expect(await rotate('prod/key', canary)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Rotated default:prod\/key, now version [0-9a-f-]{36}\./) as string,
  });
  expect(await rotate('prod/json --json-key password', canary)).toMatchObject({ code: 0 });
  expect(emulator.calls).toMatchObject({ PutSecretValue: 2 });
  expect(await rotate('prod/json --json-key none', canary)).toMatchObject({
    code: 1,
    err: expect.stringContaining('has no field none') as string,
  });
  expect(await rotate('prod/none', canary)).toMatchObject({ code: 1 });
});

test('one field of a secret of AWS is replaced where it stands, and every other byte stays', async () => {
  const { emulator, rotate } = await project();
  const text = (password: string, pin: string): string =>
    `{ "user": "u",\n  "password" :${password}, "port":5432, "account": 12345678901234567890,\n` +
    `  "ratio": 1.10, "big": 1e400, "db": {"pin": ${pin}}, "a.b": null, "twice": 1, "twice": 2 }\n`;
  emulator.put('prod/numbers', text('"old"', '1'));
  expect(await rotate('prod/numbers --json-key password', 'new "ü"')).toMatchObject({ code: 0 });
  expect(await rotate('prod/numbers --json-key db.pin', '0042')).toMatchObject({ code: 0 });
  const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  const { region, url: endpoint, credentials } = emulator;
  const client = new SecretsManagerClient({ region, endpoint, credentials });
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: 'prod/numbers' }));
  client.destroy();
  expect(SecretString).toBe(text('"new \\"ü\\""', '"0042"'));
  expect(await rotate('prod/numbers --json-key db', canary)).toMatchObject({
    code: 78,
    err: expect.stringContaining('has several parts') as string,
  });
});

test.for([
  ['SOME_KEY', canary, 'nothing can be written to own (env)'],
  ['key', '', 'the new value is empty'],
  ['key', undefined, 'on standard input'],
  ['key', 'x'.repeat(70_000), 'at most 65536 bytes'],
  [
    'arn:aws:secretsmanager:us-east-1:111122223333:secret:k-AbCdEf',
    canary,
    'the provider reads in ap-east-1',
  ],
  ['key --provider none', canary, 'the config declares: default, kept, own'],
] as const)('%s is refused with what to do, and nothing is written', async ([args, input, message]) => {
  const { store, rotate } = await project();
  const ran = await rotate(args, input);
  expect(ran.code).toBeGreaterThan(0);
  expect(ran.err).toContain(message);
  expect(await readFile(join(store, 'key'), 'utf8')).toBe('old');
});
