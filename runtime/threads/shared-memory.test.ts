import { describe, expect, test } from 'vitest';
import { toPromise, waitFor } from 'xstate';
import { defineCapability, type AgentRef, type Grant, type Runtime } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';

const shared = (): Uint8Array => new Uint8Array(new SharedArrayBuffer(4));
const names = (code: string) => ({
  code,
  message: expect.stringContaining('threads.pool.sharedMemory') as string,
});

async function sharing(
  sharedMemory: boolean,
): Promise<{ runtime: Runtime; ref: AgentRef; warnings: string[] }> {
  const warnings: string[] = [];
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, text: string) => warnings.push(text),
  };
  const agents = { sharing: fixture('sharing', { supervision: { restart: 'temporary' } }) };
  const config = { agents, threads: { pool: { sharedMemory } } };
  const runtime = (await start(config, { logger })) as unknown as Runtime;
  return { runtime, ref: await runtime.spawn('sharing', { id: 'a' }), warnings };
}

describe('a pool that does not allow it, as none does by default, is sent no shared memory', () => {
  test.each([
    ['a view', () => shared()],
    ['the memory itself', () => shared().buffer],
    ['deep in a map', () => new Map([['a', [{ b: new Set([shared()]) }]]])],
    ['by name in a list', () => Object.assign([1], { b: shared() })],
    ['as the cause of an error', () => new Error('x', { cause: shared() })],
    [
      'of WebAssembly',
      () => {
        const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (of: object) => object } })
          .WebAssembly;
        return new Memory({ initial: 1, maximum: 1, shared: true });
      },
    ],
  ])('%s', async (_where, memory) => {
    const { runtime, ref } = await sharing(false);
    const event = { type: 'take', memory: memory() };
    ref.send(event);
    await expect(ref.ask(event)).rejects.toMatchObject(names('MESSAGE_UNCLONABLE'));
    await expect(ref.deliver(event)).rejects.toMatchObject(names('MESSAGE_UNCLONABLE'));
    await expect(ref.can(event)).rejects.toMatchObject(names('MESSAGE_UNCLONABLE'));
    expect(runtime.deadLetters.list().map(({ reason }) => reason)).toEqual([
      'unclonable',
      'unclonable',
      'unclonable',
    ]);
  });

  test('as the input of a spawn, or in the snapshot it goes on from', async () => {
    const { runtime, ref } = await sharing(false);
    const input = runtime.spawn('sharing', { input: { memory: shared() } });
    await expect(input).rejects.toMatchObject(names('MESSAGE_UNCLONABLE'));
    const kept = await ref.persist();
    const snapshot = { ...kept, snapshot: { ...(kept.snapshot as object), context: { memory: shared() } } };
    await expect(runtime.spawn('sharing', { snapshot })).rejects.toMatchObject(names('MESSAGE_UNCLONABLE'));
  });
});

describe('and gives none to the host', () => {
  test.each(['reply', 'wasm', 'named'])('in a reply: %s; others are answered', async (type) => {
    const { ref } = await sharing(false);
    const [refused, plain] = await Promise.allSettled([ref.ask({ type }), ref.ask({ type: 'plain' })]);
    expect(refused).toMatchObject({ reason: names('REPLY_UNCLONABLE') });
    expect(plain).toMatchObject({ value: 'plain' });
  });

  test('in an emitted event, which stays behind with a warning; the next one is heard', async () => {
    const { ref, warnings } = await sharing(false);
    const heard: string[] = [];
    ref.on('*', ({ type }: { type: string }) => heard.push(type));
    await ref.deliver({ type: 'emit' });
    expect(heard).toEqual(['plain']);
    expect(warnings).toEqual([expect.stringContaining('threads.pool.sharedMemory')]);
  });

  test('in an event to its parent', async () => {
    const { runtime, ref, warnings } = await sharing(false);
    await ref.deliver({ type: 'up' });
    expect(runtime.deadLetters.list()).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  test('in its state, of which that part is left out, nor in what persists', async () => {
    const { ref } = await sharing(false);
    ref.send({ type: 'keep' });
    const mirrored = (await waitFor(ref, ({ context }) => context?.memory !== undefined)) as unknown;
    expect(mirrored).toMatchObject({ context: { n: 1, memory: '[Uint8Array]' } });
    expect((await ref.snapshot()) as unknown).toMatchObject({ context: { n: 1, memory: '[Uint8Array]' } });
    await expect(ref.persist()).rejects.toMatchObject(names('REPLY_UNCLONABLE'));
  });

  test('in its output', async () => {
    const { ref, warnings } = await sharing(false);
    ref.send({ type: 'keep' });
    ref.send({ type: 'end' });
    expect(await toPromise(ref)).toEqual({ n: 1, memory: '[Uint8Array]' });
    expect(warnings).toHaveLength(1);
  });

  test('in an error', async () => {
    const { ref } = await sharing(false);
    ref.send({ type: 'fail' });
    const error: unknown = await toPromise(ref).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'RangeError', code: 'E_SHARED', memory: '[Uint8Array]' });
  });
});

describe('where the config allows it', () => {
  test('both sides write the same memory', async () => {
    const { ref } = await sharing(true);
    const memory = shared();
    expect(await ref.ask({ type: 'take', memory })).toBe(true);
    expect([...memory]).toEqual([9, 9, 9, 9]);
  });

  test('an agent gives its own away in replies, events, state and output', async () => {
    const { ref } = await sharing(true);
    const isShared = (of: unknown): boolean =>
      (of as { memory: Uint8Array }).memory.buffer instanceof SharedArrayBuffer;
    expect(isShared(await ref.ask({ type: 'named' }))).toBe(true);
    const emitted = nextEvent<unknown>((listener) => ref.on('shared', listener as never));
    ref.send({ type: 'emit' });
    expect(isShared(await emitted)).toBe(true);
    ref.send({ type: 'keep' });
    expect(isShared(((await ref.snapshot()) as { context: unknown }).context)).toBe(true);
    expect(isShared(((await ref.persist()).snapshot as { context: unknown }).context)).toBe(true);
    ref.send({ type: 'end' });
    expect(isShared(await toPromise(ref))).toBe(true);
  });

  test('a spawn may be given it', async () => {
    const { runtime } = await sharing(true);
    const ref = await runtime.spawn('sharing', { input: { memory: shared() } });
    expect(await ref.ask({ type: 'plain' })).toBe('plain');
  });
});

describe('from agent to agent', () => {
  const pair = async (from: boolean, to: boolean): Promise<{ runtime: Runtime; a: AgentRef }> => {
    const runtime = (await start({
      agents: { a: fixture('sharing'), b: fixture('sharing', { threadId: 'other' }) },
      threads: { pool: { sharedMemory: from }, other: { sharedMemory: to } },
    })) as unknown as Runtime;
    await runtime.spawn('b', { id: '1' });
    return { runtime, a: await runtime.spawn('a', { id: '1' }) };
  };

  test.each([
    [false, false],
    [true, false],
    [false, true],
  ])('it is refused when one of the pools does not allow it: %s, %s', async (from, to) => {
    const { runtime, a } = await pair(from, to);
    const codes: unknown[] = [];
    for (const type of ['give', 'get', 'give']) codes.push(await a.ask({ type, to: 'b/1' }));
    expect(codes).toEqual(['MESSAGE_UNCLONABLE', 'REPLY_UNCLONABLE', 'MESSAGE_UNCLONABLE']);
    expect(runtime.deadLetters.list()).toMatchObject([{ reason: 'unclonable' }, { reason: 'unclonable' }]);
  });

  test('it crosses where both allow it', async () => {
    const { a } = await pair(true, true);
    expect(await a.ask({ type: 'give', to: 'b/1' })).toBe(true);
    expect(await a.ask({ type: 'get', to: 'b/1' })).toBe('got');
  });
});

test.each([
  [false, 'MESSAGE_UNCLONABLE', 'REPLY_UNCLONABLE'],
  [true, { memory: 'shared' }, { memory: 'shared' }],
])('to a capability and from it only where the config allows it: %s', async (sharedMemory, given, got) => {
  process.env['SHARED_KEY'] = 'a key';
  const used: unknown[] = [];
  const sign = defineCapability('sign', (_secret, args) => {
    used.push(args);
    return { memory: shared() };
  });
  const secrets: Record<string, Grant> = {
    key: { ref: 'SHARED_KEY', mode: 'capability', capabilities: ['sign'] },
  };
  const runtime = await start(
    {
      externalSecrets: { provider: 'env' },
      agents: { sharing: fixture('sharing', { secrets }) },
      threads: { pool: { sharedMemory, isolation: 'thread' } },
    },
    { capabilities: [sign] },
  );
  const use = async (to?: string): Promise<unknown> => {
    const ref = (await runtime.spawn('sharing')) as unknown as AgentRef;
    ref.send({ type: 'use', ...(to && { to }) });
    const { context } = await waitFor(ref, (state) => state.context?.used !== undefined, { timeout: 60_000 });
    return context.used;
  };
  const plainly = (of: unknown): unknown =>
    (of as { memory?: Uint8Array }).memory?.buffer instanceof SharedArrayBuffer ? { memory: 'shared' } : of;
  expect(plainly(await use())).toEqual(given);
  expect(used.map(plainly)).toEqual(sharedMemory ? [{ memory: 'shared' }] : []);
  expect(plainly(await use('plain'))).toEqual(got);
});
