// The spans that the tracers of the app hear of: its `@opentelemetry/api` is another copy than the one in Holdfast's own files.
import { trace, type Span } from '@opentelemetry/api';
import { createRuntime } from 'holdfast';

const names: string[] = [];
const context = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 };
const startSpan = (name: string): Span => {
  names.push(name);
  return trace.wrapSpanContext(context);
};
const startActiveSpan = (): never => {
  throw new Error('Holdfast has no active spans');
};
trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
const runtime = await createRuntime({
  agents: { adder: { type: 'thread-bound', threadId: 'sums', maxThreads: 1 } },
});
await (await runtime.spawn('adder')).deliver({ type: 'add', n: 1 });
await runtime.stop();
console.log([...new Set(names)].toSorted().join());
