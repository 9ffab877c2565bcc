import { describe, expect, onTestFinished, test } from 'vitest';
import type { AgentConfig } from 'holdfast';
import { createTestRuntime, type TestRuntime } from 'holdfast/testing';

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function talker(threadId: string): AgentConfig {
  const module = new URL('../fixtures/talkers.ts', import.meta.url);
  return { type: 'thread-bound', threadId, maxThreads: 1, module };
}

async function talkers(threads: boolean, seed?: number): Promise<TestRuntime> {
  const runtime = await createTestRuntime(
    { agents: { one: talker('a'), other: talker('b') } },
    { logger, threads, ...(seed !== undefined && { seed }) },
  );
  onTestFinished(() => runtime.stop());
  return runtime;
}

const note = (text: number): object => ({ event: { type: 'note', text }, from: 'one/a' });

describe.each([
  ['in process', false],
  ['on real threads', true],
])('agents that send to each other %s', (_where, threads) => {
  test('are settled when everything between them is handled', async () => {
    const runtime = await talkers(threads);
    const a = await runtime.spawn('one', { id: 'a' });
    const b = await runtime.spawn('other', { id: 'b' });
    for (let text = 1; text <= 3; text++) {
      a.send({ type: 'forward', to: 'other/b', event: { type: 'note', text } });
      await runtime.settled();
      const { context } = (await b.snapshot()) as unknown as { context: { heard: unknown[] } };
      expect(context.heard).toEqual(Array.from({ length: text }, (_, i) => note(i + 1)));
    }
  });

  test('lose nothing when the thread of the other is killed between two events', async () => {
    const runtime = await talkers(threads);
    const a = await runtime.spawn('one', { id: 'a' });
    const b = await runtime.spawn('other', { id: 'b' });
    a.send({ type: 'forward', to: 'other/b', event: { type: 'note', text: 1 } });
    await runtime.settled();
    const kill = runtime.faults.killThread('other/b');
    await runtime.settled();
    expect(kill.fired).toBe(true);
    a.send({ type: 'forward', to: 'other/b', event: { type: 'note', text: 2 } });
    await runtime.clock.advance(2000);
    expect(await b.ask({ type: 'heard' })).toEqual([note(2)]);
    expect(b.incarnation).toBe(2);
    expect(runtime.deadLetters.list()).toEqual([]);
  });
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'an event for an agent that is about to run again is for its next incarnation, whatever the order (seed %i)',
  async (seed) => {
    const runtime = await talkers(false, seed);
    const a = await runtime.spawn('one', { id: 'a' });
    const b = await runtime.spawn('other', { id: 'b' });
    a.send({ type: 'forward', to: 'other/b', event: { type: 'note', text: 1 } });
    await runtime.settled();
    runtime.faults.killThread('other/b');
    await runtime.settled();
    a.send({ type: 'forward', to: 'other/b', event: { type: 'note', text: 2 } });
    await runtime.clock.advance(2000);
    expect(await b.ask({ type: 'heard' })).toEqual([note(2)]);
  },
);

test('the order of what is sent between threads follows from the seed', async () => {
  const traces = [];
  for (const seed of [5, 5, 6]) {
    const runtime = await talkers(false, seed);
    const a = await runtime.spawn('one', { id: 'a' });
    await runtime.spawn('other', { id: 'b' });
    for (let text = 1; text <= 20; text++) {
      a.send({ type: 'forward', to: 'other/b', event: { type: 'note', text } });
      if (text % 5 === 0) await runtime.settled();
    }
    runtime.faults.killThread('one/a');
    await runtime.clock.advance(5000);
    traces.push(runtime.trace.join('\n'));
  }
  expect(traces[1]).toBe(traces[0]);
  expect(traces[2]).not.toBe(traces[0]);
});
