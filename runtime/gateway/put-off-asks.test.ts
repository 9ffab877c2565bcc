import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { gateway } from './fixtures/gateway.ts';

const module = fileURLToPath(new URL('../fixtures/deferring.ts', import.meta.url));
const agents = {
  desk: { type: 'thread-bound', threadId: 'desk', maxThreads: 1, module },
  other: { type: 'thread-bound', threadId: 'other', maxThreads: 1, module },
};
const LONG = 'timeoutMs=25000';

type Called = Awaited<ReturnType<typeof gateway>>['call'];

/** Asks a desk that puts the answer off; `answer` is what comes in the end. */
async function putOff(call: Called, at = 'desk/a', headers: Record<string, string> = {}) {
  const answer = call('POST', `/v1/agents/${at}/ask?activate=true&${LONG}`, { type: 'defer' }, headers);
  await heard(call, at);
  return { answer };
}

/** Resolves when the desk has put an ask off. */
async function heard(call: Called, at: string): Promise<void> {
  const tokens = async (): Promise<unknown> =>
    (await call('POST', `/v1/agents/${at}/ask`, { type: 'tokens' })).body;
  await expect.poll(tokens, { timeout: 60_000 }).toMatchObject({ reply: [{ type: 'holdfast.reply' }] });
}

function answerWith(call: Called, value: string, at = 'desk/a') {
  return call('POST', `/v1/agents/${at}/events?wait=handled`, { type: 'answer', value });
}

describe('an ask whose answer is put off', () => {
  test('holds no restart, and goes on over two of them and in another thread, until the last process answers it on the same connection', async () => {
    const byHand = { port: 0, reload: false };
    const { front, write, call } = await gateway({ agents, gateway: byHand });
    const { answer } = await putOff(call);
    let answered = false;
    void answer.then(() => (answered = true));
    const { instances, lost } = await front.restart();
    expect({ instances, lost, answered }).toEqual({ instances: 1, lost: [], answered: false });
    // Everybody else goes on.
    expect(await call('POST', '/v1/agents/other/b/ask?activate=true', { type: 'read' })).toMatchObject({
      status: 200,
    });
    const changed = { ...agents, desk: { ...agents.desk, mailbox: { capacity: 50 } } };
    await write({ agents: changed, gateway: byHand });
    expect(await front.reload()).toBe('restarted');
    await write({ agents: changed, gateway: byHand, threads: { desk: { env: { NEW: '1' } } } });
    expect(await front.reload()).toBe('rolled');
    expect(answered).toBe(false);
    expect(await answerWith(call, 'the desk says yes')).toMatchObject({ status: 200 });
    expect(await answer).toEqual({ status: 200, body: { reply: 'the desk says yes' } });
  });

  test('hears in words that its agent cannot go on', async () => {
    const { front, write, call } = await gateway({ agents, gateway: { port: 0, reload: false } });
    const { answer } = await putOff(call);
    await write({ agents: { other: agents.other }, gateway: { port: 0, reload: false } });
    expect(await front.reload()).toBe('restarted');
    expect(await answer).toMatchObject({ status: 503, body: { error: { code: 'RESTARTING' } } });
  });

  test('with a key is asked once, whoever waits for it, over a restart and after it', async () => {
    const { front, call } = await gateway({ agents });
    const headers = { 'idempotency-key': 'order-1' };
    const path = `/v1/agents/desk/a/ask?activate=true&${LONG}`;
    const first = await putOff(call, 'desk/a', headers);
    const second = call('POST', path, { type: 'defer' }, headers);
    await front.restart();
    const third = call('POST', path, { type: 'defer' }, headers);
    const [{ reply: tokens }] = [(await call('POST', '/v1/agents/desk/a/ask', { type: 'tokens' })).body];
    expect(tokens).toHaveLength(1);
    await answerWith(call, 'once');
    const once = { status: 200, body: { reply: 'once' } };
    expect(await Promise.all([first.answer, second, third])).toEqual([once, once, once]);
    expect(await call('POST', path, { type: 'defer' }, headers)).toEqual(once);
    expect(await call('POST', '/v1/agents/desk/a/ask', { type: 'read' })).toMatchObject({
      body: { reply: ['defer'] },
    });
  });

  test('with a key whose client went away is still answered when it comes again after a restart', async () => {
    const { front, token, call } = await gateway({ agents });
    const headers = { 'idempotency-key': 'order-2' };
    const path = `/v1/agents/desk/a/ask?activate=true&${LONG}`;
    const gone = new AbortController();
    const left = fetch(front.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: JSON.stringify({ type: 'defer' }),
      signal: gone.signal,
    });
    await heard(call, 'desk/a');
    gone.abort();
    await expect(left).rejects.toThrow('aborted');
    await front.restart();
    await front.restart();
    const again = call('POST', path, { type: 'defer' }, headers);
    await answerWith(call, 'still known');
    expect(await again).toEqual({ status: 200, body: { reply: 'still known' } });
    expect(await call('POST', '/v1/agents/desk/a/ask', { type: 'read' })).toMatchObject({
      body: { reply: ['defer'] },
    });
  });

  test('keeps its own time limit over a restart', async () => {
    const { front, call } = await gateway({ agents });
    const answer = call('POST', '/v1/agents/desk/a/ask?activate=true&timeoutMs=4000', { type: 'defer' });
    await heard(call, 'desk/a');
    await front.restart();
    expect(await answer).toMatchObject({ status: 504, body: { error: { code: 'ASK_TIMEOUT' } } });
  });
});

test('a request that is still being sent holds no restart, and is done once, by the next process', async () => {
  const { front, token, call } = await gateway({ agents });
  await call('PUT', '/v1/agents/desk/a');
  const body = JSON.stringify({ type: 'note', text: 'é'.repeat(100) });
  const slow = request(`${front.url}/v1/agents/desk/a/events?wait=handled`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-length': Buffer.byteLength(body) },
  });
  const answered = once(slow, 'response') as Promise<[IncomingMessage]>;
  slow.write(body.slice(0, 20));
  // It has arrived when others that were sent after it have.
  await call('POST', '/v1/agents/desk/a/ask', { type: 'read' });
  await front.restart();
  slow.end(body.slice(20));
  const [response] = await answered;
  expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
  response.resume();
  expect(await call('POST', '/v1/agents/desk/a/ask', { type: 'read' })).toMatchObject({
    body: { reply: ['note'] },
  });
});

test('a ticket that nobody was given asks nothing and starts nothing', async () => {
  const { call } = await gateway({ agents });
  const headers = { 'holdfast-put-off-ask': '5f9e1a3c-0000-4000-8000-000000000000' };
  expect(
    await call('POST', '/v1/agents/desk/a/ask?activate=true', { type: 'tokens' }, headers),
  ).toMatchObject({
    status: 503,
    body: { error: { code: 'RESTARTING' } },
  });
  expect(await call('GET', '/v1/agents')).toMatchObject({ body: { instances: [] } });
});
