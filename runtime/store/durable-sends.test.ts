import type { AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import type { AgentRef } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { gatedStore } from '../fixtures/gated-store.ts';
import { memoryDurableStore } from './memory-durable-store.ts';

const agents = {
  talker: fixture('talkers', { threadId: 'talkers' }),
  listener: fixture('talkers', { threadId: 'listeners' }),
  fresh: fixture('talkers', { threadId: 'listeners', supervision: { state: 'fresh' } }),
};

interface Heard {
  readonly event: { readonly n?: number };
  readonly from: string | undefined;
}

const heardBy = async (ref: AgentRef): Promise<readonly Heard[]> =>
  (await ref.ask({ type: 'heard' })) as readonly Heard[];

const note = (to: string, n: number): AnyEventObject => ({
  type: 'forward',
  to,
  event: { type: 'note', n },
});

describe('what a durable agent sends another', () => {
  it('is part of the transaction of its turn, and arrives after that, with its sender', async () => {
    const gate = gatedStore();
    const runtime = await start({ agents }, { store: gate.store });
    const talker = await runtime.spawn('talker', { id: 'a' });
    const listener = await runtime.spawn('listener', { id: 'b' });
    gate.shut();
    const done = talker.deliver(note('listener/b', 1));
    const { group, go } = await gate.next();
    expect(group.turns).toMatchObject([
      {
        address: 'talker/a',
        sends: [{ to: 'listener/b', from: 'talker/a', event: '{"type":"note","n":1}', attempts: 0 }],
      },
    ]);
    const { instances } = runtime.status();
    expect(instances.find(({ address }) => address === listener.address)).toMatchObject({ handled: 0 });
    gate.open();
    go();
    await done;
    expect(await heardBy(listener)).toEqual([{ event: { type: 'note', n: 1 }, from: 'talker/a' }]);
    expect(await gate.inner.rows('listener/b', 0, 10)).toEqual([]);
  });

  it('goes to one that is not durable too, once the turn is committed', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const talker = await runtime.spawn('talker', { id: 'a' });
    const fresh = await runtime.spawn('fresh', { id: 'b' });
    await talker.deliver({ type: 'flood', to: 'fresh/b', last: 3 });
    expect((await heardBy(fresh)).map(({ event, from }) => [event.n, from])).toEqual([
      [1, 'talker/a'],
      [2, 'talker/a'],
      [3, 'talker/a'],
    ]);
  });

  it.each(['listener/nobody', 'fresh/nobody', 'nothing/x'])(
    'becomes a letter when nobody is there (%s)',
    async (to) => {
      const runtime = await start({ agents }, { store: memoryDurableStore() });
      const talker = await runtime.spawn('talker', { id: 'a' });
      const letter = nextEvent((listener) => runtime.on('dead-letter', listener));
      await talker.deliver(note(to, 1));
      expect(await letter).toMatchObject({
        address: to,
        reason: 'unknown-address',
        event: { type: 'note', n: 1 },
      });
      // One of an agent that is durable is the store's, as it is in the next process.
      const [{ stored } = {}] = runtime.deadLetters.list();
      expect(stored).toBe(to === 'listener/nobody' ? true : undefined);
    },
  );

  it('starts the recipient where it is to, and arrives in order', async () => {
    const runtime = await start({ agents }, { store: memoryDurableStore() });
    const talker = await runtime.spawn('talker', { id: 'a' });
    await talker.deliver({ type: 'flood', to: 'listener/new', last: 3, activate: true });
    const listener = await runtime.getOrSpawn('listener', 'new');
    expect((await heardBy(listener)).map(({ event }) => event.n)).toEqual([1, 2, 3]);
  });
});
