import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createRuntime,
  sqliteStore,
  type RuntimeConfig,
  type RuntimeOptions,
  type StoreKeyRefs,
} from 'holdfast';
import { createMemoryProvider } from 'holdfast/testing';
import { fixture, start } from '../fixtures/start.ts';
import { formsOf } from '../secrets/fixtures/encoders.ts';
import { backupStore, exportStoreLines } from '../store/sqlite/store-care.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KEYS = [
  'CANARY-first-key-of-the-store-00001',
  'CANARY-second-key-of-the-store-0002',
  'CANARY-third-key-of-the-store-00003',
];
const VALUE = 'CANARY-of-a-secret-that-an-agent-has';
const READABLE = 'a note that anybody could read';

/** A runtime over the file `name`, its providers and what it has said. */
async function open(
  name: string,
  encryption: StoreKeyRefs,
  {
    provider = keysOf(0),
    options = {},
  }: { provider?: ReturnType<typeof keysOf>; options?: RuntimeOptions } = {},
) {
  const path = join(folder, name);
  const said: string[] = [];
  let heard: { readonly text: string; readonly resolve: () => void } | undefined;
  const say = (fields: object, message?: string): void => {
    said.push(`${inspect(fields, { depth: 9 })} ${message}`);
    if (heard !== undefined && message?.includes(heard.text)) heard.resolve();
  };
  const config: RuntimeConfig = {
    externalSecrets: { provider: 'memory' },
    store: { type: 'sqlite', path, fsync: 'os', encryption },
    agents: {
      account: fixture('account', {
        secrets: { api: { ref: 'api', mode: 'reveal', unsafe: true } },
      }),
    },
  };
  const runtime = await start(config, {
    providers: [provider],
    logger: { debug: say, info: say, warn: say, error: say },
    ...options,
  });
  const hear = (text: string): Promise<void> => new Promise((resolve) => (heard = { text, resolve }));
  return { runtime, path, said, hear, provider };
}

function keysOf(...versions: number[]) {
  const provider = createMemoryProvider();
  for (const at of versions) provider.set('store-key', KEYS[at] ?? '');
  provider.set('api', VALUE);
  return provider;
}

const files = (name: string): string =>
  readdirSync(folder)
    .filter((file) => file.startsWith(name))
    .map((file) => readFileSync(join(folder, file)).toString('latin1'))
    .join('\n');
const CANARIES = [...KEYS, VALUE].flatMap((value) => formsOf(value));
const canaryIn = (text: string): boolean => CANARIES.some((form) => text.includes(form));

describe('a store whose key is a secret', () => {
  it('has nothing readable in it, and neither the key nor a value of a secret is in anything that the runtime leaves', async () => {
    const { runtime, path, said } = await open('canary.db', { key: 'store-key' });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.deliver({ type: 'note', note: READABLE });
    await ref.enqueue({ type: 'note', note: `${READABLE} later` }, { at: Date.now() + 3_600_000 });
    const failed = await ref.deliver({ type: 'note', note: VALUE }).catch((error: unknown) => error);
    const keyed = await (
      await runtime.spawn('account', { id: 'b' })
    )
      .deliver({ type: 'note', note: KEYS[0] })
      .catch((error: unknown) => error);
    expect([failed, keyed]).toMatchObject([{ name: 'HoldfastError' }, { name: 'HoldfastError' }]);
    await backupStore(path, join(folder, 'canary.db.backup'));
    const live = files('canary.db');
    await runtime.stop();
    await exportStoreLines(path, join(folder, 'lines.jsonl'), { key: Buffer.from(KEYS[0] ?? '') });
    expect(live).toContain('account/a');
    expect(live).not.toContain(READABLE);
    expect(readFileSync(join(folder, 'lines.jsonl'), 'utf8')).toContain(READABLE);
    const errors = inspect([failed, keyed, runtime.status()], { depth: 9, showHidden: true });
    for (const text of [live, files('canary.db'), files('lines'), said.join('\n'), errors])
      expect(canaryIn(text)).toBe(false);
  });

  it('is found again with the version of the key that came while nothing ran, and from then on without the one before', async () => {
    const first = await open('between.db', { key: 'store-key' });
    await (await first.runtime.spawn('account', { id: 'a' })).ask({ type: 'deposit', amount: 2 });
    await first.runtime.stop();
    const second = await open('between.db', { key: { id: 'store-key' } }, { provider: keysOf(0, 1) });
    const ref = await second.runtime.spawn('account', { id: 'a' });
    expect(await ref.ask({ type: 'deposit', amount: 3 })).toBe(5);
    await second.runtime.stop();
    const third = await open('between.db', { key: 'store-key' }, { provider: keysOf(1) });
    expect(await (await third.runtime.spawn('account', { id: 'a' })).ask({ type: 'total' })).toBe(5);
  });

  it('goes on with a version of the key that comes while it runs, and needs no other afterwards', async () => {
    const { runtime, hear, provider } = await open('running.db', { key: 'store-key' });
    const ref = await runtime.spawn('account', { id: 'a' });
    await ref.ask({ type: 'deposit', amount: 2 });
    const rekeyed = hear('next version of its key');
    provider.rotate('store-key', KEYS[1] ?? '');
    await runtime.refreshSecret('store-key');
    await rekeyed;
    await ref.ask({ type: 'deposit', amount: 1 });
    await runtime.stop();
    const again = await open('running.db', { key: 'store-key' }, { provider: keysOf(1) });
    expect(await (await again.runtime.spawn('account', { id: 'a' })).ask({ type: 'total' })).toBe(3);
  });

  it('is opened with what was the key before where a provider keeps one version', async () => {
    const first = await open('listed.db', { key: 'store-key' });
    await (await first.runtime.spawn('account', { id: 'a' })).ask({ type: 'deposit', amount: 2 });
    await first.runtime.stop();
    const provider = keysOf(2);
    await expect(open('listed.db', { key: 'store-key' }, { provider })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/needs the key [0-9a-f]{12} for/),
    });
    provider.set('old-key', KEYS[0] ?? '');
    const { runtime } = await open('listed.db', { key: 'store-key', previous: ['old-key'] }, { provider });
    expect(await (await runtime.spawn('account', { id: 'a' })).ask({ type: 'total' })).toBe(2);
  });
});

describe('the start', () => {
  const refuses = async (encryption: StoreKeyRefs, provider = keysOf(0)) => {
    const opened = open('refused.db', encryption, { provider });
    const error = (await opened.catch((failed: unknown) => failed)) as Error;
    expect(canaryIn(inspect(error, { depth: 9, showHidden: true }))).toBe(false);
    expect(files('refused.db')).toBe('');
    return error;
  };

  it('stops where no provider has the key, and says which key of the config that is', async () => {
    expect(await refuses({ key: 'no-such-key' })).toMatchObject({
      code: 'SECRET_NOT_FOUND',
      message: expect.stringContaining(
        '- store: The secret "store.encryption.key" of the provider "default"',
      ),
    });
    expect(await refuses({ key: 'store-key#field' })).toMatchObject({ code: 'SECRET_NOT_FOUND' });
    expect(await refuses({ key: 'store-key', previous: ['gone'] })).toMatchObject({
      message: expect.stringContaining('store.encryption.previous[0]'),
    });
  });

  it('stops at a provider that the config does not declare', async () => {
    expect(await refuses({ key: { provider: 'vault', id: 'store-key' } })).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('store.encryption.key.provider'),
    });
  });

  it('stops at a key that is too short', async () => {
    const provider = createMemoryProvider();
    provider.set('store-key', 'CANARY-short');
    provider.set('api', VALUE);
    const error = await refuses({ key: 'store-key' }, provider);
    expect(error).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('fewer than 32 bytes'),
    });
    expect(inspect(error)).not.toContain('CANARY-short');
  });

  it('stops at a store in code whose key is in a secret that nobody has', async () => {
    const path = join(folder, 'code.db');
    const encryption = { key: { id: 'store-key', jsonKey: 'agents' } };
    const store = sqliteStore({ path, encryption });
    const provider = createMemoryProvider();
    const config: RuntimeConfig = {
      externalSecrets: { provider: 'memory' },
      agents: { account: fixture('account') },
    };
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const options = { store, providers: [provider], logger: silent };
    await expect(createRuntime(config, options)).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
    provider.set('store-key', JSON.stringify({ agents: KEYS[0] }));
    const runtime = await start(config, options);
    expect(await (await runtime.spawn('account', { id: 'a' })).ask({ type: 'deposit', amount: 1 })).toBe(1);
    const alone = sqliteStore({ path, encryption });
    await expect(alone.open({ now: () => 0, warn() {} })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('give the key itself'),
    });
  });
});
