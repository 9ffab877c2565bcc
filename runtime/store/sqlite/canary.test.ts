import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { defineCapability, type RuntimeConfig } from 'holdfast';
import { fixture, start } from '../../fixtures/start.ts';
import { encodings } from '../../secrets/scrub/encodings.ts';
import { sqliteStore } from './sqlite-store.ts';
import { backupStore, exportStoreLines } from './store-care.ts';

const CANARY = 'CANARY-in-a-store-5b1c/9';
const key = { ref: 'STORE_CANARY', mode: 'capability', capabilities: ['sign'] } as const;
const config: RuntimeConfig = {
  externalSecrets: { provider: 'env' },
  agents: {
    account: fixture('account', { secrets: { key } }),
    talker: fixture('talkers', { secrets: { key } }),
  },
};

/** Puts a value wherever an agent and its callers can: a few of these are refused. */
async function spread(path: string, value: string): Promise<void> {
  const store = sqliteStore({ path, fsync: 'os' });
  const runtime = await start(config, { store, capabilities: [defineCapability('sign', () => 1)] });
  const tried = async (what: Promise<unknown>): Promise<unknown> => what.catch(() => undefined);
  const a = await runtime.spawn('account', { id: 'a' });
  const talker = await runtime.spawn('talker', { id: 't' });
  for (const form of [value, Buffer.from(value).toString('base64'), Buffer.from(value).toString('hex')]) {
    const note = { type: 'note', note: { deep: [form] } };
    await tried(a.ask({ type: 'echo', value: form }, { id: `answer ${form.length}` }));
    await tried(a.enqueue(note, { at: Date.now() + 3_600_000 }));
    await tried(a.enqueue({ type: 'overdraw', amount: form }));
    await tried(talker.deliver({ type: 'forward', to: 'account/a', event: note }));
    await tried(a.deliver(note));
    await tried(runtime.get('account/a')?.resume() ?? Promise.resolve());
    await tried(a.ask({ type: 'total' }));
  }
  // While it is open its log is there, too.
  for (const end of ['', '-wal']) copyFileSync(path + end, `${path}-open${end}`);
  await backupStore(path, `${path}-backup`);
  await exportStoreLines(path, `${path}-export`);
  await runtime.stop();
}

/** The files of a folder in which a value stands, in any of its forms. */
function filesWith(folder: string, value: string): string[] {
  const forms = encodings(Buffer.from(value));
  return readdirSync(folder).filter((name) => {
    const bytes = readFileSync(join(folder, name));
    return forms.some((form) => bytes.includes(form));
  });
}

test('the value of a secret stands in no file, log, backup or export of a store, and another value in all of them', async () => {
  process.env['STORE_CANARY'] = CANARY;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-canary-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await spread(join(folder, 'a.db'), CANARY);
  expect(filesWith(folder, CANARY)).toEqual([]);
  const control = 'control-in-a-store-5b1c/9';
  await spread(join(folder, 'b.db'), control);
  expect(filesWith(folder, control)).toEqual(
    expect.arrayContaining(['b.db', 'b.db-backup', 'b.db-export', 'b.db-open-wal']),
  );
});
