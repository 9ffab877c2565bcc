import { expect, test } from 'vitest';
import { toPromise } from 'xstate';
import { agent, memoryStore } from 'holdfast';
import type ledger from '../fixtures/ledger.ts';
import { fixture, start, startTest } from '../fixtures/start.ts';

const supervision = { state: 'snapshot', backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } } as const;
const agents = { ledger: agent<typeof ledger>(fixture('ledger', { supervision })) };

test('a spawn whose state cannot be loaded rejects, the record stays, and the next spawn goes on', async () => {
  const store = memoryStore();
  const one = await startTest({ agents }, { store });
  await (await one.spawn('ledger', { id: 'a' })).deliver({ type: 'note', n: 1 });
  await one.stop();

  const runtime = await startTest({ agents }, { store });
  const fault = runtime.faults.failStore('fail', 'load');
  await expect(runtime.spawn('ledger', { id: 'a' })).rejects.toMatchObject({
    code: 'STORE_FAILED',
    retryable: true,
  });
  expect([fault.fired, runtime.faults.pending()]).toEqual([true, []]);
  expect(await store.load('ledger/a')).toMatchObject({ incarnation: 1 });
  const ref = await runtime.spawn('ledger', { id: 'a' });
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1] });
});

test('a store that hangs at a load holds its address for 5 s, and nobody else', async () => {
  const runtime = await startTest({ agents }, { store: memoryStore() });
  const fault = runtime.faults.failStore('hang', 'load');
  const hanging = [runtime.getOrSpawn('ledger', 'a'), runtime.getOrSpawn('ledger', 'a')];
  const failed = Promise.allSettled(hanging);
  await runtime.settled();
  expect(fault.fired).toBe(true);
  await expect(runtime.spawn('ledger', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  await (await runtime.spawn('ledger', { id: 'b' })).deliver({ type: 'note', n: 1 });
  await runtime.clock.advance(5000);
  for (const result of await failed) expect(result).toMatchObject({ reason: { code: 'STORE_FAILED' } });
  const ref = await runtime.getOrSpawn('ledger', 'a');
  expect(ref.incarnation).toBe(1);
});

test('a store that fails or hangs at saves costs no event, and restarts need no store', async () => {
  const store = memoryStore();
  const runtime = await startTest({ agents }, { store });
  const warnings: string[] = [];
  runtime.on('warning', ({ message }) => warnings.push(message));
  const ref = await runtime.spawn('ledger', { id: 'a' });
  await runtime.settled();
  runtime.faults.failStore('fail', 'save');
  await ref.deliver({ type: 'note', n: 1 });
  runtime.faults.failStore('hang', 'save');
  await ref.deliver({ type: 'note', n: 2 });
  runtime.faults.killThread('ledger/a');
  await runtime.clock.advance(500);
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1, 2] });
  expect(await store.load('ledger/a')).toMatchObject({
    incarnation: 1,
    snapshot: { context: { first: [] } },
  });
  await runtime.clock.advance(30_000);
  expect(await store.load('ledger/a')).toMatchObject({
    incarnation: 2,
    snapshot: { context: { first: [1, 2] } },
  });
  expect(warnings).toEqual(['the store failed; the runtime goes on and tries again']);
  expect(runtime.faults.pending()).toEqual([]);
});

test('an instance that another runtime has gone on with ends, and is not restarted', async () => {
  const store = memoryStore();
  const [one, two] = [await start({ agents }, { store }), await start({ agents }, { store })];
  const first = await one.spawn('ledger', { id: 'a' });
  await first.deliver({ type: 'note', n: 1 });
  const second = await two.spawn('ledger', { id: 'a' });
  expect([second.incarnation, await second.ask({ type: 'read' })]).toMatchObject([2, { first: [1] }]);
  const end = toPromise(first).catch((error: unknown) => error);
  const heard = new Promise((resolve) => first.watch(resolve));
  first.send({ type: 'note', n: 2 });
  expect(await end).toMatchObject({ code: 'STORE_FENCED' });
  const last = { address: 'ledger/a', incarnation: 1, reason: 'error' };
  expect([await heard, await new Promise((resolve) => first.watch(resolve))]).toEqual([last, last]);
  expect(one.get('ledger/a')).toBeUndefined();
  await second.deliver({ type: 'note', n: 3 });
  await Promise.all([one.stop(), two.stop()]);
  expect(await store.load('ledger/a')).toMatchObject({
    incarnation: 2,
    snapshot: { context: { first: [1, 3] } },
  });
});

test('a runtime that stops while a state is being loaded leaves no instance behind, and the record', async () => {
  const store = memoryStore();
  const one = await startTest({ agents }, { store });
  await (await one.spawn('ledger', { id: 'a' })).deliver({ type: 'note', n: 1 });
  await one.stop();
  const runtime = await startTest({ agents }, { store });
  runtime.faults.failStore('hang', 'load');
  const spawning = runtime.spawn('ledger', { id: 'a' }).catch((error: unknown) => error);
  await runtime.settled();
  await runtime.stop();
  expect(await spawning).toMatchObject({ code: 'RUNTIME_STOPPED' });
  expect(runtime.status()).toMatchObject({ instances: [], state: 'stopped' });
  expect(await store.load('ledger/a')).toMatchObject({ incarnation: 1 });
});

test('a state of another version is restored, with a warning', async () => {
  const store = memoryStore();
  const one = await start({ agents }, { store });
  await (await one.spawn('ledger', { id: 'a' })).deliver({ type: 'note', n: 1 });
  await one.stop();
  const record = await store.load('ledger/a');
  await store.save({ ...record!, version: '0' });
  const warnings: string[] = [];
  const logger = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, message: string) => warnings.push(message),
  };
  const two = await start({ agents }, { store, logger });
  const ref = await two.spawn('ledger', { id: 'a' });
  expect(await ref.ask({ type: 'read' })).toMatchObject({ first: [1] });
  expect(warnings).toEqual([expect.stringMatching(/state of version "0" with a machine of version "1"/)]);
});

test('faults.failStore says so when there is no store to fail', async () => {
  const runtime = await startTest({ agents });
  expect(() => runtime.faults.failStore()).toThrow('give createTestRuntime one');
});
