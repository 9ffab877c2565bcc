import { describe, expect, test } from 'vitest';
import type { AgentRef, Runtime, RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { unreadable } from '../fixtures/unreadable.ts';

const WAIT = { timeoutMs: 20_000 };
const patient = { timeout: 60_000, interval: 20 };
const supervision = {
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 1000, withinMs: 1000 },
} as const;

async function world(): Promise<{ runtime: Runtime; one: AgentRef; beside: AgentRef; other: AgentRef }> {
  const runtime = (await start({
    agents: {
      garbling: fixture('garbling', { threadId: 'one', supervision }),
      other: fixture('garbling', { threadId: 'two', supervision }),
    },
  })) as Runtime;
  const one = await runtime.spawn('garbling', { id: 'a' });
  const beside = await runtime.spawn('garbling', { id: 'b' });
  return { runtime, one, beside, other: await runtime.spawn('other', { id: 'c' }) };
}

const ended = (ref: AgentRef): Promise<string> =>
  new Promise((resolve) => {
    ref.watch(({ reason }) => resolve(reason));
  });

describe('a thread that sends what the host cannot read', () => {
  test.each(['reply', 'emit', 'keep'])(
    'is ended as failed (%s), and all who ran there go on',
    async (type) => {
      const { one, beside, other } = await world();
      one.subscribe({ next: () => {}, error: () => {} });
      one.on('*', () => {});
      const ends = Promise.all([ended(one), ended(beside)]);
      const asks = await Promise.allSettled([one.ask({ type }, WAIT), beside.ask({ type: 'read' }, WAIT)]);
      expect(await ends).toEqual(['error', 'error']);
      // Who hears of it hears why.
      const told = asks.map((ask) => (ask.status === 'rejected' ? (ask.reason as Error).message : ''));
      expect(told.join()).toMatch(/sent what the host cannot read|without a reply/);
      await expect.poll(() => [one.incarnation, beside.incarnation], patient).toEqual([2, 2]);
      expect(await one.ask({ type: 'read' }, WAIT)).toBe(0);
      expect(await beside.ask({ type: 'read' }, WAIT)).toBe(0);
      expect([await other.ask({ type: 'read' }, WAIT), other.incarnation]).toEqual([0, 1]);
    },
  );
});

test('a thread that cannot read what the host sends is ended as failed, and its neighbours go on', async () => {
  const { runtime, one, beside } = await world();
  const end = ended(one);
  const again = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    ({ state }) => state === 'running',
  );
  const asked = one.ask({ type: 'read', it: unreadable() }, { timeoutMs: 3000 });
  await expect(asked).rejects.toMatchObject({
    code: expect.stringMatching(/THREAD_CRASHED|ASK_TIMEOUT/) as string,
  });
  expect(await end).toBe('error');
  await again;
  expect(await beside.ask({ type: 'read' }, WAIT)).toBe(0);
});

describe('between two threads', () => {
  test('an event that cannot be read is a dead letter, neither is ended, and they go on', async () => {
    const { runtime, one, beside, other } = await world();
    await one.deliver({ type: 'flood', to: other.address, times: 3 }, WAIT);
    await expect.poll(() => other.ask({ type: 'read' }, WAIT), patient).toBe(3);
    await other.deliver({ type: 'flood', to: beside.address, times: 2 }, WAIT);
    const letter = nextEvent((listener) => runtime.on('dead-letter', listener));

    await one.deliver({ type: 'tell', to: other.address }, WAIT);
    expect(await letter).toMatchObject({ reason: 'unclonable', address: other.address });

    await one.deliver({ type: 'flood', to: other.address, times: 40 }, WAIT);
    await beside.deliver({ type: 'flood', to: other.address, times: 5 }, WAIT);
    await other.deliver({ type: 'flood', to: beside.address, times: 4 }, WAIT);
    await expect.poll(() => other.ask({ type: 'read' }, WAIT), patient).toBe(48);
    await expect.poll(() => beside.ask({ type: 'read' }, WAIT), patient).toBe(6);
    expect([one.incarnation, beside.incarnation, other.incarnation]).toEqual([1, 1, 1]);
    expect(runtime.deadLetters.list()).toHaveLength(1);
  });

  test('an answer that cannot be read is one that cannot be cloned, and they go on', async () => {
    const { one, other } = await world();
    const question = { to: other.address };
    expect(await one.ask({ type: 'ask', question }, WAIT)).toBe('REPLY_UNCLONABLE');
    expect(await one.ask({ type: 'ask', question: { ...question, type: 'read' } }, WAIT)).toBe(0);
    expect([one.incarnation, other.incarnation]).toEqual([1, 1]);
  });
});
