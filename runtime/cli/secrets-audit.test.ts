import { execFileSync } from 'node:child_process';
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

async function project(files: Readonly<Record<string, string | Uint8Array>>) {
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
    '- [PLAINTEXT_FOUND] openclaw.json:4:23 models.openai.apiKey: "apiKey" is here in plain text',
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
    status: 'incomplete',
    filesUnread: [{ why: 'it is larger than 1 MiB' }],
  });
  const { code, out } = await run('secrets audit --check');
  expect([code, out]).toEqual([1, expect.stringContaining('not looked at: openclaw.json.bak')]);
  expect(out).toContain(
    'Secrets audit: incomplete. files=1, plaintext=0, residue=0, placeholders=0, unread=1.',
  );
  expect((await run('secrets audit')).code).toBe(0);
  expect((await report('missing.json')).filesUnread).toMatchObject([{ why: 'ENOENT' }]);
  // What a link leads to lies elsewhere.
  await symlink('/etc/passwd', join(cwd, 'openclaw.json.old'));
  await chmod(join(cwd, 'openclaw.json.bak'), 0o600);
  const { filesScanned, filesSkipped } = await report();
  expect(filesScanned.some((file) => file.endsWith('.old'))).toBe(false);
  expect(filesSkipped).toMatchObject([{ why: 'it is a link: what it leads to lies elsewhere' }]);
});

test('what a config includes is looked at, and told when it is not there', async () => {
  const { cwd, report } = await project({
    'openclaw.json': `{ $include: ['./parts/a.json5', './parts/gone.json5'], agents: {} }`,
    'parts/a.json5': `{ models: { $include: './deep/b.json5' } }`,
    'parts/deep/b.json5': `{ openai: { apiKey: '${values.key}' } }`,
  });
  const { findings, filesUnread } = await report();
  expect(findings.map(({ file }) => file.slice(cwd.length + 1))).toEqual(['parts/deep/b.json5']);
  expect(filesUnread).toMatchObject([{ file: join(cwd, 'parts/gone.json5'), why: 'ENOENT' }]);
});

test('where there is no config nothing is clean', async () => {
  const { report } = await project({ '.env': 'LOG_LEVEL=debug\n' });
  expect(await report()).toMatchObject({ status: 'incomplete', filesUnread: [{ why: 'ENOENT' }] });
});

test('a config and an .env that are links are looked at where they are', async () => {
  const { cwd, report } = await project({
    'dotfiles/holdfast.json': `{ "apiKey": "${values.key}" }`,
    'dotfiles/env': `DB_PASSWORD=${values.password}\n`,
  });
  await symlink('dotfiles/holdfast.json', join(cwd, 'openclaw.json'));
  await symlink('dotfiles/env', join(cwd, '.env'));
  expect((await report()).findings).toHaveLength(2);
});

test.runIf(process.platform === 'linux')(
  'a pipe and a device are told, and nothing waits for them',
  async () => {
    const { cwd, run, report } = await project({ 'openclaw.json': seed });
    execFileSync('mkfifo', [join(cwd, 'openclaw.json.bak'), join(cwd, 'named')]);
    expect(await report()).toMatchObject({ status: 'clean', filesSkipped: [{ why: 'it is a pipe' }] });
    expect((await run('secrets audit')).out).toContain('- skipped: openclaw.json.bak, it is a pipe\n');
    expect(await report('named /dev/zero')).toMatchObject({
      status: 'incomplete',
      filesUnread: [{ why: 'it is a device' }, { why: 'it is a pipe' }],
    });
  },
);

test.each([
  ['UTF-16 with a mark', '\uFEFF', 'utf16le', false],
  ['UTF-16 without one', '', 'utf16le', false],
  ['UTF-16, the high byte first', '\uFEFF', 'utf16le', true],
  ['UTF-8 with a mark', '\uFEFF', 'utf8', false],
] as const)('%s is read', async (_what, mark, encoding, isSwapped) => {
  const encoded = (text: string): Uint8Array => {
    const bytes = Buffer.from(mark + text, encoding);
    return isSwapped ? bytes.swap16() : bytes;
  };
  const { report } = await project({
    'openclaw.json': encoded(`{\r\n "apiKey": "${values.key}" }\r\n`),
    '.env': encoded(`API_KEY=${values.key}\r\n`),
  });
  expect((await report()).findings.map(({ line, column, jsonPath }) => [line, column, jsonPath])).toEqual([
    [1, 9, 'API_KEY'],
    [2, 12, 'apiKey'],
  ]);
});

test('the state folder of OpenClaw is looked at with its config', async () => {
  const { cwd, report } = await project({
    'openclaw.json': seed,
    'agents/main/agent/auth-profiles.json': `{"profiles":{"openai:default":{"type":"api_key","key":"${values.key}1122334455"}}}`,
    'agents/main/agent/models.json': `{"providers":{"openai":{"apiKey":"${values.key}"},"ollama":{"apiKey":"ollama-local"}}}`,
    'agents/main/sessions/1.json': `{"token":"${values.key}"}`,
    'credentials/oauth.json': `{"access":"${values.key}1122334455"}`,
    'credentials/chat/desk/creds.json': `{"sessionToken":"${values.key}"}`,
  });
  const { findings } = await report();
  expect(findings.map(({ file, jsonPath }) => [file.slice(cwd.length + 1), jsonPath])).toEqual([
    ['agents/main/agent/auth-profiles.json', 'profiles["openai:default"].key'],
    ['agents/main/agent/models.json', 'providers.openai.apiKey'],
    ['credentials/chat/desk/creds.json', 'sessionToken'],
    ['credentials/oauth.json', 'access'],
  ]);
});

test('several in a line are told, each with its column and its own path', async () => {
  const { report } = await project({
    'openclaw.json': `{ threads: { desk: { isolation: 'thread', env: { TZ: 'UTC', GH: '${values.github}' } } }, a: { token: '${values.key}', pass: 8827361940 } }`,
  });
  expect((await report()).findings.map(({ line, column, jsonPath }) => [line, column, jsonPath])).toEqual([
    [1, 66, 'threads.desk.env.GH'],
    [1, 127, 'a.token'],
    [1, 154, 'a.pass'],
  ]);
});

test('an .env is read over lines, as Node and as dotenv read it, and so is what is commented out in it', async () => {
  const { report } = await project({
    'openclaw.json': seed,
    '.env': `DEPLOY_PRIVATE_KEY="first\n${values.key}\nlast"\nNOTE= \nDB_PASSWORD=${values.password}\nCHAT_TOKEN: ${values.key}\n#OLD_API_KEY=${values.key}\n`,
  });
  expect((await report()).findings.map(({ line, jsonPath }) => [line, jsonPath])).toEqual([
    [1, 'DEPLOY_PRIVATE_KEY'],
    [5, 'DB_PASSWORD'],
    [6, 'CHAT_TOKEN'],
    [7, undefined],
  ]);
});

test('what stands in a text of a config or in a comment has its name there', async () => {
  const { report } = await project({
    'openclaw.json': `{
  // apiKey: '${values.key}'
  args: ['--verbose', '--api-key', '${values.key}', '--token=${values.key}'],
  env: ['OPENAI_API_KEY=${values.key}', 'TZ=UTC'],
  run: "curl -H 'X-Api-Key: ${values.key}' https://api.example/v1?token=${values.key}1",
  body: '{\\"password\\":\\"${values.password}\\"}',
  sql: 'Server=db;Password=hunter;Database=desk',
}`,
  });
  expect((await report()).findings.map(({ line, message }) => [line, message.split(' ', 1)[0]])).toEqual([
    [2, '"apiKey"'],
    [3, '"api-key"'],
    [3, '"token"'],
    [4, '"OPENAI_API_KEY"'],
    [5, '"X-Api-Key"'],
    [5, '"token"'],
    [6, '"password"'],
    [7, '"Password"'],
  ]);
});

test('a password that is a word is found in settings, and in a config that is cut off', async () => {
  const { report } = await project({
    'app.yaml': 'db:\n  password: hunter\n  passwordPolicy: strict\n',
    'cut.json': '{ "db": { "password": "hunter", "port": 5432',
    'readme.md': 'password: hunter\n',
  });
  const { findings } = await report('.');
  expect(findings.map(({ file, line }) => [file.split('/').at(-1), line])).toEqual([
    ['app.yaml', 2],
    ['cut.json', 1],
  ]);
});

test('a name that looks like a credential is not shown, and nothing that a terminal would obey', async () => {
  const name = 'q8Zt2Lw7vX4nB1mKd5Yc9Rf3';
  const { run, report } = await project({
    'openclaw.json': JSON.stringify({
      tokens: { [name]: `${name}2` },
      [name]: { 'a\u001Bb': { token: name } },
    }),
    '.env': `KEY="-----BEGIN\n${name}Pw==\n`,
    'openclaw.json.b\u001B[2Jak': `{ "token": "${values.key}" }`,
  });
  const { findings } = await report();
  expect(findings.map(({ jsonPath }) => jsonPath)).toEqual(['tokens.…', '…["a\\u001bb"].token', 'token']);
  const { out } = await run('secrets audit');
  expect([out.includes(name), out.includes('\u001B')]).toEqual([false, false]);
  expect(JSON.stringify(findings.map(({ message }) => message))).not.toContain(name);
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
