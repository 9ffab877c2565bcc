import { expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { Ticket } from '../base/ticket.ts';
import type { MailboxRow } from './durable-store.ts';
import type { PendingRow } from './host-rows.ts';
import type { KeptRow } from './kept-row.ts';
import { MailboxRows } from './mailbox-rows.ts';

/** The rows of a mailbox, whose store and writes the test has in hand; `isStarting`: the first page too. */
async function rig({ isStarting = false } = {}) {
  let n = 0;
  let now = 0;
  const stored: MailboxRow[] = [];
  const writes: PendingRow[] = [];
  const arrived: KeptRow[] = [];
  const reads: (() => void)[] = [];
  const rows = new MailboxRows({
    address: 'agent/a',
    store: {
      rows: async () => {
        const found = [...stored];
        if (isStarting) await new Promise<void>((resolve) => reads.push(resolve));
        return found;
      },
    },
    host: {
      next: () => ++n,
      add: (pending) => void writes.push(pending),
      withdraw: () => false,
      attempted: () => new Ticket(),
    },
    careful: () => undefined,
    clock: { ...systemClock, date: () => now },
    ids: { ofRow: () => undefined, openId: () => undefined as never },
    capacity: 4,
    arrived: (some) => void arrived.push(...some),
    retract: () => false,
    hasRoom: () => true,
    place() {},
    damaged() {},
    strayed() {},
    warn() {},
  });
  if (!isStarting) await rows.first(true);
  rows.recorded();
  return {
    rows,
    arrived,
    /** The reads that have begun, and have found what was there then. */
    reads,
    /** Another process has written a row. */
    comes: (row: number): void =>
      void stored.push({ n: row, to: 'agent/a', event: '{}', dueAt: 0, attempts: 0 }),
    add: (dueAt: number, placed: boolean) => rows.add('{}', dueAt, placed, () => {}),
    /** The next row that waits for that is written. */
    write: (): void => {
      const pending = writes.shift() as PendingRow;
      stored.push(pending.row);
      pending.written();
    },
    /** The turn of a row is committed, which deletes it. */
    handle: (row: KeptRow): void => {
      stored.splice(
        stored.findIndex(({ n: stands }) => stands === row.n),
        1,
      );
      rows.done(row);
    },
    refuse: (): void => writes.shift()?.refused(new Error('no room') as never),
    pass: (ms: number): void => void (now += ms),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a row without a place that is written after a page was read gets its place, and until then nothing passes it', async () => {
  const { rows, arrived, add, write, handle } = await rig();
  const placed = add(0, true);
  write();
  const waiting = add(0, false);
  rows.told(placed);
  handle(placed);
  await turn();
  expect(rows.more).toBe(true);
  expect(arrived).toEqual([]);
  write();
  await turn();
  expect(arrived.map(({ n }) => n)).toEqual([waiting.n]);
  expect(rows.more).toBe(false);
});

test('nothing waits any more behind a row without a place that is refused', async () => {
  const { rows, add, refuse } = await rig();
  add(0, false);
  expect(rows.more).toBe(true);
  refuse();
  await turn();
  expect(rows.more).toBe(false);
});

test('a row whose time comes while it is written gets its place', async () => {
  const { arrived, add, write, pass } = await rig();
  const later = add(5, false);
  pass(1000);
  write();
  await turn();
  expect(arrived.map(({ n }) => n)).toEqual([later.n]);
});

test('word of rows that comes while an instance starts waits for its first page, and nothing is refused meanwhile', async () => {
  const { rows, arrived, reads, comes } = await rig({ isStarting: true });
  const started = rows.first();
  comes(65);
  const looked = rows.look();
  await turn();
  for (const read of reads.splice(1)) read();
  await turn();
  // Whoever asks while rows wait for a place is refused.
  expect(rows.more).toBe(false);
  reads.shift()?.();
  await started;
  await turn();
  expect(rows.more).toBe(false);
  reads.shift()?.();
  await looked;
  expect(arrived.map(({ n }) => n)).toEqual([65]);
  expect(rows.more).toBe(false);
});

test('a row of the first page takes no second place when word of it comes meanwhile', async () => {
  const { rows, arrived, reads, comes } = await rig({ isStarting: true });
  comes(65);
  const started = rows.first();
  const looked = rows.look();
  await turn();
  reads.shift()?.();
  await started;
  await turn();
  reads.shift()?.();
  await looked;
  expect(arrived.map(({ n }) => n)).toEqual([65]);
});

test('word that comes while rows are looked for has them looked for once more, however often it comes', async () => {
  const { rows, arrived, reads, comes } = await rig({ isStarting: true });
  const started = rows.first();
  await turn();
  reads.shift()?.();
  await started;
  const first = rows.look();
  await turn();
  comes(65);
  const again = [rows.look(), rows.look()];
  expect(reads).toHaveLength(1);
  reads.shift()?.();
  await first;
  await turn();
  expect(arrived).toEqual([]);
  expect(reads).toHaveLength(1);
  reads.shift()?.();
  await Promise.all(again);
  expect(arrived.map(({ n }) => n)).toEqual([65]);
});

test('word that comes while an instance starts waits no longer when that ends', async () => {
  const { rows, arrived, comes } = await rig({ isStarting: true });
  void rows.first();
  comes(65);
  const looked = rows.look();
  rows.close(new HoldfastError('AGENT_STOPPED', 'it has ended'));
  await looked;
  expect(arrived).toEqual([]);
});
