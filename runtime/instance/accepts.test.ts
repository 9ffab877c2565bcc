import { describe, expect, test } from 'vitest';
import type { AgentRef, HoldfastError, Runtime } from 'holdfast';
import { fixture, start, startTest } from '../fixtures/start.ts';

const agents = {
  zod: fixture('accepting', { threadId: 'own' }),
  valibot: fixture('accepting-valibot', { threadId: 'own' }),
  arktype: fixture('accepting-arktype', { threadId: 'own' }),
  odd: fixture('accepting-oddly', { threadId: 'own' }),
  replying: fixture('replying', { threadId: 'own' }),
  notSchemas: fixture('accepting-nothing', { threadId: 'own' }),
  asker: fixture('talkers', { export: 'asker', threadId: 'own' }),
  elsewhere: fixture('talkers', { export: 'asker', threadId: 'elsewhere' }),
};

const CANARY = 'sk-canary-4711';

/** The error of an ask or a delivery that is to fail. */
function failed(promise: Promise<unknown>): Promise<HoldfastError> {
  return promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: HoldfastError) => error,
  );
}

function lettersOf(runtime: Pick<Runtime, 'deadLetters'>): object[] {
  return runtime.deadLetters
    .list()
    .map(({ address, reason, event, why }) => ({ address, reason, event, why }));
}

describe.each(['zod', 'valibot', 'arktype'] as const)('an agent whose schemas are of %s', (agent) => {
  test('gets what its schemas make of an event, and nothing that does not fit', async () => {
    const runtime = await start({ agents });
    const ref = await runtime.spawn(agent, { id: 'a' });
    expect(await ref.ask({ type: 'say', text: ' hello ' })).toMatchObject({
      event: { type: 'say', text: 'hello', mood: 'calm' },
    });
    const order = { type: 'order', items: [{ name: 'tea', qty: 2 }] };
    expect(await ref.ask(order)).toMatchObject({ event: order });

    const wrong = {
      type: 'order',
      items: [
        { name: 'tea', qty: 2 },
        { name: CANARY, qty: 0 },
      ],
    };
    const asked = await failed(ref.ask(wrong));
    expect(asked).toMatchObject({ code: 'EVENT_INVALID', issues: [{ path: ['items', 1, 'qty'] }] });
    expect(asked.message).toMatch(
      /^\w+\/a: an event of the type "order" does not fit .*: items\.1\.qty \(.+\)$/,
    );
    const text = await failed(ref.deliver({ type: 'say', text: { [CANARY]: CANARY } }));
    expect(text).toMatchObject({ code: 'EVENT_INVALID', issues: [{ path: ['text'] }] });
    expect(JSON.stringify([asked, asked.message, text, text.message])).not.toContain(CANARY);
    await failed(ref.ask({ type: 'say', text: 'hello', more: true }));
    expect(await failed(ref.ask({ type: 'sya', text: 'hello' }))).toMatchObject({
      code: 'EVENT_INVALID',
      issues: [{ path: ['type'], expected: 'a type that the agent accepts' }],
    });
    // Its letter keeps the event as it was sent, and says why without a value.
    expect(lettersOf(runtime)[0]).toEqual({
      address: `${agent}/a`,
      reason: 'invalid',
      event: wrong,
      why: expect.stringContaining('items.1.qty') as string,
    });
    expect(lettersOf(runtime)).toHaveLength(4);
  });
});

test('an event that does not fit, and that nobody waits for, is a dead letter; those around it have their turns', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('zod', { id: 'a' });
  for (let n = 0; n < 100; n++)
    ref.send(n % 2 === 0 ? { type: 'say', text: `${n}` } : { type: 'say', text: n });
  const heard = (await ref.ask({ type: 'heard' })) as { text: string }[];
  expect(heard.map(({ text }) => Number(text))).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n));
  const letters = runtime.deadLetters.list();
  expect(letters.map(({ event }) => (event as { text: number }).text)).toEqual(
    Array.from({ length: 50 }, (_, n) => 2 * n + 1),
  );
  expect(new Set(letters.map(({ reason }) => reason))).toEqual(new Set(['invalid']));
  expect(runtime.status().instances[0]).toMatchObject({ mailbox: 0 });
});

test('a schema that waits, throws or says nonsense fits nothing, and harms nobody', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('odd', { id: 'a' });
  const why = async (type: string): Promise<unknown> => {
    const error = await failed(ref.ask({ type, name: CANARY }));
    expect(error.code).toBe('EVENT_INVALID');
    expect(JSON.stringify([error, error.message])).not.toContain('canary');
    return error.issues?.[0]?.expected;
  };
  expect(await why('waits')).toBe('a schema that is not async: a turn cannot wait for it');
  expect(await why('waitsAndFails')).toBe('a schema that is not async: a turn cannot wait for it');
  expect(await why('throws')).toBe('a schema that does not throw: RangeError');
  expect(await why('bare')).toBe('a schema that gives an object');
  expect(await why('silent')).toBe('a schema that says what does not fit');
  const endless = await failed(ref.ask({ type: 'endless' }));
  expect(endless.issues).toHaveLength(16);
  expect(JSON.stringify(endless.issues).length).toBeLessThan(32_000);
  expect(await ref.ask({ type: 'heard' })).toEqual([]);
  expect(ref.incarnation).toBe(1);
});

describe.each(['asker', 'elsewhere'] as const)('an agent that sends to it from (%s)', (from) => {
  test('hears what does not fit, and the letter is with the others', async () => {
    const runtime = await start({ agents });
    await runtime.spawn('zod', { id: 'a' });
    const asker = await runtime.spawn(from, { id: 'a' });
    const relay = (ask: object, kind: 'ask' | 'deliver'): Promise<unknown> =>
      asker.ask({ type: 'relay', to: 'zod/a', ask, kind });
    const invalid = { failed: 'EVENT_INVALID' };
    const all = await Promise.all([
      relay({ type: 'say', text: ' one ' }, 'ask'),
      relay({ type: 'say', text: 1 }, 'ask'),
      relay({ type: 'say', text: 'two' }, 'deliver'),
      relay({ type: 'say', text: 2 }, 'deliver'),
      relay({ type: 'nothing' }, 'deliver'),
      relay({ type: 'say', text: 'three' }, 'deliver'),
    ]);
    expect(all).toEqual([
      { answer: { event: { type: 'say', text: 'one', mood: 'calm' }, from: `${from}/a` } },
      invalid,
      { answer: 'handled' },
      invalid,
      invalid,
      { answer: 'handled' },
    ]);
    await expect.poll(() => lettersOf(runtime)).toHaveLength(3);
    expect(lettersOf(runtime)[0]).toMatchObject({
      address: 'zod/a',
      reason: 'invalid',
      event: { type: 'say', text: 1 },
      why: expect.stringContaining('text (string)') as string,
    });
  });
});

test('a replay that does not fit keeps its letter, and one that is let through is done with it', async () => {
  const runtime = await start({ agents });
  const ref: AgentRef = await runtime.spawn('zod', { id: 'a' });
  await failed(ref.ask({ type: 'say', text: 1 }));
  const [letter] = runtime.deadLetters.list();
  expect(await failed(runtime.deadLetters.replay(letter?.id ?? ''))).toMatchObject({ code: 'EVENT_INVALID' });
  expect(runtime.deadLetters.list()).toMatchObject([{ id: letter?.id, replays: 1, reason: 'invalid' }]);
  expect(runtime.deadLetters.list()).toHaveLength(1);
});

test('the machine would not take an event that does not fit', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('zod', { id: 'a' });
  expect(await ref.can({ type: 'say', text: 'hello' })).toBe(true);
  expect(await ref.can({ type: 'say', text: 1 })).toBe(false);
});

test('the test kit checks as well', async () => {
  const runtime = await startTest({ agents });
  const ref = await runtime.spawn('zod', { id: 'a' });
  expect(await failed(ref.ask({ type: 'say' }))).toMatchObject({ code: 'EVENT_INVALID' });
  expect(await ref.ask({ type: 'say', text: 'hello' })).toMatchObject({ event: { mood: 'calm' } });
  expect(lettersOf(runtime)).toMatchObject([{ reason: 'invalid', event: { type: 'say' } }]);
});

test('a reply is given as its schema makes it, at once or later, and one that does not fit is none', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('replying', { id: 'a' });
  expect(await ref.ask({ type: 'say', reply: { text: 'hello', more: 1 } })).toEqual({
    text: 'hello',
    mood: 'calm',
  });
  const wrong = await failed(ref.ask({ type: 'say', reply: { text: [CANARY] } }));
  expect(wrong).toMatchObject({
    code: 'ASK_UNANSWERED',
    message: 'replying/a replied to "say" what does not fit its replies: text (string)',
    issues: [{ path: ['text'], expected: 'string' }],
  });
  // A type that `replies` does not name is not checked.
  expect(await ref.ask({ type: 'other', reply: [1] })).toEqual([1]);
  const [late, later] = [
    ref.ask({ type: 'later' }),
    ref.deliver({ type: 'answer', reply: { n: 1, more: 2 } }),
  ];
  await later;
  expect(await late).toEqual({ n: 1 });
  const never = failed(ref.ask({ type: 'later' }));
  await ref.deliver({ type: 'answer', reply: { n: CANARY } });
  expect(await never).toMatchObject({ code: 'ASK_UNANSWERED', issues: [{ path: ['n'] }] });
});

test('what is emitted and does not fit is left behind, with a warning', async () => {
  const runtime = await start({ agents });
  const ref = await runtime.spawn('replying', { id: 'a' });
  const [heard, warned]: [unknown[], string[]] = [[], []];
  ref.on('*', (event) => heard.push(event));
  runtime.on('warning', ({ message }) => warned.push(message));
  for (const event of [{ type: 'said', text: ' hi ' }, { type: 'said', text: 1 }, { type: 'unknown' }]) {
    await ref.deliver({ type: 'emit', event });
  }
  await expect.poll(() => warned).toHaveLength(2);
  expect(heard).toEqual([{ type: 'said', text: 'hi' }]);
  expect(warned[0]).toContain('it does not fit what the agent emits: text (string)');
  expect(warned[1]).toContain('type (a type that the agent emits)');
});

test('an export that holds no schemas is refused where the agent is started', async () => {
  const runtime = await start({ agents });
  expect(await failed(runtime.spawn('notSchemas', { id: 'a' }))).toMatchObject({
    code: 'AGENT_EXPORT_INVALID',
    message: expect.stringContaining('has no Standard Schema for "say"') as string,
  });
});
