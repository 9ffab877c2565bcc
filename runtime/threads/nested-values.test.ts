import { describe, expect, test } from 'vitest';
import { toPromise } from 'xstate';
import type { AgentConfig, AgentRef, Runtime, RuntimeOptions } from 'holdfast';
import { nested } from '../fixtures/nesting.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

/** More than may cross; and so much that V8's own reader, writer or stack ends. */
const TOO_DEEP = [501, 2000, 12_000, 100_000];
const deep = (code: string) => ({ code, message: expect.stringContaining('500 levels') as string });

interface Started {
  readonly runtime: Runtime;
  readonly ref: AgentRef;
  /** On the same thread. */
  readonly neighbour: AgentRef;
  readonly lines: { text: string; fields: object }[];
}

async function nesting(config: Partial<AgentConfig> = {}, options: RuntimeOptions = {}): Promise<Started> {
  const lines: { text: string; fields: object }[] = [];
  const note = (fields: object, text: string): void => void lines.push({ text, fields });
  const logger = { debug() {}, info: note, warn: note, error() {} };
  const agents = { nesting: fixture('nesting', config), far: fixture('nesting', { threadId: 'far' }) };
  const runtime = (await start({ agents }, { logger, ...options })) as unknown as Runtime;
  const [ref, neighbour] = [
    await runtime.spawn('nesting', { id: 'a' }),
    await runtime.spawn('nesting', { id: 'b' }),
  ];
  return { runtime, ref, neighbour, lines };
}

async function expectWell({ ref, neighbour }: Started): Promise<void> {
  expect(await Promise.all([ref.ask({ type: 'get' }), neighbour.ask({ type: 'get' })])).toEqual([0, 0]);
}

describe('what is nested deeper than the other side can read does not leave', () => {
  test('in an event: the sender hears what to do, and the letter says it', async () => {
    const all = await nesting();
    const { runtime, ref } = all;
    for (const levels of TOO_DEEP) {
      const event = { type: 'take', value: nested(levels) };
      ref.send(event);
      await expect(ref.ask(event)).rejects.toMatchObject(deep('MESSAGE_UNCLONABLE'));
      await expect(ref.deliver(event)).rejects.toMatchObject(deep('MESSAGE_UNCLONABLE'));
      await expect(ref.can(event)).rejects.toMatchObject(deep('MESSAGE_UNCLONABLE'));
      const born = runtime.spawn('nesting', { input: event });
      await expect(born).rejects.toMatchObject(deep('MESSAGE_UNCLONABLE'));
    }
    const letters = runtime.deadLetters.list();
    expect(letters).toHaveLength(3 * TOO_DEEP.length);
    for (const { reason, why } of letters)
      expect([reason, why]).toEqual(['unclonable', expect.stringContaining('at value: ')]);
    expect(await ref.ask({ type: 'take', value: nested(498) })).toBe('taken');
    await expectWell(all);
  });

  test.each(['reply', 'later'])('in a %s, which is refused alone', async (type) => {
    const all = await nesting();
    for (const levels of TOO_DEEP) {
      const [refused, fine] = await Promise.allSettled([
        all.ref.ask({ type, levels }),
        all.ref.ask({ type, levels: 400 }),
      ]);
      expect(refused).toMatchObject({ reason: deep('REPLY_UNCLONABLE') });
      expect(fine.status).toBe('fulfilled');
    }
    await expectWell(all);
  });

  test('in a state: that is shown as far as it goes, not persisted, and nobody waits for it', async () => {
    const all = await nesting();
    const { ref } = all;
    let shown = 0;
    ref.subscribe(() => (shown += 1));
    for (const levels of TOO_DEEP) {
      await ref.deliver({ type: 'keep', levels });
      const { context } = (await ref.snapshot()) as unknown as { context: { history: { text: number } } };
      expect(context.history.text).toBe(levels - 1);
      expect(JSON.stringify(context)).toContain('[nested too deep]');
      await expect(ref.persist()).rejects.toMatchObject(deep('REPLY_UNCLONABLE'));
    }
    expect(shown).toBeGreaterThan(0);
    await expectWell(all);
    await ref.deliver({ type: 'keep', levels: 400 });
    expect((await ref.persist()).snapshot).toMatchObject({ context: { history: { text: 399 } } });
  });

  test('in a state that is kept: it is warned of, and a restart goes on from the one before', async () => {
    const backoff = { minMs: 1, maxMs: 1 };
    const all = await nesting({ supervision: { state: 'snapshot', backoff } });
    const { ref, lines } = all;
    await ref.deliver({ type: 'count' });
    await ref.deliver({ type: 'keep', levels: 2000 });
    await ref.deliver({ type: 'count' });
    ref.send({ type: 'die' });
    expect(await ref.ask({ type: 'get' }, { timeoutMs: 20_000 })).toBe(1);
    const said = lines.filter(({ text }) => text.includes('cannot be saved'));
    expect(said.map(({ text }) => text)).toEqual([expect.stringContaining('500 levels')]);
  });

  test('in an emitted event, one to its parent, or a line of the log: others are heard', async () => {
    const all = await nesting();
    const { ref, lines } = all;
    const heard: unknown[] = [];
    ref.on('out', (event: unknown) => heard.push(event));
    for (const type of ['emit', 'up', 'log']) await ref.deliver({ type, levels: 2000 });
    await ref.deliver({ type: 'emit', levels: 400 });
    expect(heard).toEqual([{ type: 'out', value: nested(400) }]);
    const left = lines.filter(({ text }) => text.includes('500 levels'));
    expect(left).toHaveLength(2);
    expect(lines.find(({ text }) => text === 'deep')?.fields).toMatchObject({
      value: expect.stringContaining('before') as string,
    });
    await expectWell(all);
  });

  test.each(['fail', 'throw'])('in what an instance ends with: %s', async (type) => {
    const all = await nesting({ supervision: { restart: 'temporary' } });
    for (const levels of [499, 2000, 20_000]) {
      const one = await all.runtime.spawn('nesting');
      const ended = toPromise(one).catch((error: unknown) => error);
      one.send({ type, levels });
      await ended;
      expect(one.getSnapshot().status).toBe('error');
    }
    await expectWell(all);
  });

  test('in an output: what can be told of it is', async () => {
    const all = await nesting();
    const one = await all.runtime.spawn('nesting');
    await one.deliver({ type: 'keep', levels: 2000 });
    one.send({ type: 'end' });
    expect(await toPromise(one)).toMatchObject({ n: 0, history: { text: 1999 } });
    await expectWell(all);
  });

  test.each(['nesting/b', 'far/c'])('from agent to agent: %s', async (to) => {
    const all = await nesting();
    await all.runtime.spawn('far', { id: 'c' });
    expect(await all.ref.ask({ type: 'give', levels: 2000, to })).toBe('MESSAGE_UNCLONABLE');
    expect(await all.ref.ask({ type: 'give', levels: 400, to })).toBe('taken');
    expect(all.runtime.deadLetters.list()).toMatchObject([
      {
        address: to,
        reason: 'unclonable',
        truncated: true,
        event: { type: 'take' },
        why: expect.stringContaining('500 levels') as string,
      },
    ]);
    await expectWell(all);
  });
});

describe('one part that cannot be cloned', () => {
  test('costs a mirrored state that part alone, in maps, sets and classes too', async () => {
    const { ref } = await nesting();
    await ref.deliver({ type: 'hold' });
    const { context } = (await ref.snapshot()) as unknown as { context: object };
    expect(context).toEqual({
      n: 0,
      orders: new Map<string, unknown>([
        ['k1', { price: 5, tags: new Set(['a', { amount: 1 }]) }],
        ['k2', 'https://example.com/a?b=c'],
      ]),
    });
  });

  test('is named by the keys that lead to it', async () => {
    const { runtime, ref, lines } = await nesting();
    const event = {
      type: 'take',
      value: { list: [new Map([['canary-key', { go: () => 'canary-value' }]])] },
    };
    ref.send(event);
    const asked: unknown = await ref.ask(event).catch((error: unknown) => error);
    expect(asked).toMatchObject({
      code: 'MESSAGE_UNCLONABLE',
      message: expect.stringContaining('at value.list.0.canary-key.go: a function') as string,
    });
    const [letter] = runtime.deadLetters.list();
    expect(letter).toMatchObject({ why: expect.stringContaining('at value.list.0.canary-key.go') as string });
    await expect(ref.ask({ type: 'unclonable' })).rejects.toMatchObject({
      code: 'REPLY_UNCLONABLE',
      message: expect.stringContaining('at rows.1.handler: a function') as string,
    });
    await ref.deliver({ type: 'hold' });
    await expect(ref.persist()).rejects.toMatchObject({
      code: 'REPLY_UNCLONABLE',
      message: expect.stringContaining('at snapshot.context.orders.k1.format') as string,
    });
    await ref.deliver({ type: 'shout' });
    expect(lines.map(({ text }) => text).join('\n')).toContain('at value.list.1: a function');
    expect(JSON.stringify(lines)).not.toContain('canary-value');
    const born = runtime.spawn('nesting', { input: { a: [{ socket: Promise.resolve() }] } });
    await expect(born).rejects.toMatchObject({
      code: 'MESSAGE_UNCLONABLE',
      message: expect.stringContaining('at a.0.socket: a promise') as string,
    });
  });
});

test('an event of the gateway, and a late one, wait for nobody: letters of deep events are kept without their body', async () => {
  const { runtime, ref } = await nesting();
  const letter = nextEvent<{ truncated?: true }>((listener) => runtime.on('dead-letter', listener));
  ref.send({ type: 'take', value: nested(100_000) });
  expect(await letter).toMatchObject({ truncated: true, event: { type: 'take' } });
  expect(() => JSON.stringify(runtime.deadLetters.list())).not.toThrow();
});

test('a list that is mostly holes costs what is in it, in replies and in states that are shown, kept and restored', async () => {
  const all = await nesting({
    supervision: { state: 'snapshot', backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } },
  });
  const { runtime, ref } = all;
  const ends = (list: unknown): unknown => {
    const { length, [length - 2]: almost, [length - 1]: last } = list as unknown[];
    return [length, almost, last];
  };
  const whole = [4_000_000_000, 'almost', 'last'];
  expect(ends(await ref.ask({ type: 'scatter' }))).toEqual(whole);
  await ref.deliver({ type: 'sparse' });
  const { context } = (await ref.snapshot()) as unknown as { context: { history: unknown } };
  expect(ends(context.history)).toEqual(whole);
  const twin = await runtime.spawn('nesting', { id: 'c', snapshot: await ref.persist() });
  const again = (await twin.snapshot()) as unknown as { context: { history: unknown } };
  expect(ends(again.context.history)).toEqual(whole);
  await expectWell(all);
});
