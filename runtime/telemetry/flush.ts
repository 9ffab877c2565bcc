import { metrics, trace } from '@opentelemetry/api';

/** What providers of an SDK have, and the API's own do not tell of. */
interface Flushing {
  forceFlush?(): unknown;
  getDelegate?(): Flushing;
}

/** Has the SDK of this process, if it has one, send out what it holds. Whatever it throws stays here. */
export async function flushTelemetry(): Promise<void> {
  const providers = [trace.getTracerProvider(), metrics.getMeterProvider()] as Flushing[];
  await Promise.allSettled(
    providers.map(async (provider) => (provider.getDelegate?.() ?? provider).forceFlush?.()),
  );
}
