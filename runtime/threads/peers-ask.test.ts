import { describe, expect, test } from 'vitest';
import type { AgentRef } from 'holdfast';
import { places, talking, type Conversation } from '../fixtures/talking.ts';

type Asked = Promise<{ answer?: unknown; failed?: string; ms?: number }>;

async function asking(threadId: string): Promise<
  Conversation & {
    readonly asker: AgentRef;
    readonly b: Awaited<ReturnType<Conversation['recorder']>>;
    readonly ask: (event: object, more?: object) => Asked;
  }
> {
  const conversation = await talking(threadId);
  const asker = await conversation.runtime.spawn('asker', { id: 'a' });
  const b = await conversation.recorder();
  const ask = (event: object, more: object = {}): Asked =>
    asker.ask({ type: 'relay', to: 'recorder/b', ask: event, ...more }, { timeoutMs: 8000 }) as Asked;
  return { ...conversation, asker, b, ask };
}

describe.each(places)('an ask of an agent to one %s', (_where, threadId) => {
  test('has its answer, its lack of one, or what was wrong with it', async () => {
    const { ask } = await asking(threadId);
    const all = await Promise.all([
      ask({ type: 'count' }),
      ask({ type: 'unclonable' }),
      ask({ type: 'no reply' }),
      ask({ type: 'count' }),
      ask({ type: 'note', n: 1 }, { kind: 'deliver' }),
      ask({ type: 'fail' }, { kind: 'deliver' }),
    ]);
    expect(all.slice(0, 5)).toMatchObject([
      { answer: 0 },
      { failed: 'REPLY_UNCLONABLE' },
      { failed: 'ASK_UNANSWERED' },
      { answer: 0 },
      { answer: 'handled' },
    ]);
  });

  test('that is never answered ends in time, or when it is aborted, and disturbs no other', async () => {
    const { ask } = await asking(threadId);
    const late = ask({ type: 'put off' }, { timeoutMs: 50 });
    const aborted = ask({ type: 'put off' }, { abortMs: 20 });
    expect(await late).toMatchObject({ failed: 'ASK_TIMEOUT' });
    expect(await aborted).toMatchObject({ failed: 'TimeoutError' });
    expect(await ask({ type: 'count' })).toEqual({ answer: 0 });
  });

  test('may be put off and answered later', async () => {
    const { ask, b } = await asking(threadId);
    const answers = [ask({ type: 'put off' }), ask({ type: 'put off' })];
    await ask({ type: 'count' });
    await b.ref.deliver({ type: 'catch up' });
    expect(await Promise.all(answers)).toEqual([{ answer: 'late' }, { answer: 'late' }]);
  });

  test('that was put off ends with the one that put it off', async () => {
    const { ask, b } = await asking(threadId);
    const [stopped] = [ask({ type: 'put off' })];
    await ask({ type: 'count' });
    await b.ref.stop();
    expect((await stopped)?.failed).toMatch(/ASK_UNANSWERED|AGENT_STOPPED/);
    expect(await ask({ type: 'count' })).toMatchObject({ failed: 'AGENT_STOPPED' });
  });

  test('ends with what the other failed with', async () => {
    const { ask } = await asking(threadId);
    const [putOff, failed] = [ask({ type: 'put off' }), ask({ type: 'fail' })];
    expect(await failed).toMatchObject({ failed: 'Error' });
    expect(await putOff).toMatchObject({ failed: 'Error' });
    expect(await ask({ type: 'count' })).toEqual({ answer: 0 });
  });

  test('takes no longer than the ask that led to it', async () => {
    const { ask, asker, runtime } = await asking(threadId);
    const visitor = await runtime.spawn('visitor');
    const inner = { type: 'relay', to: 'recorder/b', ask: { type: 'put off' } };
    const outer = asker.ask({ type: 'relay', to: 'asker/a', ask: inner, timeoutMs: 300 });
    expect(JSON.stringify(await outer)).toContain('ASK_TIMEOUT');
    // Its own 5 s are not over yet.
    await expect.poll(() => visitor.ask({ type: 'kept' })).toMatchObject({ waiting: 0 });
    expect(await ask({ type: 'count' })).toEqual({ answer: 0 });
  });

  test('is refused when 32 asks wait for each other already', async () => {
    const { runtime } = await talking(threadId);
    const one = await runtime.spawn('circle', { id: 'x' });
    await runtime.spawn('opposite', { id: 'y' });
    const round = { type: 'round', self: 'circle/x', other: 'opposite/y' };
    expect(await one.ask(round)).toEqual({ code: 'ASK_TOO_DEEP', retryable: false, depth: 32 });
  });

  test('of what is no event, too large, or at no address says so', async () => {
    const { ask, letters, asker, runtime } = await asking(threadId);
    expect(await ask({ no: 'type' })).toMatchObject({ failed: 'MESSAGE_UNCLONABLE' });
    expect(await ask({ type: 'count' }, { pad: 2 ** 20 })).toMatchObject({
      failed: 'MESSAGE_TOO_LARGE',
    });
    const nobody = { type: 'relay', to: 'nobody/x', ask: { type: 'count' } };
    expect(await asker.ask(nobody)).toMatchObject({ failed: 'AGENT_STOPPED' });
    await expect
      .poll(() => letters.map(({ reason }) => reason))
      .toEqual(['unclonable', 'too-large', 'unknown-address']);
    expect(runtime.deadLetters.list()[1]).toMatchObject({ truncated: true, event: { type: 'count' } });
  });

  test('finds the mailbox full when as much of it as it has is under way', async () => {
    const { talker, recorder, letters, runtime } = await talking(threadId, { mailbox: { capacity: 40 } });
    const [a, asker, b] = [await talker(), await runtime.spawn('asker', { id: 'a' }), await recorder()];
    await a.deliver({ type: 'flood', to: 'recorder/b', last: 1 });
    await expect.poll(() => b.handled().length).toBe(1);
    await a.deliver({ type: 'flood', to: 'recorder/b', first: 2, last: 61 });
    await expect.poll(() => b.handled().length + letters.length).toBe(61);
    expect(b.handled()).toHaveLength(41);
    expect(new Set(letters.map(({ reason }) => reason))).toEqual(new Set(['mailbox-full']));
    const relay = { type: 'relay', to: 'recorder/b', ask: { type: 'count' } };
    await asker.ask(relay);
    const asks = await Promise.all(Array.from({ length: 30 }, () => asker.ask(relay)));
    expect(asks).toHaveLength(30);
    expect(asks.filter((ask) => (ask as { failed?: string }).failed === 'MAILBOX_FULL')).not.toHaveLength(30);
  });
});

test('an ask of one whose thread dies ends at once, as do those it had put off', async () => {
  const { ask, letters } = await asking('others');
  const putOff = ask({ type: 'put off' });
  await ask({ type: 'count' });
  const inHand = ask({ type: 'exit' });
  expect(await inHand).toMatchObject({ failed: 'THREAD_CRASHED' });
  expect(await putOff).toMatchObject({ failed: 'THREAD_CRASHED' });
  expect(await ask({ type: 'count' })).toEqual({ answer: 0 });
  expect(letters.map(({ reason }) => reason)).toEqual(['poison']);
});

test('an agent may ask itself, once its turn is over', async () => {
  const { runtime } = await talking();
  const asker = await runtime.spawn('asker', { id: 'a' });
  expect(await asker.ask({ type: 'relay', to: 'asker/a', ask: { type: 'whence' } })).toEqual({
    answer: 'asker/a',
  });
});
