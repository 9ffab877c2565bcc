import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createRuntime, type AgentRef, type HoldfastError, type Runtime } from 'holdfast';
import { fixture, start, startTest } from '../fixtures/start.ts';

const LONG = { timeoutMs: 20_000 };

let runtime: Runtime;

beforeAll(async () => {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const supervision = { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } };
  const agents = { agent: fixture('streaming', { supervision }) };
  runtime = await createRuntime({ agents }, { logger: silent });
  return () => runtime.stop();
});

async function one(): Promise<AgentRef> {
  const ref = await runtime.spawn('agent');
  onTestFinished(() => ref.stop());
  // What earlier tests of the same thread have told.
  await ref.ask({ type: 'told' }, LONG);
  return ref;
}

function numbers(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

interface Read {
  readonly got: unknown[];
  readonly error?: unknown;
}

/** Reads to the end, whatever that is; `each` may do something after each chunk. */
async function read(stream: AsyncIterable<unknown>, each: (n: number) => unknown = () => {}): Promise<Read> {
  const got: unknown[] = [];
  try {
    for await (const chunk of stream) {
      got.push(chunk);
      await each(got.length);
    }
    return { got };
  } catch (error) {
    return { got, error };
  }
}

/** Lets the agent write one more chunk of a paced stream, after it has come to wait for that. */
async function go(ref: AgentRef): Promise<void> {
  await ref.deliver({ type: 'go' }, LONG);
}

/** Reads what happened to streams in the thread, more of it each time. */
function told(ref: AgentRef): () => Promise<unknown[]> {
  const all: unknown[] = [];
  return async () => {
    all.push(...((await ref.ask({ type: 'told' }, LONG)) as unknown[]));
    return all;
  };
}

const SOON = { timeout: 60_000 };

describe('what an agent writes for an ask', () => {
  test.each(['stream', 'invoke', 'call'])(
    'is read in order, and then its reply: in an action, a promise and a callback (%s)',
    async (type) => {
      const ref = await one();
      const stream = ref.askStream({ type, n: 5000 }, LONG);
      const { got, error } = await read(stream);
      expect(error).toBeUndefined();
      expect(got).toEqual(numbers(5000));
      expect(await stream.result).toEqual({ wrote: 5000 });
    },
  );

  test('ends with the error that the agent gives, after what was written', async () => {
    const ref = await one();
    const stream = ref.askStream({ type: 'stream', n: 3, fail: true }, LONG);
    const failure = { name: 'RangeError', message: 'the model broke', code: 'E_MODEL' };
    expect(await read(stream)).toMatchObject({ got: [0, 1, 2], error: failure });
    await expect(stream.result).rejects.toMatchObject(failure);
  });

  test('is nothing where the agent replies at once, and refuses what an ask refuses', async () => {
    const ref = await one();
    const plain = ref.askStream({ type: 'plain' }, LONG);
    expect(await read(plain)).toEqual({ got: [] });
    expect(await plain.result).toBe('as a reply');
    const unanswered = ref.askStream({ type: 'nothing' }, LONG);
    expect(await read(unanswered)).toMatchObject({ got: [], error: { code: 'ASK_UNANSWERED' } });
    expect(() => ref.askStream({ type: 'plain' }, { timeoutMs: 'long' as never })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }) as Error,
    );
    const unclonable = ref.askStream({ type: 'plain', run: () => 1 }, LONG);
    expect(await read(unclonable)).toMatchObject({ got: [], error: { code: 'MESSAGE_UNCLONABLE' } });
  });

  test('may be of any kind that can be cloned, with its memory, its classes of errors and what moves', async () => {
    const ref = await one();
    const chunks = [
      null,
      undefined,
      'x',
      1n,
      { a: 1 },
      [1, { b: new Map([[1, 2]]) }],
      new Uint8Array([1, 2]),
      { error: new RangeError('in a chunk') },
    ];
    const { got } = await read(ref.askStream({ type: 'now', chunks, value: 1 }, LONG));
    expect(got).toEqual(chunks);
    expect((got.at(-1) as { error: unknown }).error).toBeInstanceOf(RangeError);
    const moved = ref.askStream({ type: 'moved', n: 1000 }, LONG);
    const [chunk] = (await read(moved)).got as [{ bytes: Uint8Array }];
    expect(chunk.bytes).toEqual(new Uint8Array(1000).fill(7));
    expect(await moved.result).toBe(true);
  });

  test('is what it was when it was written, also where an action writes far more than fits', async () => {
    const ref = await one();
    const stream = ref.askStream<{ i: number }>({ type: 'reused', n: 1000 }, LONG);
    const { got, error } = await read(stream);
    expect(error).toBeUndefined();
    expect(got).toEqual(numbers(1000).map((i) => ({ i })));
    expect(await stream.result).toBe(1000);
  });

  test.each([
    { n: 20, big: 1_000_000, most: 17 },
    { n: 200_000, big: 1, most: 100_000 },
  ])('has a bound where nobody waits for its writes ($n of $big)', async ({ n, big, most }) => {
    const ref = await one();
    const stream = ref.askStream({ type: 'unwaited', n, big }, LONG);
    const { got, error } = await read(stream);
    expect(error).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      message: expect.stringContaining('await') as string,
    });
    expect(got.length).toBeLessThan(most);
    await expect.poll(told(ref), SOON).toEqual(['MESSAGE_TOO_LARGE']);
  });

  test.each([Number.MAX_SAFE_INTEGER, Infinity])('may be late, with a deadline of %d', async (timeoutMs) => {
    const ref = await one();
    expect(await read(ref.askStream({ type: 'stream', n: 3 }, { timeoutMs }))).toEqual({ got: [0, 1, 2] });
  });

  test('is one stream, however often the agent asks for it', async () => {
    const ref = await one();
    expect(await ref.askStream({ type: 'twice' }, LONG).result).toBe(true);
  });

  test('waits for its reader: no more than 64 chunks, and about 256 KiB, are on the way', async () => {
    const ref = await one();
    const many = ref.askStream({ type: 'stream', n: 1000 }, LONG);
    const large = ref.askStream({ type: 'stream', n: 1000, big: 100_000 }, LONG);
    await ref.deliver({ type: 'nothing' }, LONG);
    const written = async (): Promise<unknown> =>
      ((await ref.ask({ type: 'written' }, LONG)) as unknown[]).slice(-2);
    await expect.poll(written, SOON).toEqual([64, 3]);
    expect((await read(many)).got).toHaveLength(1000);
    expect((await read(large)).got).toHaveLength(1000);
  });

  test('has no hole: a chunk that cannot be cloned ends the stream, and its write rejects', async () => {
    const ref = await one();
    for (const deep of [false, true]) {
      const stream = ref.askStream({ type: 'hole', deep }, LONG);
      expect(await read(stream)).toMatchObject({ got: [0], error: { code: 'REPLY_UNCLONABLE' } });
      await expect.poll(told(ref), SOON).toEqual(['REPLY_UNCLONABLE', 'REPLY_UNCLONABLE']);
    }
    const large = ref.askStream({ type: 'stream', n: 1, big: 2_000_000 }, LONG);
    expect(await read(large)).toMatchObject({ got: [], error: { code: 'MESSAGE_TOO_LARGE' } });
  });

  test('is dropped for a plain ask, whose answer is what the stream ends with', async () => {
    const ref = await one();
    expect(await ref.ask({ type: 'stream', n: 1000 }, LONG)).toEqual({ wrote: 1000 });
    await expect(ref.ask({ type: 'stream', n: 3, fail: true }, LONG)).rejects.toMatchObject({
      code: 'E_MODEL',
    });
  });

  test('is dropped for an event that nobody asked, and the agent knows that from the start', async () => {
    const ref = await one();
    await ref.deliver({ type: 'signal' }, LONG);
    await expect.poll(told(ref), SOON).toEqual([true, 'wrote']);
  });
});

describe('a reader', () => {
  test.each([
    ['break', undefined],
    ['throw', 'thrown by the reader'],
  ])('that stops (%s) ends what the agent does for it', async (how, thrown) => {
    const ref = await one();
    const stream = ref.askStream({ type: 'stream', n: 1000, paced: true }, LONG);
    const reading = async (): Promise<void> => {
      for await (const _ of stream) {
        if (how === 'break') break;
        throw new Error(thrown);
      }
    };
    const stopped = reading().catch((error: Error) => error.message);
    await go(ref);
    expect(await stopped).toBe(thrown);
    const why = 'the reader of the stream has stopped reading';
    await expect.poll(told(ref), SOON).toEqual([
      ['aborted', why],
      ['stopped', why],
    ]);
    await expect(stream.result).rejects.toMatchObject({ code: 'STREAM_INTERRUPTED' });
  });

  test('that returns while it waits has nothing more', async () => {
    const ref = await one();
    const iterator = ref.askStream({ type: 'stream', n: 1000, paced: true }, LONG)[Symbol.asyncIterator]();
    const waiting = iterator.next();
    await iterator.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect.poll(told(ref), SOON).toHaveLength(2);
  });

  test('that gives up by a signal has the reason of it at once, and the agent ends', async () => {
    const ref = await one();
    const leaving = new AbortController();
    const stream = ref.askStream({ type: 'stream', n: 1000, paced: true }, { signal: leaving.signal });
    const enough = new Error('enough');
    const reading = read(stream, () => leaving.abort(enough));
    await go(ref);
    expect(await reading).toEqual({ got: [0], error: enough });
    await expect.poll(told(ref), SOON).toHaveLength(2);
    const never = ref.askStream({ type: 'stream', n: 1 }, { signal: AbortSignal.abort(enough) });
    expect(await read(never)).toEqual({ got: [], error: enough });
  });

  test('that gives up before the turn of its ask ends what that begins', async () => {
    const ref = await one();
    const leaving = new AbortController();
    const stream = ref.askStream({ type: 'stream', n: 1000, paced: true }, { signal: leaving.signal });
    leaving.abort();
    expect((await read(stream)).error).toMatchObject({ name: 'AbortError' });
    await expect.poll(told(ref), SOON).toHaveLength(2);
  });

  test('iterates once; the rest of it may be left alone', async () => {
    const ref = await one();
    const stream = ref.askStream({ type: 'stream', n: 3 }, LONG);
    const [first, second] = [stream[Symbol.asyncIterator](), (): unknown => stream[Symbol.asyncIterator]()];
    expect(second).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }) as Error);
    // Asked for before anything is there, and all at once.
    const steps = await Promise.all([first.next(), first.next(), first.next(), first.next(), first.next()]);
    expect(steps.map(({ value }) => value as unknown)).toEqual([0, 1, 2, undefined, undefined]);
    // No iteration, no result: nothing is unhandled.
    ref.askStream({ type: 'stream', n: 3, fail: true }, LONG);
    await ref.ask({ type: 'plain' }, LONG);
  });

  test('hears of a silence, to the first chunk and between two', async () => {
    const ref = await one();
    const silent = {
      code: 'ASK_TIMEOUT',
      message: expect.stringContaining('wrote nothing for 60 ms') as string,
    };
    const never = ref.askStream({ type: 'stream', n: 3, paced: true }, { timeoutMs: 60 });
    expect(await read(never)).toMatchObject({ got: [], error: silent });
    await expect.poll(told(ref), SOON).toHaveLength(2);
    const short = ref.askStream({ type: 'stream', n: 3, paced: true }, { timeoutMs: 60 });
    const reading = read(short);
    await go(ref);
    const { got, error } = await reading;
    expect(error).toMatchObject(silent);
    expect(got.length).toBeLessThan(2);
    await expect.poll(told(ref), SOON).toHaveLength(2);
  });
});

describe('a stream that is cut is no stream that has ended', () => {
  /** Reads a paced stream up to that chunk, and then has something happen to it. */
  async function cutAt(ref: AgentRef, n: number, cut: () => unknown): Promise<Read> {
    const stream = ref.askStream({ type: 'stream', n: 1000, paced: true }, LONG);
    const reading = read(stream, (count) => (count === n ? cut() : go(ref)));
    if (n === 0) await cut();
    else await go(ref);
    return reading;
  }

  test.each([
    ['the instance fails', 'throw', 'E_CRASH'],
    ['its thread ends', 'exit', 'THREAD_CRASHED'],
    ['it ends by itself', 'end', 'AGENT_STOPPED'],
  ])('when %s, at each chunk', async (_, type, code) => {
    const ref = await one();
    for (const n of [0, 1, 2, 3]) {
      if (type === 'end' && n > 0) break;
      const { got, error } = await cutAt(ref, n, () => ref.send({ type }));
      expect(got).toEqual(numbers(n));
      expect(error).toMatchObject({ code });
    }
    if (type === 'end') return;
    // The next incarnation begins anew.
    await expect(
      ref.askStream({ type: 'stream', n: 3 }, LONG).result.catch((error: HoldfastError) => error.code),
    ).resolves.toEqual({ wrote: 3 });
  });

  test.each(['instance', 'runtime'])('when the %s is stopped, at each chunk', async (what) => {
    for (const n of [0, 1, 3]) {
      const own = await start({ agents: { agent: fixture('streaming') } });
      const ref = await own.spawn('agent');
      const stop = (): unknown => void (what === 'instance' ? ref.stop() : own.stop());
      const { got, error } = await cutAt(ref, n, stop);
      expect(got).toEqual(numbers(n));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(AGENT|RUNTIME)_STOPPED$/) as string });
    }
  });

  test('when its thread is replaced and its time is over: it can be asked again of the instance that has moved', async () => {
    const own = await start({ agents: { agent: fixture('streaming') } });
    const ref = await own.spawn('agent');
    let recycled: Promise<unknown> | undefined;
    const { got, error } = await cutAt(ref, 1, () => {
      recycled = own.recycle('pool', { timeoutMs: 200 });
    });
    expect(got).toEqual([0]);
    expect(error).toMatchObject({ code: 'STREAM_INTERRUPTED', retryable: true });
    expect(await recycled).toMatchObject({ threads: 1, moved: 1, restarted: [] });
    expect(ref.incarnation).toBe(1);
    expect(await ref.askStream({ type: 'stream', n: 3 }, LONG).result).toEqual({ wrote: 3 });
  });

  test('and one that ends meanwhile is whole: its thread is replaced after that', async () => {
    const own = await start({ agents: { agent: fixture('streaming') } });
    const ref = await own.spawn('agent');
    let recycled: Promise<unknown> | undefined;
    const stream = ref.askStream({ type: 'stream', n: 5, paced: true }, LONG);
    const reading = read(stream, (n) => {
      if (n === 1) recycled = own.recycle('pool', { timeoutMs: 20_000 });
      return go(ref);
    });
    await go(ref);
    expect(await reading).toEqual({ got: numbers(5) });
    expect(await recycled).toMatchObject({ threads: 1, moved: 1 });
  });
});

describe.each([
  ['in process', false],
  ['on real threads', true],
])('in the test kit, %s', (_where, threads) => {
  test('a stream is read, waits for its reader, and is cut with its thread and by a silence of manual time', async () => {
    const own = await startTest({ agents: { agent: fixture('streaming') } }, { threads });
    const ref = await own.spawn('agent', { id: 'a' });
    const whole = ref.askStream({ type: 'stream', n: 300 });
    expect((await read(whole)).got).toEqual(numbers(300));
    expect(await whole.result).toEqual({ wrote: 300 });
    const silent = read(ref.askStream({ type: 'stream', n: 3, paced: true }));
    await own.settled();
    await own.clock.advance(59_000);
    await ref.deliver({ type: 'go' });
    await own.settled();
    await own.clock.advance(61_000);
    expect(await silent).toMatchObject({ got: [0], error: { code: 'ASK_TIMEOUT' } });
    const cut = read(ref.askStream({ type: 'stream', n: 3, paced: true }));
    await own.settled();
    own.faults.killThread('pool');
    expect(await cut).toMatchObject({ got: [], error: { code: 'THREAD_CRASHED' } });
  });
});
