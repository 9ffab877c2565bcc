import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { face } from './fixtures/face.ts';
import { gateway } from './fixtures/gateway.ts';
import { Idempotency } from './idempotency.ts';
import { digestOf, newToken } from './token-access.ts';

const tokens = { a: newToken(), 'a b': newToken() };
const asA = { authorization: `Bearer ${tokens.a}` };
const asB = { authorization: `Bearer ${tokens['a b']}` };

/** A gateway whose agent does orders, each of which leaves a line behind. */
async function orders(agent: object = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-orders-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [file, pipe] = [join(folder, 'done'), join(folder, 'pipe')];
  writeFileSync(file, '');
  execFileSync('mkfifo', [pipe]);
  const send = ['send', 'read', 'manage'];
  const open = await face(
    {
      tokens: {
        a: { sha256: digestOf(tokens.a), allow: send },
        'a b': { sha256: digestOf(tokens['a b']), allow: send },
      },
    },
    undefined,
    agent,
  );
  onTestFinished(() => open.close());
  await open.call('PUT', '/v1/agents/orders/1', undefined, asA);
  const order = (end: string, more: object = {}) => ({ type: 'order', file, end, ...more });
  const ask = (query: string, body: unknown, key: string, headers = asA, signal?: AbortSignal) =>
    open.call('POST', `/v1/agents/orders/1/${query}`, body, { ...headers, 'idempotency-key': key }, signal);
  const done = (): number => readFileSync(file, 'utf8').split('\n').length - 1;
  /** Resolves when the turn that was held goes on. */
  const letGo = (): Promise<void> => writeFile(pipe, 'x');
  return { ...open, order, ask, done, pipe, letGo };
}

describe('a request that is sent again with its key is done once', () => {
  test.each([
    ['it was answered', 'ask?timeoutMs=20000', 'reply', 200, 200, { reply: 'ordered' }],
    [
      'it was handled without a reply',
      'ask?timeoutMs=20000',
      'silent',
      422,
      422,
      { error: { code: 'ASK_UNANSWERED' } },
    ],
    ['the agent threw', 'ask?timeoutMs=20000', 'throw', 422, 422, { error: { code: 'AGENT_FAILED' } }],
    ['its thread died', 'ask?timeoutMs=20000', 'exit', 503, 503, { error: { code: 'THREAD_CRASHED' } }],
    [
      'the answer was too long to keep',
      'ask?timeoutMs=20000',
      'big',
      200,
      410,
      { error: { code: 'ANSWER_NOT_KEPT' } },
    ],
    ['it is put off', 'ask?timeoutMs=30', 'defer', 504, 504, { error: { code: 'ASK_TIMEOUT' } }],
    ['it was handled', 'events?wait=handled', 'silent', 200, 200, { accepted: true }],
    ['it was put off, and so handled', 'events?wait=handled', 'defer', 200, 200, { accepted: true }],
    ['its turn threw', 'events?wait=handled', 'throw', 422, 422, { error: { code: 'AGENT_FAILED' } }],
    [
      'its turn ended the thread',
      'events?wait=handled',
      'exit',
      503,
      503,
      { error: { code: 'THREAD_CRASHED' } },
    ],
    ['it was accepted', 'events', 'silent', 202, 202, { accepted: true }],
  ])('%s: %s, %s', async (_what, query, end, first, again, body) => {
    const { order, ask, done } = await orders();
    const sent = await ask(query, order(end), 'k');
    expect(sent.status).toBe(first);
    expect(sent.headers.get('idempotent-replayed')).toBeNull();
    // It is the same later, so that nobody is told to wait for something else.
    expect(sent.headers.get('retry-after')).toBeNull();
    for (let n = 0; n < 2; n += 1) {
      const replay = await ask(query, order(end), 'k');
      expect(replay).toMatchObject({ status: again, body });
      expect(replay.headers.get('retry-after')).toBeNull();
      const isReplay = again !== 504 && again !== 410;
      expect(replay.headers.get('idempotent-replayed')).toBe(isReplay ? 'true' : null);
    }
    await expect.poll(done, { timeout: 60_000 }).toBe(1);
    // By another name of the same gateway.
    expect((await ask(query, order(end), 'k')).status).toBe(again);
    expect(done()).toBe(1);
    // Another request with the key is none, and the key of somebody else is another.
    expect(await ask(query, order(end, { more: 1 }), 'k')).toMatchObject({
      status: 422,
      body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } },
    });
    expect(done()).toBe(1);
    expect((await ask(query, order(end), 'k', asB)).headers.get('idempotent-replayed')).toBeNull();
    await expect.poll(done, { timeout: 60_000 }).toBe(2);
  });

  test('what is put off is answered when it is known, whoever waited for it first', async () => {
    const { order, ask, call, done } = await orders();
    expect(await ask('ask?timeoutMs=30', order('defer'), 'k')).toMatchObject({
      status: 504,
      body: { error: { message: expect.stringContaining('still running') as string } },
    });
    expect(await ask('ask?timeoutMs=30', order('defer'), 'k')).toMatchObject({ status: 504 });
    await call('POST', '/v1/agents/orders/1/events?wait=handled', { type: 'release' });
    expect(await ask('ask?timeoutMs=30', order('defer'), 'k')).toMatchObject({
      status: 200,
      body: { reply: 'ordered late' },
    });
    expect(done()).toBe(1);
  });

  test('what was put off by an instance that has ended is not done again', async () => {
    const { order, ask, call, done } = await orders();
    expect(await ask('ask?timeoutMs=30', order('defer'), 'k')).toMatchObject({ status: 504 });
    await call('DELETE', '/v1/agents/orders/1');
    await call('PUT', '/v1/agents/orders/1');
    expect(await ask('ask?timeoutMs=30', order('defer'), 'k')).toMatchObject({
      status: 404,
      body: { error: { code: 'AGENT_STOPPED' } },
    });
    expect(done()).toBe(1);
  });

  test.each([
    ['ask', 'reply', { reply: 'ordered' }],
    ['events?wait=handled', 'silent', { accepted: true }],
  ])('%s, of which the first client goes away while another waits', async (query, end, body) => {
    const { order, ask, pipe, letGo, done } = await orders();
    const going = new AbortController();
    const held = order(end, { pipe });
    const first = ask(query, held, 'k', asA, going.signal).catch(() => 'gone');
    const second = ask(query, held, 'k');
    going.abort();
    const third = ask(query, held, 'k');
    await letGo();
    expect(await second).toMatchObject({ status: 200, body });
    expect(await third).toMatchObject({ status: 200, body });
    await first;
    expect(done()).toBe(1);
  });

  test('by whatever name the gateway is called', async () => {
    const { order, app, done } = await orders();
    const init = {
      method: 'POST',
      headers: { ...asA, 'idempotency-key': 'k' },
      body: JSON.stringify(order('reply')),
    };
    const path = '/v1/agents/orders/1/ask?timeoutMs=5000';
    for (const host of ['http://127.0.0.1:1', 'http://localhost:2', 'https://gateway.example']) {
      expect((await app.request(host + path, init)).status).toBe(200);
    }
    expect(done()).toBe(1);
  });

  test('an instance is started once', async () => {
    const { call } = await orders();
    const put = () => call('PUT', '/v1/agents/orders/2', undefined, { ...asA, 'idempotency-key': 'k' });
    expect([(await put()).status, (await put()).status]).toEqual([201, 201]);
  });
});

describe('what was surely not done is done when it comes again', () => {
  test('there was no instance', async () => {
    const { order, ask, call, done } = await orders();
    await call('DELETE', '/v1/agents/orders/1');
    expect(await ask('ask', order('reply'), 'k')).toMatchObject({ status: 404 });
    await call('PUT', '/v1/agents/orders/1');
    expect(await ask('ask', order('reply'), 'k')).toMatchObject({ status: 200 });
    expect(done()).toBe(1);
  });

  test('the mailbox was full', async () => {
    const { order, ask, pipe, letGo, done } = await orders({ mailbox: { capacity: 1 } });
    const holding = ask('ask', order('reply', { pipe }), 'first');
    const refused = await ask('ask', order('reply'), 'k');
    expect(refused).toMatchObject({
      status: 429,
      body: { error: { code: 'MAILBOX_FULL', retryable: true } },
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    await letGo();
    expect(await holding).toMatchObject({ status: 200 });
    expect(await ask('ask', order('reply'), 'k')).toMatchObject({ status: 200 });
    expect(done()).toBe(2);
  });

  test('its time was up before its turn', async () => {
    const { order, ask, pipe, letGo, done, runtime } = await orders();
    const holding = ask('ask', order('reply', { pipe }), 'first');
    const late = 'ask?timeoutMs=50';
    expect(await ask(late, order('reply'), 'k')).toMatchObject({ status: 504 });
    expect(await ask(late, order('reply'), 'k')).toMatchObject({ status: 504 });
    await letGo();
    await holding;
    const reasons = () => runtime.deadLetters.list().map(({ reason }) => reason);
    await expect.poll(reasons, { timeout: 60_000 }).toEqual(['expired']);
    expect(done()).toBe(1);
    expect(await ask(late, order('reply'), 'k')).toMatchObject({ status: 200 });
    expect(done()).toBe(2);
  });

  test('it was accepted, and became a dead letter of which nothing was begun', async () => {
    const answers = new Idempotency({ now: () => 0 }, () => 1e6);
    let runs = 0;
    let refuse = (): void => {};
    const once = () =>
      answers.once('a', 'k', 'r', async (course) => {
        runs += 1;
        course.begun();
        refuse = () => course.refused();
        return { status: 202, body: '{}' };
      });
    await once().answer;
    expect(once().isReplay).toBe(true);
    refuse();
    expect(once().isReplay).toBe(false);
    expect(runs).toBe(2);
  });
});

test('so many requests of a token with a key are under way at most, and what nobody waits for makes room', async () => {
  const answers = new Idempotency({ now: () => 0 }, () => 1e6);
  const given: string[] = [];
  const once = (token: string, key: string) =>
    answers.once(token, key, 'r', (course) => {
      course.begun();
      return new Promise((_resolve, reject) => {
        course.signal.addEventListener('abort', () => {
          given.push(key);
          reject(new Error('given up'));
        });
      });
    });
  const all = Array.from({ length: 1000 }, (_, n) => once('a', `k${n}`));
  const refused = expect.objectContaining({ status: 429, code: 'LIMIT_REACHED' }) as Error;
  expect(() => once('a', 'one more')).toThrow(refused);
  expect(once('b', 'k').isReplay).toBe(false);
  all[7]?.leave();
  all[7]?.leave();
  expect(once('a', 'one more').isReplay).toBe(false);
  expect(given).toEqual(['k7']);
  // It was begun, and is not done again.
  expect(() => once('a', 'k7')).toThrow(
    expect.objectContaining({ status: 409, code: 'OUTCOME_UNKNOWN' }) as Error,
  );
  await expect(all[7]?.answer).rejects.toThrow('given up');
  expect(() => once('a', 'k7')).toThrow(expect.objectContaining({ status: 409 }) as Error);
  expect(() => once('a', 'yet another')).toThrow(refused);
});

test('keys of two tokens never meet, whatever they and their tokens are called', async () => {
  const answers = new Idempotency({ now: () => 0 }, () => 1e6);
  for (const [token, key] of [
    ['a', 'b c'],
    ['a b', 'c'],
    ['', 'a b c'],
    ['a', 'b","c'],
    ['a","b', 'c'],
    ['__proto__', 'constructor'],
    ['constructor', '__proto__'],
  ] as const) {
    const found = answers.once(token, key, `of ${token}`, async () => ({ status: 200, body: token }));
    expect(found.isReplay).toBe(false);
    expect(await found.answer).toEqual({ status: 200, body: token });
    expect(answers.once(token, key, `of ${token}`, () => Promise.reject(new Error('again'))).isReplay).toBe(
      true,
    );
  }
});

test('over a restart answers go along, and of what was under way it is told that nobody knows', async () => {
  const { front, call } = await gateway({ gateway: { port: 0, reload: false } });
  await call('PUT', '/v1/agents/counter/a');
  const inc = (key: string) =>
    call('POST', '/v1/agents/counter/a/events?wait=handled', { type: 'inc' }, { 'idempotency-key': key });
  await inc('one');
  await front.restart();
  expect(await inc('one')).toMatchObject({ status: 200 });
  expect(await call('POST', '/v1/agents/counter/a/ask', { type: 'read' })).toMatchObject({
    body: { reply: 1 },
  });

  const [before, after] = [0, 1].map(() => new Idempotency({ now: () => 0 }, () => 1e6)) as [
    Idempotency,
    Idempotency,
  ];
  const hanging = new Promise<never>(() => {});
  before.once('a', 'begun', 'r', (course) => {
    course.begun();
    return hanging;
  });
  before.once('a', 'not begun', 'r', () => hanging);
  after.adopt(structuredClone(before.handOver()));
  expect(() => after.once('a', 'begun', 'r', () => hanging)).toThrow(
    expect.objectContaining({ status: 409, code: 'OUTCOME_UNKNOWN' }) as Error,
  );
  expect(after.once('a', 'not begun', 'r', () => hanging).isReplay).toBe(false);
});
