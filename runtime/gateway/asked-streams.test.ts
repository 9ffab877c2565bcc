import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentRef } from 'holdfast';
import { systemClock } from '../base/clock.ts';
import { createScrubber } from '../secrets/scrub/scrubber.ts';
import { face } from './fixtures/face.ts';
import { eventsIn, type Told } from './fixtures/told-events.ts';
import { digestOf, newToken } from './token-access.ts';

const [desk, other] = [newToken(), newToken()];
const asDesk = { authorization: `Bearer ${desk}` };
const of = (token: object = {}) => ({
  tokens: { desk: { sha256: digestOf(desk), ...token }, other: { sha256: digestOf(other) } },
});
const AT = '/v1/agents/streaming/a';
const LONG = { timeoutMs: 20_000 };
const SOON = { timeout: 20_000 };
const secret = 'sk-proj-4f8a1c9e7b2d5063';
const scrubber = createScrubber(systemClock);
scrubber.learn('key', 'v1', Buffer.from(secret));
scrubber.hold('key', ['v1']);

let open: Awaited<ReturnType<typeof face>>;
let ref: AgentRef;
beforeEach(async () => {
  open = await face(of(), scrubber);
  await open.call('PUT', AT);
  ref = open.runtime.get('streaming/a') as unknown as AgentRef;
  await ref.ask({ type: 'told' }, LONG);
});
afterEach(() => open.close());

/** A client that reads a stream of events. */
async function reading(pending: Response | Promise<Response>) {
  const response = await pending;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let text = '';
  const next = async (): Promise<boolean> => {
    reader ??= response.body?.getReader();
    const { done, value } = (await reader?.read()) ?? { done: true };
    text += value === undefined ? '' : new TextDecoder().decode(value);
    return !done;
  };
  return {
    response,
    location: response.headers.get('content-location') ?? '',
    until: async (count: number): Promise<Told[]> => {
      while (eventsIn(text).length < count && (await next()));
      return eventsIn(text);
    },
    rest: async (): Promise<Told[]> => {
      while (await next());
      return eventsIn(text);
    },
    close: () => reader?.cancel(),
  };
}

function ask(event: object, headers: Record<string, string> = {}, query = '') {
  return reading(
    open.app.request(`${AT}/ask${query}`, {
      method: 'POST',
      headers: { ...asDesk, accept: 'text/event-stream', ...headers },
      body: JSON.stringify(event),
    }),
  );
}

function goOn(location: string, last?: string, headers: Record<string, string> = asDesk) {
  const place = last === undefined ? {} : { 'last-event-id': last };
  return reading(open.app.request(location, { headers: { ...headers, ...place } }));
}

async function failureOf({ response }: { response: Response }): Promise<unknown> {
  const { error } = (await response.json()) as { error: { code: string; retryable: boolean } };
  return [response.status, error.code, error.retryable];
}

const chunks = (from: number, to: number): Told[] =>
  Array.from({ length: to - from }, (_, i) => ({
    id: String(from + i + 1),
    event: 'chunk',
    data: from + i,
  }));

describe('an ask whose client takes events', () => {
  test('is answered with what the agent writes, numbered, and then the reply', async () => {
    const client = await ask({ type: 'stream', n: 500 });
    expect(client.response.headers.get('content-type')).toBe('text/event-stream');
    expect(client.location).toMatch(/^\/v1\/agents\/streaming\/a\/asks\/[\w-]{22}$/);
    expect(await client.rest()).toEqual([
      ...chunks(0, 500),
      { id: '501', event: 'end', data: { reply: { wrote: 500 } } },
    ]);
  });

  test('ends with the error of the agent, and is refused with a status before it began', async () => {
    const failed = await ask({ type: 'stream', n: 1, fail: true });
    const error = { code: 'AGENT_FAILED', message: 'the agent failed: the model broke', retryable: false };
    expect(await failed.rest()).toEqual([...chunks(0, 1), { id: '2', event: 'error', data: error }]);
    const silent = await ask({ type: 'stream', n: 1, paced: true }, {}, '?timeoutMs=40');
    expect(await silent.rest()).toMatchObject([{ event: 'error', data: { code: 'ASK_TIMEOUT' } }]);
    expect(await failureOf(await ask({ type: 'xstate.init' }))).toEqual([400, 'BAD_REQUEST', false]);
    const nobody = open.app.request('/v1/agents/streaming/none/ask', {
      method: 'POST',
      headers: { ...asDesk, accept: 'text/event-stream' },
      body: '{"type":"stream"}',
    });
    expect(await failureOf(await reading(nobody))).toEqual([404, 'NOT_FOUND', false]);
    // Without that header it is an ask as any other.
    const plain = await open.call('POST', `${AT}/ask`, { type: 'stream', n: 5 }, asDesk);
    expect(plain).toMatchObject({ status: 200, body: { reply: { wrote: 5 } } });
  });

  test.each([
    ['*/*', 'application/json'],
    ['application/json, text/event-stream;q=0', 'application/json'],
    ['text/event-stream;q=0.1, application/json', 'application/json'],
    ['application/json;x="text/event-stream"', 'application/json'],
    ['application/json, text/event-stream', 'text/event-stream'],
    ['Text/Event-Stream; q=0.5', 'text/event-stream'],
  ])('comes as the client would rather have it: Accept: %s', async (accept, type) => {
    const { response } = await ask({ type: 'now', chunks: [], value: 1 }, { accept });
    expect(response.headers.get('content-type')).toBe(type);
    await response.text();
  });

  test('stays with the client that reads when somebody asks for the head alone', async () => {
    const client = await ask({ type: 'stream', n: 3, paced: true });
    const rest = client.rest();
    const head = await open.app.request(client.location, { method: 'HEAD', headers: asDesk });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const going = setInterval(() => ref.send({ type: 'go' }), 10);
    expect((await rest).at(-1)).toMatchObject({ id: '4', event: 'end' });
    clearInterval(going);
  });

  test('says nothing of a secret, also one that is written in pieces', async () => {
    const written = `the key is ${secret}, so`.split('');
    const whole = { type: 'text', text: `it is ${secret}` };
    const client = await ask({ type: 'now', chunks: [...written, whole, secret.slice(0, 8)], value: secret });
    const told = await client.rest();
    const texts = told.map(({ data }) => data).filter((data) => typeof data === 'string');
    expect(texts.join('')).toBe(`the key is <redacted:secret>, so${secret.slice(0, 8)}`);
    expect(told.at(-3)?.data).toEqual({ type: 'text', text: 'it is <redacted:secret>' });
    expect(told.at(-1)?.data).toEqual({ reply: '<redacted:secret>' });
    expect(told.map(({ id }) => Number(id))).toEqual(told.map((_, i) => i + 1));
  });

  test('goes on after the last event that the client has, at every cut', async () => {
    const first = await ask({ type: 'stream', n: 2000 });
    await first.until(10);
    const { location } = first;
    const got: Told[] = [];
    for (let cut = 1; got.at(-1)?.event !== 'end'; cut = (cut * 7) % 97) {
      const client = await goOn(location, got.at(-1)?.id);
      const more = got.length > 1500 ? await client.rest() : (await client.until(cut)).slice(0, cut);
      got.push(...more);
      await client.close();
    }
    expect(got.slice(0, -1)).toEqual(chunks(0, 2000));
    // After its end as well.
    expect(await (await goOn(location, '2000')).rest()).toMatchObject([{ id: '2001', event: 'end' }]);
    expect(await (await goOn(location, '2001')).rest()).toEqual([]);
    const from = open.app.request(`${location}?from=1999`, { headers: asDesk });
    expect((await (await reading(from)).rest()).map(({ id }) => id)).toEqual(['2000', '2001']);
    // The first client was replaced, and was told no end.
    expect((await first.rest()).at(-1)?.event).toBe('chunk');
  });

  test('waits for its client, who may have 8 MiB of it once more and is told when a place is gone', async () => {
    const client = await ask({ type: 'stream', n: 300, big: 100_000 });
    const { location } = client;
    const written = async (): Promise<unknown> => ((await ref.ask({ type: 'written' }, LONG)) as []).at(-1);
    let before: unknown;
    await expect
      .poll(async () => {
        const isStill = before !== undefined && before === (await written());
        before = await written();
        return isStill;
      }, SOON)
      .toBe(true);
    expect(before).toBeLessThan(40);
    const told = await client.rest();
    expect(told).toHaveLength(301);
    expect(await failureOf(await goOn(location))).toEqual([410, 'STREAM_GONE', false]);
    expect(await failureOf(await goOn(location, '100'))).toEqual([410, 'STREAM_GONE', false]);
    expect(await failureOf(await goOn(location, '302'))).toEqual([410, 'STREAM_GONE', false]);
    expect(await (await goOn(location, '250')).rest()).toEqual(told.slice(250));
  });

  test('may be cancelled, which the agent hears at once', async () => {
    const client = await ask({ type: 'stream', n: 100, paced: true });
    const { location } = client;
    await ref.deliver({ type: 'go' }, LONG);
    await client.until(1);
    const cancel = (headers: object) =>
      open.call('DELETE', location, undefined, headers as Record<string, string>);
    expect((await cancel({ authorization: `Bearer ${other}` })).status).toBe(410);
    expect((await cancel(asDesk)).status).toBe(204);
    const told: unknown[] = [];
    await expect
      .poll(async () => {
        told.push(...((await ref.ask({ type: 'told' }, LONG)) as unknown[]));
        return told.length;
      }, SOON)
      .toBe(2);
    expect((await client.rest()).map(({ event }) => event)).toEqual(['chunk']);
    expect(await failureOf(await goOn(location))).toEqual([410, 'STREAM_GONE', false]);
  });

  test('is done once with an Idempotency-Key, and the same stream each time', async () => {
    const key = { 'idempotency-key': 'k1' };
    const first = await ask({ type: 'stream', n: 3 }, key);
    const told = await first.rest();
    const again = await ask({ type: 'stream', n: 3 }, key);
    expect(again.response.headers.get('idempotent-replayed')).toBe('true');
    expect(again.location).toBe(first.location);
    expect(await again.rest()).toEqual(told);
    const { id: second = '' } = told[1] ?? {};
    const after = await ask({ type: 'stream', n: 3 }, { ...key, 'last-event-id': second });
    expect(await after.rest()).toEqual(told.slice(2));
    // The place in an answer is none in another one, though it has the same key.
    const foreign = await ask({ type: 'stream', n: 3 }, { ...key, 'last-event-id': 'someoneX.2' });
    expect(await failureOf(foreign)).toEqual([410, 'STREAM_GONE', false]);
    // A client that has a part of an answer asks for the rest of it, and nothing is done again.
    const [unknown, without] = [{ 'idempotency-key': 'k2', 'last-event-id': '1' }, { 'last-event-id': '1' }];
    for (const headers of [unknown, without]) {
      expect(await failureOf(await ask({ type: 'twice' }, headers))).toEqual([410, 'STREAM_GONE', false]);
    }
    const anew = await ask({ type: 'stream', n: 1 }, { 'idempotency-key': 'k2' });
    expect(await anew.rest()).toHaveLength(2);
    const otherwise = await ask({ type: 'stream', n: 4 }, key);
    expect(await failureOf(otherwise)).toEqual([422, 'IDEMPOTENCY_KEY_REUSED', false]);
    const different = await open.call('POST', `${AT}/ask`, { type: 'stream', n: 3 }, { ...asDesk, ...key });
    expect(different).toMatchObject({ status: 422, body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } } });
  });

  test('is for its token alone, which has so many, and ends with what that may do', async () => {
    open.reload({ ...of(), limits: { streams: 2 } });
    const [one, two] = [
      await ask({ type: 'stream', n: 9, paced: true }),
      await ask({ type: 'stream', n: 9, paced: true }),
    ];
    expect(await failureOf(await ask({ type: 'stream', n: 1 }))).toEqual([429, 'LIMIT_REACHED', true]);
    const foreign = { authorization: `Bearer ${other}` };
    expect(await failureOf(await goOn(one.location, undefined, foreign))).toEqual([
      410,
      'STREAM_GONE',
      false,
    ]);
    expect((await open.app.request(one.location)).status).toBe(401);
    open.reload(of({ allow: ['read'] }));
    expect(await one.rest()).toMatchObject([{ event: 'error', data: { code: 'FORBIDDEN' } }]);
    open.reload({});
    expect((await two.rest()).map(({ data }) => (data as { code: string }).code)).toEqual(['FORBIDDEN']);
    expect((await ask({ type: 'stream', n: 1 })).response.status).toBe(401);
  });

  test('of a token that is taken back while the instance starts does not begin', async () => {
    const headers = { ...asDesk, accept: 'text/event-stream' };
    for (const [what, init] of [
      ['ask', { method: 'POST', headers, body: '{"type":"stream","n":1}' }],
      ['stream', { headers }],
    ] as const) {
      const pending = open.app.request(`/v1/agents/streaming/${what}-late/${what}?activate=true`, init);
      while (open.runtime.get(`streaming/${what}-late`) === undefined) await new Promise(setImmediate);
      open.reload({});
      expect(await failureOf(await reading(pending))).toEqual([401, 'UNAUTHORIZED', false]);
      open.reload(of());
    }
  });
});
