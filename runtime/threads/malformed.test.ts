import { describe, expect, test } from 'vitest';
import type { AgentRef, HoldfastError, Runtime } from 'holdfast';
import { ODD_VALUES } from '../fixtures/odd-values.ts';
import { fixture, start } from '../fixtures/start.ts';
import { memoryDurableStore } from '../store/memory-durable-store.ts';
import { collectMetrics } from '../telemetry/fixtures/meter-provider.ts';
import { REPORT } from '../wire/protocol.ts';

/** Each costs a thread; the nightly run says more. */
const MOST = process.env['HOLDFAST_RUNS'] === undefined ? 4 : 30;
const WAIT = { timeoutMs: 20_000 };
const supervision = {
  restart: 'permanent',
  backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 },
  intensity: { restarts: 100_000, withinMs: 1000 },
} as const;

interface World {
  readonly runtime: Runtime;
  readonly rogue: AgentRef;
  readonly good: AgentRef;
  readonly warned: string[];
  /** What an inspector was told. */
  readonly shown: unknown[];
}

async function world(more: { restart?: 'temporary' } = {}): Promise<World> {
  const [warned, shown]: [string[], unknown[]] = [[], []];
  const runtime = (await start(
    {
      agents: {
        rogue: fixture('rogue', { threadId: 'rogue', supervision: { ...supervision, ...more } }),
        good: fixture('counter', { threadId: 'good' }),
      },
    },
    { inspect: { adapter: { send: (event) => void shown.push(JSON.parse(JSON.stringify(event))) } } },
  )) as Runtime;
  runtime.on('warning', ({ message }) => warned.push(message));
  const [rogue, good] = [await runtime.spawn('rogue', { id: 'a' }), await runtime.spawn('good', { id: 'a' })];
  // Somebody looks, so that nothing is left unread.
  rogue.subscribe({ error: () => {} });
  rogue.on('*', () => {});
  return { runtime, rogue, good, warned, shown };
}

/** It answers, in this incarnation or a later one; whatever else it does with the ask is a fault. */
async function pong(ref: AgentRef): Promise<void> {
  for (;;) {
    try {
      expect(await ref.ask({ type: 'ping' }, WAIT)).toBe('pong');
      return;
    } catch (error) {
      const { code } = error as HoldfastError;
      if (code !== 'THREAD_CRASHED') throw error;
    }
  }
}

/** Neither its own ways nor those of others are blocked, and everything ends. */
async function assertWell({ runtime, rogue, good }: World): Promise<void> {
  await pong(rogue);
  await expect(good.ask({ type: 'read' }, WAIT)).resolves.toBe(0);
  // The last that was said may have ended it, and the next incarnation is on its way.
  const states = (): string[] => runtime.status().instances.map(({ state }) => state);
  await expect.poll(states, { timeout: 60_000 }).toEqual(['running', 'running']);
  await runtime.stop({ timeoutMs: 10_000 });
  expect(runtime.status().instances).toEqual([]);
}

/** Some of so many, first and last among them: each of these costs a thread. */
function some(count: number, most: number): number[] {
  const step = Math.max(1, (count - 1) / (most - 1));
  return Array.from({ length: Math.min(count, most) }, (_, i) => Math.round(i * step));
}

const ending = new Set(['done', 'error']);
const kinds = Object.keys(REPORT).filter((kind) => !ending.has(kind));

describe('a thread that says what is none', () => {
  test.each(kinds)('in reports (%s) costs nobody anything', async (kind) => {
    const all = await world();
    all.rogue.send({ type: 'say.all', what: kind });
    await assertWell(all);
    expect(all.warned.filter((message) => message.includes(`(${kind})`)).length).toBeGreaterThan(0);
  });

  test.each([...ending])('in a report of an end (%s) has ended, one way or another', async (kind) => {
    const all = await world();
    const count = (await all.rogue.ask({ type: 'count', what: kind }, WAIT)) as number;
    for (const n of some(count, MOST)) {
      all.rogue.send({ type: 'say', what: kind, n });
      await pong(all.rogue);
    }
    expect(all.rogue.incarnation).toBeGreaterThan(MOST / 2);
    await assertWell(all);
  });

  test.each([
    'secret',
    'uses',
    'tool',
    'giveUp',
    'credit',
    'room',
    'upload',
    'connect',
    'disconnect',
    'inspected',
    'ended',
    'step',
  ])('in calls (%s) costs nobody anything', async (method) => {
    const all = await world();
    all.rogue.send({ type: 'say.all', what: method });
    await assertWell(all);
    expect(all.warned.length).toBeGreaterThan(0);
  });

  test.each([
    ['report', MOST / 5],
    ['acknowledge', MOST / 5],
    ['unread', 1],
  ])('so that it cannot be followed (%s) is ended, and its instances go on', async (method, ends) => {
    const all = await world();
    const count = (await all.rogue.ask({ type: 'count', what: method }, WAIT)) as number;
    for (const n of some(count, MOST)) {
      all.rogue.send({ type: 'say', what: method, n });
      await pong(all.rogue);
    }
    expect(all.rogue.incarnation).toBeGreaterThan(ends);
    await assertWell(all);
  });

  test.each(['snapshot', 'persist', 'can'] as const)(
    'in place of an answer (%s) is ended, and who asked hears why or is answered by the next incarnation',
    async (method) => {
      const all = await world();
      for (const n of some(ODD_VALUES.length, 5)) {
        await all.rogue.deliver({ type: 'plant', what: method, n }, WAIT);
        const asked = method === 'can' ? all.rogue.can({ type: 'ping' }, WAIT) : all.rogue[method](WAIT);
        const outcome = await asked.then(
          () => 'answered',
          (error: HoldfastError) => error.code,
        );
        expect(['answered', 'THREAD_CRASHED', 'REPLY_UNCLONABLE']).toContain(outcome);
        await pong(all.rogue);
      }
      expect(all.rogue.incarnation).toBeGreaterThan(2);
      await assertWell(all);
    },
  );

  test('in place of an acknowledgement is ended, and nothing that it was sent is stuck', async () => {
    const all = await world();
    for (const n of some(ODD_VALUES.length, 5)) {
      all.rogue.send({ type: 'plant', what: 'deliver', n });
      await pong(all.rogue);
    }
    expect(all.rogue.incarnation).toBeGreaterThan(2);
    await assertWell(all);
  });

  test('in place of whether an instance has left memory is ended, and the instance goes on from its record', async () => {
    const intensity = { restarts: 100_000, withinMs: 1 };
    const agents = {
      rogue: fixture('rogue', {
        threadId: 'rogue',
        supervision: { ...supervision, intensity },
        passivateAfterMs: 10,
      }),
    };
    const runtime = (await start({ agents }, { store: memoryDurableStore() })) as Runtime;
    const rogue = await runtime.spawn('rogue', { id: 'a' });
    const odd = ODD_VALUES.map((value, n) => [typeof value(), n] as const).filter(
      ([type]) => type !== 'boolean',
    );
    for (const i of some(odd.length, 4)) {
      await pong(rogue);
      const before = rogue.incarnation;
      await rogue.deliver({ type: 'plant', what: 'passivate', n: odd[i]?.[1] }, WAIT);
      await expect.poll(() => rogue.incarnation, { timeout: 20_000 }).toBe(before + 1);
    }
    await pong(rogue);
    // Once it tells the truth it leaves, and comes back.
    await expect.poll(() => runtime.get(rogue.address), { timeout: 20_000 }).toBeUndefined();
    await pong(rogue);
    await runtime.stop({ timeoutMs: 10_000 });
  });

  test.each([...ending])(
    'in a report of an end (%s) of one that is not restarted, ends it too',
    async (kind) => {
      const all = await world({ restart: 'temporary' });
      for (const n of [1, 13, 16, 25]) {
        const last = await all.runtime.spawn('rogue');
        const end = new Promise((resolve, reject) => {
          last.subscribe({ complete: () => resolve('done'), error: reject });
        });
        last.send({ type: 'say', what: kind, n });
        await expect(end).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
        expect(all.runtime.get(last.address)).toBeUndefined();
      }
      await expect(all.good.ask({ type: 'read' }, WAIT)).resolves.toBe(0);
      await all.runtime.stop({ timeoutMs: 10_000 });
    },
  );

  test('of an end that is none counts on, and none of it counts for the incarnation that follows', async () => {
    const all = await world();
    // The first that can be followed: the thread goes on, with two incarnations in it.
    const n = 35;
    all.rogue.send({ type: 'say.still', what: 'done', n });
    await pong(all.rogue);
    all.rogue.send({ type: 'throw' });
    await pong(all.rogue);
    expect(all.rogue.incarnation).toBe(3);
    await assertWell(all);
  });

  test('of an end, and is gone before it has told what it answered, leaves nobody waiting', async () => {
    const all = await world();
    const asked = all.rogue.ask({ type: 'ping' }, { timeoutMs: 600_000 });
    all.rogue.send({ type: 'say.still', what: 'done', n: 35, exits: true });
    await expect(asked).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
    await pong(all.rogue);
    await assertWell(all);
  });

  test('is told as the reason of the end: a thread that nobody can follow', async () => {
    const all = await world();
    const failed = new Promise<unknown>((resolve) => {
      all.runtime.on('thread', (event) => event.state === 'exited' && resolve(event));
    });
    const asked = all.rogue.ask({ type: 'plant', what: 'deliver', n: 0 }, WAIT);
    await expect(asked).rejects.toMatchObject({
      code: 'THREAD_CRASHED',
      message: expect.stringContaining('a malformed acknowledgement') as string,
    });
    expect(await failed).toMatchObject({ cause: 'error' });
  });
});

test('a thread that streams more than its reader has room for, or what it may not, fails that stream alone', async () => {
  const all = await world();
  const { rogue, good } = all;
  const codeOf = async (event: { type: string; how: string }): Promise<unknown> => {
    const stream = rogue.askStream(event, WAIT);
    return stream.result.catch((error: HoldfastError) => error.code);
  };
  expect(await codeOf({ type: 'stream', how: 'flood' })).toBe('STREAM_INTERRUPTED');
  expect(await codeOf({ type: 'stream', how: 'shared' })).toBe('REPLY_UNCLONABLE');
  // An ask that reads no stream, and streams of another pool, whatever its tags are.
  await expect(rogue.ask({ type: 'stream', how: 'one' }, WAIT)).rejects.toMatchObject({
    code: 'ASK_UNANSWERED',
  });
  const reading = good.askStream({ type: 'read' }, WAIT);
  for (let of = 0; of < 50; of++) rogue.send({ type: 'stream', how: 'one', of });
  const got: unknown[] = [];
  for await (const chunk of reading) got.push(chunk);
  expect(got).toEqual([]);
  expect(await reading.result).toBe(0);
  expect(all.warned).toContainEqual(expect.stringContaining('more chunks than their reader has room for'));
  expect(all.warned).toContainEqual(expect.stringContaining('a chunk for an ask that reads none'));
  await assertWell(all);
});

test('a thread tells of its own pool alone: inspectors and telemetry hear nothing from it of others', async () => {
  const metrics = collectMetrics();
  const all = await world();
  all.rogue.send({ type: 'pretend', of: 'good/a' });
  all.rogue.send({ type: 'pretend', of: 'rogue/a' });
  await expect.poll(() => JSON.stringify(metrics.measured), { timeout: 60_000 }).toContain('rogue');
  await pong(all.rogue);
  const pretended = all.shown.filter((event) => (event as { id: string }).id === 'pretended');
  expect(pretended).toMatchObject([
    { sessionId: 'rogue/a' },
    { sessionId: 'rogue/a/b', parentId: 'rogue/a' },
  ]);
  const longest = Object.entries(metrics.measured['messaging.process.duration'] ?? {}).filter(([, seconds]) =>
    seconds.some((each) => each > 8000),
  );
  expect(longest.map(([of]) => (JSON.parse(of) as Record<string, string>)['holdfast.pool'])).toEqual([
    'rogue',
  ]);
  expect(all.warned).toContainEqual(expect.stringContaining('malformed inspection events'));
  await assertWell(all);
});
