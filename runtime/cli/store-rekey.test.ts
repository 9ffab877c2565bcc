import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { fill } from '../store/sqlite/fixtures/filled.ts';
import { openableStore } from '../store/sqlite/sqlite-store.ts';
import { checkStoreFile, exportStoreLines } from '../store/sqlite/store-care.ts';
import { commandLine, deskFolder, run } from './fixtures/command.ts';

const KEY = 'CANARY-key-5f02-of-the-store-of-a-desk';
const COUNT = 2000;

test('a rekey that is killed in the middle changes nothing, and the next one is whole', async () => {
  const { folder, file, env } = await deskFolder({
    externalSecrets: { provider: 'env' },
    store: { type: 'sqlite', path: './data/agents.db', encryption: { key: 'STORE_KEY' } },
  });
  await mkdir(join(folder, 'data'));
  const path = join(folder, 'data', 'agents.db');
  const keys = { key: Buffer.from(KEY) };
  const owner = openableStore({ path, fsync: 'os', encryption: keys });
  await owner.open({ now: () => 1, warn() {} });
  await fill(owner, COUNT);
  const rekey = () =>
    run([...commandLine, 'store', 'rekey', '-c', file], { cwd: folder, env: { ...env, STORE_KEY: KEY } });
  const drafts = (): string[] => readdirSync(join(folder, 'data')).filter((name) => name.includes('.new-'));
  const lines = async (to: string): Promise<string> => {
    await exportStoreLines(path, join(folder, to), keys);
    return readFileSync(join(folder, to), 'utf8');
  };

  await owner.close();
  const before = await lines('before.jsonl');

  const killed = rekey();
  while (drafts().length === 0 && killed.child.exitCode === null) await delay(1);
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect([killed.child.signalCode, drafts().length > 0]).toEqual(['SIGKILL', true]);
  expect(await lines('between.jsonl')).toBe(before);

  const done = await rekey().ended;
  expect(done).toMatchObject({ code: 0, out: expect.stringContaining(`${COUNT} records`) });
  expect([drafts(), (await checkStoreFile(path)).problems]).toEqual([[], []]);
  expect(await lines('after.jsonl')).toBe(before);
  expect(done.out + done.err).not.toContain('CANARY');
});
