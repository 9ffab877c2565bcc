import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { askedBody } from './asked-body.ts';
import type { AskedStream, AskedStreamShown } from './asked-stream.ts';
import { AskedStreams } from './asked-streams.ts';
import type { Caller } from './token-access.ts';

const caller: Caller = {
  name: 'desk',
  agents: ['*'],
  allow: ['send'],
  digest: Buffer.alloc(32, 1),
  limit: undefined,
};
const shown: AskedStreamShown = {
  value: (value) => JSON.stringify(value),
  error: (error) => ({ code: 'AGENT_FAILED', message: (error as Error).message, retryable: false }),
  textStream: () => ({ push: (chunk) => chunk, end: () => '', held: 0 }),
};
const KB = 1024;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An agent that writes as long as it is read: how much that was, and whether it still is. */
function writing(stream: AskedStream, size: number, most = Infinity) {
  const agent = { written: 0, isOver: false };
  const chunks = async function* (): AsyncGenerator<string> {
    try {
      while (agent.written < most && !stream.signal.aborted) {
        agent.written += 1;
        yield 'x'.repeat(size);
        await Promise.resolve();
      }
      stream.signal.throwIfAborted();
    } finally {
      agent.isOver = true;
    }
  };
  const asked = { [Symbol.asyncIterator]: chunks, result: Promise.resolve('whole') };
  return { agent, read: stream.read(asked, shown) };
}

async function settled(): Promise<void> {
  for (let n = 0; n < 50; n++) await new Promise(setImmediate);
}

const open = (streams: AskedStreams): AskedStream =>
  streams.open({ address: 'agent/a', agent: 'agent', caller, most: 1000 });

function codeOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return (error as { code: unknown }).code;
  }
}

test('an agent writes 2 MiB ahead of its client, and ends 30 s after that has gone', async () => {
  const streams = new AskedStreams();
  const stream = open(streams);
  const { agent, read } = writing(stream, 64 * KB);
  const gone = new AbortController();
  const reader = askedBody(stream, 0, gone.signal).getReader();
  await settled();
  expect(agent.written).toBe(32);
  for (let n = 0; n < 20; n++) await reader.read();
  await settled();
  expect(agent.written).toBeGreaterThan(40);
  gone.abort();
  const { written } = agent;
  await vi.advanceTimersByTimeAsync(29_000);
  expect(streams.find(stream.of.id, 'agent/a', caller)).toBe(stream);
  const again = askedBody(stream, 3, new AbortController().signal).getReader();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(stream.isOver).toBe(false);
  await again.cancel();
  await vi.advanceTimersByTimeAsync(30_001);
  await read;
  expect(agent).toEqual({ written: expect.any(Number) as number, isOver: true });
  expect(agent.written - written).toBeLessThan(5);
  expect(codeOf(() => streams.find(stream.of.id, 'agent/a', caller))).toBe('STREAM_GONE');
});

test('an answer that was read to its end is kept for 30 s, for a client that has lost what was on its way', async () => {
  const streams = new AskedStreams();
  const stream = open(streams);
  await writing(stream, 10, 3).read;
  await vi.advanceTimersByTimeAsync(29_000);
  expect(streams.placeIn(streams.find(stream.of.id, 'agent/a', caller), '3')).toBe(3);
  await vi.advanceTimersByTimeAsync(2000);
  expect(codeOf(() => streams.find(stream.of.id, 'agent/a', caller))).toBe('STREAM_GONE');
});

test('all together have 64 MiB: those that are over go first, then what clients were sent, and never what they were not', async () => {
  const streams = new AskedStreams();
  const over = open(streams);
  await writing(over, 64 * KB, 16).read;
  const bodies = Array.from({ length: 12 }, () => {
    const stream = open(streams);
    const { agent } = writing(stream, 64 * KB, 150);
    return { stream, agent, body: askedBody(stream, 0, new AbortController().signal).getReader() };
  });
  const bytes: number[] = [];
  for (const { body } of bodies) {
    let length = 0;
    for (;;) {
      const { done, value } = await body.read();
      if (done) break;
      length += value.length;
    }
    bytes.push(length);
  }
  // Each was read whole, though not all of all is kept.
  expect(new Set(bytes).size).toBe(1);
  expect(bytes[0]).toBeGreaterThan(150 * 64 * KB);
  const kept = bodies.reduce((sum, { stream }) => sum + stream.tail.bytes, 0);
  expect(kept).toBeLessThan(66 * KB * KB);
  expect(codeOf(() => streams.find(over.of.id, 'agent/a', caller))).toBe('STREAM_GONE');
});

test('a comment comes each 15 s, so that nobody takes the connection for dead', async () => {
  const stream = open(new AskedStreams());
  const reader = askedBody(stream, 0, new AbortController().signal).getReader();
  const text = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  expect(await text()).toBe('retry: 1000\nid: 0\n\n');
  const beat = text();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await beat).toBe(': alive\n\n');
  await reader.cancel();
});

test('what goes to the next process is the rest of what agents wrote, for the same token alone', async () => {
  const [before, after] = [new AskedStreams(), new AskedStreams()];
  const [whole, cut] = [open(before), open(before)];
  await writing(whole, 10, 3).read;
  const { read } = writing(cut, 64 * KB);
  await settled();
  before.interrupt();
  await read;
  after.adopt(structuredClone(before.handOver()));
  const find = (of: AskedStream, by = caller): AskedStream => after.find(of.of.id, 'agent/a', by);
  expect(find(whole).tail.head).toBe(4);
  expect(find(cut).isOver).toBe(true);
  const reader = askedBody(find(cut), cut.tail.head - 1, new AbortController().signal).getReader();
  await reader.read();
  const last = new TextDecoder().decode((await reader.read()).value);
  expect(last).toContain('event: error\ndata: {"code":"STREAM_INTERRUPTED"');
  expect((await reader.read()).done).toBe(true);
  expect(codeOf(() => find(whole, { ...caller, digest: Buffer.alloc(32, 2) }))).toBe('STREAM_GONE');
});

test('a stream is found by the key of its request as long as it is kept, in the next process too', async () => {
  const [before, after] = [new AskedStreams(), new AskedStreams()];
  const keyed = { key: 'k', whole: 'the request' };
  const stream = before.open({ address: 'agent/a', agent: 'agent', caller, most: 1, keyed });
  await writing(stream, 10, 3).read;
  expect(before.withKey(caller, 'k', 'the request')).toBe(stream);
  expect(before.withKey({ ...caller, name: 'other' }, 'k', 'the request')).toBeUndefined();
  expect(before.withKey({ ...caller, digest: Buffer.alloc(32) }, 'k', 'the request')).toBeUndefined();
  expect(codeOf(() => before.withKey(caller, 'k', 'another one'))).toBe('IDEMPOTENCY_KEY_REUSED');
  after.adopt(structuredClone(before.handOver()));
  expect(after.withKey(caller, 'k', 'the request')?.of.id).toBe(stream.of.id);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(before.withKey(caller, 'k', 'the request')).toBeUndefined();
});

test('what cannot be shown ends its stream alone, with an error', async () => {
  const stream = open(new AskedStreams());
  const failing = (): never => {
    throw new RangeError('cannot be shown');
  };
  const chunks = async function* (): AsyncGenerator<string> {
    yield 'x';
    await Promise.resolve();
    throw new Error('the agent failed');
  };
  const asked = { [Symbol.asyncIterator]: chunks, result: Promise.resolve() };
  await stream.read(asked, { ...shown, error: failing });
  const reader = askedBody(stream, 1, new AbortController().signal).getReader();
  await reader.read();
  const last = new TextDecoder().decode((await reader.read()).value);
  expect(last).toBe(
    'id: 2\nevent: error\ndata: {"code":"AGENT_FAILED","message":"what the agent wrote cannot be shown","retryable":false}\n\n',
  );
});
