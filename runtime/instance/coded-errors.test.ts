import { expect, test } from 'vitest';
import { defineCapability, HoldfastError, type AgentRef } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

const ending = (restart: 'temporary' | 'permanent') =>
  fixture('ending', {
    supervision: { restart, backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } },
  });
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
const questions = [
  ['snapshot', (ref: AgentRef) => ref.snapshot()],
  ['persist', (ref: AgentRef) => ref.persist()],
  ['can', (ref: AgentRef) => ref.can({ type: 'end' })],
] as const;

test.each(questions)(
  '%s of an instance that ends meanwhile rejects with AGENT_STOPPED and its address',
  async (_, ask) => {
    const runtime = await start({ agents: { ending: ending('temporary') } });
    for (const [id, type] of [
      ['done', 'end.later'],
      ['failed', 'fail.later'],
    ] as const) {
      const ref = await runtime.spawn('ending', { id });
      await ref.deliver({ type });
      const refused = await failure(ask(ref));
      expect(refused).toBeInstanceOf(HoldfastError);
      expect(refused).toMatchObject({
        code: 'AGENT_STOPPED',
        message: expect.stringContaining(`ending/${id}`) as string,
      });
    }
  },
);

test.each(questions)(
  '%s of an instance that is restarted meanwhile is answered by the next incarnation',
  async (_, ask) => {
    const runtime = await start({ agents: { ending: ending('permanent') } });
    const ref = await runtime.spawn('ending', { id: 'a' });
    await ref.deliver({ type: 'fail.later' });
    expect(await ask(ref)).toBeTruthy();
    expect(ref.incarnation).toBe(2);
  },
);

test('what an agent itself could not clone is its own error, and what it was given is named', async () => {
  const cloning = fixture('ending', { export: 'cloning' });
  const given = fixture('ending', { export: 'given' });
  const runtime = await start({ agents: { cloning, given } });
  const unclonable = { close() {} };

  expect(await failure(runtime.spawn('cloning'))).toMatchObject({ name: 'DataCloneError' });
  expect(await failure(runtime.spawn('cloning', { input: unclonable }))).toMatchObject({
    code: 'MESSAGE_UNCLONABLE',
    message: expect.stringContaining('the input of cloning/') as string,
  });
  const envelope = await (await runtime.spawn('given', { id: 'a', input: {} })).persist();
  const snapshot = { ...envelope, snapshot: { status: 'active', context: unclonable } };
  expect(await failure(runtime.spawn('given', { id: 'b', snapshot }))).toMatchObject({
    code: 'MESSAGE_UNCLONABLE',
    message: expect.stringContaining('the snapshot of given/b') as string,
  });
});

test('a state that XState cannot persist is a REPLY_UNCLONABLE whose cause says why', async () => {
  const module = new URL('../transparency/fixtures/holders.ts', import.meta.url);
  const runtime = await start({ agents: { inline: fixture('', { module, export: 'inline' }) } });
  const ref = await runtime.spawn('inline', { id: 'a' });
  expect(await failure(ref.persist())).toMatchObject({
    name: 'HoldfastError',
    code: 'REPLY_UNCLONABLE',
    message: expect.stringContaining('inline/a') as string,
    cause: { message: expect.stringMatching(/inline child/) as string },
  });
});

test('a capability without a name or a function is a CONFIG_INVALID', () => {
  for (const [name, run] of [
    ['', () => 1],
    ['sign', undefined],
  ] as const) {
    const define = (): unknown => defineCapability(name, run as () => unknown);
    expect(define).toThrow(
      expect.objectContaining({ name: 'HoldfastError', code: 'CONFIG_INVALID' }) as Error,
    );
  }
});
