import { context, metrics, propagation, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { startFleet, type Fleet } from '../lib/fleet.ts';
import { asking, sending } from '../lib/load.ts';
import { rowNamed, type Results, type Unit } from '../lib/results.ts';
import { measure, ratio, type Row, type Variant } from '../lib/rounds.ts';

const OFF = 'no SDK';
const METER = 'a meter';
const ONE_IN_100 = 'a tracer, 1 % sampled';
const INSIDE = 'a tracer, inside a trace that is not sampled';
const ALL = 'a tracer, all sampled';

const LEFT_OUT = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.NONE,
  isRemote: true,
};

/** What it costs that somebody traces and measures. Without an SDK: nothing of it runs but one look. */
export async function telemetry(results: Results, rounds: number): Promise<void> {
  let exported = 0;
  const exporter: SpanExporter = {
    export(spans, done) {
      exported += spans.length;
      done({ code: 0 });
    },
    shutdown: async () => {},
    forceFlush: async () => {},
  };
  const plain = await startFleet(1);
  metrics.setGlobalMeterProvider(new MeterProvider());
  const measured = await startFleet(1);
  metrics.disable();
  const tracing =
    (share: number, run: Variant): Variant =>
    async () => {
      const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) });
      const spanProcessors = [new BatchSpanProcessor({ exporter, maxQueueSize: 1_000_000 })];
      const provider = new TracerProvider({ sampler, spanProcessors });
      context.setGlobalContextManager(new AsyncLocalStorageContextManager());
      propagation.setGlobalPropagator(new W3CTraceContextPropagator());
      trace.setGlobalTracerProvider(provider);
      try {
        return await run();
      } finally {
        trace.disable();
        context.disable();
        propagation.disable();
        await provider.shutdown();
      }
    };
  const inside =
    (run: Variant): Variant =>
    () =>
      context.with(trace.setSpanContext(ROOT_CONTEXT, LEFT_OUT), run);
  const variants = (run: (fleet: Fleet) => Variant): Record<string, Variant> => ({
    [OFF]: run(plain),
    [METER]: run(measured),
    [ONE_IN_100]: tracing(0.01, run(plain)),
    [INSIDE]: tracing(1, inside(run(plain))),
    [ALL]: tracing(1, run(plain)),
  });
  const oneWay = await measure(
    variants((fleet) => () => sending(fleet.sender('transition'))),
    rounds,
  );
  const asks = await measure(
    variants((fleet) => () => asking(fleet.ask('transition'), { inFlight: 32 })),
    rounds,
  );
  const table = (title: string, unit: Unit, rows: readonly Row[]): void =>
    results.table({ suite: 'telemetry', title: `${title}, median of ${rounds}`, unit, base: OFF, rows });
  table('one way to one thread, 32 actors, up to 200,000 events or 0.5 s a run', 'events/s', oneWay);
  table('ask, 32 in flight, one thread', 'asks/s', asks);
  for (const [rows, what] of [
    [oneWay, 'one way'],
    [asks, 'asks'],
  ] as const)
    for (const name of [METER, ONE_IN_100, INSIDE, ALL])
      results.note(
        'telemetry',
        `${what}, ${name}, to no SDK`,
        ratio(rowNamed(rows, name), rowNamed(rows, OFF)),
      );
  if (exported === 0) throw new Error('no span was exported');
  await Promise.all([plain, measured].map((fleet) => fleet.stop()));
}
