import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRuntime, HoldfastError, type AgentRef, type Runtime } from 'holdfast';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from './memory-durable-store.ts';

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

  it('is a dead letter where the process has ended twice in a row', async () => {
    const { memory, end } = await cutAfterSend();
    memory.uncleanEnds.push(Date.now());
    const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
    expect(runtime.deadLetters.list()).toHaveLength(12);
    expect(runtime.deadLetters.list()[0]).toMatchObject({ reason: 'unknown-address', stored: true });
    expect(runtime.get('listener/new')).toBeUndefined();
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
