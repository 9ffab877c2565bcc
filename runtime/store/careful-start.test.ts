import { expect, test, vi } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Ticket } from '../base/ticket.ts';
import { diesAt } from '../fixtures/dies-at.ts';
import { fixture, start } from '../fixtures/start.ts';
import { manualClock } from '../instance/fixtures/lone-instance.ts';
import { CarefulStart, isCareful } from './careful-start.ts';
import type { CommitGroup, DurableStore } from './durable-store.ts';
import type { KeptRow } from './kept-row.ts';
import { MailboxRows } from './mailbox-rows.ts';
import { type DurableMemory, durableMemory, memoryDurableStore } from './memory-durable-store.ts';

const agents = { account: fixture('account') };
const MINUTE = 60_000;

test('a start is careful after two openings in a row that ended soon without a close', () => {
  const now = 1_000 * MINUTE;
  const ago = (...minutes: number[]): number[] => minutes.map((one) => now - one * MINUTE);
  expect(isCareful([], now)).toBe(false);
  expect(isCareful(ago(1), now)).toBe(false);
  expect(isCareful(ago(2, 1), now)).toBe(true);
  // The pause of an orchestrator between two starts counts for nothing.
  expect(isCareful(ago(90, 10, 5), now)).toBe(true);
  expect(isCareful(ago(90, 1), now)).toBe(false);
  expect(isCareful(ago(91, 90), now)).toBe(false);
});

test('suspects are alone one after the other, and for no longer than five seconds', async () => {
  const clock = manualClock();
  const careful = new CarefulStart({ clock, isThrough: () => true });
  const went: number[] = [];
  const gone = [1, 2, 3].map(async (n) => {
    const over = await careful.alone();
    went.push(n);
    return over;
  });
  const first = await gone[0];
  expect(went).toEqual([1]);
  first?.();
  await gone[1];
  expect(went).toEqual([1, 2]);
  clock.pass(5000);
  await gone[2];
  expect(went).toEqual([1, 2, 3]);
});

test('a careful start ends after a minute, when whoever had something to do is awake', () => {
  const clock = manualClock();
  let isThrough = false;
  const careful = new CarefulStart({ clock, isThrough: () => isThrough });
  clock.pass(2 * MINUTE);
  expect(careful.isOver).toBe(false);
  isThrough = true;
  clock.pass(1000);
  expect(careful.isOver).toBe(true);
});

/** A memory after two processes that came to nothing, with an account and that in its mailbox. */
async function left(...events: object[]): Promise<DurableMemory> {
  const memory = durableMemory();
  const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
  await runtime.spawn('account', { id: 'a' });
  await runtime.stop();
  const rows = events.map((event, i) => ({
    n: i + 1,
    to: 'account/a',
    event: JSON.stringify(event),
    dueAt: 0,
    attempts: 0,
  }));
  const store = memoryDurableStore(memory);
  await store.open({ now: Date.now, warn() {} });
  await store.commit({ id: 'left', at: Date.now(), turns: [], rows });
  await store.close();
  memory.uncleanEnds.push(Date.now() - 2000, Date.now() - 1000);
  return memory;
}

const attemptsIn = ({ rows }: DurableMemory): number[] => [...rows.values()].map(({ row }) => row.attempts);

test('an event is noted before it is in hand; what was in hand at three ends is a letter, what was there by chance is handled', async () => {
  let memory = await left({ type: 'deposit', amount: 1 }, { type: 'total' }, { type: 'deposit', amount: 2 });
  const handsOver = ({ attempts = [] }: CommitGroup): boolean => attempts.length > 0;
  memory = await diesAt(agents, memory, handsOver);
  expect(attemptsIn(memory)).toEqual([2, 2, 2]);
  // From then on each is alone, and the first of them is to blame.
  memory = await diesAt(agents, memory, handsOver);
  expect(attemptsIn(memory)).toEqual([4, 2, 2]);
  memory = await diesAt(agents, memory, handsOver);
  expect(attemptsIn(memory)).toEqual([6, 2, 2]);
  const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
  await vi.waitFor(() => expect(memory.rows.size).toBe(0), { timeout: 60_000 });
  expect(runtime.deadLetters.list()).toMatchObject([
    {
      reason: 'poison',
      event: { type: 'deposit', amount: 1 },
      evidence: { error: { code: 'PROCESS_CRASHED' } },
    },
  ]);
  expect(await runtime.get('account/a')?.ask({ type: 'total' })).toBe(2);
});

test('an event that leaves the mailbox unhandled was in hand at no end of the process, and nobody waits for it', async () => {
  const counted: (readonly [number, number])[] = [];
  const arrived: KeptRow[] = [];
  const stored = [{ n: 1, to: 'agent/a', event: '{}', dueAt: 0, attempts: 2 }];
  let isAlone = false;
  const rows = new MailboxRows({
    address: 'agent/a',
    store: { rows: async () => stored },
    host: {
      next: () => 2,
      add() {},
      withdraw: () => false,
      attempted(n, attempts) {
        counted.push([n, attempts]);
        const written = new Ticket();
        written.settle();
        return written;
      },
    },
    careful: () => ({
      alone: async () => {
        isAlone = true;
        return () => void (isAlone = false);
      },
    }),
    clock: systemClock,
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
  await rows.first();
  expect(arrived).toEqual([]);
  rows.begin();
  await vi.waitFor(() => expect(arrived.length).toBe(1));
  expect(counted).toEqual([[1, 4]]);
  expect(isAlone).toBe(true);
  rows.left(arrived[0] as KeptRow, undefined);
  expect(counted).toEqual([
    [1, 4],
    [1, 2],
  ]);
  expect(isAlone).toBe(false);
});

test('amendment 11: an instance whose start ends the process three times is quarantined, and one that survives is not suspected any more', async () => {
  let memory = await left();
  const [record] = [...memory.records.values()];
  if (record === undefined) throw new Error('there is a record');
  // Its timer is due since the process ended.
  memory.records.set('account/a', { ...record, dueAt: 1 });
  const starts = ({ turns }: CommitGroup): boolean =>
    turns.some((turn) => turn.record?.meta.includes('"starts"') === true);
  for (let i = 1; i <= 3; i += 1) {
    memory = await diesAt(agents, memory, starts);
    const meta = JSON.parse(memory.records.get('account/a')?.meta ?? '') as object;
    expect(meta).toMatchObject({ starts: { count: i, why: 'timer' } });
  }
  const innocent = structuredClone(memory);
  const poisoned = await start({ agents }, { store: memoryDurableStore(memory) });
  await vi.waitFor(
    () => expect(poisoned.status().instances).toMatchObject([{ address: 'account/a', state: 'quarantined' }]),
    { timeout: 60_000 },
  );
  expect(memory.records.get('account/a')).toMatchObject({ quarantined: true });
  await expect(poisoned.spawn('account', { id: 'a' })).rejects.toMatchObject({
    code: 'AGENT_QUARANTINED',
    cause: { code: 'PROCESS_CRASHED', message: expect.stringContaining('a timer of it was due') },
  });
  await poisoned.get('account/a')?.resume();
  expect(await poisoned.get('account/a')?.ask({ type: 'total' })).toBe(0);
  // The same, but that the third start was survived.
  const meta = innocent.records.get('account/a')?.meta.replace('"count":3', '"count":2') ?? '';
  innocent.records.set('account/a', {
    ...(innocent.records.get('account/a') ?? record),
    meta,
    dueAt: undefined,
  });
  const runtime = await start({ agents }, { store: memoryDurableStore(innocent) });
  const ref = await runtime.spawn('account', { id: 'a' });
  expect(await ref.ask({ type: 'deposit', amount: 1 })).toBe(1);
  await vi.waitFor(() => expect(innocent.records.get('account/a')?.meta).toBe('{}'));
});

test('whatever comes to an instance whose events are handed over with care waits for its place behind them', async () => {
  const memory = await left({ type: 'deposit', amount: 1 }, { type: 'deposit', amount: 2 });
  const inner = memoryDurableStore(memory);
  const gate = Promise.withResolvers<void>();
  const store: DurableStore = {
    ...inner,
    commit: async (group) => {
      if ((group.attempts ?? []).length > 0) await gate.promise;
      return inner.commit(group);
    },
  };
  const runtime = await start({ agents }, { store });
  const ref = await runtime.spawn('account', { id: 'a' });
  await expect(ref.ask({ type: 'total' }, { timeoutMs: 20 })).rejects.toMatchObject({
    code: 'ASK_TIMEOUT',
    message: expect.stringContaining('with care'),
  });
  ref.send({ type: 'deposit', amount: 10 });
  const answers = [
    ref.ask({ type: 'deposit', amount: 100 }),
    ref.ask({ type: 'deposit', amount: 1000 }, { id: 'thousand' }),
    ref.deliver({ type: 'deposit', amount: 10_000 }),
    ref.enqueue({ type: 'deposit', amount: 100_000 }),
    ref.ask({ type: 'total' }),
  ];
  const snapshot = ref.snapshot();
  gate.resolve();
  expect(await Promise.all(answers)).toEqual([113, 1113, undefined, undefined, 111_113]);
  expect(await snapshot).toMatchObject({ context: { total: 111_113 } });
  // Whose deadline had passed was not handled.
  expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'expired', event: { type: 'total' } }]);
});
