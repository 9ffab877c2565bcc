import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AgentRef, DeadLetter, HoldfastError, Logger, RuntimeEvents } from 'holdfast';
import { createTestRuntime } from 'holdfast/testing';
import { noted } from '../fixtures/noted.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };

/** One dead letter in a runtime whose instance `process/a` has ended. */
async function startWithLetter() {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const letters: DeadLetter[] = [];
  runtime.on('dead-letter', (letter) => letters.push(letter));
  const ref = await runtime.spawn('process', { id: 'a' });
  await ref.stop();
  ref.send({ type: 'note', n: 7 });
  return { runtime, letters };
}

const seen = async (ref: Pick<AgentRef, 'snapshot'>): Promise<number[]> =>
  ((await ref.snapshot()) as { context: { seen: number[] } }).context.seen;

test('a replayed letter reaches the instance that has the address now, and is no longer listed', async () => {
  const { runtime, letters } = await startWithLetter();
  const next = await runtime.spawn('process', { id: 'a' });
  await runtime.deadLetters.replay('1');
  expect(await seen(next)).toEqual([7]);
  expect(runtime.deadLetters.list()).toEqual([]);
  expect(letters).toHaveLength(1);
  expect(runtime.status().deadLetters).toBe(1);
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'REPLAY_REFUSED' });
});

test('where nobody is, the letter stays as it is and may be replayed later', async () => {
  const { runtime, letters } = await startWithLetter();
  const before = runtime.deadLetters.list();
  for (let i = 0; i < 5; i++)
    await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  expect(runtime.deadLetters.list()).toEqual(before);
  expect(letters).toHaveLength(1);
  const next = await runtime.spawn('process', { id: 'a' });
  await runtime.deadLetters.replay('1');
  expect(await seen(next)).toEqual([7]);
});

test('an instance that is stopping is sent no replay', async () => {
  const { runtime, letters } = await startWithLetter();
  const next = await runtime.spawn('process', { id: 'a' });
  next.send({ type: 'spin', ms: 100 });
  const stopping = next.stop();
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  await stopping;
  expect(letters.filter(({ id }) => id === '1')).toMatchObject([{ replays: 0 }]);
});

test('a letter that fails again keeps its id, is told again, and is refused after three replays', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const letters: DeadLetter[] = [];
  runtime.on('dead-letter', (letter) => letters.push(letter));
  const ref = await runtime.spawn('process', { id: 'a' });
  const poison = { type: 'exit', code: 1 } as const;
  await expect(ref.deliver(poison)).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  for (let i = 0; i < 3; i++)
    await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({
    code: 'REPLAY_REFUSED',
    message: expect.stringContaining('3 replays') as string,
  });
  expect(
    letters.map(({ id, replays, incarnation, reason }) => ({ id, replays, incarnation, reason })),
  ).toEqual(
    [0, 1, 2, 3].map((replays) => ({ id: '1', replays, incarnation: replays + 1, reason: 'poison' })),
  );
  expect(runtime.deadLetters.list()).toEqual([letters[3]]);
  expect(runtime.deadLetters.list()[0]?.event).toBe(poison);
  expect(runtime.status().deadLetters).toBe(1);
});

test('a listener may replay what it is told of, up to three times', async () => {
  const runtime = await start({ agents: { process: fixture('process', { supervision: quick }) } });
  const outcomes: string[] = [];
  const refused = new Promise<void>((resolve) => {
    runtime.on('dead-letter', ({ id }) => {
      runtime.deadLetters.replay(id).catch(({ code }: HoldfastError) => {
        outcomes.push(code);
        if (code === 'REPLAY_REFUSED') resolve();
      });
    });
  });
  const ref = await runtime.spawn('process');
  ref.send({ type: 'exit', code: 1 });
  await refused;
  expect(outcomes.filter((code) => code === 'THREAD_CRASHED').length).toBeLessThanOrEqual(3);
  expect(runtime.deadLetters.list()).toMatchObject([{ id: '1', replays: 3 }]);
});

test('of two replays of one letter at a time the second is refused', async () => {
  const { runtime } = await startWithLetter();
  const next = await runtime.spawn('process', { id: 'a' });
  const first = runtime.deadLetters.replay('1');
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({
    code: 'REPLAY_REFUSED',
    message: expect.stringContaining('being replayed') as string,
  });
  await first;
  expect(await seen(next)).toEqual([7]);
});

test('a replay waits in the mailbox like every other event, and is taken over by the next incarnation', async () => {
  const { runtime } = await startWithLetter();
  const next = await runtime.spawn('process', { id: 'a' });
  next.send({ type: 'exit', code: 1 });
  await runtime.deadLetters.replay('1');
  expect(next.incarnation).toBe(2);
  expect(await seen(next)).toEqual([7]);
  expect(runtime.deadLetters.list()).toMatchObject([{ id: '2', event: { type: 'exit' } }]);
});

test('an event that is sent again beside its replay is a letter of its own', async () => {
  const runtime = await start({ agents: { process: fixture('process', { mailbox: { capacity: 1 } }) } });
  const event = { type: 'note', n: 1 } as const;
  const ref = await runtime.spawn('process', { id: 'a' });
  ref.send(event);
  ref.send(event);
  await ref.snapshot();
  const replay = runtime.deadLetters.replay('1');
  ref.send(event);
  await replay;
  expect(runtime.deadLetters.list()).toMatchObject([{ id: '2', replays: 0, reason: 'mailbox-full' }]);
  expect(await seen(ref)).toEqual([1, 1]);
});

test('a full mailbox refuses a replay, and the letter stays', async () => {
  const runtime = await start({ agents: { process: fixture('process', { mailbox: { capacity: 1 } }) } });
  const ref = await runtime.spawn('process', { id: 'a' });
  ref.send({ type: 'note', n: 1 });
  ref.send({ type: 'note', n: 2 });
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
  expect(runtime.deadLetters.list()).toMatchObject([{ id: '1', replays: 1, reason: 'mailbox-full' }]);
  await ref.snapshot();
  await runtime.deadLetters.replay('1');
  expect(await seen(ref)).toEqual([1, 2]);
});

test('what is not kept, or was for a parent that is not there, cannot be replayed', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter'), callback: fixture('logics', { export: 'callback' }) },
  });
  const counter = await runtime.spawn('counter');
  counter.send({ type: 'inc', payload: 'x'.repeat(2 * 1024 * 1024) });
  const callback = await runtime.spawn('callback');
  const letter = nextEvent<RuntimeEvents['dead-letter']>((listener) => runtime.on('dead-letter', listener));
  callback.send({ type: 'ping' });
  expect(await letter).toMatchObject({ id: '2', toParent: true });
  const refusals: [id: string, why: string][] = [
    ['1', 'its event is not kept'],
    ['2', 'sent to a parent'],
    ['3', 'it is not kept'],
    ['01', 'it is not kept'],
    ['', 'it is not kept'],
  ];
  for (const [id, why] of refusals)
    await expect(runtime.deadLetters.replay(id)).rejects.toMatchObject({
      code: 'REPLAY_REFUSED',
      message: expect.stringContaining(why) as string,
    });
  expect(runtime.deadLetters.list()).toHaveLength(2);
  await runtime.stop();
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'RUNTIME_STOPPED' });
});

test('an event that cannot be cloned cannot be cloned when it is replayed either', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process');
  ref.send({ type: 'note', n: () => 1 });
  await ref.snapshot();
  await expect(runtime.deadLetters.replay('1')).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
  expect(runtime.deadLetters.list()).toMatchObject([{ id: '1', replays: 1, reason: 'unclonable' }]);
});

test('dead letters are logged without what was in them, except where the config has them dropped', async () => {
  const lines: object[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    error() {},
    warn: (fields, message) => void lines.push({ ...fields, message }),
  };
  const dropping = { capacity: 1, overflow: 'drop-newest' } as const;
  const runtime = await start(
    {
      agents: {
        strict: fixture('process', { mailbox: { capacity: 1 } }),
        dropping: fixture('process', { mailbox: dropping }),
      },
    },
    { logger },
  );
  for (const agent of ['dropping', 'strict'] as const) {
    const ref = await runtime.spawn(agent, { id: 'a' });
    for (let n = 0; n < 21; n++) ref.send({ type: 'note', n: 'do not log this' });
  }
  expect(runtime.status().deadLetters).toBe(40);
  expect(lines).toHaveLength(10);
  expect(lines[0]).toEqual({
    address: 'strict/a',
    reason: 'mailbox-full',
    type: 'note',
    id: '21',
    message: 'an event became a dead letter',
  });
  await runtime.stop();
  expect(lines.slice(10)).toMatchObject([{ notLogged: 10 }]);
  expect(JSON.stringify(lines)).not.toContain('do not log');
});

type Step = 'send' | 'spawn' | 'stop' | 'kill' | 'replay one' | 'replay all' | 'settle' | 'time';

test('with any replays, stops and lost threads each event is handled once, or is one dead letter', async () => {
  const step = fc.constantFrom<Step>(
    'send',
    'send',
    'spawn',
    'stop',
    'kill',
    'replay one',
    'replay all',
    'settle',
    'time',
  );
  const steps = fc.array(step, { minLength: 5, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (steps, seed) => {
      noted.length = 0;
      const agent = fixture('noted', { mailbox: { capacity: 3 }, supervision: quick });
      const runtime = await createTestRuntime({ agents: { agent } }, { logger: silent, seed });
      const others: Promise<unknown>[] = [];
      const attempt = (promise: Promise<unknown> | undefined): void => {
        if (promise !== undefined) others.push(promise.catch(() => {}));
      };
      let ref: AgentRef = await runtime.spawn('agent', { id: 'a' });
      let sent = 0;
      for (const step of steps) {
        if (step === 'send') ref.send({ type: 'note', n: sent++ });
        else if (step === 'spawn') {
          attempt(runtime.getOrSpawn('agent', 'a').then((next) => (ref = next as AgentRef)));
        } else if (step === 'stop') attempt(ref.stop());
        else if (step === 'kill') {
          if (ref.thread > 0) runtime.faults.killThread('pool');
        } else if (step === 'replay one') {
          attempt(runtime.deadLetters.replay(runtime.deadLetters.list()[0]?.id ?? ''));
        } else if (step === 'replay all') {
          for (const { id } of runtime.deadLetters.list()) attempt(runtime.deadLetters.replay(id));
        } else if (step === 'settle') await runtime.settled();
        else await runtime.clock.advance(20);
      }
      await runtime.clock.advance(60_000);
      await Promise.all(others);
      const letters = runtime.deadLetters.list();
      const dead = letters.map(({ event }) => (event as { n: number }).n);
      const all = Array.from({ length: sent }, (_, n) => n);
      expect([...noted, ...dead].toSorted((a, b) => a - b)).toEqual(all);
      expect(new Set(letters.map(({ id }) => id)).size).toBe(letters.length);
      expect(letters.every(({ replays }) => replays <= 3)).toBe(true);
      await runtime.stop();
    }),
    { numRuns: Number(process.env['HOLDFAST_RUNS'] ?? 50) },
  );
});
