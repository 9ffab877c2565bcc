import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type ProxyTracerProvider,
  type Span,
  type SpanContext,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { isHeaders, type Trace, type TraceHeaders } from '../mailbox/trace.ts';
import { SCOPE } from './attributes.ts';
import { samplingOf, type Sampling } from './sampling.ts';

/**
 * The most events that are sent outside of every trace and travel with one trace that nobody records. They cross as
 * one run, so as many as a good run has.
 */
const SHARED = 128;

/** The span of an event that is recorded, or the trace with which one that is not goes on its way, if there is one. */
export interface Sent {
  readonly span: Span | undefined;
  readonly trace: Trace | undefined;
}

/** Starts the spans of events that are sent, at no more than the price of the decision where nobody records them. */
export class SentSpans {
  readonly #version: string;
  readonly #options = new Map<string, SpanOptions & { readonly name: string }>();
  #provider: unknown;
  #tracer: Tracer | undefined;
  #sampling: Sampling = { isBlind: false, heedsParent: false };
  /** The last trace that is not recorded, with the context in which it is, and how many more events it is for. */
  #unrecorded: { readonly of: Context; readonly sent: Sent; left: number } | undefined;

  constructor(version: string) {
    this.#version = version;
  }

  /** `attributes` are made for a span that is recorded, and for a sampler that may look at them. */
  begin(agent: string, attributes: () => Attributes): Sent {
    const tracer = this.#current();
    const active = context.active();
    const parent = trace.getSpanContext(active);
    const isLeftOut =
      parent !== undefined && (parent.traceFlags & TraceFlags.SAMPLED) === 0 && isSpanContextValid(parent);
    if (isLeftOut && this.#sampling.heedsParent)
      return this.#shared(active) ?? this.#share(active, parent, Infinity);
    let options = this.#options.get(agent);
    if (options === undefined)
      this.#options.set(agent, (options = { name: `send ${agent}`, kind: SpanKind.PRODUCER }));
    if (!this.#sampling.isBlind) options = { ...options, attributes: attributes() };
    const span = tracer.startSpan(options.name, options, active);
    if (!span.isRecording()) return this.#shared(active) ?? this.#share(active, span.spanContext(), SHARED);
    if (this.#sampling.isBlind) span.setAttributes(attributes());
    return { span, trace: undefined };
  }

  #current(): Tracer {
    const given = trace.getTracerProvider() as Partial<ProxyTracerProvider> &
      ReturnType<typeof trace.getTracerProvider>;
    const provider = given.getDelegate?.() ?? given;
    if (this.#tracer !== undefined && this.#provider === provider) return this.#tracer;
    this.#provider = provider;
    this.#unrecorded = undefined;
    this.#tracer = provider.getTracer(SCOPE, this.#version);
    this.#sampling = samplingOf(this.#tracer);
    return this.#tracer;
  }

  #shared(active: Context): Sent | undefined {
    const last = this.#unrecorded;
    if (last === undefined || last.of !== active || last.left === 0) return undefined;
    last.left -= 1;
    return last.sent;
  }

  #share(active: Context, spanContext: SpanContext, events: number): Sent {
    const headers = headersOf(spanContext, active);
    const carried = headers === null ? undefined : { headers, sentAt: 0, told: false };
    const sent: Sent = { span: undefined, trace: carried };
    this.#unrecorded = { of: active, sent, left: events - 1 };
    return sent;
  }
}

/** With W3C's header also where no propagator is registered: the spans made here need it. */
export function headersOf(spanContext: SpanContext, active: Context): TraceHeaders | null {
  const { traceId, spanId, traceFlags } = spanContext;
  if (!isSpanContextValid(spanContext)) return null;
  const headers = { traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}` };
  propagation.inject(trace.setSpanContext(active, spanContext), headers);
  return isHeaders(headers) ? headers : null;
}
