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

  test('hears in words that its agent cannot go on; a ticket that nobody was given asks nothing and starts nothing', async () => {
    const { front, write, call } = await gateway({ agents, gateway: { port: 0, reload: false } });
    const ticket = { 'holdfast-put-off-ask': '5f9e1a3c-0000-4000-8000-000000000000' };
    const restarting = { status: 503, body: { error: { code: 'RESTARTING' } } };
    const path = '/v1/agents/desk/a/ask?activate=true';
    expect(await call('POST', path, { type: 'tokens' }, ticket)).toMatchObject(restarting);
    expect(await call('GET', '/v1/agents')).toMatchObject({ body: { instances: [] } });
    const { answer } = await putOff(call);
    await write({ agents: { other: agents.other }, gateway: { port: 0, reload: false } });
    expect(await front.reload()).toBe('restarted');
    expect(await answer).toMatchObject(restarting);
  });

  test('with a key is asked once, over restarts and after them, whoever waits for it and who went away; without one it keeps its own time limit, and a request that is still being sent is done once', async () => {
    const { front, token, call } = await gateway({ agents });
    const of = (at: string, key: string) => {
      const path = `/v1/agents/desk/${at}/ask?activate=true&${LONG}`;
      const headers = { 'idempotency-key': key };
      return { path, headers, ask: () => call('POST', path, { type: 'defer' }, headers) };
    };
    const readOf = async (at: string): Promise<unknown> =>
      (await call('POST', `/v1/agents/desk/${at}/ask`, { type: 'read' })).body;

    const [shared, left] = [of('a', 'order-1'), of('b', 'order-2')];
    const first = await putOff(call, 'desk/a', shared.headers);
    const second = shared.ask();
    const gone = new AbortController();
    const unheard = fetch(front.url + left.path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...left.headers },
      body: JSON.stringify({ type: 'defer' }),
      signal: gone.signal,
    });
    await heard(call, 'desk/b');
    gone.abort();
    await expect(unheard).rejects.toThrow('aborted');
    await call('PUT', '/v1/agents/desk/d');
    const body = JSON.stringify({ type: 'note', text: 'é'.repeat(100) });
    const slow = request(`${front.url}/v1/agents/desk/d/events?wait=handled`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-length': Buffer.byteLength(body) },
    });
    const sent = once(slow, 'response') as Promise<[IncomingMessage]>;
    slow.write(body.slice(0, 20));
    // It has arrived when others that were sent after it have.
    await readOf('d');
    const limited = call('POST', '/v1/agents/desk/c/ask?activate=true&timeoutMs=4000', { type: 'defer' });
    await heard(call, 'desk/c');

    await front.restart();
    slow.end(body.slice(20));
    const [response] = await sent;
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    response.resume();
    expect(await readOf('d')).toMatchObject({ reply: ['note'] });
    expect(await limited).toMatchObject({ status: 504, body: { error: { code: 'ASK_TIMEOUT' } } });

    await front.restart();
    const third = shared.ask();
    const again = left.ask();
    const { body: tokens } = await call('POST', '/v1/agents/desk/a/ask', { type: 'tokens' });
    expect((tokens as { reply: unknown }).reply).toHaveLength(1);
    await answerWith(call, 'once');
    await answerWith(call, 'still known', 'desk/b');
    const answered = { status: 200, body: { reply: 'once' } };
    expect(await Promise.all([first.answer, second, third])).toEqual([answered, answered, answered]);
    expect(await shared.ask()).toEqual(answered);
    expect(await again).toEqual({ status: 200, body: { reply: 'still known' } });
    for (const at of ['a', 'b']) expect(await readOf(at)).toMatchObject({ reply: ['defer'] });
  });
});
