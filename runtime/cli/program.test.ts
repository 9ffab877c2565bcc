import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { version } from '../base/version.ts';
import { shell } from './fixtures/shell.ts';

function project(config?: string) {
  const cwd = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  if (config !== undefined) writeFileSync(join(cwd, 'openclaw.json'), config);
  const run = shell(cwd);
  const agentModule = async (name: string, text = 'throw new Error("loaded");'): Promise<void> => {
    await mkdir(join(cwd, 'agents'), { recursive: true });
    writeFileSync(join(cwd, 'agents', `${name}.mjs`), text);
  };
  return { cwd, run, agentModule };
}

const good = `{ // as an operator writes it
  agents: { trader: { type: 'thread-bound', threadId: 'trading-pool', maxThreads: 8 } },
  threads: { 'trading-pool': { isolation: 'thread+permissions' } },
}`;
const typos = `{
  agents: { trader: { type: 'thread-bound', threadID: 'trading-pool', maxThread: 8 } },
  threads: { 'trading-pool': { isolation: 'proces' } },
}`;

test('the version is printed alone, with and without a config, in each way that one may ask', async () => {
  const [bare, broken] = [project(), project(typos)];
  for (const { run } of [bare, broken])
    for (const args of ['status --version', '--version', '-V'])
      expect(await run(args)).toEqual({ code: 0, out: `${version}\n`, err: '' });
  expect(JSON.parse((await bare.run('status --version --json')).out)).toEqual({ version });
});

test('the status tells what a config declares, without loading an agent', async () => {
  const { run, agentModule, cwd } = project(good);
  await agentModule('trader');
  const { code, out } = await run('status');
  expect(code).toBe(0);
  expect(out).toContain('openclaw.json: valid');
  expect(out).toMatch(/trader +trading-pool +8 +thread\+permissions +0/);
  expect(JSON.parse((await run('status --json')).out)).toEqual({
    version,
    node: process.version,
    config: join(cwd, 'openclaw.json'),
    valid: true,
    problems: [],
    agents: [{ name: 'trader', threadId: 'trading-pool', secrets: 0 }],
    pools: [{ threadId: 'trading-pool', maxThreads: 8, isolation: 'thread+permissions' }],
  });
});

test('the status says that there is no config, or how many problems it has', async () => {
  expect(await project().run('status')).toMatchObject({
    code: 0,
    out: expect.stringContaining('no ./openclaw.json here'),
  });
  const { run } = project(typos);
  const { code, out } = await run('status');
  expect([code, out]).toEqual([
    78,
    expect.stringMatching(/openclaw\.json: problems: \d, see holdfast config validate/),
  ]);
  expect(JSON.parse((await run('status --json')).out)).toMatchObject({
    valid: false,
    problems: expect.arrayContaining([expect.objectContaining({ line: 2 })]),
  });
});

test('every problem of a config is told at once, with its place and what may have been meant', async () => {
  const { run } = project(typos);
  const { code, out, err } = await run('config validate');
  expect([code, out]).toEqual([78, '']);
  for (const said of [
    'openclaw.json:2:',
    '"threadID"',
    '"threadId"',
    '"maxThread"',
    '"maxThreads"',
    'proces',
  ])
    expect(err).toContain(said);
  const json = JSON.parse((await run('config validate --json')).out) as { problems: { line: number }[] };
  expect(json).toMatchObject({ valid: false, code: 'CONFIG_INVALID' });
  expect(json.problems.every(({ line }) => line >= 2)).toBe(true);
});

test('a valid config is said to be that, and a missing module only if one wants to know', async () => {
  const { run, agentModule } = project(good);
  expect(await run('config validate')).toMatchObject({
    code: 78,
    err: expect.stringContaining('AGENT_MODULE_NOT_FOUND'),
  });
  expect(await run('config validate --no-modules')).toEqual({
    code: 0,
    out: 'openclaw.json: valid\n',
    err: '',
  });
  await agentModule('trader');
  expect(await run('config validate openclaw.json')).toMatchObject({ code: 0 });
  expect(JSON.parse((await run('config validate --json')).out)).toMatchObject({ valid: true });
});

test.each(['config validate', 'explain'])('%s without a config says where to look', async (args) => {
  const { code, err } = await project().run(args);
  expect([code, err]).toEqual([78, expect.stringContaining('there is no ./openclaw.json here')]);
});

test('a file that is not there is an error with its name', async () => {
  const { code, err } = await project().run('config validate other.json');
  expect([code, err]).toEqual([78, expect.stringContaining('other.json')]);
});

test('the schema is JSON that names every key', async () => {
  const { out } = await project().run('config schema');
  expect(JSON.parse(out)).toMatchObject({
    title: 'Holdfast config',
    properties: { agents: {}, threads: {} },
  });
});

test('a key is explained with its default and those below it, whatever name stands in it', async () => {
  const { run } = project();
  const { code, out } = await run('config explain agents.trader.mailbox');
  expect(code).toBe(0);
  expect(out).toContain('The bounded queue in front of each instance.');
  expect(out).toMatch(/^capacity +1000 +How many/m);
  expect(JSON.parse((await run('config explain threads.*.isolation --json')).out)).toMatchObject({
    key: 'threads.*.isolation',
    values: ['thread', 'thread+permissions'],
  });
  expect((await run('config explain')).out).toMatch(/^agents /m);
  expect(await run('config explain agents.x.mailbx')).toMatchObject({
    code: 1,
    err: expect.stringContaining(
      'there is no key "mailbx"; did you mean "mailbox"? There are type, threadId',
    ),
  });
});

test('what the pools keep apart is tried and told; what is open where it is to be closed is a failure if one asks', async () => {
  const { run, agentModule } = project(good.replace("'thread+permissions'", "'thread'"));
  await agentModule(
    'trader',
    "import { fromTransition } from 'xstate'; export default fromTransition((s) => s, 0);",
  );
  const { code, out } = await run('explain');
  expect(code).toBe(0);
  expect(out).toMatch(/^environ +open +reads the host's environment/m);
  const json = JSON.parse((await run('explain --json --check')).out) as { pools: { attacks: object[] }[] };
  expect(json).toMatchObject({ ok: true, node: process.version, pools: [{ threadId: 'trading-pool' }] });
  expect(json.pools[0]?.attacks.length).toBeGreaterThan(10);
  expect(out).toContain('The config names no store');
});

test('it is told which agents outlive the process, where they do, and what that costs', async () => {
  const agent = (more: string): string =>
    `{ type: 'thread-bound', threadId: 'p', maxThreads: 1, module: './agents/a.mjs'${more} }`;
  const { run, agentModule } = project(`{
    store: { type: 'sqlite', path: './data/agents.db', maxBytes: 1048576 },
    agents: {
      each: ${agent('')},
      late: ${agent(', durable: false')},
      none: ${agent(", supervision: { state: 'fresh' }")},
    },
  }`);
  await agentModule(
    'a',
    "import { fromTransition } from 'xstate'; export default fromTransition((s) => s, 0);",
  );
  const { out } = await run('explain');
  expect(out).toContain(
    'The store is data/agents.db: outlives a loss of power, not encrypted, at most 1 MiB.',
  );
  expect(out).toMatch(
    /^each +each turn +the state, or .+ of a large one, is written after turns .+, and what they let out waits/m,
  );
  expect(out).toMatch(/^late +behind +the state, or what/m);
  expect(out).toMatch(/^none +no +nothing/m);
});

test('a command line that makes no sense is exit code 2, with what may have been meant', async () => {
  const { run } = project();
  expect(await run('statu')).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean status?') });
  expect(await run('status --jsn')).toMatchObject({ code: 2, err: expect.stringContaining('--json') });
  expect(await run('config validate a b')).toMatchObject({ code: 2 });
});

test('help lists commands, options and exit codes', async () => {
  const { code, out } = await project().run('--help');
  expect(code).toBe(0);
  for (const said of ['status', 'config', 'explain', '78 the config is invalid']) expect(out).toContain(said);
  expect((await project().run('config validate --help')).out).toContain('--no-modules');
});

test('colours are for a terminal, and NO_COLOR is honoured', async () => {
  const { run, agentModule } = project(good);
  await agentModule('trader');
  const { out } = await run('status');
  const coloured = await run('status', { isTTY: true });
  expect(coloured.out).not.toBe(out);
  expect(stripVTControlCharacters(coloured.out)).toBe(out);
  expect((await run('status', { isTTY: true, env: { NO_COLOR: '1' } })).out).toBe(out);
});
