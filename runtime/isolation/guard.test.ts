import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ResolvedAgent } from '../config/resolve.ts';
import { createRuntime, defineCapability } from '../index.ts';
import { until } from '../worker/fixtures/until.ts';
import { testInBackground } from './background.ts';
import { agentModule, poolOf } from './fixtures/pool.ts';
import { guardIsolation } from './guard.ts';
import { readableStores } from './readable-store.ts';
import type { AttackRow } from './self-test.ts';

const module = new URL('../fixtures/counter.ts', import.meta.url);
const row = (attack: string, outcome: AttackRow['outcome']): AttackRow => ({
  attack,
  outcome,
  tries: attack,
});
const over = Promise.resolve();

/** A guard of one closed pool, whose self-test gives `rows`. */
function guarded(rows: Promise<readonly AttackRow[]>) {
  const warn = vi.fn<(fields: object, message: string) => void>();
  const listeners = new Set<(event: never) => void>();
  const system = {
    on: (_type: string, listener: (event: never) => void) => {
      listeners.add(listener);
      return { unsubscribe: () => void listeners.delete(listener) };
    },
    warn,
  };
  const tests: string[] = [];
  const agents = [
    { name: 'a', threadId: 'pool', moduleUrl: agentModule, grants: [] },
  ] as unknown as ResolvedAgent[];
  const config = { agents, pools: [poolOf('thread+permissions'), poolOf('thread', { threadId: 'plain' })] };
  const guard = guardIsolation(config, system as never, false, ({ threadId }) => {
    tests.push(threadId);
    return { rows, cancel: async () => {} };
  });
  onTestFinished(() => guard.stopped(over));
  const ready = (threadId: string): void => {
    for (const listener of listeners) listener({ threadId, state: 'ready' } as never);
  };
  return { guard, warn, tests, ready, listeners };
}

test('a closed pool is tried once, when its first thread is up, and what is open is one warning', async () => {
  const { warn, tests, ready } = guarded(
    over.then(() => [row('report', 'open'), row('sqlite', 'closed'), row('wasi', 'open')]),
  );
  expect(tests).toEqual([]);
  for (const threadId of ['plain', 'pool', 'pool']) ready(threadId);
  await setImmediate();
  expect(tests).toEqual(['pool']);
  expect(warn.mock.calls).toEqual([
    [{ threadId: 'pool' }, expect.stringMatching(/open on Node v.* are report, wasi;/)],
  ]);
});

test('nothing is said when all is closed', async () => {
  const { warn, ready } = guarded(over.then(() => [row('report', 'closed'), row('ffi', 'not-applicable')]));
  ready('pool');
  await setImmediate();
  expect(warn).not.toHaveBeenCalled();
});

test('a self-test that fails is a warning, and none after the stop', async () => {
  const failing = Promise.withResolvers<never>();
  const [first, second] = [guarded(failing.promise), guarded(failing.promise)];
  first.ready('pool');
  second.ready('pool');
  await second.guard.stopped(over);
  failing.reject(new Error('it did not end'));
  await setImmediate();
  expect(first.warn.mock.calls).toEqual([[{ threadId: 'pool' }, 'it did not end']]);
  expect(second.warn).not.toHaveBeenCalled();
  expect(second.listeners.size).toBe(0);
});

test('runtimes whose pools have equal options share one self-test, which ends when the last gives it up', async () => {
  const open = { env: { NODE_OPTIONS: '--allow-fs-read=*' } };
  const first = testInBackground(poolOf('thread+permissions', open), [agentModule]);
  const second = testInBackground(poolOf('thread+permissions', { ...open, threadId: 'other' }), [
    agentModule,
  ]);
  expect(second.rows).toBe(first.rows);
  await first.cancel();
  await first.cancel();
  expect((await second.rows)?.some(({ outcome }) => outcome === 'open')).toBe(true);

  const given = testInBackground(poolOf('thread+permissions', { env: { A: '1' } }), [agentModule]);
  await given.cancel();
  expect(await given.rows).toBeUndefined();
  const again = testInBackground(poolOf('thread+permissions', { env: { A: '1' } }), [agentModule]);
  expect(again.rows).not.toBe(given.rows);
  expect(await again.rows).toBeDefined();
});

test('a runtime tells what somebody has opened by hand in a closed pool, and a closed one nothing', async () => {
  const logger = { debug() {}, info() {}, warn: vi.fn<() => void>(), error: vi.fn<() => void>() };
  const bound = { type: 'thread-bound', maxThreads: 1, module } as const;
  const runtime = await createRuntime(
    {
      agents: { open: { ...bound, threadId: 'open' }, closed: { ...bound, threadId: 'closed' } },
      threads: {
        open: { isolation: 'thread+permissions', env: { NODE_OPTIONS: '--allow-fs-read=*' } },
        closed: { isolation: 'thread+permissions' },
      },
    },
    { logger },
  );
  onTestFinished(() => runtime.stop());
  const warnings: string[] = [];
  runtime.on('warning', ({ message }) => warnings.push(message));
  await runtime.spawn('closed');
  await runtime.spawn('open');
  await until(() => warnings.length > 0);
  expect(warnings).toEqual([expect.stringMatching(/^pool "open" .*read-file/)]);
  expect(logger.warn).toHaveBeenCalledTimes(1);
});

test('a runtime that is stopped at once is not held up by the self-test, and its thread is gone', async () => {
  const runtime = await createRuntime({
    agents: { counter: { type: 'thread-bound', threadId: 'short', maxThreads: 1, module } },
    threads: { short: { isolation: 'thread+permissions', env: { SHORT: '1' } } },
  });
  await runtime.spawn('counter');
  await runtime.stop();
  const rest = (): string[] =>
    process.getActiveResourcesInfo().filter((what) => /Worker|MessagePort/.test(what));
  // A port is closed a turn after its thread has ended.
  await expect.poll(rest).toEqual([]);
});

test('agents of different grants in one pool are one warning', async () => {
  vi.stubEnv('GUARD_TEST_KEY', 'found, so that its absence is not a warning too');
  onTestFinished(() => void vi.unstubAllEnvs());
  const bound = { type: 'thread-bound', threadId: 'books', maxThreads: 1, module } as const;
  const secrets = { key: { ref: 'GUARD_TEST_KEY', mode: 'capability', capabilities: ['sign'] } } as const;
  const logger = { debug() {}, info() {}, warn: vi.fn<() => void>(), error() {} };
  const runtime = await createRuntime(
    {
      externalSecrets: { provider: 'env' },
      agents: { first: { ...bound, secrets }, second: bound, third: { ...bound, threadId: 'alone' } },
    },
    { logger, capabilities: [defineCapability('sign', () => null)] },
  );
  onTestFinished(() => runtime.stop());
  const warnings: string[] = [];
  runtime.on('warning', ({ message }) => warnings.push(message));
  await until(() => warnings.length > 0);
  expect(warnings).toEqual([
    expect.stringContaining('"first", "second" have different grants in one pool, "books"'),
  ]);
  expect(logger.warn).toHaveBeenCalledTimes(1);
});

test('a closed pool whose agents may read the store is warned of, by the folder that is open to them', async () => {
  const folder = dirname(fileURLToPath(agentModule));
  const agents = [{ name: 'a', threadId: 'pool', moduleUrl: agentModule }] as unknown as ResolvedAgent[];
  const pools = [
    poolOf('thread+permissions'),
    poolOf('thread', { threadId: 'plain' }),
    poolOf('thread+permissions', {
      threadId: 'writer',
      permissions: { read: [], write: ['/srv/data'], net: false },
    }),
  ];
  const warnedOf = (path: string): readonly [threadId: string, open: string][] =>
    readableStores({ agents, pools, store: { type: 'sqlite', path } }).map(({ threadId, open }) => [
      threadId,
      open,
    ]);
  expect(warnedOf(join(folder, 'data', 'agents.db'))).toEqual([['pool', folder]]);
  expect(warnedOf(join(`${folder}-data`, 'agents.db'))).toEqual([]);
  expect(warnedOf(join(folder, '..', 'agents.db'))).toEqual([]);
  expect(warnedOf('/srv/data/agents.db')).toEqual([['writer', '/srv/data']]);
  expect(warnedOf('/srv/data')).toEqual([['writer', '/srv/data']]);
  const warn = vi.fn<(fields: object, message: string) => void>();
  const config = { agents: [], pools, store: { type: 'sqlite', path: '/srv/data/agents.db' } } as const;
  const guard = guardIsolation(config, { on: () => ({ unsubscribe: () => {} }), warn } as never, false);
  onTestFinished(() => guard.stopped(over));
  await setImmediate();
  expect(warn.mock.calls).toEqual([[{ threadId: 'writer' }, expect.stringContaining('lies in /srv/data')]]);
});
