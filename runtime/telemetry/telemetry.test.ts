import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test, vi } from 'vitest';
import { diag, DiagLogLevel, metrics } from '@opentelemetry/api';
import { waitFor } from 'xstate';
import { agent, createRuntime, defineCapability } from 'holdfast';
import type signer from '../fixtures/signer.ts';
import { addressOf } from '../base/address.ts';
import { fixture, start } from '../fixtures/start.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { collectMetrics } from './fixtures/meter-provider.ts';
import { traceSpans } from './fixtures/tracer-provider.ts';
import { startTelemetry } from './telemetry.ts';

const CANARY = 'canary-77e0c1b4-never-to-be-seen';
const LABEL = `${CANARY}-label`;
const quick = { backoff: { minMs: 1, maxMs: 5, factor: 2, jitter: 0 } };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A runtime that ran an agent and has stopped; nobody here holds it any more. */
async function ranAndStopped(): Promise<WeakRef<object>> {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const runtime = await createRuntime({ agents: { counter: fixture('counter') } }, { logger: silent });
  const ref = await runtime.spawn('counter');
  await ref.deliver({ type: 'inc' });
  await runtime.stop();
  // Every closure of the runtime holds its system, and the system holds its supervisor.
  return new WeakRef(runtime.supervisor);
}

async function expectCollected(ref: WeakRef<object>): Promise<void> {
  // A promise of the object itself would hold it.
  const gone = (): boolean => (collectGarbage(), ref.deref() === undefined);
  await expect.poll(gone, { timeout: 60_000, message: 'somebody holds it' }).toBe(true);
}

test('without an SDK everything works, nothing is registered and nothing is retained', async () => {
  const runtime = await start({
    agents: { counter: fixture('counter'), process: fixture('process', { supervision: quick }) },
  });
  const ref = await runtime.spawn('counter', { id: 'a' });
  expect(await ref.ask({ type: 'read' })).toBe(0);
  await expect(runtime.spawn('counter', { id: 'a' })).rejects.toMatchObject({ code: 'ADDRESS_TAKEN' });
  ref.send({ type: 'inc', payload: () => 1 });
  await runtime.stop();
  expect(runtime.status().deadLetters).toBe(1);
  expect(Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1')) ?? {}).toEqual({});
  await expectCollected(await ranAndStopped());
});

test('without an SDK no event of the runtime is listened to', async () => {
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const heard: string[] = [];
  const figures = () => ({ ...runtime.status(), agents: [] });
  const source = { on: (type: string) => void heard.push(type), figures };
  const options = { agents: [], addressOf };
  await startTelemetry(source, options).stopped(Promise.resolve());
  expect(heard).toEqual([]);
  collectMetrics();
  await startTelemetry(source, options).stopped(Promise.resolve());
  expect(heard).toEqual(['agent', 'dead-letter', 'secret']);
});

test('an SDK does not retain a stopped runtime, also when metrics were never collected', async () => {
  traceSpans();
  const fake = collectMetrics();
  await expectCollected(await ranAndStopped());
  expect(fake.callbacks.length).toBe(1);
  fake.collect();
  await Promise.resolve();
  expect(fake.callbacks.length).toBe(0);
});

test('who only measures gets the durations of asks, and of turns and queues a sample; sending touches no counter', async () => {
  const fake = collectMetrics();
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  const touched = fake.touched;
  for (let i = 0; i < 500; i++) ref.send({ type: 'inc' });
  expect(await ref.ask({ type: 'read' })).toBe(500);
  expect(fake.touched).toBe(touched);
  const of = (operation: string, type: string): string =>
    JSON.stringify({
      'messaging.system': 'holdfast',
      'messaging.operation.name': operation,
      'messaging.operation.type': type,
      'messaging.destination.name': 'counter',
      'holdfast.pool': 'pool',
    });
  const turns = (name: string): readonly number[] => fake.measured[name]?.[of('process', 'process')] ?? [];
  await vi.waitFor(() => expect(turns('messaging.process.duration').length).toBeGreaterThan(0), 10_000);
  for (const name of ['messaging.process.duration', 'holdfast.queue.delay']) {
    expect(turns(name).length).toBeLessThan(100);
    expect(turns(name).every((seconds) => seconds >= 0 && seconds < 10)).toBe(true);
  }
  expect(fake.measured['messaging.client.operation.duration']).toEqual({
    [of('ask', 'send')]: [expect.any(Number)],
  });
});

test('an input, an event, a reply, a snapshot, an error, a label and a secret never show in telemetry', async () => {
  const spans = traceSpans();
  const fake = collectMetrics();
  const provider = createMemoryProvider();
  provider.set('desk/key', 'v1', CANARY);
  const sign = defineCapability('sign', (secret) =>
    secret.use((key) => ({ signature: key.toString('base64').slice(0, 4), version: secret.versionId })),
  );
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory', cacheTTL: 1 },
      agents: {
        signer: agent<typeof signer>(
          fixture('signer', {
            secrets: { [LABEL]: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] } },
          }),
        ),
        echo: fixture('logics', { export: 'echo' }),
        process: fixture('process', { threadId: 'other', supervision: quick }),
      },
    },
    { providers: [provider], capabilities: [sign] },
  );
  const ref = await runtime.spawn('signer', { id: 'a', input: { label: LABEL } });
  ref.send({ type: 'sign' });
  await waitFor(ref, (state) => state.context?.last !== undefined, { timeout: 60_000 });
  let heard = 0;
  runtime.on('secret', () => void (heard += 1));
  provider.set('desk/key', 'v2', `${CANARY}-2`);
  await expect.poll(() => heard, { timeout: 60_000 }).toBe(1);
  const unclonable = { label: CANARY, [CANARY]: () => CANARY };
  await expect(runtime.spawn('signer', { input: unclonable })).rejects.toThrow('signer/1');
  const snapshot = { v: 1, address: CANARY, snapshot: { status: CANARY, context: null }, at: 0 } as const;
  await runtime.spawn('signer', { snapshot }).catch(() => {});
  const echo = await runtime.spawn('echo', { input: { [CANARY]: CANARY } });
  await expect(echo.ask({ type: 'echo', value: CANARY })).resolves.toBe(CANARY);
  const process = await runtime.spawn('process', { input: CANARY });
  await process.deliver({ type: 'set', key: CANARY, value: CANARY });
  process.send({ type: 'note', n: () => CANARY });
  const fatal = process.deliver({ type: 'exit', code: 1, why: CANARY });
  await expect(fatal).rejects.toMatchObject({ code: 'THREAD_CRASHED' });
  await ref.stop();
  ref.send({ type: 'read', note: CANARY } as never);
  const everything = JSON.stringify([spans, fake.everything(), fake.collect()]);
  expect(everything).not.toContain('canary');
  expect(everything).not.toContain('desk/key');
  for (const seen of ['spawn signer', 'MESSAGE_UNCLONABLE', 'unclonable', 'poison', 'stopped', 'rotations']) {
    expect(everything).toContain(seen);
  }
});

test('a meter provider that throws costs the metrics, not the runtime', async () => {
  const said: unknown[] = [];
  const note = (...words: unknown[]): void => void said.push(words);
  diag.setLogger(
    { error: note, warn: note, info: note, debug: note, verbose: note },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
  metrics.setGlobalMeterProvider({
    getMeter() {
      throw new Error('no meter today');
    },
  });
  onTestFinished(() => {
    metrics.disable();
    diag.disable();
  });
  const runtime = await start({ agents: { counter: fixture('counter') } });
  const ref = await runtime.spawn('counter');
  expect(await ref.ask({ type: 'read' })).toBe(0);
  await runtime.stop();
  expect(said).toMatchObject([['holdfast: telemetry failed', { message: 'no meter today' }]]);
});
