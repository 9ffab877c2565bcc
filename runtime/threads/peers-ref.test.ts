import { describe, expect, test } from 'vitest';
import { places, talking } from '../fixtures/talking.ts';

describe.each(places)('a reference to an agent %s', (_where, threadId) => {
  test('works from a module, from context, after an await and with a delay', async () => {
    const { runtime } = await talking(threadId);
    const talker = await runtime.spawn('talker', { id: 'b' });
    await runtime.spawn('asker', { id: 'b' });
    const holder = await runtime.spawn('holder', { id: 'a' });
    // After an await nobody knows whose turn it was.
    expect(await holder.ask({ type: 'later' })).toEqual([null, null]);
    await holder.deliver({ type: 'delayed' });
    await holder.deliver({ type: 'kept' });
    await expect
      .poll(() => talker.ask({ type: 'heard' }))
      .toEqual([
        { event: { type: 'note', text: 'kept' }, from: 'holder/a' },
        { event: { type: 'note', text: 'later' }, from: 'holder/a' },
      ]);
    const { context } = (await holder.snapshot()) as unknown as { context: { kept: object } };
    expect(context.kept).toMatchObject({ address: 'talker/b' });
    expect(JSON.stringify(await holder.persist())).toContain('talker/b');
  });

  test('leads back to the sender; the host is nobody', async () => {
    const { runtime } = await talking(threadId);
    const talker = await runtime.spawn('talker', { id: 'a' });
    const other = await runtime.spawn('other', { id: 'b' });
    await talker.deliver({ type: 'forward', to: 'other/b', event: { type: 'reply to sender' } });
    await expect
      .poll(() => talker.ask({ type: 'heard' }))
      .toEqual([{ event: { type: 'note', text: 'back' }, from: 'other/b' }]);
    expect(await other.ask({ type: 'reply to sender' })).toBeNull();
  });

  test('tells of the end of what runs there, once, and at once where nothing does', async () => {
    const { runtime } = await talking(threadId);
    const holder = await runtime.spawn('holder', { id: 'a' });
    const talker = await runtime.spawn('talker', { id: 'b' });
    const ends = (): Promise<unknown> => holder.ask({ type: 'ends' });
    const first = { address: 'talker/b', incarnation: 1, reason: 'error' };
    const second = { address: 'talker/b', incarnation: 2, reason: 'stopped' };
    const none = { address: 'talker/b', incarnation: 0, reason: 'stopped' };
    await holder.deliver({ type: 'watch', to: 'talker/b' });
    talker.send({ type: 'fail' });
    await expect.poll(ends).toEqual([first]);
    await expect.poll(() => talker.incarnation).toBe(2);
    await holder.deliver({ type: 'watch', to: 'talker/b' });
    await talker.stop();
    await expect.poll(ends).toEqual([first, second]);
    await holder.deliver({ type: 'watch', to: 'talker/b' });
    await expect.poll(ends).toEqual([first, second, none]);
    await holder.deliver({ type: 'watch', to: 'nobody/x' });
    await expect.poll(ends).toEqual([first, second, none, { ...none, address: 'nobody/x' }]);
  });

  test('what comes over it counts as handled in the status', async () => {
    const { runtime, talker, recorder } = await talking(threadId);
    const [a, b] = [await talker(), await recorder()];
    a.send({ type: 'flood', to: 'recorder/b', last: 100, odd: { 50: 'fail' } });
    await expect.poll(() => b.handled().length).toBe(100);
    const handled = (): number | undefined =>
      runtime.status().instances.find(({ address }) => address === 'recorder/b')?.handled;
    await expect.poll(handled).toBe(100);
    await b.ref.ask({ type: 'count' });
    await expect.poll(handled).toBe(101);
  });
});
