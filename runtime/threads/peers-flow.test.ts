import { describe, expect, test } from 'vitest';
import { places, talking, upTo } from '../fixtures/talking.ts';

const patient = { timeout: 60_000, interval: 20 };

describe.each(places)('between agents %s', (_where, threadId) => {
  test('thousands of events keep their order, both ways at once', async () => {
    const { runtime, recorder, letters } = await talking(threadId, { mailbox: { capacity: 40_000 } });
    const [b, c] = [await recorder('b'), await recorder('c')];
    const talkers = await Promise.all(['x', 'y'].map((id) => runtime.spawn('talker', { id })));
    // Slices of what a line takes before it is open.
    for (let slice = 0; slice < 5; slice++) {
      const [first, last] = [slice * 900 + 1, slice * 900 + 900];
      talkers[0]?.send({ type: 'flood', to: 'recorder/b', first, last });
      talkers[1]?.send({ type: 'flood', to: 'recorder/b', first: 10_000 + first, last: 10_000 + last });
      b.ref.send({ type: 'flood', to: 'recorder/c', first, last });
      c.ref.send({ type: 'flood', to: 'recorder/b', first: 20_000 + first, last: 20_000 + last });
      await expect.poll(() => b.handled().length, patient).toBe(3 * last);
      await expect.poll(() => c.handled().length, patient).toBe(last);
    }
    for (const from of [0, 10_000, 20_000]) {
      const own = b.handled().filter((n) => n > from && n <= from + 10_000);
      expect(own).toEqual(upTo(from + 4500, from + 1));
    }
    expect(c.handled()).toEqual(upTo(4500));
    expect(letters).toEqual([]);
  });

  test('a flood without end starves neither timers nor asks nor a stop', async () => {
    const { runtime } = await talking(threadId);
    const [one, ticking] = [await runtime.spawn('echo', { id: 'x' }), await runtime.spawn('ticking')];
    const two = await runtime.spawn('mirror', { id: 'y' });
    for (let i = 0; i < 50; i++) one.send({ type: 'ball', to: 'mirror/y' });
    const count = (): Promise<unknown> => two.ask({ type: 'count' });
    await expect.poll(count, patient).toBeGreaterThan(1000);
    const before = (await ticking.ask({ type: 'ticks' })) as number;
    await expect.poll(() => ticking.ask({ type: 'ticks' }), patient).toBeGreaterThan(before + 5);
    await two.stop();
    await one.stop();
    expect(runtime.status().instances.map(({ address }) => address)).toEqual(['ticking/1']);
  });

  test('a runtime stops in the middle of a flood', async () => {
    const { runtime } = await talking(threadId);
    const one = await runtime.spawn('echo', { id: 'x' });
    const two = await runtime.spawn('mirror', { id: 'y' });
    for (let i = 0; i < 50; i++) one.send({ type: 'ball', to: 'mirror/y' });
    await expect.poll(() => two.ask({ type: 'count' }), patient).toBeGreaterThan(200);
    await runtime.stop({ timeoutMs: 8000 });
    expect(runtime.status()).toMatchObject({ state: 'stopped', instances: [] });
  });

  test('nothing is kept of pairs that have ended', async () => {
    const { runtime, letters } = await talking(threadId);
    const ears = await runtime.spawn('visitor', { id: 'ears' });
    const far = await runtime.spawn('visited', { id: 'ears' });
    for (let round = 0; round < 10; round++) {
      const pairs = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const id = `${round}-${i}`;
          const pair = [
            await runtime.spawn('visitor', { id }),
            await runtime.spawn('visited', { id }),
          ] as const;
          await pair[0].deliver({ type: 'visit', to: `visited/${id}` });
          await pair[1].deliver({ type: 'visit', to: `visitor/${id}` });
          return pair;
        }),
      );
      const handled = (): number =>
        runtime.status().instances.reduce((sum, instance) => sum + instance.handled, 0);
      await expect.poll(handled, patient).toBeGreaterThanOrEqual(80);
      await Promise.all(pairs.flat().map((ref) => ref.stop()));
    }
    const nothing = { lines: 0, links: 0, waiting: 0, watches: 0 };
    await expect.poll(() => ears.ask({ type: 'kept' }), patient).toEqual(nothing);
    await expect.poll(() => far.ask({ type: 'kept' }), patient).toEqual(nothing);
    expect(letters).toEqual([]);
  });
});
