import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRuntime, HoldfastError, type AgentRef, type Runtime } from 'holdfast';
import { diesAt } from '../fixtures/dies-at.ts';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import type { CommitGroup } from './durable-store.ts';
import { type DurableMemory, durableMemory, memoryDurableStore } from './memory-durable-store.ts';
import { rowLetter } from './row-letter.ts';

const agents = {
  talker: fixture('talkers', { threadId: 'talkers' }),
  listener: fixture('talkers', { threadId: 'listeners' }),
  broken: fixture('failing-start', { threadId: 'listeners' }),
};
const logger = { debug() {}, info() {}, warn() {}, error() {} };

const overtaken = new HoldfastError('STORE_LOCKED', 'another process has the store');
const soon = (seen: () => void | Promise<void>): Promise<void> => vi.waitFor(seen, { timeout: 20_000 });
const flood = (to: string, last: number): { type: string } & Record<string, unknown> => ({
  type: 'flood',
  to,
  last,
  activate: true,
});
const numbers = async (ref: AgentRef): Promise<unknown[]> =>
  ((await ref.ask({ type: 'heard' })) as { event: { n?: number } }[]).map(({ event }) => event.n);

describe('what a durable agent sends one that it starts', () => {
  it('is in the store until it is handled, when its recipient is passive', async () => {
    const gate = gatedStore();
    const first = await start({ agents }, { store: gate.store });
    await (await first.spawn('listener', { id: 'b' })).deliver({ type: 'note', n: 0 });
    await first.stop();
    const second = await start({ agents }, { store: gate.store });
    const talker = await second.spawn('talker', { id: 'a' });
    gate.shut();
    talker.send(flood('listener/b', 2));
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([{ address: 'talker/a', sends: [{ to: 'listener/b' }, {}] }]);
    go();
    await soon(() => expect(second.get('listener/b')).toBeDefined());
    // The process ends before the turns are committed.
    expect(gate.memory.rows.size).toBe(2);
    const third = await start({ agents }, { store: memoryDurableStore(gate.memory) });
    expect(await numbers(await third.getOrSpawn('listener', 'b'))).toEqual([0, 1, 2]);
    expect(gate.memory.rows.size).toBe(0);
    gate.open();
  });

  it('becomes a row with the first state of its recipient, and is handled once', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const talker = await runtime.spawn('talker', { id: 'a' });
    gate.shut();
    talker.send(flood('listener/new', 3));
    const { go } = await gate.next();
    go();
    const begun = await gate.next();
    // It stands in the store in each moment in between.
    expect([...gate.memory.letters.values()]).toMatchObject(
      [1, 2, 3].map((n) => ({ address: 'listener/new', event: JSON.stringify({ type: 'note', n }) })),
    );
    expect(begun.group).toMatchObject({
      turns: [{ address: 'listener/new', record: { seq: 1 } }],
      removedLetters: [...gate.memory.letters.keys()],
    });
    begun.go();
    gate.open();
    expect(await numbers(await runtime.getOrSpawn('listener', 'new'))).toEqual([1, 2, 3]);
    expect([gate.memory.letters.size, gate.memory.rows.size]).toEqual([0, 0]);
    expect(runtime.deadLetters.list()).toEqual([]);
  });
});

describe('what a durable agent had sent one that had not begun when the process ended', () => {
  const cutAfterSend = async (memory = durableMemory()) => {
    const gate = gatedStore(memory);
    const runtime = await start({ agents }, { store: gate.store });
    const talker = await runtime.spawn('talker', { id: 'a' });
    gate.shut();
    talker.send(flood('listener/new', 12));
    const { go } = await gate.next();
    go();
    const { fail } = await gate.next();
    return { memory, end: () => fail(overtaken) };
  };

  it('starts it in the next process, and is handled once and in order', async () => {
    const { memory, end } = await cutAfterSend();
    expect([memory.records.has('listener/new'), memory.letters.size]).toEqual([false, 12]);
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    await soon(() => expect(runtime.get('listener/new')).toBeDefined());
    const listener = await runtime.getOrSpawn('listener', 'new');
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    await soon(async () => expect(await numbers(listener)).toEqual(all));
    expect(runtime.deadLetters.list()).toEqual([]);
    expect([memory.letters.size, memory.rows.size]).toEqual([0, 0]);
    end();
  });

  const isNoted = ({ letters = [] }: CommitGroup): boolean => letters.length > 0;
  const startsIn = ({ letters }: DurableMemory): unknown[] =>
    [...letters.values()].flatMap(({ meta }) => (JSON.parse(meta) as { starts?: number }).starts ?? []);

  it('starts it in a careful start too, once that is written down', async () => {
    const { memory, end } = await cutAfterSend();
    memory.uncleanEnds.push(Date.now());
    const gate = gatedStore(memory);
    gate.shut();
    const runtime = await start({ agents }, { store: gate.store });
    const { group, go } = await gate.next();
    expect(group.letters).toMatchObject([{ address: 'listener/new', reason: 'unknown-address' }]);
    expect(runtime.get('listener/new')).toBeUndefined();
    go();
    gate.open();
    await soon(() => expect(runtime.get('listener/new')).toBeDefined());
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const listener = await runtime.getOrSpawn('listener', 'new');
    await soon(async () => expect(await numbers(listener)).toEqual(all));
    expect(runtime.deadLetters.list()).toEqual([]);
    expect([memory.letters.size, memory.rows.size]).toEqual([0, 0]);
    end();
  });

  it('is a dead letter with its evidence when the process has ended with three starts of it, and starts all others', async () => {
    const { memory: first, end } = await cutAfterSend();
    for (const [i, id] of ['other', 'third'].entries()) {
      const row = { n: 50 + i, to: `listener/${id}`, from: 'talker/a', dueAt: 0, attempts: 0 };
      const event = JSON.stringify({ type: 'note', n: 9 });
      const letter = rowLetter({ ...row, event, activate: true }, 'unknown-address', Date.now());
      first.letters.set(letter.id, letter);
    }
    first.nextRow = 60;
    first.uncleanEnds.push(Date.now());
    let memory = await diesAt(agents, structuredClone(first), isNoted);
    expect(startsIn(memory)).toEqual([1, 1, 1]);
    // From then on each is alone, and the first of them is to blame.
    for (const starts of [2, 3]) {
      memory = await diesAt(agents, memory, isNoted);
      expect(startsIn(memory)).toEqual([starts, 1, 1]);
    }
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    for (const id of ['other', 'third'])
      await soon(async () => expect(await numbers(await runtime.getOrSpawn('listener', id))).toEqual([9]));
    expect(runtime.get('listener/new')).toBeUndefined();
    const letters = runtime.deadLetters.list();
    expect(letters).toHaveLength(12);
    expect(letters[0]).toMatchObject({
      address: 'listener/new',
      reason: 'poison',
      event: { type: 'note', n: 1 },
      stored: true,
      evidence: {
        cause: 'exit',
        thread: 'holdfast:listeners',
        error: { code: 'PROCESS_CRASHED', message: expect.stringContaining('the last 3 starts') as string },
      },
    });
    await runtime.stop();
    // Also in a start that is not careful: it is found as it was left, and starts nobody.
    memory.uncleanEnds.length = 0;
    const next = await start({ agents }, { store: memoryDurableStore(memory) });
    const kept = next.deadLetters.list();
    expect(new Set(kept.map(({ id }) => id))).toEqual(new Set(letters.map(({ id }) => id)));
    for (const letter of kept)
      expect(letter).toMatchObject({ reason: 'poison', evidence: { error: { code: 'PROCESS_CRASHED' } } });
    for (const { meta } of memory.letters.values()) expect(JSON.parse(meta)).not.toHaveProperty('activate');
    const listener = await next.spawn('listener', { id: 'new' });
    await next.deadLetters.replay(letters[0]?.id ?? '');
    await soon(async () => expect(await numbers(listener)).toEqual([1]));
    end();
  });
});

describe('what a durable agent sends one that cannot be started', () => {
  let runtime: Runtime;
  const memory = durableMemory();
  beforeAll(async () => {
    runtime = await createRuntime({ agents }, { store: memoryDurableStore(memory), logger });
  });
  afterAll(() => runtime.stop());

  it('is a dead letter that the store keeps, and says why', async () => {
    const talker = await runtime.spawn('talker', { id: 'a' });
    await talker.deliver(flood('broken/x', 2));
    await soon(() => expect(runtime.deadLetters.list()).toHaveLength(2));
    expect(runtime.deadLetters.list().map(({ id }) => id)).toEqual([...memory.letters.keys()]);
    expect(runtime.deadLetters.list()[0]).toMatchObject({
      address: 'broken/x',
      reason: 'unknown-address',
      event: { type: 'note', n: 1 },
      why: expect.stringContaining('no instance could be started'),
      stored: true,
    });
    for (const { meta } of memory.letters.values()) expect(JSON.parse(meta)).not.toHaveProperty('activate');
  });
});
