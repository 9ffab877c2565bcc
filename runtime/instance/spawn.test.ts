import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { HoldfastError, type AgentRef } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';
import { durableMemory, memoryDurableStore } from '../store/memory-durable-store.ts';

test('an address is taken once, and free again when its instance has ended', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const first = await runtime.spawn('counter', { id: 'a' });
  await expect(runtime.spawn('counter', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  expect(runtime.get('counter/a')).toBe(first);
  await first.stop();
  expect(runtime.get('counter/a')).toBeUndefined();
  const second = await runtime.spawn('counter', { id: 'a' });
  expect(second.incarnation).toBe(1);
});

test('instances without an id are numbered, past the numbers that are taken', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  await runtime.spawn('counter', { id: '2' });
  const refs = [await runtime.spawn('counter'), await runtime.spawn('counter')];
  expect(refs.map(({ address }) => address)).toEqual(['counter/1', 'counter/3']);
});

test('an unknown agent is named together with those there are', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const { spawn } = runtime as { spawn: (name: string) => Promise<unknown> };
  await expect(spawn('countre')).rejects.toMatchObject({
    code: 'AGENT_UNKNOWN',
    message: expect.stringContaining('"counter"') as string,
  });
});

test('an export that is no actor logic, or is not there, is reported with what there is', async () => {
  const runtime = await start({
    agents: {
      wrong: fixture('logics', { export: 'notLogic' }),
      missing: fixture('logics', { export: 'nothing' }),
    },
  });
  await expect(runtime.spawn('wrong')).rejects.toMatchObject({
    code: 'AGENT_EXPORT_INVALID',
    message: expect.stringContaining('is not XState actor logic') as string,
  });
  await expect(runtime.spawn('missing')).rejects.toThrow(/"double"/);
  expect(runtime.status().instances).toEqual([]);
});

test.each([
  ['syntax that stripping types does not cover', 'export enum Side { Buy }', 'enum', { name: 'SyntaxError' }],
  ['a mistake of syntax', 'export default {', 'cannot be loaded', { name: 'SyntaxError' }],
  ['an import that is not there', "import './nothing.ts';", 'nothing.ts', { code: 'ERR_MODULE_NOT_FOUND' }],
])(
  'a module with %s is reported with its agent, its place and the reason',
  async (_what, text, why, cause) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-module-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const module = join(folder, 'trader.ts');
    await writeFile(module, text);
    const runtime = await start({ agents: { trader: fixture('counter', { module }) } });
    const error: unknown = await runtime.spawn('trader', { id: 'btc' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'AGENT_EXPORT_INVALID', cause });
    const { message } = error as Error;
    for (const part of ['trader/btc', pathToFileURL(module).href, why]) expect(message).toContain(part);
  },
);

test('an agent that fails while it starts rejects its spawn with its own error, once', async () => {
  const runtime = await start({ agents: { failing: fixture('failing-start') } });
  await expect(runtime.spawn('failing')).rejects.toThrow('cannot begin');
  await expect(runtime.spawn('failing')).rejects.toBeInstanceOf(SyntaxError);
  expect(runtime.status()).toMatchObject({ instances: [], restarts: 0 });
});

test('an input that cannot be cloned rejects the spawn and costs nobody else', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const healthy = await runtime.spawn('counter');
  await expect(runtime.spawn('counter', { input: { f: () => 1 } })).rejects.toMatchObject({
    code: 'MESSAGE_UNCLONABLE',
  });
  await healthy.deliver({ type: 'inc' });
  expect(runtime.status().instances).toHaveLength(1);
});

test('a thread that is not up in time rejects the spawn, and the next one gets a new thread', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter', { threadId: 'slow' }) },
    // No worker is up within a millisecond.
    threads: { slow: { startTimeoutMs: 1 } },
  });
  await expect(runtime.spawn('counter')).rejects.toMatchObject({ code: 'THREAD_START_TIMEOUT' });
  await expect.poll(() => runtime.status().pools[0]?.threads, { timeout: 60_000 }).toEqual([]);
  expect(runtime.status().pools[0]?.endedThreads).toEqual({ 'init-timeout': 1 });
});

test('an instance that is stopped while it starts never shows up', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const spawning = runtime.spawn('counter', { id: 'a' });
  await runtime.get('counter/a')?.stop();
  await expect(spawning).rejects.toMatchObject({ code: 'AGENT_STOPPED' });
  const next = await runtime.spawn('counter', { id: 'a' });
  expect(await next.ask({ type: 'read' })).toBe(0);
  expect(runtime.status().pools[0]?.threads).toMatchObject([{ instances: 1 }]);
});

test('no options are as good as none, and wrong ones are refused before anything starts', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const { spawn } = runtime as unknown as { spawn: (name: string, options: unknown) => Promise<AgentRef> };
  expect((await spawn('counter', null)).address).toBe('counter/1');
  for (const wrong of [
    'btc',
    7,
    true,
    { id: 7 },
    { id: null },
    { id: '' },
    { id: '\ud800' },
    { snapshot: null },
  ])
    await expect(spawn('counter', wrong)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(runtime.status().instances).toHaveLength(1);
});

test('a number that the runtime gives is the id of nobody in the store, in memory, passive or damaged', async () => {
  const memory = durableMemory();
  const agents = { account: fixture('account', { passivateAfterMs: 20 }) };
  const first = await start({ agents }, { store: memoryDurableStore(memory) });
  for (const id of ['1', '3', '5']) await first.spawn('account', { id });
  await first.stop();
  const store = memoryDurableStore(memory);
  const damaged = new HoldfastError('STORE_CORRUPT', 'account/5 is damaged');
  const runtime = await start(
    { agents },
    {
      store: {
        ...store,
        load: async (address: string) => {
          if (address === 'account/5') throw damaged;
          return store.load(address);
        },
      },
    },
  );
  await runtime.spawn('account', { id: '4' });
  await expect.poll(() => runtime.get('account/4')).toBeUndefined();
  const given = await Promise.all([1, 2, 3].map(() => runtime.spawn('account')));
  const addresses = given.map(({ address }) => address).toSorted();
  expect(addresses).toEqual(['account/2', 'account/6', 'account/7']);
});

test('an instance that a machine invokes takes the address of nobody in the store', async () => {
  const memory = durableMemory();
  const agents = { account: fixture('account') };
  const first = await start({ agents }, { store: memoryDurableStore(memory) });
  const kept = await first.spawn('account', { id: '1' });
  await kept.ask({ type: 'deposit', amount: 5 });
  await first.stop();
  const runtime = await start({ agents }, { store: memoryDurableStore(memory) });
  const machine = createMachine({ invoke: { src: runtime.logic('account') } });
  const owner = createActor(machine).start();
  onTestFinished(() => void owner.stop());
  const ref = await runtime.spawn('account', { id: '1' });
  expect(await ref.ask({ type: 'total' })).toBe(5);
  expect(runtime.status().instances).toHaveLength(2);
});
