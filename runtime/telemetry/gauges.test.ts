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
  expect(fake.collect()).toEqual({
    'holdfast.threads': { [pool('a')]: 0, [pool('b')]: 0 },
    'holdfast.agent.active': { [agent('counter')]: 0, [agent('process')]: 0 },
  });
  const refs = [];
  for (let i = 0; i < 3; i++) refs.push(await runtime.spawn('counter'));
  expect(fake.collect()).toEqual({
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
  expect(fake.collect()).toEqual({
    'holdfast.threads': { [pool('a')]: 0 },
    'holdfast.agent.active': { [agent('counter')]: 0 },
  });
  await Promise.resolve();
  expect(fake.callbacks.length).toBe(0);
  expect(fake.collect()).toEqual({});
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
  expect(fake.collect()).toEqual({
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
  status: () => ({
    version: '0.0.0',
    state: 'running',
    uptimeMs: 0,
    pools: [],
    instances: [],
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
