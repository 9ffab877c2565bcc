import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setup } from 'xstate';
import { beforeAll, expect, test, vi } from 'vitest';
import * as agentKit from 'holdfast/agent';
import * as configKit from 'holdfast/config';
import * as host from 'holdfast';
import type { AgentConfig, AgentRef, Runtime } from 'holdfast';
import * as testKit from 'holdfast/testing';
import { systemClock } from '../base/clock.ts';
import { calls as agentCalls } from './fixtures/caller.ts';
import { oddValues, type Odd } from './fixtures/odd-values.ts';

type Call = (odd: never) => unknown;
type Table = Readonly<Record<string, Call>>;

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const caller: AgentConfig = {
  type: 'thread-bound',
  threadId: 'callers',
  maxThreads: 1,
  module: new URL('./fixtures/caller.ts', import.meta.url),
  supervision: { intensity: { restarts: 1000, withinMs: 1000 }, backoff: { minMs: 1, maxMs: 2 } },
};
const bare = { agents: {} };
const short = { timeoutMs: 500 };
const note = { type: 'note' };

let runtime: Runtime;
let ref: AgentRef;
let tests: testKit.TestRuntime;
let spawned = 0;
const missed: unknown[] = [];
const miss = (error: unknown): void => void missed.push(error);

beforeAll(async () => {
  // What is taken for the name of a file is one here.
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-odd-'));
  const before = process.cwd();
  process.chdir(folder);
  process.on('unhandledRejection', miss).on('uncaughtException', miss);
  runtime = await host.createRuntime({ agents: { caller } }, { logger: silent });
  ref = await runtime.spawn('caller', { id: 'one' });
  tests = await testKit.createTestRuntime(
    { agents: { caller } },
    { logger: silent, store: testKit.memoryDurableStore() },
  );
  return async () => {
    await Promise.all([runtime.stop(), tests.stop()]);
    process.off('unhandledRejection', miss).off('uncaughtException', miss);
    process.chdir(before);
    await rm(folder, { recursive: true, force: true });
  };
});

/** Runs with a runtime of its own, which is to end. */
async function withRuntime(options: object, use: (own: Runtime) => unknown = () => {}): Promise<void> {
  const own = await host.createRuntime(bare, { logger: silent, ...options });
  try {
    await use(own);
  } finally {
    await own.stop();
  }
}

/** A spawned instance does not stay. */
async function stopped(started: Promise<AgentRef>): Promise<void> {
  await (await started).stop();
}

const id = (): string => `odd-${(spawned += 1)}`;
const provider = testKit.createMemoryProvider();
const store = host.memoryStore();
const machine = setup({}).createMachine({});
const over = (subscription: { unsubscribe(): void }): void => subscription.unsubscribe();

/** Each public call of the host, with an odd value in each of its places. */
async function read(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const hostCalls: Table = {
  'createRuntime(config)': async (odd) => (await host.createRuntime(odd, { logger: silent })).stop(),
  'createRuntime(, options)': async (odd) => (await host.createRuntime(bare, odd)).stop(),
  ...Object.fromEntries(
    ['capabilities', 'providers', 'logger', 'store', 'audit', 'inspect', 'strict', 'signals'].map(
      (option): [string, Call] => [`createRuntime(, ${option})`, (odd) => withRuntime({ [option]: odd })],
    ),
  ),
  'createRuntime(, [capability])': (odd) => withRuntime({ capabilities: [odd] }),
  'createRuntime(, [provider])': (odd) => withRuntime({ providers: [odd] }),
  'createRuntime(, adapter)': (odd) => withRuntime({ inspect: { adapter: odd } }),
  'runtime.spawn(agent)': (odd) => stopped(runtime.spawn(odd)),
  'runtime.spawn(, options)': (odd) => stopped(runtime.spawn('caller', odd)),
  'runtime.spawn(, id)': (odd) => stopped(runtime.spawn('caller', { id: odd })),
  'runtime.spawn(, input)': (odd) => stopped(runtime.spawn('caller', { id: id(), input: odd })),
  'runtime.spawn(, snapshot)': (odd) => stopped(runtime.spawn('caller', { id: id(), snapshot: odd })),
  'runtime.getOrSpawn(agent)': (odd) => stopped(runtime.getOrSpawn(odd, id())),
  'runtime.getOrSpawn(, id)': (odd) => stopped(runtime.getOrSpawn('caller', odd)),
  'runtime.getOrSpawn(, , options)': (odd) => stopped(runtime.getOrSpawn('caller', id(), odd)),
  'runtime.get(address)': (odd) => runtime.get(odd),
  'runtime.find(address)': (odd) => runtime.find(odd),
  'runtime.logic(agent)': (odd) => runtime.logic(odd),
  'runtime.status()': () => runtime.status(),
  'runtime.on(type)': (odd) => over(runtime.on(odd, () => {})),
  'runtime.on(, listener)': (odd) => over(runtime.on('warning', odd)),
  'runtime.refreshSecret(id)': (odd) => runtime.refreshSecret(odd),
  'runtime.refreshSecret(, options)': (odd) => runtime.refreshSecret('x', odd),
  'runtime.refreshSecret(, provider)': (odd) => runtime.refreshSecret('x', { provider: odd }),
  'runtime.recycle(threadId)': (odd) => withRuntime({}, (own) => own.recycle(odd)),
  'runtime.recycle(, options)': (odd) => withRuntime({}, (own) => own.recycle(undefined, odd)),
  'runtime.recycle(, timeoutMs)': (odd) =>
    withRuntime({}, (own) => own.recycle(undefined, { timeoutMs: odd })),
  'runtime.drain(options)': (odd) => withRuntime({}, (own) => own.drain(odd)),
  'runtime.drain(timeoutMs)': (odd) => withRuntime({}, (own) => own.drain({ timeoutMs: odd })),
  'runtime.stop(options)': (odd) => withRuntime({}, (own) => own.stop(odd)),
  'runtime.stop(timeoutMs)': (odd) => withRuntime({}, (own) => own.stop({ timeoutMs: odd })),
  'runtime.deadLetters.list()': () => runtime.deadLetters.list(),
  'runtime.deadLetters.replay(id)': (odd) => runtime.deadLetters.replay(odd),
  'ref.send(event)': (odd) => ref.send(odd),
  'ref.deliver(event)': (odd) => ref.deliver(odd, short),
  'ref.deliver(, options)': (odd) => ref.deliver(note, odd),
  'ref.deliver(, timeoutMs)': (odd) => ref.deliver(note, { timeoutMs: odd }),
  'ref.deliver(, signal)': (odd) => ref.deliver(note, { ...short, signal: odd }),
  'ref.deliver(, id)': (odd) => ref.deliver(note, { ...short, id: odd }),
  'ref.enqueue(event)': (odd) => ref.enqueue(odd),
  'ref.enqueue(, options)': (odd) => ref.enqueue(note, odd),
  'ref.enqueue(, id)': (odd) => ref.enqueue(note, { id: odd }),
  'ref.enqueue(, at)': (odd) => ref.enqueue(note, { at: odd }),
  'ref.ask(event)': (odd) => ref.ask(odd, short),
  'ref.ask(, id)': (odd) => ref.ask({ type: 'ping' }, { ...short, id: odd }),
  'ref.ask(, options)': (odd) => ref.ask({ type: 'ping' }, odd),
  'ref.ask(, timeoutMs)': (odd) => ref.ask({ type: 'ping' }, { timeoutMs: odd }),
  'ref.ask(, signal)': (odd) => ref.ask({ type: 'ping' }, { ...short, signal: odd }),
  'ref.askStream(event)': (odd) => read(ref.askStream(odd, short)),
  'ref.askStream(, options)': (odd) => read(ref.askStream({ type: 'ping' }, odd)),
  'ref.askStream(, timeoutMs)': (odd) => read(ref.askStream({ type: 'ping' }, { timeoutMs: odd })),
  'ref.askStream(, signal)': (odd) => read(ref.askStream({ type: 'ping' }, { ...short, signal: odd })),
  'ref.snapshot(options)': (odd) => ref.snapshot(odd),
  'ref.snapshot(timeoutMs)': (odd) => ref.snapshot({ timeoutMs: odd }),
  'ref.persist(options)': (odd) => ref.persist(odd),
  'ref.persist(timeoutMs)': (odd) => ref.persist({ timeoutMs: odd }),
  'ref.can(event)': (odd) => ref.can(odd),
  'ref.can(, options)': (odd) => ref.can(note, odd),
  'ref.can(, timeoutMs)': (odd) => ref.can(note, { timeoutMs: odd }),
  'ref.watch(listener)': (odd) => over(ref.watch(odd)),
  'ref.on(type)': (odd) => over(ref.on(odd, () => {})),
  'ref.on(, listener)': (odd) => over(ref.on('*', odd)),
  'ref.subscribe(observer)': (odd) => over(ref.subscribe(odd)),
  'ref.subscribe(next)': (odd) => over(ref.subscribe({ next: odd })),
  'ref.subscribe(, error)': (odd) =>
    over((ref.subscribe as (...observer: unknown[]) => never)(() => {}, odd)),
  'ref.select(selector)': (odd) => ref.select(odd),
  'ref.resume()': () => ref.resume(),
  'ref.stop()': () => stopped(runtime.spawn('caller', { id: id() })),
  'agent(config)': (odd) => void host.agent(odd),
  'defineCapability(name)': (odd) => host.defineCapability(odd, () => 1),
  'defineCapability(, run)': (odd) => host.defineCapability('sign', odd),
  'failureOf(error)': (odd) => host.failureOf(odd),
  'sqliteStore(options)': (odd) => host.sqliteStore(odd),
  'sqliteStore(path)': (odd) => host.sqliteStore({ path: odd }),
  'sqliteStore(maxBytes)': (odd) => host.sqliteStore({ path: 'a.db', maxBytes: odd }),
  'postgresStore(options)': (odd) => host.postgresStore(odd),
  'postgresStore(url)': (odd) => host.postgresStore({ url: odd }),
  'postgresStore(schema)': (odd) => host.postgresStore({ url: 'postgresql:///none', schema: odd }),
  'memoryStore().load(address)': (odd) => store.load(odd),
  'memoryStore().save(record)': (odd) => store.save(odd),
  'memoryStore().save(snapshot)': (odd) =>
    store.save({ v: 1, address: 'a/1', incarnation: 1, seq: 1, snapshot: odd, timers: [], at: 0 }),
  'memoryStore().delete(address)': (odd) => store.delete(odd, 1),
  'memoryStore().delete(, incarnation)': (odd) => store.delete('a/2', odd),
  'toMermaid(machine)': (odd) => host.toMermaid(odd),
  'toPrometheus(status)': (odd) => host.toPrometheus(odd),
  'transfer(value)': (odd) => void host.transfer(odd, []),
  'transfer(, list)': (odd) => host.transfer({ type: 'note' }, odd),
  'transfer(, [item])': (odd) => ref.deliver(host.transfer({ type: 'note' }, [odd]), short),
  'defineConfig(config)': (odd) => void configKit.defineConfig(odd),
  'loadConfig(source)': (odd) => configKit.loadConfig(odd),
  'loadConfig(, options)': (odd) => configKit.loadConfig(bare, odd),
  'loadConfig(, customProviders)': (odd) => configKit.loadConfig(bare, { customProviders: odd }),
  'loadConfig(, env)': (odd) => configKit.loadConfig(bare, { env: odd }),
  'validateConfig(source)': (odd) => configKit.validateConfig(odd),
  'validateConfig(, options)': (odd) => configKit.validateConfig(bare, odd),
  'configJsonSchema()': () => configKit.configJsonSchema(),
};

/** Those of the test kit. */
const testCalls: Table = {
  'createTestRuntime(config)': async (odd) =>
    (await testKit.createTestRuntime(odd, { logger: silent })).stop(),
  'createTestRuntime(, options)': async (odd) => (await testKit.createTestRuntime(bare, odd)).stop(),
  ...Object.fromEntries(
    ['threads', 'seed', 'now', 'deadlineMs', 'store', 'logger'].map((option): [string, Call] => [
      `createTestRuntime(, ${option})`,
      async (odd) => (await testKit.createTestRuntime(bare, { logger: silent, [option]: odd })).stop(),
    ]),
  ),
  'clock.now()': () => tests.clock.now(),
  'clock.advance(ms)': async (odd) => {
    const own = await testKit.createTestRuntime(bare, { logger: silent });
    await own.clock.advance(odd).finally(() => own.stop());
  },
  'tests.restartProcess()': () => tests.restartProcess(),
  'memoryDurableStore()': () => testKit.memoryDurableStore(),
  'tests.settled()': () => tests.settled(),
  'tests.random()': () => tests.random(),
  'tests.probe(name)': (odd) => tests.probe(odd),
  'probe.send(event)': (odd) => tests.probe().send(odd),
  'probe.expectEvent(expected)': (odd) => tests.probe().expectEvent(odd, { realMs: 1 }),
  'probe.expectEvent(, options)': (odd) => withNote().expectEvent('note', odd),
  'probe.expectEvent(, withinMs)': (odd) => withNote().expectEvent('note', { withinMs: odd }),
  'probe.expectEvent(, realMs)': (odd) => withNote().expectEvent('note', { realMs: odd }),
  'probe.run(logic)': (odd) => void tests.probe().run(odd),
  'probe.run(, options)': (odd) => void tests.probe().run(machine, odd),
  'faults.killThread(target)': (odd) => tests.faults.killThread(odd),
  'faults.killThread(, cause)': (odd) => tests.faults.killThread('none', odd),
  'faults.hangThread(target)': (odd) => tests.faults.hangThread(odd),
  'faults.dropBatch(target)': (odd) => tests.faults.dropBatch(odd),
  'faults.failStore(how)': (odd) => tests.faults.failStore(odd, 'load'),
  'faults.failStore(, call)': (odd) => tests.faults.failStore('fail', odd),
  'faults.commit(at)': (odd) => tests.faults.commit(odd),
  'faults.commit(, options)': (odd) => tests.faults.commit('before', odd),
  'faults.commit(, kill)': (odd) => tests.faults.commit('after', { kill: odd }),
  'faults.pending()': () => tests.faults.pending(),
  'createMemoryProvider(options)': (odd) => testKit.createMemoryProvider(odd),
  'createMemoryProvider(name)': (odd) => testKit.createMemoryProvider({ name: odd }),
  'createMemoryProvider(batch)': (odd) => testKit.createMemoryProvider({ batch: odd }),
  'createMemoryProvider(push)': (odd) => testKit.createMemoryProvider({ push: odd }),
  'provider.set(id)': (odd) => provider.set(odd, 'value'),
  'provider.set(, value)': (odd) => provider.set('key', odd),
  'provider.set(, , versionId)': (odd) => testKit.createMemoryProvider().set('key', 'value', odd),
  'provider.rotate(id)': (odd) => {
    provider.set('x', 'before');
    return provider.rotate(odd ?? 'x', 'value');
  },
  'provider.remove(id)': (odd) => provider.remove(odd),
  'provider.fail(how)': (odd) => provider.fail(odd),
  'provider.fail(, options)': (odd) => provider.fail('denied', odd),
  'provider.hang(options)': (odd) => provider.hang(odd),
  'secretProviderCases(options)': (odd) => testKit.secretProviderCases(odd),
  'testSecretProvider(options)': (odd) => testKit.testSecretProvider(odd),
  'testSecretProvider(create)': (odd) => testKit.testSecretProvider({ test: () => {}, create: odd }),
  'durableStoreCases(options)': (odd) => testKit.durableStoreCases(odd),
  'testDurableStore(options)': (odd) => testKit.testDurableStore(odd),
  'testDurableStore(create)': (odd) => testKit.testDurableStore({ test: () => {}, create: odd }),
  'snapshotStoreCases(options)': (odd) => testKit.snapshotStoreCases(odd),
  'testSnapshotStore(options)': (odd) => testKit.testSnapshotStore(odd),
  'testSnapshotStore(create)': (odd) => testKit.testSnapshotStore({ test: () => {}, create: odd }),
};

function withNote(): testKit.Probe {
  const probe = tests.probe();
  probe.send(note);
  return probe;
}

/** Exports that are no calls. */
const constructors = new Set(['HoldfastError', 'ConfigError', 'ProviderError', 'QuarantineError']);

/** How long a call may take in all: far beyond every deadline that is given above. */
const DEADLINE_MS = 30_000;

/** `ok`, or what is wrong with how the call came out. */
async function outcome(name: string, call: Call, { make }: Odd): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve('never settles'), DEADLINE_MS);
  try {
    const result = call(make() as never);
    if (!(result instanceof Promise)) return undefined;
    return await Promise.race([result.then(() => undefined), late.promise]);
  } catch (error) {
    if (error instanceof host.HoldfastError)
      return /canary|undefined is|is not a function/.exec(error.message)?.[0];
    const { name: kind, message } = error as Error;
    // A signal's own reason; and a failure of the test that uses the kit.
    if (kind === 'AbortError' || (name in testCalls && kind === 'AssertionError')) return undefined;
    return `${kind}: ${message}`.slice(0, 200);
  } finally {
    clearTimeout(timer);
  }
}

const rows = Object.entries({ ...hostCalls, ...testCalls });

test.each(rows)(
  '%s: an odd value is taken or refused with a clear error, at once and for good',
  async (name, call) => {
    const set = vi.spyOn(systemClock, 'setTimeout');
    const wrong: Record<string, unknown> = {};
    for (const odd of oddValues) {
      const came = await outcome(name, call, odd);
      if (came !== undefined) wrong[odd.name] = came;
    }
    expect(wrong).toEqual({});
    // One that is none would fire again and again.
    expect(set.mock.calls.filter(([, ms]) => Number.isNaN(ms) || typeof ms !== 'number')).toEqual([]);
    set.mockRestore();
  },
);

test('what agents call takes an odd value or refuses it, in a thread as well', async () => {
  const wrong: Record<string, unknown> = {};
  const other = await runtime.spawn('caller', { id: 'other' });
  for (const call of Object.keys(agentCalls)) {
    for (const [odd, { name }] of oddValues.entries()) {
      const came = await ref.ask({ type: 'call', call, odd }, { timeoutMs: DEADLINE_MS }).catch(String);
      const isClear = came === 'ok' || /^HoldfastError [A-Z_]+$|^AbortError/.test(String(came));
      if (!isClear) wrong[`${call} of ${name}`] = came;
    }
  }
  expect(wrong).toEqual({});
  expect([ref.incarnation, other.incarnation]).toEqual([1, 1]);
  await other.stop();
});

test('the runtimes work as before, and nothing was left to the process', async () => {
  expect(await ref.ask({ type: 'ping' })).toBe('pong');
  expect(runtime.status().instances.map(({ address }) => address)).toEqual(['caller/one']);
  await new Promise(setImmediate);
  expect(missed).toEqual([]);
});

const withoutArguments = new Set(['self', 'sender', 'committed', 'invocation']);

test('every public call stands in the tables', () => {
  const named = (prefix: string, tables: readonly Table[]) => (name: string) =>
    tables.some((table) => Object.keys(table).some((row) => row.startsWith(`${prefix}${name}(`)));
  const methods = (of: object): string[] =>
    Object.keys(of).filter((key) => typeof (of as Record<string, unknown>)[key] === 'function');
  const calls = (kit: object): string[] => methods(kit).filter((name) => !constructors.has(name));
  const inAgent = { ...agentCalls } as Table;

  const missing = [
    ...calls(host).filter((name) => !named('', [hostCalls])(name)),
    ...calls(configKit).filter((name) => !named('', [hostCalls])(name)),
    ...calls(testKit).filter((name) => !named('', [testCalls])(name)),
    ...calls(agentKit).filter((name) => !withoutArguments.has(name) && !named('', [inAgent])(name)),
    ...methods(runtime).filter((name) => !named('runtime.', [hostCalls])(name)),
    ...methods(runtime.deadLetters).filter((name) => !named('runtime.deadLetters.', [hostCalls])(name)),
    ...methods(tests.faults).filter((name) => !named('faults.', [testCalls])(name)),
    ...methods(tests.clock).filter((name) => !named('clock.', [testCalls])(name)),
    ...[
      'send',
      'deliver',
      'enqueue',
      'ask',
      'askStream',
      'snapshot',
      'persist',
      'can',
      'watch',
      'on',
      'subscribe',
      'select',
      'resume',
      'stop',
    ].filter((name) => !named('ref.', [hostCalls])(name)),
  ];
  expect(missing).toEqual([]);
});
