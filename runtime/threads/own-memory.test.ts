import { describe, expect, test } from 'vitest';
import { toPromise, waitFor } from 'xstate';
import {
  defineCapability,
  memoryStore,
  type AgentConfig,
  type AgentRef,
  type Grant,
  type Runtime,
  type RuntimeOptions,
} from 'holdfast';
import { BESIDE, behind } from '../fixtures/cutting.ts';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

/** Two bytes of a pool in which the host has put something before. */
function small(): Buffer {
  const beside = Buffer.from(BESIDE);
  const bytes = Buffer.from('ok');
  // Seldom the pool was just used up.
  return bytes.buffer === beside.buffer ? bytes : small();
}

async function cutting(
  config: Partial<AgentConfig> = {},
  options: RuntimeOptions = {},
): Promise<{ runtime: Runtime; ref: AgentRef }> {
  const agents = { cutting: fixture('cutting', { supervision: { restart: 'temporary' }, ...config }) };
  const runtime = (await start({ agents }, options)) as unknown as Runtime;
  return { runtime, ref: await runtime.spawn('cutting', { id: 'a' }) };
}

const bytesIn = (of: unknown): Uint8Array => (of as { bytes: Uint8Array }).bytes;

describe('an agent sees of the memory of the host what it was sent, and no more', () => {
  test('in an event that is sent, delivered or asked, in whatever holds it', async () => {
    const { ref } = await cutting();
    ref.send({ type: 'hold', bytes: small() });
    expect(await ref.ask({ type: 'given' })).toBe('ok');
    await ref.deliver({ type: 'hold', bytes: small() });
    expect(await ref.ask({ type: 'given' })).toBe('ok');
    expect(await ref.ask({ type: 'take', bytes: small() })).toBe('ok');
    expect(await ref.can({ type: 'asked', bytes: small() })).toBe(true);
  });

  test('in one that is sent again from the dead letters', async () => {
    const { runtime } = await cutting();
    const late = await runtime.spawn('cutting', { id: 'late' });
    await late.stop();
    late.send({ type: 'hold', bytes: small() });
    const again = await runtime.spawn('cutting', { id: 'late' });
    await runtime.deadLetters.replay(runtime.deadLetters.list()[0]?.id ?? '');
    expect(await again.ask({ type: 'given' })).toBe('ok');
  });

  test('in the input of a spawn, and in the snapshot it goes on from', async () => {
    const { runtime, ref } = await cutting();
    const born = await runtime.spawn('cutting', { input: { bytes: small() } });
    expect(await born.ask({ type: 'given' })).toBe('ok');
    const kept = await ref.persist();
    const snapshot = {
      ...kept,
      snapshot: { ...(kept.snapshot as object), context: { n: 1, given: small() } },
    };
    const restored = await runtime.spawn('cutting', { snapshot });
    expect(await restored.ask({ type: 'given' })).toBe('ok');
  });
});

describe('the host, and whoever is told by it, sees of the memory of an agent what it was sent', () => {
  test('in a reply, also a late one', async () => {
    const { ref } = await cutting();
    const reply = (await ref.ask({ type: 'reply' })) as Map<string, Uint8Array>;
    expect(behind(reply.get('bytes'))).toBe('ok');
    expect(behind(bytesIn(await ref.ask({ type: 'later' })))).toBe('ok');
  });

  test.each(['emit', 'emitError'])('in an emitted event: %s', async (type) => {
    const { ref } = await cutting();
    const emitted = nextEvent<{ bytes: unknown }>((listener) => ref.on('cut', listener as never));
    ref.send({ type });
    const { bytes } = await emitted;
    expect(behind(bytes instanceof Error ? bytesIn(bytes) : (bytes as Uint8Array))).toBe('ok');
  });

  test('in an event to its parent', async () => {
    const { runtime, ref } = await cutting();
    await ref.deliver({ type: 'up' });
    expect(runtime.deadLetters.list().map(({ event }) => behind(bytesIn(event)))).toEqual(['ok']);
  });

  test('in its state, its output, and what is stored', async () => {
    const store = memoryStore();
    const { ref } = await cutting({ supervision: { restart: 'temporary', state: 'snapshot' } }, { store });
    ref.send({ type: 'keep' });
    const mirrored: unknown = await waitFor(ref, ({ context }) => context?.bytes !== undefined);
    const states = [mirrored, await ref.snapshot(), (await ref.persist()).snapshot];
    states.push((await store.load('cutting/a'))?.snapshot ?? states[0]);
    for (const state of states) expect(behind(bytesIn((state as { context: unknown }).context))).toBe('ok');
    ref.send({ type: 'end' });
    expect(behind(bytesIn(await toPromise(ref)))).toBe('ok');
  });

  test('in an error, its fields and those of its cause', async () => {
    const { ref } = await cutting();
    ref.send({ type: 'refuse' });
    const error = (await toPromise(ref).catch((thrown: unknown) => thrown)) as Error;
    expect([error.name, behind(bytesIn(error)), behind(bytesIn(error.cause))]).toEqual([
      'RangeError',
      'ok',
      'ok',
    ]);
  });

  test('in a line of the log', async () => {
    const lines: unknown[] = [];
    const logger = { debug() {}, warn() {}, error() {}, info: (fields: object) => lines.push(fields) };
    const { ref } = await cutting({}, { logger });
    await ref.deliver({ type: 'log' });
    expect(lines.map((fields) => behind(bytesIn(fields)))).toEqual(['ok']);
  });
});

test.each(['pool', 'other'])(
  'agents see of each other’s memory what they were sent: %s',
  async (threadId) => {
    const runtime = (await start({
      agents: { a: fixture('cutting'), b: fixture('cutting', { threadId }) },
    })) as unknown as Runtime;
    const b = await runtime.spawn('b', { id: '1' });
    const a = await runtime.spawn('a', { id: '1' });
    expect(await a.ask({ type: 'give', to: 'b/1' })).toBe('ok');
    expect(await a.ask({ type: 'get', to: 'b/1' })).toBe('ok');
    await b.stop();
    const letter = nextEvent<{ event: unknown }>((listener) => runtime.on('dead-letter', listener));
    await a.deliver({ type: 'post', to: 'b/1' });
    expect(behind(bytesIn((await letter).event))).toBe('ok');
  },
);

test('a capability and who uses it see of each other’s memory what they were given', async () => {
  process.env['CUTTING_KEY'] = 'a key';
  const used: string[] = [];
  const sign = defineCapability('sign', (_secret, args) => {
    used.push(behind(bytesIn(args)));
    return small();
  });
  const secrets: Record<string, Grant> = {
    key: { ref: 'CUTTING_KEY', mode: 'capability', capabilities: ['sign'] },
  };
  const runtime = await start(
    {
      externalSecrets: { provider: 'env' },
      agents: { cutting: fixture('cutting', { secrets }) },
      threads: { pool: { isolation: 'thread' } },
    },
    { capabilities: [sign] },
  );
  const ref = (await runtime.spawn('cutting')) as unknown as AgentRef;
  ref.send({ type: 'use' });
  const { context } = await waitFor(ref, (state) => state.context?.used !== undefined, { timeout: 60_000 });
  expect([used, context.used]).toEqual([['ok'], 'ok']);
});

test('sizes are those of what crosses: a small part of much memory is neither warned of nor refused', async () => {
  const warnings: string[] = [];
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, text: string) => warnings.push(text),
  };
  const { ref } = await cutting({ mailbox: { warnBytes: 1000, maxBytes: 5000 } }, { logger });
  expect(await ref.ask({ type: 'take', bytes: small() })).toBe('ok');
  expect(await ref.ask({ type: 'take', bytes: new Uint8Array(2_000_000).subarray(0, 2) })).toHaveLength(2);
  expect(warnings).toEqual([]);
  await expect(
    ref.ask({ type: 'take', bytes: new Uint8Array(20_000).subarray(0, 6000) }),
  ).rejects.toMatchObject({
    code: 'MESSAGE_TOO_LARGE',
  });
});
