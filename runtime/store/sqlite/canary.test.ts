import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { filesWith, spreadValue } from '../../fixtures/spread-value.ts';
import { sqliteStore } from './sqlite-store.ts';
import { backupStore, exportStoreLines } from './store-care.ts';

const CANARY = 'CANARY-in-a-store-5b1c/9';

function spread(path: string, value: string): Promise<void> {
  return spreadValue(sqliteStore({ path, fsync: 'os' }), value, async () => {
    // While it is open its log is there, too.
    for (const end of ['', '-wal']) copyFileSync(path + end, `${path}-open${end}`);
    await backupStore(path, `${path}-backup`);
    await exportStoreLines(path, `${path}-export`);
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
