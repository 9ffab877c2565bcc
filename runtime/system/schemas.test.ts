import { expect, onTestFinished, test } from 'vitest';
import { ODD_VALUES } from '../fixtures/odd-values.ts';
import { fixture } from '../fixtures/start.ts';
import { openRuntime, type ServedSystem } from '../runtime.ts';
import type { HoldfastError } from 'holdfast';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const agents = {
  zod: fixture('accepting'),
  valibot: fixture('accepting-valibot'),
  arktype: fixture('accepting-arktype'),
  odd: fixture('accepting-oddly'),
  replying: fixture('replying'),
  counter: fixture('counter'),
  broken: fixture('accepting-nothing'),
  late: fixture('never-loaded', { threadId: 'late' }),
  rogue: fixture('rogue', {
    threadId: 'rogue',
    supervision: { restart: 'permanent', backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } },
  }),
};

async function started() {
  let system: ServedSystem | undefined;
  const threads = { late: { startTimeoutMs: 1500 } };
  const runtime = await openRuntime(
    { agents, threads },
    { logger: silent },
    { onSystem: (found) => (system = found) },
  );
  onTestFinished(() => runtime.stop());
  return { runtime, system: system as ServedSystem };
}

test('the schemas of an agent are there before any instance runs, from a thread of its pool', async () => {
  const { runtime, system } = await started();
  const order = {
    type: 'object',
    properties: {
      type: { const: 'order' },
      items: { type: 'array', items: { properties: { name: { type: 'string' }, qty: { minimum: 1 } } } },
    },
    required: expect.arrayContaining(['items', 'type']) as string[],
  };
  const [zod, arktype] = await Promise.all([system.schemas('zod'), system.schemas('arktype')]);
  expect(zod.accepts).toMatchObject({
    say: { properties: { text: { type: 'string' }, mood: { default: 'calm' } }, required: ['text'] },
    order,
  });
  expect(arktype.accepts).toMatchObject({ order });
  expect(runtime.status().pools).toMatchObject([{ threadId: 'pool', threads: [{ instances: 0 }] }, {}, {}]);
  // valibot's own schemas have none: its users add them with @valibot/to-json-schema.
  expect((await system.schemas('valibot')).accepts).toEqual({ say: {}, order: {} });
  expect((await system.schemas('odd')).accepts).toMatchObject({ heard: { type: 'object' }, throws: {} });
  expect(await system.schemas('replying')).toMatchObject({
    replies: { say: { required: ['text', 'mood'] }, later: { type: 'object' } },
    emits: { said: { properties: { text: { type: 'string' } } } },
  });
  expect(await system.schemas('counter')).toEqual({});
  // Asked once.
  expect(await system.schemas('zod')).toBe(zod);
});

test('the value of a secret in a schema is not told, also when the schema was asked for before', async () => {
  const { system } = await started();
  const text = async (): Promise<string> => JSON.stringify(await system.schemas('odd'));
  expect(await text()).toContain('canary-in-a-schema');
  system.scrubber.learn('key', '1', Buffer.from('canary-in-a-schema-77c1'));
  expect(await text()).not.toContain('canary-in-a-schema');
});

test('an agent that cannot be loaded has no schemas, and one that takes too long neither', async () => {
  const { system, runtime } = await started();
  const code = (name: string): Promise<unknown> =>
    system.schemas(name).catch((error: HoldfastError) => error.code);
  expect(await code('broken')).toBe('AGENT_EXPORT_INVALID');
  expect(await code('broken')).toBe('AGENT_EXPORT_INVALID');
  expect(await code('nobody')).toBe('AGENT_UNKNOWN');
  expect(await code('late')).toBe('THREAD_START_TIMEOUT');
  await runtime.stop();
  expect(await code('zod')).toBe('RUNTIME_STOPPED');
});

test('a thread that makes up schemas is ended, and its instances go on', async () => {
  const { system, runtime } = await started();
  const rogue = await runtime.spawn('rogue', { id: 'a' });
  for (let n = 0; n < ODD_VALUES.length - 1; n += 6) {
    const { incarnation } = rogue;
    await rogue.deliver({ type: 'plant', what: 'schemas', n: n + 1 });
    const error = await system.schemas('rogue').catch((reason: HoldfastError) => reason);
    expect(error).toMatchObject({ code: 'THREAD_CRASHED' });
    await expect.poll(() => rogue.incarnation, { timeout: 60_000 }).toBeGreaterThan(incarnation);
  }
  expect(await system.schemas('rogue')).toEqual({});
});
