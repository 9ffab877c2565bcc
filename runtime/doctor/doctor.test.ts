import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { shell, type Ran } from '../cli/fixtures/shell.ts';
import { startSecretsManagerEmulator } from '../../providers/emulator/secrets-manager-emulator.ts';
import { nodeFinding } from './examine.ts';
import type { DoctorFinding } from './finding.ts';

const CANARY = 'canary-3b8d-never-to-be-seen';
const good = `import { fromTransition } from 'xstate';\nexport default fromTransition((state) => state, 0);\n`;

/** Inside the package, so that its modules find XState. */
async function project(config: object, modules: Readonly<Record<string, string>>) {
  const cwd = await mkdtemp(join(import.meta.dirname, '.doctor-'));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
  await mkdir(join(cwd, 'agents'));
  await writeFile(join(cwd, 'openclaw.json'), JSON.stringify(config));
  for (const [name, text] of Object.entries(modules))
    await writeFile(join(cwd, 'agents', `${name}.mjs`), text);
  const runs = shell(cwd);
  const run = async (args: string): Promise<Ran> => {
    const ran = await runs(args);
    expect(ran.out + ran.err).not.toContain(CANARY);
    return ran;
  };
  const findings = async (): Promise<readonly DoctorFinding[]> =>
    (JSON.parse((await run('doctor --json')).out) as { findings: DoctorFinding[] }).findings;
  return { run, findings };
}

const bound = (threadId: string, more: object = {}) => ({
  type: 'thread-bound',
  threadId,
  maxThreads: 1,
  ...more,
});
const of = (findings: readonly DoctorFinding[], checkId: DoctorFinding['checkId']) =>
  findings.filter((one) => one.checkId === checkId).map(({ severity, message }) => [severity, message]);

test('what is well is said to be', async () => {
  const { run } = await project({ agents: { trader: bound('p') } }, { trader: good });
  const { code, out } = await run('doctor');
  expect(code).toBe(0);
  expect(out).toBe(
    `✓ Node ${process.versions.node}\n✓ the config is valid: agents: 1, pools: 1\n✓ trader can be imported in a thread\n\nlooks: 3, errors: 0, warnings: 0\n`,
  );
});

test('the program of an MCP server is looked for where a start would, and is not run', async () => {
  const tools = { allow: ['*'] };
  const mcp = {
    here: { command: process.execPath, tools },
    named: { command: 'node', env: { PATH: `/nowhere:${dirname(process.execPath)}` }, tools },
    lost: { command: 'node', tools },
    beside: { command: './tools/orders.mjs', tools },
    far: { url: 'https://mcp.example.com/mcp', tools },
  };
  const { findings } = await project({ agents: { trader: bound('p', { mcp }) } }, { trader: good });
  const found = (await findings()).filter(({ checkId }) => checkId === 'mcp');
  expect(found.map(({ severity }) => severity)).toEqual(['ok', 'ok', 'error', 'error']);
  expect(found[2]).toMatchObject({
    message: 'the program of the MCP server "lost" of trader is not there, or may not be run: node',
    fix: expect.stringContaining('give `env` a PATH') as string,
  });
});

test('a module that cannot be imported in a thread of its pool is named, with why, and the others are tried too', async () => {
  const agents = {
    broken: bound('p'),
    curious: bound('closed'),
    good: bound('p'),
    odd: bound('q'),
    ending: bound('r'),
    hanging: bound('s'),
  };
  const threads = { closed: { isolation: 'thread+permissions' }, s: { startTimeoutMs: 300 } };
  const { run, findings } = await project(
    { agents, threads },
    {
      broken: "throw new Error('no such feed');",
      curious: `import { readFileSync } from 'node:fs';\nreadFileSync('/etc/hostname');\n${good}`,
      good,
      odd: 'export default 1;',
      ending: 'process.exit(3);',
      hanging: 'for (;;);',
    },
  );
  const found = of(await findings(), 'module');
  expect(found).toEqual([
    ['error', expect.stringContaining('no such feed')],
    ['ok', 'good can be imported in a thread'],
    ['error', expect.stringContaining('curious')],
    ['error', expect.stringContaining('is not XState actor logic')],
    ['error', expect.stringContaining('its thread ended')],
    ['error', 'hanging: it was not imported within 300 ms'],
  ]);
  const { code, out } = await run('doctor');
  expect([code, out]).toEqual([1, expect.stringContaining('errors: 5')]);
});

test('an invalid config is told, and nothing else is tried', async () => {
  const { run } = await project({ agents: { trader: bound('p', { maxThread: 2 }) } }, {});
  const { code, out } = await run('doctor');
  expect([code, out]).toEqual([1, expect.stringContaining('did you mean "maxThreads"')]);
  expect(out).toContain('looks: 2, errors: 1');
});

test('without a config there is nothing to look at', async () => {
  const { run } = await project({}, {});
  expect(await run('doctor --config other.json')).toMatchObject({ code: 1 });
});

async function withSecrets(refs: Readonly<Record<string, string>>) {
  const emulator = await startSecretsManagerEmulator();
  onTestFinished(() => emulator.stop());
  emulator.put('desk/key', CANARY);
  vi.stubEnv('AWS_ACCESS_KEY_ID', emulator.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', emulator.credentials.secretAccessKey);
  onTestFinished(() => void vi.unstubAllEnvs());
  const grant = (ref: string) => ({ ref, mode: 'inject', hosts: ['api.example.com'] });
  const secrets = Object.fromEntries(Object.entries(refs).map(([label, ref]) => [label, grant(ref)]));
  const { region, url: endpoint } = emulator;
  const externalSecrets = { provider: 'aws-secrets-manager', region, endpoint };
  const { findings } = await project(
    { externalSecrets, agents: { trader: bound('p', { secrets }) } },
    { trader: good },
  );
  return { found: await findings(), emulator };
}

test('every secret that is granted is read once, and what cannot be read is named with what to do', async () => {
  const { found, emulator } = await withSecrets({ key: 'desk/key', other: 'desk/missing' });
  expect(of(found, 'secret')).toEqual([
    ['ok', 'desk/key of the provider "default" can be read'],
    ['error', 'desk/missing of the provider "default" cannot be read: not-found'],
  ]);
  expect(found.find(({ severity }) => severity === 'error')?.fix).toContain(
    'write the name as the provider has it',
  );
  expect(of(found, 'clock')).toEqual([
    ['ok', expect.stringMatching(/^the clock is \d s from that of the provider/)],
  ]);
  expect(emulator.calls['GetSecretValue'] ?? 0).toBeLessThanOrEqual(2);
  // A pool with a grant is to be closed, and is looked at.
  expect(of(found, 'isolation')).toHaveLength(1);
});

test('credentials of the host that AWS does not know are said to be those, not the network', async () => {
  const emulator = await startSecretsManagerEmulator();
  onTestFinished(() => emulator.stop());
  emulator.put('desk/key', CANARY);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIANOTKNOWN');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'none');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { region, url: endpoint } = emulator;
  const externalSecrets = { provider: 'aws-secrets-manager', region, endpoint };
  const secrets = { key: { ref: 'desk/key', mode: 'inject', hosts: ['api.example.com'] } };
  const { findings } = await project(
    { externalSecrets, agents: { trader: bound('p', { secrets }) } },
    { trader: good },
  );
  expect((await findings()).find(({ checkId }) => checkId === 'secret')).toEqual({
    checkId: 'secret',
    severity: 'error',
    message: 'desk/key of the provider "default" cannot be read: expired-credentials',
    fix: expect.stringMatching(/^renew the credentials of this process/),
  });
});

test('a region that is missing is an error with its name, and nothing is asked', async () => {
  for (const name of Object.keys(process.env)) if (/^AWS_|_proxy$/i.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('HOME', '/nonexistent');
  onTestFinished(() => void vi.unstubAllEnvs());
  const secrets = { key: { ref: 'desk/key', mode: 'inject', hosts: ['api.example.com'] } };
  const externalSecrets = { provider: 'aws-secrets-manager' };
  const { findings } = await project(
    { externalSecrets, agents: { trader: bound('p', { secrets }) } },
    { trader: good },
  );
  const found = await findings();
  expect(of(found, 'clock')).toEqual([]);
  expect(of(found, 'secret')).toEqual([
    ['error', expect.stringContaining('"default": No AWS region is known')],
  ]);
  // With one, the endpoint is the one of the client, here behind a proxy that is not there.
  vi.stubEnv('AWS_REGION', 'cn-north-1');
  vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:1');
  expect(of(await findings(), 'clock')).toEqual([
    [
      'warn',
      'the provider "default" does not answer at https://secretsmanager.cn-north-1.amazonaws.com.cn through the proxy of HTTPS_PROXY',
    ],
  ]);
});

test('a clock that AWS would refuse is an error, and a provider that does not answer a warning', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { date: new Date(Date.now() - 600_000).toUTCString() }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const providers = {
    late: { provider: 'aws-secrets-manager', region: 'eu-west-1', endpoint: `http://127.0.0.1:${port}` },
    gone: { provider: 'aws-secrets-manager', region: 'eu-west-1', endpoint: 'http://127.0.0.1:1' },
  };
  const { findings } = await project(
    { secrets: { providers }, agents: { trader: bound('p') } },
    { trader: good },
  );
  expect(of(await findings(), 'clock')).toEqual([
    ['error', expect.stringMatching(/^the clock is (599|60\d) s from that of the provider "late"$/)],
    ['warn', 'the provider "gone" does not answer at http://127.0.0.1:1'],
  ]);
});

test.each([
  ['22.17.9', 'error'],
  ['20.20.2', 'error'],
  ['22.18.0', 'ok'],
  ['24.0.0', 'ok'],
  ['26.1.0', 'ok'],
])('Node %s: %s', (version, severity) => {
  expect(nodeFinding(version)).toMatchObject({ checkId: 'node', severity });
});
