import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../mailbox/fixtures/fake-clock.ts';
import { WINDOW_BYTES, WINDOW_CHUNKS } from '../mailbox/stream-window.ts';
import { Waiting, type StreamSeat } from '../mailbox/waiting.ts';
import { AskReader } from './ask-stream.ts';

const clock = new FakeClock();
const waiting = new Waiting(clock);
let credits: number[];
let seat: StreamSeat;

beforeEach(() => {
  credits = [];
  seat = { credit: (_tag, taken) => void credits.push(taken) };
});

afterEach(() => {
  expect(waiting.size).toBe(0);
});

function opened(timeoutMs = 100) {
  let tag = 0;
  const reader = new AskReader({ waiting, address: 'agent/a', signal: undefined });
  const onTimeout = (): Error => new Error('silent');
  const result = waiting.open('ask', { timeoutMs, onTimeout, stream: reader }, (known) => (tag = known));
  reader.follow(result);
  result.catch(() => {});
  return { reader, result, tag: () => tag, end: () => waiting.resolve(tag, 'the reply') };
}

describe('the deadline of a stream', () => {
  test('begins anew with each chunk, while the reader waits', async () => {
    const { reader, end, result } = opened();
    const iterator = reader.iterator();
    for (let n = 0; n < 5; n++) {
      const next = iterator.next();
      clock.pass(90);
      reader.take(seat, [n], 8, 8);
      expect(await next).toEqual({ done: false, value: n });
    }
    end();
    expect(await result).toBe('the reply');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test('does not run while chunks wait for the reader, and runs when it waits again', async () => {
    const { reader, result } = opened();
    const iterator = reader.iterator();
    reader.take(seat, [1, 2], 16, 16);
    clock.pass(10_000);
    expect(await iterator.next()).toMatchObject({ value: 1 });
    clock.pass(10_000);
    expect(await iterator.next()).toMatchObject({ value: 2 });
    clock.pass(10_000);
    const last = iterator.next();
    clock.pass(99);
    const other = opened(200);
    clock.pass(2);
    await expect(last).rejects.toThrow('silent');
    await expect(result).rejects.toThrow('silent');
    expect(credits).toEqual([-1]);
    other.end();
    await other.result;
  });

  test('runs when nobody iterates: there is nobody who could hold back', async () => {
    const { reader, result } = opened();
    reader.take(seat, [1], 8, 8);
    clock.pass(99);
    reader.take(seat, [2], 8, 8);
    clock.pass(101);
    await expect(result).rejects.toThrow('silent');
    const iterator = reader.iterator();
    expect(await iterator.next()).toMatchObject({ value: 1 });
    expect(await iterator.next()).toMatchObject({ value: 2 });
    await expect(iterator.next()).rejects.toThrow('silent');
    expect(await iterator.next()).toMatchObject({ done: true });
  });
});

describe('an iterator that was let go of', () => {
  test('holds nothing back: the deadline runs again, and the reply comes if there is room for all before it', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const [silent, whole] = [opened(), opened()];
    for (const { reader } of [silent, whole]) {
      reader.take(seat, [1, 2], 16, 16);
      await reader.iterator().next();
    }
    const isSilent = async (): Promise<boolean> => {
      collect();
      await new Promise(setImmediate);
      whole.reader.take(seat, [3], 8, 8);
      clock.pass(10);
      return waiting.streamOf(silent.tag()) === undefined;
    };
    await expect.poll(isSilent, { timeout: 60_000 }).toBe(true);
    await expect(silent.result).rejects.toThrow('silent');
    whole.end();
    expect(await whole.result).toBe('the reply');
  });
});

describe('the window of a stream', () => {
  test('is granted anew by halves, of chunks and of bytes', async () => {
    const { reader, end, result } = opened();
    const iterator = reader.iterator();
    reader.take(seat, Array(WINDOW_CHUNKS).fill(0), 8 * WINDOW_CHUNKS, 0);
    for (let n = 0; n < WINDOW_CHUNKS; n++) await iterator.next();
    expect(credits).toEqual([WINDOW_CHUNKS / 2, WINDOW_CHUNKS / 2]);
    reader.take(seat, ['large'], WINDOW_BYTES, WINDOW_BYTES);
    await iterator.next();
    expect(credits.at(-1)).toBe(1);
    end();
    await result;
  });

  test.each([
    ['chunks', Array(WINDOW_CHUNKS).fill(0), 0],
    ['bytes', ['x'], 4 * 1024 * 1024],
  ])('is not exceeded: more %s than it has room for are refused', async (_what, chunks, bytes) => {
    const { reader, end, result } = opened();
    expect(reader.take(seat, [1], 8, 8)).toBeUndefined();
    expect(reader.take(seat, chunks, 8, bytes)).toContain('room');
    end();
    await result;
  });

  test('is that of one instance: no other writes to its reader', async () => {
    const { reader, end, result } = opened();
    expect(reader.take(seat, [1], 8, 8)).toBeUndefined();
    expect(reader.take({ credit() {} }, [2], 8, 8)).toContain('another instance');
    end();
    await result;
  });
});
