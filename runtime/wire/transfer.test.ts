import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { createActor, sendTo, setup } from 'xstate';
import { transfer, type AgentRef, type Runtime, type RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start, startTest } from '../fixtures/start.ts';

const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };
const MB = 1024 * 1024;

async function frames(): Promise<{ runtime: Runtime; ref: AgentRef }> {
  const runtime = (await start({
    agents: { frames: fixture('frames', { supervision: quick }) },
  })) as unknown as Runtime;
  return { runtime, ref: await runtime.spawn('frames', { id: 'a' }) };
}

const pixels = (n: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: n }, (_, i) => i);
const frame = (bytes = pixels(16)) => transfer({ type: 'frame', pixels: bytes }, [bytes.buffer]);

function line(): [ours: MessagePort, theirs: MessagePort] {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  return [port1, port2];
}

const heard = async (port: MessagePort): Promise<unknown> => {
  const [message] = (await once(port, 'message', { signal: AbortSignal.timeout(10_000) })) as unknown[];
  return message;
};

test('what an event transfers moves: the agent has the bytes, the sender an empty buffer', async () => {
  const { ref } = await frames();
  const bytes = pixels(16);
  const event = frame(bytes);
  expect(event.pixels).toBe(bytes);
  expect(await ref.ask(event)).toEqual([0, 1, 2, 3]);
  expect(bytes.byteLength).toBe(0);
});

test('send and deliver transfer as ask does', async () => {
  const { ref } = await frames();
  const events = [frame(), frame()];
  ref.send(events[0]);
  await ref.deliver(events[1]);
  expect(events.map((event) => event.pixels.byteLength)).toEqual([0, 0]);
});

test('an event that is not marked is copied, also after others were marked', async () => {
  const { ref } = await frames();
  await ref.ask(frame());
  const bytes = pixels(16);
  expect(await ref.ask({ type: 'frame', pixels: bytes })).toEqual([0, 1, 2, 3]);
  expect(bytes.byteLength).toBe(16);
});

test('moved memory does not count towards the largest size of an event', async () => {
  const { ref } = await frames();
  await expect(ref.ask({ type: 'frame', pixels: pixels(4 * MB) })).rejects.toMatchObject({
    code: 'MESSAGE_TOO_LARGE',
  });
  expect(await ref.ask(frame(pixels(4 * MB)))).toEqual([0, 1, 2, 3]);
});

test('a port given to an agent works both ways', async () => {
  const { ref } = await frames();
  const [ours, theirs] = line();
  const hello = heard(ours);
  ref.send(transfer({ type: 'line', port: theirs }, [theirs]));
  expect(await hello).toBe('hello');
  const back = heard(ours);
  ours.postMessage('there and');
  expect(await back).toBe('there and back');
});

test('a port that is not marked cannot be sent, and disturbs nobody', async () => {
  const { runtime, ref } = await frames();
  const [, theirs] = line();
  ref.send({ type: 'line', port: theirs });
  expect(await ref.ask({ type: 'plain' })).toBe('plain');
  expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'unclonable' }]);
  theirs.close();
});

test('in a batch with one that cannot be cloned the others move, in their order', async () => {
  const { runtime, ref } = await frames();
  const events = [1, 2, 3].map((n) => frame(pixels(n)));
  const bad = transfer({ type: 'frame', pixels: () => 1 }, [new ArrayBuffer(8)]);
  const answers = [
    ref.ask(events[0]),
    ref.ask({ type: 'function', call: () => 1 }),
    ref.ask(events[1]),
    ref.ask(bad),
    ref.ask(events[2]),
  ];
  const settled = await Promise.allSettled(answers);
  expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason))).toMatchObject([
    [0],
    { code: 'MESSAGE_UNCLONABLE' },
    [0, 1],
    { code: 'MESSAGE_UNCLONABLE' },
    [0, 1, 2],
  ]);
  expect(runtime.deadLetters.list().map(({ event }) => (event as { type: string }).type)).toEqual([
    'function',
    'frame',
  ]);
  expect(events.map((event) => event.pixels.byteLength)).toEqual([0, 0, 0]);
});

test('an event moves once: sent again, at once or later, it is unclonable', async () => {
  const { runtime, ref } = await frames();
  const event = frame();
  const [first, again] = await Promise.allSettled([ref.ask(event), ref.ask(event)]);
  expect(first).toMatchObject({ status: 'fulfilled', value: [0, 1, 2, 3] });
  expect(again).toMatchObject({ status: 'rejected', reason: { code: 'MESSAGE_UNCLONABLE' } });
  await expect(ref.ask(event)).rejects.toMatchObject({
    code: 'MESSAGE_UNCLONABLE',
    cause: { message: expect.stringContaining('once') as string },
  });
  expect(runtime.deadLetters.list()).toMatchObject([
    { reason: 'unclonable', truncated: true, event: { type: 'frame' } },
    { reason: 'unclonable', truncated: true, event: { type: 'frame' } },
  ]);
});

test('two events that move the same memory in one batch: the first has it, the second is unclonable', async () => {
  const { ref } = await frames();
  const bytes = pixels(16);
  const [first, second] = await Promise.allSettled([ref.ask(frame(bytes)), ref.ask(frame(bytes))]);
  expect(first).toMatchObject({ status: 'fulfilled', value: [0, 1, 2, 3] });
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'MESSAGE_UNCLONABLE' } });
});

test('an event whose memory is gone before it is sent is unclonable', async () => {
  const { ref } = await frames();
  const event = frame();
  structuredClone(event.pixels, { transfer: [event.pixels.buffer] });
  await expect(ref.ask(event)).rejects.toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
});

test('a crash takes with it what had moved: dead letters; what was copied reaches the next incarnation', async () => {
  const { runtime, ref } = await frames();
  const fatal = ref.ask({ type: 'exit' });
  const [moved, copied, alsoMoved] = [ref.ask(frame()), ref.ask({ type: 'plain' }), ref.ask(frame())];
  await expect(fatal).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await expect(moved).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await expect(alsoMoved).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  expect(await copied).toBe('plain');
  expect(runtime.deadLetters.list()).toMatchObject([
    { reason: 'poison', event: { type: 'exit' } },
    { reason: 'crashed', event: { type: 'frame' }, truncated: true, incarnation: 1 },
    { reason: 'crashed', event: { type: 'frame' }, truncated: true, incarnation: 1 },
  ]);
  const { id } = runtime.deadLetters.list()[1] as { id: string };
  await expect(runtime.deadLetters.replay(id)).rejects.toMatchObject({ code: 'REPLAY_REFUSED' });
});

test('a moved event that was in hand at a crash is the one dead letter; those behind it are handled', async () => {
  const { runtime, ref } = await frames();
  const bytes = pixels(1);
  const fatal = ref.ask(transfer({ type: 'exit', bytes }, [bytes.buffer]));
  const behind = ref.ask({ type: 'plain' });
  await expect(fatal).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  expect(await behind).toBe('plain');
  expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'poison', event: { type: 'exit' } }]);
});

test('what an instance that failed had not handled of moved events is lost as well, and said', async () => {
  const { runtime, ref } = await frames();
  ref.send({ type: 'fail' });
  const [moved, copied] = [ref.ask(frame()), ref.ask({ type: 'plain' })];
  await expect(moved).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  expect(await copied).toBe('plain');
  expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'crashed', truncated: true }]);
});

test('an event that waited while its instance restarted has not moved, and reaches the next incarnation', async () => {
  const { runtime, ref } = await frames();
  const restarting = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    ({ state }) => state === 'restarting',
  );
  ref.send({ type: 'exit' });
  await restarting;
  expect(await ref.ask(frame())).toEqual([0, 1, 2, 3]);
});

test('a reply may move what it holds, also beside one that cannot be cloned', async () => {
  const { ref } = await frames();
  const [given, bad, left] = await Promise.allSettled([
    ref.ask({ type: 'give' }),
    ref.ask({ type: 'function' }),
    ref.ask({ type: 'plain' }),
  ]);
  expect(given).toMatchObject({ value: { frame: new Uint8Array(8).fill(7) } });
  expect(bad).toMatchObject({ reason: { code: 'REPLY_UNCLONABLE' } });
  expect(left).toMatchObject({ value: 'plain' });
  expect(await ref.ask({ type: 'left' })).toBe(0);
  // What it holds is gone; to reply with it once more is the agent's mistake, and nobody else's.
  await expect(ref.ask({ type: 'give' })).rejects.toMatchObject({ code: 'REPLY_UNCLONABLE' });
});

test('a reply moves once', async () => {
  const { ref } = await frames();
  const [first, again] = await Promise.allSettled([
    ref.ask({ type: 'give.twice' }),
    ref.ask({ type: 'give.twice' }),
  ]);
  expect(first).toMatchObject({ value: { frame: new Uint8Array(4).fill(7) } });
  expect(again).toMatchObject({ reason: { code: 'REPLY_UNCLONABLE' } });
});

test('a reply may hold a port', async () => {
  const { ref } = await frames();
  const { port } = (await ref.ask({ type: 'give.line' })) as { port: MessagePort };
  onTestFinished(() => port.close());
  const back = heard(port);
  port.postMessage('there and');
  expect(await back).toBe('there and back');
});

test('an emitted event may move what it holds', async () => {
  const { ref } = await frames();
  const given = nextEvent<{ type: string; frame: Uint8Array }>((listener) =>
    ref.on('given', listener as never),
  );
  ref.send({ type: 'tell' });
  expect((await given).frame).toEqual(new Uint8Array(8).fill(7));
  expect(await ref.ask({ type: 'left' })).toBe(0);
});

test('on the manual clock events are frozen when they are sent, and move all the same', async () => {
  const runtime = (await startTest({ agents: { frames: fixture('frames') } })) as unknown as Runtime;
  const ref = await runtime.spawn('frames');
  const [ours, theirs] = line();
  const event = frame();
  expect(await ref.ask(event)).toEqual([0, 1, 2, 3]);
  expect([Object.isFrozen(event), event.pixels.byteLength]).toEqual([true, 0]);
  const hello = heard(ours);
  ref.send(transfer({ type: 'line', port: theirs }, [theirs]));
  expect(await hello).toBe('hello');
});

test('a machine of the host sends and hears with transfers as well', async () => {
  const { runtime } = await frames();
  const heardOf = Promise.withResolvers<{ frame: Uint8Array }>();
  const event = frame();
  const parent = setup({ actors: { frames: runtime.logic('frames') } }).createMachine({
    invoke: { src: 'frames', id: 'frames' },
    entry: [sendTo('frames', () => event), sendTo('frames', { type: 'tell.up' })],
    on: { given: { actions: ({ event: given }) => heardOf.resolve(given as never) } },
  });
  const actor = createActor(parent).start();
  onTestFinished(() => void actor.stop());
  const late = setTimeout(() => heardOf.reject(new Error('nothing was heard within 10 s')), 10_000);
  expect((await heardOf.promise).frame).toEqual(new Uint8Array(8).fill(7));
  clearTimeout(late);
  expect(event.pixels.byteLength).toBe(0);
});

test('of an ask that expired in the thread with a port only the type comes back, as a dead letter', async () => {
  const { runtime, ref } = await frames();
  const [, theirs] = line();
  const letter = nextEvent<RuntimeEvents['dead-letter']>((listener) => runtime.on('dead-letter', listener));
  ref.send({ type: 'spin', ms: 300 });
  const ask = ref.ask(transfer({ type: 'line', port: theirs }, [theirs]), { timeoutMs: 50 });
  await expect(ask).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
  expect(await letter).toMatchObject({ reason: 'expired', event: { type: 'line' }, truncated: true });
});

test.each(['other', 'frames'])('agents move frames to each other, and back: %s', async (name) => {
  const runtime = (await start({
    agents: { frames: fixture('frames'), other: fixture('frames', { threadId: 'others' }) },
  })) as unknown as Runtime;
  const [a, b] = [await runtime.spawn('frames', { id: 'a' }), await runtime.spawn(name, { id: 'b' })];
  expect(await a.ask({ type: 'pass', to: `${name}/b` })).toEqual([7, 7, 7, 7]);
  expect(await a.ask({ type: 'left' })).toBe(0);
  expect(await a.ask({ type: 'fetch', to: `${name}/b` })).toEqual({ frame: new Uint8Array(8).fill(7) });
  expect(await b.ask({ type: 'left' })).toBe(0);
});

test('a port that had moved at a crash is lost with it, not sent again', async () => {
  const { runtime, ref } = await frames();
  const [, theirs] = line();
  const fatal = ref.ask({ type: 'exit' });
  const moved = ref.ask(transfer({ type: 'line', port: theirs }, [theirs]));
  await expect(fatal).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await expect(moved).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  expect(runtime.deadLetters.list()).toMatchObject([
    { reason: 'poison', event: { type: 'exit' } },
    { reason: 'crashed', event: { type: 'line' }, truncated: true },
  ]);
});

test('a port beside an event that cannot be cloned arrives, and works', async () => {
  const { runtime, ref } = await frames();
  const [ours, theirs] = line();
  const hello = heard(ours);
  ref.send({ type: 'function', call: () => 1 });
  ref.send(transfer({ type: 'line', port: theirs }, [theirs]));
  expect(await hello).toBe('hello');
  expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'unclonable', event: { type: 'function' } }]);
});

test('what one agent had moved to another is lost when that one crashes', async () => {
  const runtime = (await start({
    agents: {
      frames: fixture('frames'),
      other: fixture('frames', { threadId: 'others', supervision: quick }),
    },
  })) as unknown as Runtime;
  const a = await runtime.spawn('frames', { id: 'a' });
  await runtime.spawn('other', { id: 'b' });
  const letter = nextEvent<RuntimeEvents['dead-letter']>(
    (listener) => runtime.on('dead-letter', listener),
    ({ event }) => (event as { type: string }).type === 'frame',
  );
  await a.deliver({ type: 'pass.late', to: 'other/b' });
  expect(await letter).toMatchObject({ address: 'other/b', reason: 'crashed' });
});
