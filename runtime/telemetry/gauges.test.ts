import { expect, test } from 'vitest';
import { metrics } from '@opentelemetry/api';
import type { RuntimeEvents } from 'holdfast';
import { fixture, nextEvent, start } from '../fixtures/start.ts';
import { collectMetrics, type FakeMetrics } from './fixtures/meter-provider.ts';
import { Gauges, type GaugeSource } from './gauges.ts';

const pool = (name: string): string => JSON.stringify({ 'holdfast.pool': name });
const agent = (name: string): string => JSON.stringify({ 'holdfast.agent': name });
const threads = (fake: FakeMetrics) => fake.collect()['holdfast.threads'];
const active = (fake: FakeMetrics) => fake.collect()['holdfast.agent.active'];

const a = () => fixture('counter', { threadId: 'a', maxThreads: 2 });
const b = () => fixture('process', { threadId: 'b' });

test('threads and active agents follow the runtime, and are 0 where there is none', async () => {
  const fake = collectMetrics();
  const runtime = await start({ agents: { counter: a(), process: b() } });
  expect(fake.collect()).toMatchObject({
    'holdfast.threads': { [pool('a')]: 0, [pool('b')]: 0 },
    'holdfast.agent.active': { [agent('counter')]: 0, [agent('process')]: 0 },
  });
  const refs = [];
  for (let i = 0; i < 3; i++) refs.push(await runtime.spawn('counter'));
  expect(fake.collect()).toMatchObject({
    'holdfast.threads': { [pool('a')]: 2, [pool('b')]: 0 },
    'holdfast.agent.active': { [agent('counter')]: 3, [agent('process')]: 0 },
  });
  await refs[0]?.stop();
  expect(active(fake)).toEqual({ [agent('counter')]: 2, [agent('process')]: 0 });
});

test('an instance that waits to be restarted is not active', async () => {
  const fake = collectMetrics();
  const backoff = { minMs: 60_000, maxMs: 60_000, factor: 1, jitter: 0 };
  const runtime = await start({ agents: { process: { ...b(), supervision: { backoff } } } });
  const ref = await runtime.spawn('process');
  expect(active(fake)).toEqual({ [agent('process')]: 1 });
  const waits = nextEvent<RuntimeEvents['agent']>(
    (listener) => runtime.on('agent', listener),
    ({ state }) => state === 'restarting',
  );
  ref.send({ type: 'exit', code: 1 });
  await waits;
  expect(runtime.status().instances).toMatchObject([{ state: 'restarting' }]);
  expect(active(fake)).toEqual({ [agent('process')]: 0 });
});

test('what a stopped runtime had is 0 once, then its gauges and their callback are gone', async () => {
  const fake = collectMetrics();
  const runtime = await start({ agents: { counter: a() } });
  await runtime.spawn('counter');
  expect(threads(fake)).toEqual({ [pool('a')]: 1 });
  expect(fake.callbacks.length).toBe(1);
  await runtime.stop();
  await runtime.stop();
  expect(fake.collect()).toMatchObject({
    'holdfast.threads': { [pool('a')]: 0 },
    'holdfast.agent.active': { [agent('counter')]: 0 },
  });
  await Promise.resolve();
  expect(fake.callbacks.length).toBe(0);
  expect(fake.collect()).toEqual({});
});

test('mailboxes, the event loop and the heap of threads, and secrets with their providers are observed', async () => {
  const fake = collectMetrics();
  const thread = { n: 1, thread: 1, state: 'ready', instances: 1 } as const;
  const secret = {
    provider: 'default',
    id: 'never/shown',
    stage: 'AWSCURRENT',
    epoch: 1,
    holders: 1,
  } as const;
  const status = {
    ...source('a').figures(),
    pools: [
      {
        threadId: 'a',
        maxThreads: 2,
        threads: [{ ...thread, name: 'holdfast:a:1', utilization: 0.25, heapUsed: 1000 }],
        peakThreads: 1,
        startedThreads: 1,
        endedThreads: {},
        waiting: 0,
        health: 'open',
      },
    ],
    agents: [
      { agent: 'agent of a', states: { running: 2, restarting: 1 }, handled: 2, mailbox: 7, capacity: 3000 },
    ],
    secrets: [
      { ...secret, state: 'fresh', hits: 5, misses: 1 },
      { ...secret, state: 'stale', hits: 2, misses: 0 },
    ],
    secretProviders: [{ alias: 'default', provider: 'env', breaker: 'open' }],
  } as const satisfies ReturnType<GaugeSource['figures']>;
  let now: ReturnType<GaugeSource['figures']> = status;
  const only: GaugeSource = { ...source('a'), figures: () => now };
  const gauges = Gauges.of(metrics.getMeterProvider(), metrics.getMeter('test'));
  gauges.add(only);
  const key = (attributes: object): string => JSON.stringify(attributes);
  const name = 'thread.name';
  const of = { 'holdfast.secret.provider': 'default' };
  expect(fake.collect()).toEqual({
    'holdfast.threads': { [pool('a')]: 1 },
    'holdfast.agent.active': { [agent('agent of a')]: 2 },
    'holdfast.mailbox.depth': { [agent('agent of a')]: 7 },
    'nodejs.eventloop.utilization': { [key({ 'holdfast.pool': 'a', [name]: 'holdfast:a:1' })]: 0.25 },
    'holdfast.thread.heap.used': { [key({ 'holdfast.pool': 'a', [name]: 'holdfast:a:1' })]: 1000 },
    'holdfast.secret.entries': { [key({ ...of, state: 'fresh' })]: 1, [key({ ...of, state: 'stale' })]: 1 },
    'holdfast.secret.uses': { [key({ ...of, result: 'hit' })]: 7, [key({ ...of, result: 'miss' })]: 1 },
    'holdfast.secret.breaker': { [key({ ...of, state: 'open' })]: 1 },
  });
  // A level that is gone is 0 once; a count stays, also when what was counted is gone, and with it the runtime.
  now = source('a').figures();
  expect(fake.collect()).toMatchObject({
    'nodejs.eventloop.utilization': { [key({ 'holdfast.pool': 'a', [name]: 'holdfast:a:1' })]: 0 },
    'holdfast.secret.breaker': { [key({ ...of, state: 'open' })]: 0 },
    'holdfast.secret.uses': { [key({ ...of, result: 'hit' })]: 7 },
  });
  expect(fake.collect()).not.toHaveProperty('holdfast.secret.breaker');
  gauges.add(source('b'));
  gauges.remove(only);
  expect(fake.collect()).toMatchObject({ 'holdfast.secret.uses': { [key({ ...of, result: 'hit' })]: 7 } });
});

test('`await using` ends the gauges like stop', async () => {
  const fake = collectMetrics();
  {
    await using runtime = await start({ agents: { counter: a() } });
    await runtime.spawn('counter');
  }
  expect(threads(fake)).toEqual({ [pool('a')]: 0 });
  expect(fake.collect()).toEqual({});
});

test('runtimes of one process are summed, so that none overwrites another', async () => {
  const fake = collectMetrics();
  const one = await start({ agents: { counter: a() } });
  const two = await start({ agents: { counter: a(), process: b() } });
  await one.spawn('counter');
  await two.spawn('counter');
  await two.spawn('counter');
  await two.spawn('process');
  expect(fake.callbacks.length).toBe(1);
  expect(fake.collect()).toMatchObject({
    'holdfast.threads': { [pool('a')]: 3, [pool('b')]: 1 },
    'holdfast.agent.active': { [agent('counter')]: 3, [agent('process')]: 1 },
  });
  await two.stop();
  const left = { [pool('a')]: 1 };
  expect(threads(fake)).toEqual({ ...left, [pool('b')]: 0 });
  expect(threads(fake)).toEqual(left);
  expect(fake.callbacks.length).toBe(1);
});

test('a runtime that starts after the last one ended is collected again, in the same instruments', async () => {
  const fake = collectMetrics();
  const first = await start({ agents: { counter: a() } });
  await first.stop();
  fake.collect();
  const next = await start({ agents: { counter: a() } });
  await Promise.resolve();
  await next.spawn('counter');
  expect(fake.callbacks.length).toBe(1);
  expect(threads(fake)).toEqual({ [pool('a')]: 1 });
  await next.stop();
  fake.collect();
  await Promise.resolve();
  expect(fake.callbacks.length).toBe(0);
  const last = await start({ agents: { counter: a() } });
  await last.spawn('counter');
  expect(threads(fake)).toEqual({ [pool('a')]: 1 });
});

test('a provider that is registered anew gets the gauges of runtimes created from then on', async () => {
  const before = collectMetrics();
  await start({ agents: { counter: a() } });
  metrics.disable();
  const after = collectMetrics();
  await start({ agents: { process: b() } });
  expect(threads(before)).toEqual({ [pool('a')]: 0 });
  expect(threads(after)).toEqual({ [pool('b')]: 0 });
});

const source = (threadId: string): GaugeSource => ({
  agents: [{ name: `agent of ${threadId}`, threadId, grants: [] }],
  figures: () => ({
    version: '0.0.0',
    state: 'running',
    uptimeMs: 0,
    pools: [],
    agents: [],
    secrets: [],
    secretProviders: [],
    deadLetters: 0,
    restarts: 0,
  }),
});

test('a runtime that stops right after a collection is still told to be 0', async () => {
  const fake = collectMetrics();
  const gauges = Gauges.of(metrics.getMeterProvider(), metrics.getMeter('test'));
  const only = source('a');
  gauges.add(only);
  fake.collect();
  gauges.remove(only);
  await Promise.resolve();
  expect(threads(fake)).toEqual({ [pool('a')]: 0 });
});

test('a runtime that starts right after the last collection of another keeps the callback', async () => {
  const fake = collectMetrics();
  const gauges = Gauges.of(metrics.getMeterProvider(), metrics.getMeter('test'));
  const first = source('a');
  gauges.add(first);
  gauges.remove(first);
  fake.collect();
  gauges.add(source('b'));
  await Promise.resolve();
  expect(active(fake)).toEqual({ [agent('agent of b')]: 0 });
});

test('its callback leaves without another being skipped in the same collection', async () => {
  const fake = collectMetrics();
  const gauges = Gauges.of(metrics.getMeterProvider(), metrics.getMeter('test'));
  const only = source('a');
  gauges.add(only);
  gauges.remove(only);
  let others = 0;
  metrics.getMeter('other').addBatchObservableCallback(() => void (others += 1), []);
  fake.collect();
  await Promise.resolve();
  expect(others).toBe(1);
  expect(fake.callbacks).toHaveLength(1);
});
