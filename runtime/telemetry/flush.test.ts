import {
  createNoopMeter,
  metrics,
  ProxyTracerProvider,
  trace,
  type TracerProvider,
} from '@opentelemetry/api';
import { expect, onTestFinished, test } from 'vitest';
import { fixture, start } from '../fixtures/start.ts';
import { flushTelemetry } from './flush.ts';

/** Providers that measure nothing and do that when they are flushed. */
function register(forceFlush: (name: string) => void): void {
  onTestFinished(() => {
    trace.disable();
    metrics.disable();
  });
  const tracers = new ProxyTracerProvider();
  const spans = {
    getTracer: (...of: Parameters<TracerProvider['getTracer']>) => tracers.getTracer(...of),
    forceFlush: () => forceFlush('spans'),
  };
  const measures = { getMeter: () => createNoopMeter(), forceFlush: () => forceFlush('metrics') };
  trace.setGlobalTracerProvider(spans);
  metrics.setGlobalMeterProvider(measures);
}

test('stop has the SDK send out what it holds, after the instances have ended', async () => {
  const flushed: string[] = [];
  const runtime = await start({ agents: { counter: fixture('counter') } });
  register((name) => {
    const { instances, pools } = runtime.status();
    flushed.push(`${name}: ${instances.length} instances, ${pools[0]?.threads.length} thread`);
  });
  await runtime.spawn('counter');
  await runtime.stop();
  expect(flushed).toEqual(['spans: 0 instances, 1 thread', 'metrics: 0 instances, 1 thread']);
});

test('an SDK that throws, or has nothing to flush, disturbs nobody', async () => {
  await flushTelemetry();
  const asked: string[] = [];
  register((name) => {
    asked.push(name);
    throw new Error('no network');
  });
  await flushTelemetry();
  expect(asked).toEqual(['spans', 'metrics']);
});
