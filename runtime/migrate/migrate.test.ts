import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createFileProvider } from '../../providers/file.ts';
import { shell } from '../cli/fixtures/shell.ts';
import { parseDocument } from '../config/document.ts';
import { validateConfig } from '../config/load.ts';
import { auditFiles } from '../secrets-audit/audit.ts';
import { filesNamed } from '../secrets-audit/files.ts';
import type { PlanFile } from './plan-file.ts';

const examples = fileURLToPath(new URL('../../examples/migration/', import.meta.url));
const cases = ['owner', 'list', 'entries', 'own-keys', 'includes', 'minimal'];

/** What the examples have planted. */
const CANARIES = /ant-3f9K|corp-77aL|8123456:|gw-5Hq8|oai-9Xp2|brv-2Lw7|ant-old-|tr-9Kq3|fd-4Lw8|dsc-7Lw2/;

/** A folder with an old config, the data folder of its user, and the command in it. */
async function project(files: string | Readonly<Record<string, string>>) {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-migrate-')));
  onTestFinished(() => rm(home, { recursive: true }));
  const folder = join(home, 'desk');
  const env = { XDG_DATA_HOME: join(home, 'data') };
  if (typeof files === 'string') await cp(join(examples, files, 'before'), folder, { recursive: true });
  else {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  }
  const run = shell(folder);
  const migrate = async (args = '') => {
    const ran = await run(`migrate ${args}`, { env });
    expect(ran.out + ran.err).not.toMatch(CANARIES);
    return ran;
  };
  const read = (name = 'openclaw.json') => readFile(join(folder, name), 'utf8');
  return { folder, data: join(env.XDG_DATA_HOME, 'holdfast'), migrate, read, run };
}

/** All files of a folder by their paths in it. */
async function textsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(
      files.toSorted().map(async (file) => [relative(folder, file), await readFile(file, 'utf8')]),
    ),
  ) as Record<string, string>;
}

/** Of any user on any machine. */
const anywhere = (texts: Record<string, string>, data: string) =>
  Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      text
        .replaceAll(data, '/home/me/.local/share/holdfast')
        .replaceAll(/desk-[0-9a-f]{8}/g, 'desk-0123abcd'),
    ]),
  );

describe.each(cases)('the example %s', (name) => {
  test('becomes what it is to be, and no credential is left in any file of it', async () => {
    const { folder, data, migrate } = await project(name);
    const { code, err } = await migrate();
    expect([code, err]).toEqual([0, '']);
    const texts = await textsOf(folder);
    expect(anywhere(texts, data)).toEqual(await textsOf(join(examples, name, 'after')));
    const report = await auditFiles(await filesNamed([folder], folder));
    expect(report.findings).toEqual([]);
    expect(JSON.stringify(texts)).not.toMatch(CANARIES);
    await validateConfig(join(folder, 'openclaw.json'));
  });

  test('a second run changes nothing, and the undo puts every byte back', async () => {
    const { folder, migrate, run } = await project(name);
    const before = await textsOf(folder);
    const { out: dry } = await migrate('--dry-run');
    expect(await textsOf(folder)).toEqual(before);
    await migrate();
    const after = await textsOf(folder);
    expect((await migrate()).out).toContain('openclaw.json: nothing to change');
    expect(await textsOf(folder)).toEqual(after);
    const isChanged = JSON.stringify(before) !== JSON.stringify(after);
    expect(dry.startsWith('Nothing was written')).toBe(isChanged);
    const undone = await migrate('--undo');
    expect(undone.out).toMatch(isChanged ? /^Restored: / : /no migration to undo/);
    expect(await textsOf(folder)).toEqual(before);
    expect((await run('config validate --no-modules')).code).toBe(name === 'owner' ? 0 : 78);
  });
});

test('the config of the owner stays byte for byte', async () => {
  const { read, migrate } = await project('owner');
  const before = await read();
  expect((await migrate()).out).toMatch(/^openclaw\.json: nothing to change/);
  expect(await read()).toBe(before);
});

test('each value is readable where its ref says, by this user alone, and by the provider of the config', async () => {
  const { folder, data, migrate } = await project('list');
  const { out } = await migrate('--json');
  const { store, credentials } = JSON.parse(out) as {
    store: string;
    credentials: { ref: { id: string }; places: { path: string }[] }[];
  };
  const provider = createFileProvider({ root: store, watch: false });
  const kept = await Promise.all(
    credentials.map(async ({ ref: { id } }) => {
      expect((await stat(join(store, id))).mode & 0o777).toBe(0o600);
      const { bytes } = await provider.fetch({ provider: 'file', id }, {}, AbortSignal.timeout(5000));
      return Buffer.from(bytes).toString();
    }),
  );
  expect(kept).toEqual([
    'ant-3f9Kq7Lw2vXp8Zt1',
    'corp-77aLq2Wx9Zt4Vn',
    '8123456:AAq7-Lw2vXp8Zt1Kd93',
    'gw-5Hq8Zt2Lw7vXp',
    'oai-9Xp2Lw7vKq3Zt8Rb',
    'brv-2Lw7vXp8Zt1Kq9',
    'ant-old-8Zt1Kq7Lw2vX',
  ]);
  expect(relative(data, store)).toMatch(/^secrets\/desk-[0-9a-f]{8}$/);
  expect((await stat(join(folder, 'openclaw.json.backup'))).mode & 0o777).toBe(0o600);
});

test('a config that would not be valid is not touched, and nothing is stored', async () => {
  const { folder, data, migrate } = await project({
    'openclaw.json': `{ agents: { desk: { type: 'thread-bound', threadId: 'p', maxThread: 2, model: 'x/y' } } }`,
  });
  const before = await textsOf(folder);
  const { code, err } = await migrate();
  expect([code, err]).toEqual([78, expect.stringContaining('did you mean "maxThreads"')]);
  expect(await textsOf(folder)).toEqual(before);
  expect(await readdir(data).catch(() => [])).toEqual([]);
});

test.each([
  ['no JSON5', `{ agents: `, 'syntax'],
  ['a key twice', `{ token: 'a-7Lw2vXp8Zt', token: 'b-7Lw2vXp8Zt' }`, 'duplicate-key'],
  ['an include that is not there', `{ $include: 'none.json5' }`, 'file-not-found'],
])('a config with %s is not touched', async (_what, text, code) => {
  const { folder, migrate } = await project({ 'openclaw.json': text });
  const ran = await migrate('--json');
  expect(ran.code).toBe(78);
  expect(JSON.parse(ran.out)).toMatchObject({ ok: false, problems: [{ code }] });
  expect(await textsOf(folder)).toEqual({ 'openclaw.json': text });
});

test('what was edited since is not undone, and nothing else is', async () => {
  const { folder, migrate, read } = await project('own-keys');
  await migrate();
  await writeFile(join(folder, 'openclaw.json'), `${await read()}// mine\n`);
  const before = await textsOf(folder);
  const { code, out } = await migrate('--undo');
  expect([code, out]).toEqual([1, expect.stringContaining('openclaw.json was edited since')]);
  expect(await textsOf(folder)).toEqual(before);
});

test('a migration that was cut off goes on where it was, and each undo takes one back', async () => {
  const { folder, data, migrate } = await project('list');
  const before = await textsOf(folder);
  // As after the end of the process before the config was written.
  await migrate();
  await writeFile(join(folder, 'openclaw.json'), before['openclaw.json'] ?? '');
  const { code } = await migrate();
  expect(code).toBe(0);
  expect(JSON.stringify(await textsOf(folder))).not.toMatch(CANARIES);
  const { out } = await migrate('--undo');
  expect(out).toContain('openclaw.json');
  expect((await textsOf(folder))['openclaw.json']).toBe(before['openclaw.json']);
  expect(await readdir(join(data, 'secrets'))).toHaveLength(1);
});

test('a link is followed, and the file that it leads to is changed', async () => {
  const { folder, migrate, read } = await project({
    'real/config.json5': `{ agents: { list: [{ id: 'main' }] } }\n`,
  });
  await symlink(join(folder, 'real/config.json5'), join(folder, 'openclaw.json'));
  expect((await migrate()).code).toBe(0);
  expect(await read('real/config.json5')).toContain(`type: 'thread-bound'`);
  expect((await migrate('--undo')).out).toContain('Restored');
  expect(await read()).toContain('list');
});

test('when the values cannot be kept, nothing is changed', async () => {
  const { folder, data, migrate } = await project('own-keys');
  const before = await textsOf(folder);
  await writeFile(dirname(data), 'a file where the data folder would be');
  const { code, err } = await migrate();
  expect([code, err]).toEqual([1, expect.stringMatching(/ENOTDIR|EEXIST/)]);
  expect(await textsOf(folder)).toEqual(before);
});

test('--json tells files, refs, grants and what is to be done', async () => {
  const { migrate } = await project('own-keys');
  const { out } = await migrate('--dry-run --json');
  expect(JSON.parse(out)).toMatchObject({
    mode: 'dry-run',
    changed: true,
    agents: [
      { name: 'security-agent', isNew: false },
      { name: 'trading-agent', isNew: false },
    ],
    credentials: [
      {
        ref: { provider: 'kept', id: 'agents/trading-agent/apiKey' },
        places: [{ line: 12, path: 'agents.trading-agent.apiKey' }],
      },
      { ref: { provider: 'kept', id: 'threads/trading-pool/env/FEED_TOKEN' } },
    ],
    grants: [
      {
        label: 'trading-agent-api-key',
        agents: ['trading-agent'],
        grant: { hosts: ['api.exchange.example:8443'] },
      },
      { label: expect.any(String), agents: [] },
    ],
    removed: [
      'agents.trading-agent.apiKey',
      'agents.trading-agent.baseUrl',
      'threads.trading-pool.env.FEED_TOKEN',
    ],
    todos: expect.arrayContaining(['write agents/trading-agent.ts: the module of the agent trading-agent']),
  });
});

describe('a plan', () => {
  /** Makes one, and lets a person change it. */
  async function planned(change: (plan: PlanFile) => void) {
    const made = await project('list');
    const env = { XDG_DATA_HOME: dirname(made.data) };
    const ran = await made.run('secrets configure --plan-out plan.json', { env });
    expect(ran).toMatchObject({
      code: 0,
      out: expect.stringContaining('secrets apply --from plan.json') as string,
    });
    const text = await made.read('plan.json');
    expect(text).not.toMatch(CANARIES);
    const plan = JSON.parse(text) as PlanFile;
    change(plan);
    await writeFile(join(made.folder, 'plan.json'), JSON.stringify(plan));
    const apply = async (args = '') => {
      const applied = await made.run(`secrets apply --from plan.json ${args}`, { env });
      expect(applied.out + applied.err).not.toMatch(CANARIES);
      return applied;
    };
    return { ...made, apply };
  }

  test('that nobody changed leads to what migrate does', async () => {
    const { apply, read } = await planned(() => {});
    const before = await read();
    expect(JSON.parse((await apply('--dry-run --json')).out)).toMatchObject({
      mode: 'dry-run',
      changed: true,
    });
    expect(await read()).toBe(before);
    expect(JSON.parse((await apply('--json')).out)).toMatchObject({
      mode: 'write',
      changed: true,
      changedFiles: expect.arrayContaining(['openclaw.json']) as string[],
    });
    const applied = await read();
    const other = await project('list');
    await other.migrate();
    const withoutStore = (text: string): string => text.replace(/root: "[^"]*"/, 'root: ""');
    expect(withoutStore(applied)).toBe(withoutStore(await other.read()));
  });

  test('that was changed is followed: where a secret goes, and who may use it', async () => {
    const { apply, read, data } = await planned((plan) => {
      for (const one of plan.kept) if (one.id === 'OPENAI_API_KEY') Object.assign(one, { id: 'team/openai' });
      for (const one of plan.grants)
        Object.assign(one, one.of === 'OPENAI_API_KEY' ? { agents: ['desk'], label: 'gpt' } : { agents: [] });
    });
    expect(await apply()).toMatchObject({ code: 0 });
    const { agents } = parseDocument(await read()).value as { agents: Record<string, { secrets?: object }> };
    const granted = Object.entries(agents).map(([name, { secrets = {} }]) => [name, Object.keys(secrets)]);
    expect(Object.fromEntries(granted)).toMatchObject({ desk: ['gpt'] });
    expect(granted.filter(([, labels]) => labels?.length !== 0)).toHaveLength(1);
    expect(agents['desk']).toMatchObject({
      secrets: { gpt: { ref: { provider: 'kept', id: 'team/openai' } } },
    });
    const stores = await readdir(join(data, 'secrets'));
    expect(await readdir(join(data, 'secrets', stores[0] ?? '', 'team'))).toEqual(['openai']);
  });

  test.for<[string, (plan: PlanFile) => void, string]>([
    [
      'a credential that is not there',
      ({ kept }) => kept.push({ id: 'x', places: ['a#b'] }),
      'no credential is at a#b',
    ],
    [
      'an agent that is not there',
      ({ grants }) => grants[0]?.agents.push('nobody'),
      'no agent has the name nobody',
    ],
    [
      'a secret that is not there',
      ({ grants }) => void Object.assign(grants[0] ?? {}, { of: 'z' }),
      'no secret was at z',
    ],
    [
      'a grant that is none',
      ({ grants }) => void Object.assign(grants[0] ?? {}, { grant: { mode: 'x' } }),
      'mode',
    ],
    ['a key that nobody knows', (plan) => void Object.assign(plan, { keep: [] }), 'the plan is not valid'],
  ])('with %s changes nothing', async ([, change, message]) => {
    const { apply, read } = await planned(change);
    const before = await read();
    const { code, err } = await apply();
    expect([code > 0, err]).toEqual([true, expect.stringContaining(message)]);
    expect(await read()).toBe(before);
  });
});
