import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import fc from 'fast-check';
import { afterAll, expect, test, vi } from 'vitest';
import type { CommitGroup, CommitResult, DurableStore } from '../runtime/store/durable-store.ts';
import type { FaultyCommits } from '../runtime/store/faulty-commits.ts';
import { durableMemory, memoryDurableStore } from '../runtime/store/memory-durable-store.ts';
import { hasPostgres, startServer } from '../runtime/store/postgres/fixtures/server.ts';
import { openablePostgresStore } from '../runtime/store/postgres/postgres-store.ts';
import { openableStore } from '../runtime/store/sqlite/sqlite-store.ts';
import { ADDRESSES, CALLERS, IDS, history, type Command, groupOf } from './durable-store/histories.ts';

/** 10,000 in the nightly run, or `HOLDFAST_RUNS=1000 npx vitest run props/durable-store.prop.ts`. */
const numRuns = 10 * Number(env['HOLDFAST_RUNS'] ?? 6);
const timeLimitMs = 60_000 + 200 * numRuns;
const replay = {
  ...(env['HOLDFAST_SEED'] && { seed: Number(env['HOLDFAST_SEED']) }),
  ...(env['HOLDFAST_PATH'] && { path: env['HOLDFAST_PATH'] }),
};

vi.setConfig({ testTimeout: timeLimitMs + 30_000 });
const folder = mkdtempSync(join(tmpdir(), 'holdfast-model-'));
const context = { now: () => 0, warn() {}, mostRows: 2 };
let groups = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Store = DurableStore & Pick<FaultyCommits, 'kill'>;

/** All that a store gives back. `firstRow`: of its numbers for rows. */
async function everything(from: DurableStore, firstRow: number): Promise<string> {
  const { bytes: _, ...size } = await from.size();
  const ids = ADDRESSES.flatMap((address) =>
    CALLERS.flatMap((caller) => IDS.map((id) => from.id(address, caller, id))),
  );
  const first = await from.letters(undefined, 2);
  const due = await from.due(15, 2);
  return canonical({
    size,
    ids: await Promise.all(ids),
    records: [await from.records(undefined, 2), await from.records(ADDRESSES[1], 2)],
    loaded: await Promise.all(ADDRESSES.map((address) => from.load(address))),
    rows: await Promise.all(ADDRESSES.map((address) => from.rows(address, firstRow + 2, 3))),
    steps: await Promise.all(ADDRESSES.map((address) => from.steps(address))),
    letters: [first, await from.letters(first.at(-1), 100)],
    due: [due, await from.due(15, 2, due.due.at(-1)), await from.due(4, 100), await from.due(100, 100)],
  });
}

/** Without what is undefined, with keys in order, and bytes as text. */
function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, part: unknown) => {
      if (part instanceof Uint8Array) return `bytes ${Buffer.from(part).toString('hex')}`;
      if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
      return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    },
    1,
  );
}

/** Ends and removes everything, so that the next history begins with nothing. */
async function clear(store: DurableStore): Promise<void> {
  const records = await store.records(undefined, 100);
  // Steps may be left of an address that never had a record.
  const turns = ADDRESSES.map((address) => {
    const after = records.find((one) => one.address === address)?.commit;
    return { address, after, end: true };
  });
  await store.commit({ id: `clear ${groups++}`, at: 0, turns });
  await store.tidy(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const { bytes: _, ...size } = await store.size();
  assert.deepEqual(size, { records: 0, rows: 0, letters: 0, ids: 0 });
}

/** Runs a history on the store and on the plainest one, and compares what they say and have after each command. */
async function compare(
  store: Store,
  firstRow: number,
  commands: readonly Command[],
  seen: Set<string>,
): Promise<void> {
  const memory = durableMemory();
  let model = memoryDurableStore(memory);
  await model.open(context);
  let last: CommitGroup | undefined;
  for (const [i, command] of commands.entries()) {
    seen.add(command.do);
    if (command.do === 'commit') last = groupOf(command, memory.records, `g${groups++}`, firstRow);
    if (command.do === 'tidy') {
      await store.tidy(command.now, command.before);
      await model.tidy(command.now, command.before);
    } else if (command.do === 'reopen') {
      await (command.killed ? store.kill() : store.close());
      await store.open(context);
      model = memoryDurableStore(memory);
      await model.open(context);
    } else if (last !== undefined) {
      const expected = await model.commit(last);
      assert.equal(canonical(unordered(await store.commit(last))), canonical(unordered(expected)));
      if (expected.fenced.length > 0) seen.add('fenced');
      if (expected.unknown.length > 0) seen.add('unknown');
      if (expected.full !== undefined) seen.add('full');
    }
    assert.equal(
      await everything(store, firstRow),
      await everything(model, firstRow),
      `after command ${i + 1}`,
    );
  }
}

/** Who is fenced and who is crowded have no order. */
const unordered = ({ fenced, crowded, ...rest }: CommitResult): object => ({
  ...rest,
  fenced: fenced.toSorted(),
  crowded: crowded?.toSorted(),
});

/** Returns what the histories had in them. */
async function isAsTheModel(store: Store, runs: number): Promise<readonly string[]> {
  let { firstRow } = await store.open(context);
  const seen = new Set<string>();
  const asTheModel = fc.asyncProperty(history, async (commands) => {
    try {
      await compare(store, firstRow, commands, seen);
    } finally {
      await clear(store);
      firstRow += 1000;
    }
  });
  try {
    await fc.assert(asTheModel, {
      numRuns: runs,
      ...replay,
      interruptAfterTimeLimit: timeLimitMs,
      markInterruptAsFailure: true,
    });
  } catch (error) {
    // What it says in its close is not what was found.
    await store.close().catch(() => {});
    throw error;
  }
  await store.close();
  return [...seen];
}

/** What has to be in so many histories. */
function expected(runs: number): string[] {
  if (runs < 1000 || env['HOLDFAST_PATH'] !== undefined) return ['commit'];
  return ['commit', 'reopen', 'again', 'tidy', 'fenced', 'unknown', 'full'];
}

test('the SQLite store does in every history what the plainest store does', async () => {
  const path = join(folder, 'store.db');
  const store = openableStore({ path, fsync: 'os', encryption: { key: new Uint8Array(32) } });
  expect(await isAsTheModel(store, numRuns)).toEqual(expect.arrayContaining(expected(numRuns)));
});

// Each call is a way to another process and back: so fewer of them.
test.skipIf(!hasPostgres)('so does the PostgreSQL store', async () => {
  const server = await startServer();
  try {
    const runs = Math.ceil(numRuns / 6);
    const had = await isAsTheModel(openablePostgresStore({ url: server.url }), runs);
    expect(had).toEqual(expect.arrayContaining(expected(runs)));
  } finally {
    await server.remove();
  }
});
