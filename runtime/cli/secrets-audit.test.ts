import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AuditReport } from '../secrets-audit/audit.ts';
import { shell, type Ran } from './fixtures/shell.ts';

/** Values that look real and are not. */
const values = {
  key: 'q8Zt-Lw2vX-canary',
  password: 'h7Kq2-canary',
  github: ['ghp', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join('_'),
  bearer: 'Zm9vYmFyYmF6cXV4-canary',
};

async function project(files: Readonly<Record<string, string>>) {
  const cwd = await mkdtemp(join(tmpdir(), 'holdfast-audit-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(cwd, name)), { recursive: true });
    await writeFile(join(cwd, name), text);
  }
  const runs = shell(cwd);
  const run = async (args: string): Promise<Ran> => {
    const ran = await runs(args);
    // Whatever it says, it says nothing of a value.
    for (const value of Object.values(values)) expect(ran.out + ran.err).not.toContain(value.slice(0, 8));
    return ran;
  };
  const report = async (args = ''): Promise<AuditReport> =>
    JSON.parse((await run(`secrets audit --json ${args}`.trim())).out) as AuditReport;
  return { cwd, run, report };
}

const seed = `{
  externalSecrets: { provider: 'aws-secrets-manager', region: 'ap-east-1', cacheTTL: 300 },
  agents: { trader: { type: 'thread-bound', threadId: 'p', maxThreads: 1, secrets: { 'api-key': { ref: 'desk/api-key' } } } },
}`;

test('a config with references is clean, and so are examples to be filled in', async () => {
  const { run, report } = await project({
    'openclaw.json': seed,
    '.env.example': 'API_KEY=q8Zt-Lw2vX',
    '.env': 'API_KEY=${API_KEY}\nLOG_LEVEL=debug\n',
    'other.json': `{ "apiKey": "${values.key}" }`,
  });
  expect(await run('secrets audit --check')).toEqual({
    code: 0,
    out: 'Secrets audit: clean. files=2, plaintext=0, residue=0, placeholders=0.\n',
    err: '',
  });
  expect(await report()).toMatchObject({ version: 1, status: 'clean', findings: [] });
});

test('what stands in the config, beside it and in its backups is found, each with its place', async () => {
  const { cwd, run, report } = await project({
    'openclaw.json': `{\n  models: {\n    // was ${values.github}\n    openai: { apiKey: '${values.key}' },\n    other: { apiKey: 'changeme' },\n  },\n}`,
    '.env': `# keys\nexport DB_PASSWORD="${values.password}"\n`,
    'openclaw.json.bak': `{ "gateway": { "auth": { "token": "${values.key}" } } }`,
    'backups/openclaw.json.2026-01-01': `{ "url": "postgres://desk:${values.password}@db/desk" }`,
    'backups/notes.txt': `curl -H "Authorization: Bearer ${values.bearer}"\n-----BEGIN PRIVATE KEY-----\n`,
    'src/app.json': `{ "apiKey": "${values.key}" }`,
  });
  const { findings, summary, status } = await report();
  expect(
    findings.map(({ code, file, line, jsonPath }) => [code, file.slice(cwd.length + 1), line, jsonPath]),
  ).toEqual([
    ['PLAINTEXT_FOUND', '.env', 2, 'DB_PASSWORD'],
    ['LEGACY_RESIDUE', 'backups/notes.txt', 1, undefined],
    ['LEGACY_RESIDUE', 'backups/notes.txt', 2, undefined],
    ['LEGACY_RESIDUE', 'backups/openclaw.json.2026-01-01', 1, 'url'],
    ['PLAINTEXT_FOUND', 'openclaw.json', 3, undefined],
    ['PLAINTEXT_FOUND', 'openclaw.json', 4, 'models.openai.apiKey'],
    ['PLACEHOLDER_VALUE', 'openclaw.json', 5, 'models.other.apiKey'],
    ['LEGACY_RESIDUE', 'openclaw.json.bak', 1, 'gateway.auth.token'],
  ]);
  expect([status, summary]).toEqual([
    'findings',
    { plaintextCount: 3, legacyResidueCount: 4, placeholderCount: 1 },
  ]);
  const { code, out } = await run('secrets audit');
  expect(code).toBe(0);
  expect(out).toContain('Secrets audit: findings. files=5, plaintext=3, residue=4, placeholders=1.');
  expect(out).toContain(
    '- [PLAINTEXT_FOUND] openclaw.json:4 models.openai.apiKey: "apiKey" is here in plain text',
  );
  expect((await run('secrets audit --check')).code).toBe(1);
});

test('files and folders that are named are looked at whatever they are called, without what was installed', async () => {
  const { report } = await project({
    'src/app.json': `{ "apiKey": "${values.key}" }`,
    'src/deep/run.yaml': `password: ${values.password}\nsecret: the desk has one\nconst secret = read();\n`,
    'src/node_modules/x/a.json': `{ "apiKey": "${values.key}" }`,
  });
  expect((await report('src')).findings.map(({ line, message }) => [line, message.split(' ', 1)[0]])).toEqual(
    [
      [1, '"apiKey"'],
      [1, '"password"'],
    ],
  );
  expect((await report('src/app.json')).filesScanned).toHaveLength(1);
});

test('what cannot be read is told, and is no clean bill', async () => {
  const { cwd, run, report } = await project({
    'openclaw.json': seed,
    'openclaw.json.bak': `"${'x'.repeat(1024 * 1024)}"`,
  });
  expect(await report()).toMatchObject({
    status: 'clean',
    filesUnread: [{ why: 'it is larger than 1 MiB' }],
  });
  const { code, out } = await run('secrets audit --check');
  expect([code, out]).toEqual([1, expect.stringContaining('not read: openclaw.json.bak')]);
  expect((await report('missing.json')).filesUnread).toMatchObject([{ why: 'ENOENT' }]);
  // What a link leads to lies elsewhere.
  await symlink('/etc/passwd', join(cwd, 'openclaw.json.old'));
  await chmod(join(cwd, 'openclaw.json.bak'), 0o600);
  expect((await report()).filesScanned.some((file) => file.endsWith('.old'))).toBe(false);
});

test('a text that is no config is looked through line by line', async () => {
  const { report } = await project({ 'openclaw.json': `{ broken: \n token = "${values.key}1"\n` });
  expect((await report()).findings).toMatchObject([{ code: 'PLAINTEXT_FOUND', line: 2 }]);
});

test('of a key that is written twice both credentials are found', async () => {
  const { report } = await project({
    'openclaw.json': `{\n  bot: {\n    token: "${values.key}",\n    token: "${values.password}",\n  },\n}\n`,
  });
  const { findings } = await report();
  expect(findings.map(({ line }) => line)).toEqual([3, 4]);
});
