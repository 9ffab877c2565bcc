import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import type { HoldfastError } from '../../base/errors.ts';
import { fixture, start } from '../../fixtures/start.ts';
import type { MailboxRow } from '../durable-store.ts';
import { PAGE_BYTES } from './schema.ts';
import { openableStore, sqliteStore } from './sqlite-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-wakes-'));
const agents = { account: fixture('account', { mailbox: { capacity: 200 } }) };

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A store of accounts, with rows for them as a process leaves it that ends. */
async function left(ids: readonly string[], rowsOf: (id: string) => number): Promise<string> {
  const path = join(folder, `${Math.random()}.db`);
  const runtime = await start({ agents }, { store: sqliteStore({ path, fsync: 'os' }) });
  await Promise.all(ids.map((id) => runtime.spawn('account', { id })));
  await runtime.stop();
  const store = openableStore({ path, fsync: 'os' });
  const { firstRow } = await store.open({ now: Date.now, warn() {} });
  const event = '{"type":"deposit","amount":1}';
  const to = ids.flatMap((id) => Array.from({ length: rowsOf(id) }, () => `account/${id}`));
  const rows = to.map((address, i): MailboxRow => ({
    n: firstRow + i,
    to: address,
    event,
    dueAt: 0,
    attempts: 0,
  }));
  await store.commit({ id: 'left', at: Date.now(), turns: [], rows });
  await store.close();
  return path;
}

/** A runtime over a store, and what it warns of. */
async function open(path: string) {
  const warned: string[] = [];
  const warn = (_fields: object, message: string): void => void warned.push(message);
  const logger = { debug() {}, info() {}, warn, error() {} };
  const runtime = await start({ agents }, { store: sqliteStore({ path, fsync: 'os' }), logger });
  return { runtime, warned };
}

test('a damaged page of records keeps nobody else from waking, and whoever is on it is quarantined', async () => {
  const ids = Array.from({ length: 120 }, (_, i) => `a${i}`);
  const path = await left(ids, () => 1);
  const db = new DatabaseSync(path);
  const leaves = db
    .prepare("select pageno from dbstat where name = 'records' and pagetype = 'leaf' order by pageno")
    .all();
  db.close();
  expect(leaves.length).toBeGreaterThan(1);
  const bytes = readFileSync(path);
  const page = Number(leaves[0]?.['pageno']);
  bytes.fill(0xff, (page - 1) * PAGE_BYTES, page * PAGE_BYTES);
  writeFileSync(path, bytes);

  const { runtime, warned } = await open(path);
  await expect.poll(() => runtime.status().instances.length, { timeout: 30_000 }).toBe(ids.length);
  const settled = async (): Promise<void> => {
    await expect
      .poll(() =>
        runtime.status().instances.every(({ state }) => state === 'running' || state === 'quarantined'),
      )
      .toBe(true);
  };
  await settled();
  const running = runtime.status().instances.filter(({ state }) => state === 'running');
  // What one of them writes may need the page beside its own.
  const totals = await Promise.all(
    running.map(async ({ address }) => {
      try {
        return await runtime.get(address)?.ask({ type: 'total' });
      } catch (error) {
        return (error as HoldfastError).code;
      }
    }),
  );
  const counted = totals.filter((total) => total === 1);
  expect(totals.filter((total) => total !== 1 && total !== 'STORE_CORRUPT')).toEqual([]);
  await settled();
  const by = Map.groupBy(runtime.status().instances, ({ state }) => state);
  const [awake, damaged] = [by.get('running') ?? [], by.get('quarantined') ?? []];
  expect([awake.length > 0, damaged.length > 0]).toEqual([true, true]);
  expect(awake).toHaveLength(counted.length);
  const codes = damaged.map(({ quarantine }) => quarantine?.error.code);
  expect(new Set(codes)).toEqual(new Set(['STORE_CORRUPT']));
  expect(warned.filter((message) => message.includes('what is due'))).toEqual([
    expect.stringContaining('holdfast store check'),
  ]);
});

test('a damaged event on a later page of a mailbox quarantines its instance, once those before it were handled', async () => {
  const path = await left(['a', 'b'], (id) => (id === 'a' ? 1100 : 1));
  const db = new DatabaseSync(path);
  const last = db.prepare("select max(n) n from rows where address = 'account/a'").get();
  db.prepare(`update rows set event = '{"type":"deposit","amount":9}' where n = ?`).run(Number(last?.['n']));
  db.close();

  const { runtime, warned } = await open(path);
  const stateOf = (address: string): string | undefined =>
    runtime.status().instances.find((one) => one.address === address)?.state;
  await expect.poll(() => stateOf('account/a'), { timeout: 30_000 }).toBe('quarantined');
  await expect(runtime.getOrSpawn('account', 'a')).rejects.toMatchObject({
    code: 'AGENT_QUARANTINED',
    cause: { code: 'STORE_CORRUPT' },
  });
  expect(await (await runtime.getOrSpawn('account', 'b')).ask({ type: 'total' })).toBe(1);
  expect(warned.filter((message) => message.includes('tried again'))).toEqual([]);
  // Who resumes it meets the damage again, and is told.
  const again = new Promise((resolve) => runtime.on('escalation', resolve));
  await runtime.get('account/a')?.resume();
  await again;
  expect(stateOf('account/a')).toBe('quarantined');
});
