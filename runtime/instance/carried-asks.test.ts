import { expect, onTestFinished, test } from 'vitest';
import type { AgentRef } from './agent-ref.ts';
import type { AskToCarry } from './carried-asks.ts';
import { openRuntime, type Runtime, type Surroundings } from '../runtime.ts';

type System = Parameters<NonNullable<Surroundings['onSystem']>>[0];

const WAIT = { timeoutMs: 60_000 };

async function started(): Promise<{ runtime: Runtime; system: System }> {
  let system: System | undefined;
  const runtime = await openRuntime(
    {
      agents: {
        deferring: {
          type: 'thread-bound',
          threadId: 'deferring',
          maxThreads: 1,
          module: new URL('../fixtures/deferring.ts', import.meta.url),
        },
      },
    },
    {},
    { onSystem: (opened) => void (system = opened) },
  );
  onTestFinished(() => runtime.stop());
  return { runtime, system: system as System };
}

/** Asks, and resolves when the agent has put the answer off. */
async function putOff(system: System, { address }: AgentRef): Promise<{ answer: Promise<unknown> }> {
  return new Promise((resolve) => {
    const answer: Promise<unknown> = system.open(
      address,
      'ask',
      { type: 'defer' },
      // A promise that is resolved with one would wait for it.
      { ...WAIT, putOff: () => resolve({ answer }) },
    );
    answer.catch(() => {});
  });
}

/** What goes to another process. */
async function carried(system: System, ref: AgentRef, timeoutMs = 60_000) {
  const snapshot = await ref.persist();
  const asks = await system.putOff(ref.address);
  const answers: Promise<unknown>[] = [];
  const toCarry = asks.map(({ incarnation, ask }): AskToCarry => {
    const taken = (answer: Promise<unknown>): void => {
      answer.catch(() => {});
      answers.push(answer);
    };
    return { incarnation, ask, timeoutMs, taken };
  });
  return { snapshot, asks: toCarry, answers };
}

test('asks that an agent has put off are answered by its next incarnation in another runtime, each with its own answer', async () => {
  const before = await started();
  const ref = await before.runtime.spawn('deferring', { id: 'a' });
  await putOff(before.system, ref);
  await putOff(before.system, ref);
  const { answers, ...state } = await carried(before.system, ref);
  expect(state.asks).toHaveLength(2);
  await before.runtime.stop();
  const after = await started();
  const next = await after.system.spawn('deferring', { id: 'a', ...state });
  await next.ask({ type: 'answer', value: 'one' }, WAIT).catch(() => {});
  expect(await answers[0]).toBe('one');
  next.send({ type: 'answer', value: 'two' });
  expect(await answers[1]).toBe('two');
});

test('an ask goes on over a second runtime, and from there over a third', async () => {
  const first = await started();
  const ref = await first.runtime.spawn('deferring', { id: 'a' });
  await putOff(first.system, ref);
  const { answers: lost, ...state } = await carried(first.system, ref);
  expect(lost).toEqual([]);
  await first.runtime.stop();

  const second = await started();
  const next = await second.system.spawn('deferring', { id: 'a', ...state });
  const { answers, ...again } = await carried(second.system, next);
  // Its token is that of the first incarnation still.
  expect(again.asks.map(({ ask }) => ask)).toEqual(state.asks.map(({ ask }) => ask));
  await second.runtime.stop();

  const third = await started();
  const last = await third.system.spawn('deferring', { id: 'a', ...again });
  last.send({ type: 'answer', value: 'at last' });
  expect(await answers[0]).toBe('at last');
});

test('whoever waits for a carried ask hears it when the instance cannot start, stops, or takes too long', async () => {
  const before = await started();
  const ref = await before.runtime.spawn('deferring', { id: 'a' });
  await putOff(before.system, ref);
  const stopped = await carried(before.system, ref);
  const late = await carried(before.system, ref, 1);
  const unstarted = await carried(before.system, ref);
  await before.runtime.stop();

  const first = await started();
  const next = await first.system.spawn('deferring', { id: 'a', ...stopped });
  await next.stop();
  await expect(stopped.answers[0]).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  await first.system.spawn('deferring', { id: 'b', ...late });
  await expect(late.answers[0]).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  const broken = {
    ...unstarted,
    snapshot: { ...unstarted.snapshot, snapshot: { status: 'active', value: 'nowhere' } },
  };
  await expect(first.system.spawn('deferring', { id: 'c', ...broken })).rejects.toThrow('Cannot convert');
  await expect(unstarted.answers[0]).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
});

test('an instance that moves to another thread takes along what it has put off, and nobody waits for it to move', async () => {
  const { runtime, system } = await started();
  const ref = await runtime.spawn('deferring', { id: 'a' });
  const first = await putOff(system, ref);
  const { thread } = ref;
  expect(await runtime.recycle()).toEqual({ threads: 1, moved: 1, restarted: [] });
  expect(ref.thread).not.toBe(thread);
  const second = await putOff(system, ref);
  // Once more, with one of the first thread and one of the second.
  expect(await runtime.recycle()).toMatchObject({ moved: 1, restarted: [] });
  ref.send({ type: 'answer', value: 'one' });
  ref.send({ type: 'answer', value: 'two' });
  expect(await Promise.all([first.answer, second.answer])).toEqual(['one', 'two']);
});

test('whoever waits for what was put off hears it when the instance stops while it moves', async () => {
  const { runtime, system } = await started();
  const ref = await runtime.spawn('deferring', { id: 'a' });
  const { answer } = await putOff(system, ref);
  const moving = runtime.recycle();
  await ref.stop();
  await moving;
  await expect(answer).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
});
