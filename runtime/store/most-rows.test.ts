import type { AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { gatedStore } from '../fixtures/gated-store.ts';
import { fixture, start, startTest } from '../fixtures/start.ts';
import { type DurableMemory, durableMemory, memoryDurableStore } from './memory-durable-store.ts';
import type { DurableStore } from './durable-store.ts';

const agents = {
  account: fixture('account'),
  talker: fixture('talkers', { threadId: 'talkers' }),
  listener: fixture('talkers', { threadId: 'listeners' }),
};

/** The store with another limit. */
function limited(store: DurableStore, mostRows: number): DurableStore {
  return { ...store, open: (context) => store.open({ ...context, mostRows }) };
}

const over = (memory: DurableMemory, mostRows: number): DurableStore =>
  limited(memoryDurableStore(memory), mostRows);

const LATER = { at: Date.now() + 3_600_000 };

const forward = (to: string, n: number): AnyEventObject => ({
  type: 'forward',
  to,
  event: { type: 'note', n },
});

describe('with as many events in the store for an instance as may be', () => {
  it('what an agent sends it is a dead letter of the same transaction, and the turn is done', async () => {
    const memory = durableMemory();
    const runtime = await start({ agents }, { store: over(memory, 3) });
    const talker = await runtime.spawn('talker', { id: 'a' });
    const listener = await runtime.spawn('listener', { id: 'b' });
    for (let n = 1; n <= 3; n++) await listener.enqueue({ type: 'note', n }, LATER);
    await talker.deliver({ type: 'flood', to: 'listener/b', last: 2 });
    const letter = { address: 'listener/b', reason: 'mailbox-full' };
    expect([...memory.letters.values()]).toMatchObject([letter, letter]);
    expect(runtime.deadLetters.list()).toMatchObject([
      { ...letter, event: { type: 'note', n: 1 }, stored: true },
      { ...letter, event: { type: 'note', n: 2 }, stored: true },
    ]);
    expect(memory.rows.size).toBe(3);
    // What takes the place of a letter is taken.
    await runtime.deadLetters.replay(runtime.deadLetters.list()[0]?.id ?? '');
    await expect.poll(() => listener.ask({ type: 'heard' })).toMatchObject([{ event: { n: 1 } }]);
    expect(memory.letters.size).toBe(1);
  });

  it('enqueue() is refused, in the next process too, and may come again with its id once there is room', async () => {
    const memory = durableMemory();
    const first = await startTest({ agents }, { store: over(memory, 2) });
    const at = first.clock.now() + 60_000;
    const before = await first.spawn('account', { id: 'a' });
    await before.enqueue({ type: 'deposit', amount: 1 }, { at });
    await before.enqueue({ type: 'deposit', amount: 2 }, { at });
    await first.stop();
    const runtime = await startTest({ agents }, { store: over(memory, 2) });
    const ref = await runtime.getOrSpawn('account', 'a');
    const late = { type: 'deposit', amount: 4 } as const;
    for (const given of [{ at }, { at, id: 'late' }])
      await expect(ref.enqueue(late, given)).rejects.toMatchObject({ code: 'MAILBOX_FULL', retryable: true });
    const letter = { address: 'account/a', reason: 'mailbox-full', event: late };
    expect(runtime.deadLetters.list()).toMatchObject([letter, letter]);
    expect(memory.rows.size).toBe(2);
    await runtime.clock.advance(60_000);
    await expect.poll(() => memory.rows.size).toBe(0);
    await ref.enqueue(late, { id: 'late' });
    expect(await ref.ask({ type: 'total' })).toBe(7);
    expect(memory.letters.size).toBe(0);
  });

  it('amendment 22: from four fifths of them on, whoever sends it more gets its own events one by one', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: limited(gate.store, 10) });
    const talker = await runtime.spawn('talker', { id: 'a' });
    const listener = await runtime.spawn('listener', { id: 'b' });
    await runtime.spawn('listener', { id: 'c' });
    for (let n = 1; n <= 8; n++) await listener.enqueue({ type: 'note', n }, LATER);
    /** How many commits it takes until the agent has sent five events. */
    const commits = async (to: string): Promise<number> => {
      gate.shut();
      const done = [1, 2, 3, 4, 5].map((n) => talker.deliver(forward(to, n)));
      let groups = 0;
      for (let sent = 0; sent < 5;) {
        const { group, go } = await gate.next();
        const { length } = group.turns.flatMap(({ sends = [] }) => sends);
        sent += length;
        if (length > 0) groups += 1;
        go();
      }
      gate.open();
      await Promise.all(done);
      return groups;
    };
    expect(await commits('listener/c')).toBeLessThan(5);
    await talker.deliver(forward('listener/b', 0));
    expect(await commits('listener/b')).toBe(5);
    await talker.deliver(forward('listener/c', 0));
    expect(await commits('listener/c')).toBeLessThan(5);
  });
});
