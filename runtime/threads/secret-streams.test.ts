import { describe, expect, test } from 'vitest';
import type { Chunks } from '../wire/protocol.ts';
import { LANE, LEAST_WINDOW, SecretStreams, WINDOW, type StreamedAnswer } from './secret-streams.ts';

type Sink = Parameters<NonNullable<StreamedAnswer['body']>['read']>[0];

/** An answer whose body the test gives. */
function answering() {
  const state = { resumed: 0, sink: undefined as Sink | undefined };
  const answer: StreamedAnswer = {
    status: 200,
    statusText: 'OK',
    headers: {},
    url: 'https://x.test/',
    redirected: false,
    body: {
      read: (sink) => void (state.sink = sink),
      resume: () => void (state.resumed += 1),
    },
  };
  return { state, answer };
}

function openStreams() {
  const told: { chunks: Chunks; moving: readonly ArrayBuffer[] }[] = [];
  const due: (() => void)[] = [];
  const streams = new SecretStreams({
    tell: (chunks, moving) => void told.push({ chunks, moving }),
    soon: (run) => void due.push(run),
  });
  const flush = (): void => {
    for (const run of due.splice(0)) run();
  };
  const open = async (n: number, input: object = {}) => {
    const { state, answer } = answering();
    let over = 0;
    const head = await streams.open(
      n,
      input,
      async () => answer,
      () => void (over += 1),
    );
    return { head, state, sink: state.sink as Sink, over: () => over };
  };
  return { streams, told, flush, open };
}

describe('bodies on their way to a thread', () => {
  test('go together, in order, in one message for all that have come', async () => {
    const { told, flush, open } = openStreams();
    const [one, two] = [await open(1), await open(2)];
    one.sink.data(Buffer.from('a'));
    two.sink.data(Buffer.from('b'));
    one.sink.data(Buffer.from('c'));
    two.sink.end();
    one.sink.end(new Error('broken'));
    expect(told).toEqual([]);
    flush();
    const bytes = (text: string): Uint8Array => Buffer.from(text);
    expect(told).toEqual([
      {
        chunks: [
          1,
          bytes('a'),
          2,
          bytes('b'),
          1,
          bytes('c'),
          2,
          null,
          1,
          expect.objectContaining({ message: 'broken' }),
        ],
        moving: [],
      },
    ]);
    expect([one.over(), two.over()]).toEqual([1, 1]);
  });

  test('have memory of their own, which moves when there is much of it', async () => {
    const { told, flush, open } = openStreams();
    const { sink } = await open(1);
    const secret = Buffer.from('SECRETlittle');
    sink.data(secret.subarray(6));
    sink.data(Buffer.alloc(50_000));
    flush();
    const [, little, , much] = (told[0]?.chunks ?? []) as unknown as [number, Uint8Array, number, Uint8Array];
    expect(little.buffer.byteLength).toBe(6);
    expect(told[0]?.moving).toEqual([much.buffer]);
  });

  test('move as they are where there is nothing else in their memory', async () => {
    const { told, flush, open } = openStreams();
    const { sink } = await open(1);
    const [alone, beside] = [Buffer.allocUnsafeSlow(20_000), Buffer.allocUnsafeSlow(20_001).subarray(1)];
    sink.data(alone);
    sink.data(beside);
    flush();
    const [, first, , second] = told[0]?.chunks ?? [];
    expect(first).toBe(alone);
    expect((second as Uint8Array).buffer).not.toBe(beside.buffer);
    expect((second as Uint8Array).buffer.byteLength).toBe(20_000);
  });

  test('stop their source when the reader is behind, and go on when it has taken half of it', async () => {
    const { streams, open } = openStreams();
    const { sink, state } = await open(1);
    const half = Buffer.alloc(WINDOW / 2);
    expect([sink.data(half), sink.data(half)]).toEqual([true, false]);
    expect(streams.credit(1, half.length - 1)).toBe(true);
    expect(state.resumed).toBe(0);
    expect(streams.credit(1, 1)).toBe(true);
    expect(state.resumed).toBe(1);
    streams.credit(1, half.length);
    expect(state.resumed).toBe(1);
  });

  test('have less on their way, each of them, when there are many', async () => {
    const { streams, open } = openStreams();
    const many = await Promise.all(Array.from({ length: LANE / WINDOW }, (_, n) => open(n)));
    const full = Buffer.alloc(WINDOW);
    expect(many.map(({ sink }) => sink.data(full))).toEqual(many.map(() => false));
    const last = await open(100);
    expect([last.sink.data(Buffer.alloc(LEAST_WINDOW - 1)), last.sink.data(Buffer.alloc(1))]).toEqual([
      true,
      false,
    ]);
    streams.credit(100, LEAST_WINDOW / 2);
    expect(last.state.resumed).toBe(1);
    for (const { sink } of many) sink.end();
    expect([last.sink.data(full.subarray(LEAST_WINDOW)), last.sink.data(full)]).toEqual([true, false]);
  });

  test('believe no reader that has taken more than there was; one that hears late of the end may speak', async () => {
    const { streams, open } = openStreams();
    const { sink } = await open(1);
    sink.data(Buffer.from('abc'));
    expect(streams.credit(1, 4)).toBe(false);
    sink.end();
    expect(streams.credit(1, 3)).toBe(true);
  });

  test('are no bodies where the answer has none, or where nothing was answered', async () => {
    const { streams } = openStreams();
    let over = 0;
    const { answer } = answering();
    const none = { ...answer, body: undefined };
    const head = await streams.open(
      1,
      {},
      async () => none,
      () => (over += 1),
    );
    expect(head).toMatchObject({ status: 200, hasBody: false });
    const failing = streams.open(
      2,
      {},
      () => Promise.reject(new Error('refused')),
      () => (over += 1),
    );
    await expect(failing).rejects.toThrow('refused');
    expect(over).toBe(2);
  });
});

describe('a body that a thread sends in parts', () => {
  test('is given on in order, and each part is answered when it was taken', async () => {
    const { streams } = openStreams();
    const got: string[] = [];
    const { answer } = answering();
    const opened = streams.open(
      1,
      { uploads: true },
      async (upload) => {
        for await (const part of upload ?? []) got.push(Buffer.from(part).toString());
        return { ...answer, body: undefined };
      },
      () => {},
    );
    expect(await streams.upload(1, Buffer.from('a'))).toBe(true);
    expect(await Promise.all([streams.upload(1, Buffer.from('b')), streams.upload(1, undefined)])).toEqual([
      true,
      true,
    ]);
    await opened;
    expect(got).toEqual(['a', 'b']);
    expect(await streams.upload(1, Buffer.from('c'))).toBe(false);
  });

  test('fails whoever sends it on when it is cut off, so that it does not look whole', async () => {
    const { streams } = openStreams();
    const { answer, state } = answering();
    let sending: Promise<void> | undefined;
    await streams.open(
      1,
      { uploads: true },
      async (upload) => {
        sending = (async () => {
          for await (const _ of upload ?? []);
        })();
        return answer;
      },
      () => {},
    );
    const failed = (sending as unknown as Promise<void>).catch(({ message }: Error) => message);
    expect(await streams.upload(1, Buffer.from('a'))).toBe(true);
    state.sink?.end(new Error('the connection broke'));
    expect(await streams.upload(1, Buffer.from('b'))).toBe(false);
    expect(await failed).toContain('nobody reads');
  });

  test('is refused where it is more than a thread has under way', async () => {
    const { streams } = openStreams();
    const { answer } = answering();
    void streams.open(
      1,
      { uploads: true },
      async () => answer,
      () => {},
    );
    expect(streams.upload(1, new Uint8Array(300_000))).toBeUndefined();
    const parts = Array.from({ length: 5 }, () => streams.upload(1, new Uint8Array(1)));
    expect(parts.map((part) => part === undefined)).toEqual([false, false, false, false, true]);
  });
});
