import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createRuntime, type Runtime, type RuntimeOptions } from '../runtime.ts';
import { shell } from './fixtures/shell.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A project whose accounts outlive the process. */
function project() {
  const cwd = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const file = join(cwd, 'openclaw.json');
  const path = join(cwd, 'data', 'agents.db');
  /** The module of the accounts from now on. */
  const deploy = (name: string, more: object = {}): void => {
    const module = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url));
    const account = { type: 'thread-bound', threadId: 'pool', maxThreads: 1, module, ...more };
    writeFileSync(
      file,
      JSON.stringify({ store: { type: 'sqlite', path: './data/agents.db' }, agents: { account } }),
    );
  };
  deploy('account');
  const start = async (): Promise<Runtime> => {
    const runtime = await createRuntime(file, { logger: silent });
    onTestFinished(() => runtime.stop());
    return runtime;
  };
  /** Accounts with a deposit each, of a process that has ended. */
  const left = async (...ids: string[]): Promise<void> => {
    const runtime = await start();
    for (const id of ids)
      await (await runtime.spawn('account', { id })).ask({ type: 'deposit', amount: id.length });
    await runtime.stop();
  };
  const run = shell(cwd);
  const json = async (args: string) => {
    const { code, out } = await run(`${args} --json`);
    return { code, found: JSON.parse(out) as never };
  };
  return { cwd, file, path, deploy, start, left, run, json };
}

test('a check restores every state with the code at hand, while another process has the store', async () => {
  const { deploy, start, run, json, path } = project();
  const runtime = await start();
  for (const id of ['a', 'b']) await (await runtime.spawn('account', { id })).ask({ type: 'total' });
  expect(await run('store check')).toEqual({
    code: 0,
    out: `${path}: 2 records, 0 texts, 0 rows, 0 ids, 0 steps, 0 letters; 2 states of 2 can go on.\n`,
    err: '',
  });
  // Its migrations lead from the version of the accounts to its own.
  deploy('grown');
  expect((await run('store check')).code).toBe(0);
  deploy('counter');
  const { code, found } = await json('store check');
  expect([code, found]).toEqual([
    1,
    expect.objectContaining({
      ok: false,
      problems: [],
      states: { tried: 2, errors: 2, warnings: 0, left: 0 },
      findings: ['account/a', 'account/b'].map((address) => ({
        address,
        version: '1',
        severity: 'error',
        code: 'STATE_INCOMPATIBLE',
        message: expect.stringContaining('nobody migrates version "1"') as string,
      })),
    }),
  ]);
  expect((await run('store check')).out).toContain('2 instances would be quarantined with this code');
  // Nobody was disturbed.
  expect(await runtime.get('account/a')?.ask({ type: 'deposit', amount: 3 })).toBe(3);
});

test('a check goes on after code that ends its thread, and says of agents that are gone that nobody continues them', async () => {
  const { cwd, deploy, left, json, file, run } = project();
  await left('a', 'b');
  const module = join(cwd, 'ending.mjs');
  const members = 'version: "1", transition: (s) => s, getInitialSnapshot: () => ({ status: "active" })';
  writeFileSync(module, `export default { ${members}, restoreSnapshot: () => process.exit() };`);
  deploy('account', { module });
  const { code, found } = await json('store check');
  const ended = { severity: 'error', message: 'its thread ended while it was restored' };
  expect([code, found]).toMatchObject([1, { findings: [ended, ended] }]);
  writeFileSync(file, JSON.stringify({ store: { type: 'sqlite', path: './data/agents.db' }, agents: {} }));
  expect(await json('store check')).toMatchObject({
    code: 0,
    found: {
      findings: [{ address: 'account/a', severity: 'warn', code: 'AGENT_UNKNOWN' }],
      states: { tried: 0, errors: 0, warnings: 1, left: 2 },
    },
  });
  expect((await run('store check')).out).toContain('0 states of 0 can go on, 2 left as they are.');
});

test('a check finds what is damaged in the file', async () => {
  const { left, run, path } = project();
  await left('a', 'b');
  const bytes = readFileSync(path);
  const at = bytes.indexOf('"total":1');
  bytes.write('"total":9', at);
  writeFileSync(path, bytes);
  const { code, out } = await run('store check');
  expect([code, out]).toEqual([1, expect.stringMatching(/✗ records: .*account\/.* is damaged/)]);
  expect(out).toContain('restore a backup with holdfast store restore');
});

test('a backup is written while somebody has the store, and put in its place when nobody has', async () => {
  const { cwd, start, run, json } = project();
  const runtime = await start();
  const ref = await runtime.spawn('account', { id: 'a' });
  await ref.ask({ type: 'deposit', amount: 5 });
  expect((await run('store backup copy.db')).out).toBe(`Written to ${join(cwd, 'copy.db')}.\n`);
  expect(await json('store backup copy.db')).toMatchObject({
    code: 1,
    found: { error: { code: 'STORE_FAILED' } },
  });
  await ref.ask({ type: 'deposit', amount: 5 });
  expect(await json('store restore copy.db')).toMatchObject({
    code: 1,
    found: { error: { code: 'STORE_LOCKED' } },
  });
  await runtime.stop();
  expect((await run('store restore copy.db')).out).toMatch(
    /^Restored\. What was there is .*before-\d+\. It wakes nobody/,
  );
  const none = '0 events waited, 0 timers due. They wake with the next start.\n';
  expect((await run('store resume')).out).toBe(none);
  expect((await run('store resume')).out).toBe(`It was not waiting for this. ${none}`);
  writeFileSync(join(cwd, 'notes.txt'), 'this is no backup');
  expect(await run('store restore notes.txt')).toMatchObject({
    code: 1,
    err: expect.stringMatching(
      /the backup .*notes\.txt is damaged \(file is not a database\): nothing was changed/,
    ) as string,
  });
  const again = await start();
  expect(await (await again.spawn('account', { id: 'a' })).ask({ type: 'total' })).toBe(5);
});

test('an instance is forgotten with all that it has, and the export has the others', async () => {
  const { cwd, left, run, json, path } = project();
  await left('first', 'second');
  expect(await json('store forget account/first')).toMatchObject({ code: 0, found: { deleted: 1 } });
  expect((await run('store forget account/first')).out).toBe('There is nothing of account/first.\n');
  expect((await run('store forget account')).code).toBe(2);
  expect(readFileSync(path).includes('account/first')).toBe(false);
  expect((await run('store export all.jsonl')).out).toBe(`1 line in ${join(cwd, 'all.jsonl')}.\n`);
  expect(JSON.parse(readFileSync(join(cwd, 'all.jsonl'), 'utf8'))).toMatchObject({
    table: 'records',
    address: 'account/second',
  });
  expect(statSync(join(cwd, 'all.jsonl')).mode & 0o777).toBe(0o600);
  expect((await run('store compact')).code).toBe(0);
});

test('a store whose key is a secret is checked, exported and copied with what the config says of the key', async () => {
  const { cwd, file, deploy, left, run, start } = project();
  const key = 'CANARY-key-of-the-store-of-a-project';
  const encryption = (id: string): void => {
    const config = JSON.parse(readFileSync(file, 'utf8')) as { store: object };
    const store = { ...config.store, encryption: { key: { provider: 'files', id } } };
    const secrets = { providers: { files: { provider: 'file', root: cwd } } };
    writeFileSync(file, JSON.stringify({ ...config, secrets, store }));
  };
  deploy('account');
  writeFileSync(join(cwd, 'key'), key, { mode: 0o600 });
  encryption('key');
  await left('a');
  const ran = [
    await run('store check'),
    await run('store export all.jsonl'),
    await run('store backup copy.db'),
  ];
  expect(ran).toMatchObject([{ code: 0 }, { code: 0 }, { code: 0 }]);
  expect(ran[0]?.out).toContain('1 state of 1 can go on');
  expect(readFileSync(join(cwd, 'all.jsonl'), 'utf8')).toContain('total');
  const runtime = await start();
  ran.push(await run('store rekey'));
  await runtime.stop();
  ran.push(await run('store rekey'));
  expect(ran.slice(3)).toMatchObject([
    { code: 1, err: expect.stringContaining('is open already, by this process') },
    { code: 0, out: expect.stringContaining('is encrypted with a new key: 1 record,') },
  ]);
  encryption('gone');
  const without = await run('store export more.jsonl');
  expect(without).toMatchObject({ code: 1, err: expect.stringContaining('store.encryption.key') });
  const said = [...ran, without].map(({ out, err }) => out + err).join();
  for (const text of [
    said,
    ...['all.jsonl', 'copy.db', 'data/agents.db'].map((name) => readFileSync(join(cwd, name), 'latin1')),
  ])
    expect(text).not.toContain(key);
});

test('a key that a provider of the host itself has is read for a check and an export with the module of gateway.options', async () => {
  const { cwd, file, run } = project();
  const key = 'CANARY-key-of-a-provider-of-the-host';
  const provider = `{
    name: 'keeper',
    capabilities: { versions: false },
    describe: async () => ({ versionId: '1', stages: [] }),
    fetch: async () => ({ versionId: '1', stages: [], bytes: new TextEncoder().encode('${key}') }),
    classify: () => 'transient',
  }`;
  writeFileSync(join(cwd, 'own.mjs'), `export default { providers: [${provider}] };`);
  const config = JSON.parse(readFileSync(file, 'utf8')) as { store: object };
  const store = { ...config.store, encryption: { key: { provider: 'own', id: 'key' } } };
  const secrets = { providers: { own: { provider: 'keeper' } } };
  writeFileSync(file, JSON.stringify({ ...config, secrets, store, gateway: { options: './own.mjs' } }));
  const { default: options } = (await import(pathToFileURL(join(cwd, 'own.mjs')).href)) as {
    readonly default: RuntimeOptions;
  };
  const runtime = await createRuntime(file, { ...options, logger: silent });
  await (await runtime.spawn('account', { id: 'a' })).ask({ type: 'deposit', amount: 5 });
  await runtime.stop();
  const ran = [await run('store check'), await run('store export all.jsonl')];
  expect(ran).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect(ran[0]?.out).toContain('1 state of 1 can go on');
  expect(readFileSync(join(cwd, 'all.jsonl'), 'utf8')).toContain('total');
  for (const { out, err } of ran) expect(out + err).not.toContain(key);
  writeFileSync(file, JSON.stringify({ ...config, secrets, store }));
  expect(await run('store export more.jsonl')).not.toMatchObject({ code: 0 });
});

test('without a store there is nothing to look after, and without a key nothing to encrypt', async () => {
  const { file, run } = project();
  expect(await run('store rekey')).toMatchObject({
    code: 78,
    err: expect.stringContaining('names no key of the store'),
  });
  writeFileSync(file, JSON.stringify({ agents: {} }));
  expect(await run('store check')).toMatchObject({
    code: 78,
    err: expect.stringContaining('names no store'),
  });
});

test('the doctor says what a start finds of the store, who has it open, and what is wrong with it', async () => {
  const { deploy, file, path, start, run } = project();
  const stores = async (): Promise<unknown> => {
    const { findings } = JSON.parse((await run('doctor --json')).out) as {
      findings: { checkId: string; severity: string; message: string }[];
    };
    return findings.filter(({ checkId }) => checkId === 'store').map((one) => [one.severity, one.message]);
  };
  expect(await stores()).toEqual([['ok', `the store ${path} is not there yet: the first start makes it`]]);
  const runtime = await start();
  expect(await stores()).toEqual([['ok', `the store ${path} is open, by the process ${process.pid}`]]);
  await runtime.stop();
  expect(await stores()).toEqual([['ok', `the store ${path} can be opened`]]);
  const config = JSON.parse(readFileSync(file, 'utf8')) as { store: object };
  config.store = { ...config.store, maxBytes: 1024 ** 2 };
  writeFileSync(file, JSON.stringify(config));
  truncateSync(path, 1024 ** 2);
  expect(await stores()).toEqual([['warn', `the store ${path} has little room left of its maxBytes`]]);
  deploy('account');
  writeFileSync(path, 'no database');
  expect(await stores()).toEqual([['error', expect.stringContaining(path)]]);
});
