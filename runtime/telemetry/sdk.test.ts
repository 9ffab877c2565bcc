import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { defineCapability } from 'holdfast';
import { expect, onTestFinished, test, vi } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';

const canary = 'canary-91c4-never-to-be-seen';

test('the real SDK exports every metric, and nothing of events, secrets and their ids', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(meters);
  onTestFinished(async () => {
    metrics.disable();
    await meters.shutdown();
  });
  const provider = createMemoryProvider();
  provider.set('desk/key', 'v1', canary);
  const sign = defineCapability('sign', () => 1);
  const secrets = { label: { ref: 'desk/key', mode: 'capability', capabilities: ['sign'] } } as const;
  const runtime = await start(
    {
      externalSecrets: { provider: 'memory' },
      agents: { signer: fixture('signer', { secrets }), counter: fixture('counter', { threadId: 'other' }) },
    },
    { providers: [provider], capabilities: [sign] },
  );
  await runtime.spawn('signer', { id: 'a' });
  const ref = await runtime.spawn('counter');
  const exported = (): Map<string, { dataPoints: readonly { value: unknown; attributes: object }[] }> =>
    new Map(
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics }) => metrics)
        .map((metric) => [metric.descriptor.name, metric] as const),
    );
  await vi.waitFor(
    async () => {
      ref.send({ type: 'inc', canary });
      await ref.ask({ type: 'read', canary });
      await meters.forceFlush();
      expect([...exported().keys()]).toEqual(
        expect.arrayContaining(['messaging.process.duration', 'nodejs.eventloop.utilization']),
      );
    },
    { timeout: 60_000, interval: 100 },
  );
  expect([...exported().keys()].toSorted()).toEqual([
    'holdfast.agent.active',
    'holdfast.mailbox.depth',
    'holdfast.queue.delay',
    'holdfast.secret.breaker',
    'holdfast.secret.entries',
    'holdfast.secret.uses',
    'holdfast.thread.heap.used',
    'holdfast.threads',
    'messaging.client.operation.duration',
    'messaging.process.duration',
    'nodejs.eventloop.utilization',
  ]);
  expect(exported().get('holdfast.secret.entries')?.dataPoints).toMatchObject([
    { value: 1, attributes: { 'holdfast.secret.provider': 'default', state: 'fresh' } },
  ]);
  const text = JSON.stringify(exporter.getMetrics());
  for (const hidden of [canary, 'desk/key', 'label', 'counter/1', 'signer/a'])
    expect(text).not.toContain(hidden);
});
