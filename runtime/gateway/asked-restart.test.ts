import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { gateway } from './fixtures/gateway.ts';
import { toldBy } from './fixtures/told-events.ts';
import { ServiceProcess } from './service-process.ts';

const module = fileURLToPath(new URL('../fixtures/streaming.ts', import.meta.url));
const agents = { streaming: { type: 'thread-bound', threadId: 'pool', maxThreads: 2, module } };
const AT = '/v1/agents/streaming/a';

async function opened(options: { finishMs?: number } = {}) {
  const { front, token, call } = await gateway({ agents, gateway: { port: 0, reload: false } }, options);
  await call('PUT', AT);
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  /** Reads a stream until it has so many events, or to its end; `undefined` when the connection was lost. */
  const read = async (path: string, body?: object, last?: number) => {
    const response = await fetch(front.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...headers, ...(last !== undefined && { 'last-event-id': String(last) }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const { location, until, close } = toldBy(response);
    const numbered = async (count: number) =>
      (await until(count)).map(({ id, event, data }) => ({ id: Number(id), event, data }));
    return { status: response.status, location, until: numbered, close };
  };
  return { front, call, read };
}

/** Lets the agent write, again and again, until that is no longer needed. */
function going(call: (method: string, path: string, body: object) => Promise<unknown>) {
  const over = new AbortController();
  const run = async (): Promise<void> => {
    while (!over.signal.aborted)
      await call('POST', `${AT}/events?wait=handled`, { type: 'go' }).catch(() => {});
  };
  const running = run();
  return async (): Promise<void> => {
    over.abort();
    await running;
  };
}

test('a restart lets agents end what they write to clients, and serves everybody meanwhile', async () => {
  const { front, call, read } = await opened();
  const client = await read(`${AT}/ask`, { type: 'stream', n: 20, paced: true });
  const orders = vi.spyOn(ServiceProcess.prototype, 'ask');
  onTestFinished(() => orders.mockRestore());
  const restarted = front.restart();
  // The next process is prepared, and the one that serves is about to leave.
  const last = (): string | undefined => orders.mock.calls.at(-1)?.[0].type;
  await expect.poll(last, { timeout: 30_000 }).toMatch(/finish|hand-over/);
  const stop = going(call);
  const told = await client.until(21);
  expect(told.map(({ id }) => id)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
  expect(told.at(-1)).toMatchObject({ event: 'end', data: { reply: { wrote: 20 } } });
  await stop();
  expect(await restarted).toMatchObject({ instances: 1, lost: [] });
  // What has ended before is there after it as well.
  const again = await read(client.location, undefined, 18);
  expect(await again.until(3)).toEqual(told.slice(18));
});

test('a stream that is longer than a restart waits is cut with an error that says so, and its place is kept', async () => {
  const { front, call, read } = await opened({ finishMs: 100 });
  const client = await read(`${AT}/ask`, { type: 'stream', n: 1000, paced: true });
  const restarted = front.restart();
  await call('POST', `${AT}/events?wait=handled`, { type: 'go' });
  const told = await client.until(100);
  expect(told.slice(0, -1)).toEqual([{ id: 1, event: 'chunk', data: 0 }]);
  expect(told.at(-1)).toMatchObject({
    event: 'error',
    data: { code: 'STREAM_INTERRUPTED', retryable: true },
  });
  expect(await restarted).toMatchObject({ instances: 1, lost: [] });
  const again = await read(client.location, undefined, 1);
  expect(await again.until(2)).toEqual(told.slice(1));
  const anew = await read(`${AT}/ask`, { type: 'stream', n: 3 });
  expect((await anew.until(9)).map(({ event }) => event)).toEqual(['chunk', 'chunk', 'chunk', 'end']);
});

test('a client whose connections are cut at any chunk has all of it, once and in order', async () => {
  const { call, read } = await opened();
  const first = await read(`${AT}/ask`, { type: 'stream', n: 40, paced: true });
  const stop = going(call);
  const got = await first.until(1);
  await first.close();
  for (let cut = 1; got.at(-1)?.event !== 'end'; cut = (cut % 5) + 1) {
    const client = await read(first.location, undefined, got.at(-1)?.id);
    expect(client.status).toBe(200);
    got.push(...(await client.until(cut)));
    await client.close();
  }
  await stop();
  expect(got.map(({ id, data }) => (id === 41 ? id : [id, data]))).toEqual([
    ...Array.from({ length: 40 }, (_, i) => [i + 1, i]),
    41,
  ]);
});
