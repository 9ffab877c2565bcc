import { expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Ticket } from '../base/ticket.ts';
import type { MailboxRow } from './durable-store.ts';
import type { PendingRow } from './host-rows.ts';
import type { KeptRow } from './kept-row.ts';
import { MailboxRows } from './mailbox-rows.ts';

/** The rows of a mailbox, whose store and writes the test has in hand. */
async function rig() {
  let n = 0;
  let now = 0;
  const stored: MailboxRow[] = [];
  const writes: PendingRow[] = [];
  const arrived: KeptRow[] = [];
  const rows = new MailboxRows({
    address: 'agent/a',
    store: { rows: async () => [...stored] },
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
  await rows.first(true);
  rows.recorded();
  return {
    rows,
    arrived,
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
