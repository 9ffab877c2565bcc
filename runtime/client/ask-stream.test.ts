import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { face } from '../gateway/fixtures/face.ts';
import { connect, GatewayError } from './index.ts';

const patience = { timeout: 60_000 };

let open: Awaited<ReturnType<typeof face>>;
beforeAll(async () => {
  open = await face();
});
afterAll(() => open.close());

/** An agent of the gateway in this process; each connection breaks off after so many bytes. */
function agent(id: string, cuts: readonly number[] = []) {
  const left = [...cuts];
  const requests: { method: string; from: string | null; key: string | null }[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    const { headers, method } = request;
    requests.push({ method, from: headers.get('last-event-id'), key: headers.get('idempotency-key') });
    const response = await open.app.request(pathname + search, init);
    const most = left.shift();
    return most === undefined || response.body === null
      ? response
      : new Response(response.body.pipeThrough(cutAfter(most)), response);
  };
  const token = open.headers.authorization.replace('Bearer ', '');
  const to = connect({ url: 'http://gateway', token, fetch }).agent(`streaming/${id}`, { activate: true });
  return { to, requests };
}

function cutAfter(most: number): TransformStream<Uint8Array, Uint8Array> {
  let left = most;
  return new TransformStream({
    transform(chunk, controller) {
      if (chunk.length > left) {
        controller.enqueue(chunk.subarray(0, left));
        controller.error(new Error('cut'));
      }
      left -= chunk.length;
      if (left >= 0) controller.enqueue(chunk);
    },
  });
}

async function all(answer: AsyncIterable<unknown>): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return chunks;
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

test('what an agent writes is read as it comes, and then its reply', async () => {
  const answer = agent('plain').to.askStream<number>({ type: 'stream', n: 200 });
  expect(await all(answer)).toEqual(upTo(200));
  expect(await answer.result).toEqual({ wrote: 200 });
  expect(await agent('plain').to.askStream({ type: 'plain' }).result).toBe('as a reply');
});

test.each([[[0]], [[100, 3000, 1]], [[700, 700, 700, 700]]])(
  'over connections that break off after %j bytes nothing is missing or comes twice',
  async (cuts) => {
    const { to, requests } = agent(`cut-${cuts.join('-')}`, cuts);
    const answer = to.askStream({ type: 'stream', n: 300 });
    expect(await all(answer)).toEqual(upTo(300));
    expect(await answer.result).toEqual({ wrote: 300 });
    expect(requests.length).toBe(cuts.length + 1);
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
  },
);

test('what fails throws after what came, and is no end', async () => {
  const answer = agent('failing').to.askStream({ type: 'stream', n: 3, fail: true });
  const chunks: unknown[] = [];
  const read = (async () => {
    for await (const chunk of answer) chunks.push(chunk);
  })();
  await expect(read).rejects.toBeInstanceOf(GatewayError);
  await expect(answer.result).rejects.toMatchObject({ message: expect.stringContaining('the model broke') });
  expect(chunks).toEqual([0, 1, 2]);
  await expect(agent('failing').to.askStream({ type: 'unknown' }).result).rejects.toMatchObject({
    code: 'ASK_UNANSWERED',
  });
});

describe('an agent is told at once when nobody reads any more', () => {
  // Several times, since more chunks may or may not have come with the last one.
  const ways = Array.from({ length: 10 }, (_, n) => [n % 2 === 0 ? 'break' : 'signal', n] as const);
  test.each(ways)('by %s, %i', async (how, n) => {
    const { to, requests } = agent(`left-${n}`);
    await to.ask({ type: 'told' });
    const left = new AbortController();
    const answer = to.askStream({ type: 'stream', n: 100_000_000 }, { signal: left.signal });
    const read = (async () => {
      for await (const chunk of answer) {
        if (how === 'break' && chunk === 5) break;
        if (chunk === 5) left.abort(new Error('the page is closed'));
      }
    })();
    const thrown = await read.catch((error: Error) => error.message);
    expect(thrown).toBe(how === 'signal' ? 'the page is closed' : undefined);
    await expect(answer.result).rejects.toThrow(
      how === 'signal' ? 'the page is closed' : 'the reader has stopped',
    );
    await expect
      .poll(async () => JSON.stringify(await to.ask({ type: 'told' })), patience)
      .toContain('aborted');
    expect(requests.map(({ method }) => method)).toContain('DELETE');
  });
});

describe('a reader that leaves before the answer has begun', () => {
  const told = (to: ReturnType<typeof agent>['to']) => async () =>
    JSON.stringify(await to.ask({ type: 'told' }));

  test('has the agent end as soon as the gateway says where it is', async () => {
    const { to, requests } = agent('early');
    await to.ask({ type: 'told' });
    const left = new AbortController();
    const answer = to.askStream({ type: 'stream', n: 100_000_000 }, { signal: left.signal });
    // Sent, and not answered yet.
    while (requests.length < 2) await Promise.resolve();
    left.abort(new Error('never mind'));
    await expect(answer.result).rejects.toThrow('never mind');
    await expect(all(answer)).rejects.toThrow('never mind');
    await expect.poll(told(to), patience).toContain('aborted');
    expect(requests.map(({ method }) => method)).toContain('DELETE');
  });

  test('before the request asks nothing', async () => {
    const { to, requests } = agent('never');
    const signal = AbortSignal.abort(new Error('never mind'));
    await expect(to.askStream({ type: 'stream', n: 1 }, { signal }).result).rejects.toThrow('never mind');
    expect(requests).toEqual([]);
  });
});

test('a reader that holds back has the agent wait', async () => {
  const { to } = agent('slow');
  const answer = to.askStream({ type: 'stream', n: 100_000, big: 1000 });
  const iterator = answer[Symbol.asyncIterator]();
  onTestFinished(() => void iterator.return?.());
  await iterator.next();
  let before = -1;
  await expect
    .poll(async () => {
      const written = (await to.ask<number[]>({ type: 'written' })).at(-1) ?? 0;
      const isStill = written === before;
      before = written;
      return isStill;
    }, patience)
    .toBe(true);
  expect(before).toBeLessThan(20_000);
  expect(await iterator.next()).toMatchObject({ done: false });
});

test('a stream has one iterator, which gives each chunk to one call', async () => {
  const answer = agent('once').to.askStream({ type: 'stream', n: 3 });
  const iterator = answer[Symbol.asyncIterator]();
  expect(() => answer[Symbol.asyncIterator]()).toThrow('iterated over already');
  const steps = await Promise.all(upTo(4).map(() => iterator.next()));
  expect(steps.map(({ value }) => value as unknown)).toEqual([0, 1, 2, undefined]);
});
