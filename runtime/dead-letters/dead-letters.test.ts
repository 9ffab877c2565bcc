import { expect, test } from 'vitest';
import type { DeadLetter, HoldfastError } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

test('an event that cannot be cloned becomes a dead letter, and those around it arrive in order', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process');
  const letters: DeadLetter[] = [];
  runtime.on('dead-letter', (letter) => letters.push(letter));
  ref.send({ type: 'note', n: 1 });
  ref.send({ type: 'note', n: () => 2 });
  ref.send({ type: 'note', n: 3 });
  ref.send({
    type: 'note',
    get n(): number {
      throw new Error('no');
    },
  });
  const { context } = (await ref.snapshot()) as { context: { seen: number[] } };
  expect(context.seen).toEqual([1, 3]);
  expect(letters.map(({ reason, address }) => ({ reason, address }))).toEqual([
    { reason: 'unclonable', address: ref.address },
    { reason: 'unclonable', address: ref.address },
  ]);
  await expect(ref.deliver({ type: 'note', n: () => 2 })).rejects.toMatchObject({
    code: 'MESSAGE_UNCLONABLE',
  });
});

test('an event over the size limit becomes a dead letter before anything is copied', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  const payload = 'x'.repeat(1024 * 1024 + 1);
  ref.send({ type: 'inc', payload });
  await expect(ref.deliver({ type: 'inc', payload })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  await expect(ref.ask({ type: 'read', payload })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  expect(runtime.deadLetters.list().map(({ reason }) => reason)).toEqual(Array(3).fill('too-large'));
  expect(await ref.ask({ type: 'read' })).toBe(0);
});

test('a full mailbox refuses what comes on top, counting what is not acknowledged yet', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { mailbox: { capacity: 10 } }) } });
  const ref = await runtime.spawn('counter');
  for (let i = 0; i < 25; i++) ref.send({ type: 'inc' });
  await expect(ref.deliver({ type: 'inc' })).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
  expect(runtime.deadLetters.list()).toHaveLength(16);
  expect((await ref.snapshot()).context.n).toBe(10);
  await ref.deliver({ type: 'inc' });
  expect(await ref.ask({ type: 'read' })).toBe(11);
});

test('what waits for a stopped instance, and what comes later, becomes dead letters', async () => {
  const runtime = await start({ agents: { process: fixture('process') } });
  const ref = await runtime.spawn('process');
  await ref.deliver({ type: 'note', n: 0 });
  const late = [ref.deliver({ type: 'spin', ms: 50 })];
  for (let n = 1; n <= 3; n++) late.push(ref.deliver({ type: 'note', n }));
  const ended = Promise.allSettled(late);
  await ref.stop();
  const refused = (await ended).filter((result) => result.status === 'rejected');
  expect(refused.map(({ reason }) => (reason as HoldfastError).code)).toEqual(
    refused.map(() => 'AGENT_STOPPED'),
  );
  ref.send({ type: 'note', n: 4 });
  const handled = (await ended).filter(({ status }) => status === 'fulfilled').length;
  expect(handled + runtime.deadLetters.list().length).toBe(late.length + 1);
  expect(runtime.deadLetters.list().every(({ reason }) => reason === 'stopped')).toBe(true);
  await expect(ref.ask({ type: 'env' })).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
});

test('events behind the one that ended a machine become dead letters', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  const ended = nextEvent<{ state: string }>(
    (listener) => runtime.on('agent', listener),
    ({ state }) => state === 'ended',
  );
  ref.send({ type: 'inc' });
  ref.send({ type: 'finish' });
  for (let i = 0; i < 5; i++) ref.send({ type: 'inc' });
  await ended;
  expect(ref.getSnapshot()).toMatchObject({ status: 'done', output: { total: 1 } });
  expect(runtime.deadLetters.list().map(({ reason }) => reason)).toEqual(Array(5).fill('stopped'));
});

test('an event to the parent of an agent that has none becomes a dead letter', async () => {
  const runtime = await start({ agents: { callback: fixture('logics', { export: 'callback' }) } });
  const ref = await runtime.spawn('callback');
  const letter = nextEvent<DeadLetter>((listener) => runtime.on('dead-letter', listener));
  ref.send({ type: 'ping' });
  expect(await letter).toMatchObject({ reason: 'unknown-address', event: { type: 'pong', pings: 1 } });
});

test('a listener that throws disturbs neither the runtime nor other listeners', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { mailbox: { capacity: 1 } }) } });
  const ref = await runtime.spawn('counter');
  runtime.on('dead-letter', () => {
    throw new Error('a bad listener');
  });
  let heard = 0;
  runtime.on('dead-letter', () => (heard += 1));
  ref.send({ type: 'inc' });
  ref.send({ type: 'inc' });
  expect(heard).toBe(1);
  expect((await ref.snapshot()).context.n).toBe(1);
});
