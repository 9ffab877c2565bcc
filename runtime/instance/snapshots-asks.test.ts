import { expect, test } from 'vitest';
import type { RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const keeping = (minMs: number) =>
  fixture('ledger', {
    supervision: { state: 'snapshot', backoff: { minMs, maxMs: minMs, factor: 1, jitter: 0 } },
  });

test('an ask is answered when its event is in the state, and not when the failure of a later one takes it back', async () => {
  const runtime = await start({ agents: { ledger: keeping(1) } });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  const incarnation = () => ref.ask({ type: 'incarnation' });
  expect(await incarnation()).toBe(1);
  // All in one go of the thread, which is busy until they are there: when the last fails, the first is not in any state that
  // the host has.
  ref.send({ type: 'spin', ms: 100 });
  const before = [ref.ask({ type: 'incarnation' }), ref.ask({ type: 'incarnation' })];
  ref.send({ type: 'fail' });
  expect(await Promise.all(before)).toEqual([2, 2]);
  expect(await incarnation()).toBe(2);
});

test('an event whose time is up is one dead letter, also when its thread ends before that is acknowledged', async () => {
  const runtime = await start({ agents: { ledger: keeping(20) } });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  const again = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    (event) => event.state === 'running',
  );
  ref.send({ type: 'spin', ms: 50 });
  const late = ref.ask({ type: 'incarnation' }, { timeoutMs: 10 });
  ref.send({ type: 'exit' });
  await expect(late).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  await again;
  expect(await ref.ask({ type: 'incarnation' })).toBe(2);
  expect(
    runtime.deadLetters.list().map(({ event, reason }) => [(event as { type: string }).type, reason]),
  ).toEqual([
    ['incarnation', 'expired'],
    ['exit', 'poison'],
  ]);
});

test('a stream that has begun is cut, and not read twice, when the failure of a later event takes its own back', async () => {
  const runtime = await start({ agents: { ledger: keeping(1) } });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  for (const end of ['fail', 'exit']) {
    const got: unknown[] = [];
    const stream = ref.askStream({ type: 'write' });
    ref.send({ type: end });
    const reading = async (): Promise<void> => {
      for await (const chunk of stream) got.push(chunk);
    };
    await expect(reading()).rejects.toThrow(end === 'fail' ? 'failed on purpose' : 'exit');
    expect(got).toEqual(['first']);
    await expect(stream.result).rejects.toBeInstanceOf(Error);
  }
});
