import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createRuntime } from 'holdfast';
import { startReceiver } from './receiver.ts';
import { spanTree } from './span-tree.ts';

// Stands in for a collector. With one of your own: its address, and nothing else changes.
const receiver = await startReceiver();

// The SDK, before the runtime.
const exporter = new OTLPTraceExporter({ url: receiver.url });
const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(provider);

const agent = (name: string) =>
  ({
    type: 'thread-bound',
    threadId: name,
    maxThreads: 1,
    module: new URL(`./agents/${name}.ts`, import.meta.url),
  }) as const;
const runtime = await createRuntime({ agents: { trader: agent('trader'), risk: agent('risk') } });
const trader = await runtime.spawn('trader', { id: 'btc' });
await runtime.spawn('risk', { id: 'desk' });

const answer = await trace.getTracer('desk').startActiveSpan('ask the desk', async (span) => {
  const result = await trader.ask({ type: 'order', amount: 25 });
  span.end();
  return result;
});
console.log('answer', answer);
console.log(
  `threads ${runtime
    .status()
    .pools.map(({ threads }) => threads[0]?.name)
    .join(', ')}`,
);

// Stopping tells what the threads still had to tell; then the SDK sends what it holds.
await runtime.stop();
await provider.shutdown();

const { traceId } = receiver.spans.find(({ name }) => name === 'ask the desk') ?? {};
console.log(`\n${spanTree(receiver.spans.filter((span) => span.traceId === traceId))}`);
await receiver.stop();
