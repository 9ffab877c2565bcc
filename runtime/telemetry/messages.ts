import {
  context,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Histogram,
  type Meter,
  type Span,
  type SpanOptions,
  type TimeInput,
} from '@opentelemetry/api';
import type { Clock } from '../base/clock.ts';
import type { MessageObserver, Operation, Sending } from '../mailbox/message-observer.ts';
import type { Trace } from '../mailbox/trace.ts';
import { registered } from '../wire/otel-registry.ts';
import { decodeError } from '../wire/errors.ts';
import type { TraceReport } from '../wire/protocol.ts';
import { isTraceReport } from '../wire/shapes.ts';
import {
  ADDRESS,
  agentNameAt,
  DESTINATION,
  ERROR_TYPE,
  errorType,
  OPERATION,
  OPERATION_TYPE,
  POOL,
  SCOPE,
  SENDER,
  SYSTEM,
  type AgentAt,
  type ObservedAgent,
} from './attributes.ts';
import { Invocations } from './invocations.ts';
import { ModelMetrics } from './model-metrics.ts';
import { inModelSpan } from './model-span.ts';
import { quietly } from './quietly.ts';
import { contextOf } from './remote-context.ts';
import { inSecretSpan, type SecretRequest } from './secret-span.ts';
import { headersOf, SentSpans } from './sent-spans.ts';
import { inToolSpan, type ToolCall } from './tool-span.ts';

/** Milliseconds between two events to one agent whose way is measured when nobody traces them. */
const PROBE_MS = 10;
/** Seconds, as the semantic conventions of messaging advise. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export interface MessageTelemetryOptions {
  readonly version: string;
  readonly agentAt: AgentAt;
  readonly scrubText: (text: string) => string;
  readonly clock: Pick<Clock, 'now' | 'date' | 'setTimeout' | 'unref'>;
}

/**
 * Spans and durations of messages by the conventions of OpenTelemetry: `send {agent}` where it is sent, or `invoke_agent`
 * where that had a model called, and `process {agent}`, made here from what the thread tells of the turn. Without an SDK
 * nothing is done.
 */
export class MessageTelemetry implements MessageObserver {
  readonly #options: MessageTelemetryOptions;
  /** By agent: whether the next event to it is measured. No clock is read for the others. */
  readonly #isDue = new Map<string, boolean>();
  /** The attributes of durations: few of them, so each is made once. */
  readonly #ofDurations = new WeakMap<ObservedAgent, Map<Operation | 'process', Attributes>>();
  readonly #invocations = new Invocations();
  readonly #sent: SentSpans;
  #nearest = -Infinity;
  #models: ModelMetrics | undefined;
  #durations: Record<'operation' | 'process' | 'queue', Histogram> | undefined;

  constructor(options: MessageTelemetryOptions) {
    this.#options = options;
    this.#sent = new SentSpans(options.version);
  }

  /** Durations go there, and the tokens of models. */
  measure(meter: Meter): void {
    const histogram = (name: string, description: string): Histogram =>
      meter.createHistogram(name, {
        unit: 's',
        description,
        advice: { explicitBucketBoundaries: BOUNDARIES },
      });
    this.#durations = {
      operation: histogram('messaging.client.operation.duration', 'From an ask or a delivery to its end.'),
      process: histogram('messaging.process.duration', 'Turns of agents, a sample.'),
      queue: histogram('holdfast.queue.delay', 'From sending an event to its turn, a sample.'),
    };
    this.#models = new ModelMetrics(meter);
  }

  begin(agent: string, address: string, operation: Operation): Sending | undefined {
    const isTraced = registered()?.trace !== undefined;
    const isMeasured = this.#durations !== undefined;
    if (!isTraced && !isMeasured) return undefined;
    const isProbe = isMeasured && this.#isDue.get(agent) !== false;
    if (!isTraced && !isProbe && operation === 'send') return undefined;
    if (isProbe) this.#wait(agent);
    return quietly(() => this.#begin(agent, address, operation, { isTraced, isProbe, isMeasured }));
  }

  #begin(
    agent: string,
    address: string,
    operation: Operation,
    { isTraced, isProbe, isMeasured }: Record<'isTraced' | 'isProbe' | 'isMeasured', boolean>,
  ): Sending | undefined {
    let attributes: Attributes | undefined;
    const told = (): Attributes => (attributes ??= this.#attributesOf(address, operation));
    const { span, trace: unrecorded } = isTraced ? this.#sent.begin(agent, told) : UNTRACED;
    // Nobody hears of it.
    if (span === undefined && !isProbe && (operation === 'send' || !isMeasured)) return sendingIn(unrecorded);
    const sentAt = this.#options.clock.now();
    if (span !== undefined && operation === 'ask') this.#invocations.begin(span, address);
    const headers =
      span === undefined ? (unrecorded?.headers ?? null) : headersOf(span.spanContext(), context.active());
    const isTold = isProbe || span !== undefined;
    const isHeard = span !== undefined || operation !== 'send';
    return {
      trace: isTold ? { headers, sentAt, told: true } : unrecorded,
      ended: isHeard
        ? (error) => quietly(() => this.#ended(span, operation, sentAt, address, error))
        : undefined,
    };
  }

  #ended(
    span: Span | undefined,
    operation: Operation,
    sentAt: number,
    address: string,
    error: unknown,
  ): void {
    const type = error === undefined ? undefined : errorType(error);
    if (operation === 'ask' && span !== undefined)
      this.#invocations.end(span, agentNameAt(address, this.#options.agentAt));
    end(span, type);
    if (operation === 'send' || this.#durations === undefined) return;
    const few = this.#durationOf(address, operation);
    const seconds = Math.max(0, this.#options.clock.now() - sentAt) / 1000;
    this.#durations.operation.record(seconds, type === undefined ? few : { ...few, [ERROR_TYPE]: type });
  }

  /** Runs what an instance has the host do with a secret. */
  secretUse<T>(request: SecretRequest, run: () => Promise<T>): Promise<T> {
    if (this.#models === undefined && registered()?.trace === undefined) return run();
    const options = { ...this.#options, metrics: this.#models, invocations: this.#invocations };
    return inModelSpan(request, options, (parent) => inSecretSpan(request, this.#options, run, parent));
  }

  /** Runs a call of a tool of an MCP server. */
  toolCall<T>(call: ToolCall, run: () => Promise<T>): Promise<T> {
    return inToolSpan(call, this.#options, run);
  }

  handled(report: unknown, threadId: string): void {
    quietly(() => {
      if (isTraceReport(report)) this.#handled(report, threadId);
    });
  }

  #handled(
    { address, from, headers, sentAt, startedAt, endedAt, error }: TraceReport,
    threadId: string,
  ): void {
    const { agentAt, scrubText } = this.#options;
    // Whoever makes up addresses is not to fill a backend with them, nor to speak of what others do.
    if (agentAt(address)?.threadId !== threadId) return;
    const attributes = this.#attributesOf(address, 'process');
    const type = error === undefined ? undefined : errorType(decodeError(error));
    const seconds = (ms: number): number => Math.max(0, ms) / 1000;
    if (this.#durations !== undefined) {
      const few = this.#durationOf(address, 'process');
      this.#durations.queue.record(seconds(startedAt - sentAt), few);
      const ofTurn = type === undefined ? few : { ...few, [ERROR_TYPE]: type };
      this.#durations.process.record(seconds(endedAt - startedAt), ofTurn);
    }
    let parent = headers === null ? undefined : contextOf(headers);
    if (parent === undefined) return;
    const agent = attributes[DESTINATION] as string;
    const origin = this.#origin();
    if (from !== undefined) {
      // What one agent sends another is told of when it was handled, for the host has no part in it.
      const sent = this.#startSpan(
        `send ${agent}`,
        SpanKind.PRODUCER,
        {
          ...this.#attributesOf(address, 'send'),
          ...(agentAt(from) !== undefined && { [SENDER]: scrubText(from) }),
        },
        { parent, startTime: origin + sentAt },
      );
      sent.end(origin + sentAt);
      parent = trace.setSpan(parent, sent);
    }
    const creation = trace.getSpanContext(parent);
    const span = this.#startSpan(`process ${agent}`, SpanKind.CONSUMER, attributes, {
      parent,
      startTime: origin + startedAt,
      links: creation === undefined ? [] : [{ context: creation }],
    });
    end(span, type, origin + endedAt);
  }

  #startSpan(
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    {
      parent = context.active(),
      ...options
    }: { parent?: Context } & Pick<SpanOptions, 'startTime' | 'links'> = {},
  ): Span {
    return trace
      .getTracer(SCOPE, this.#options.version)
      .startSpan(name, { kind, attributes, ...options }, parent);
  }

  #attributesOf(address: string, operation: Operation | 'process'): Attributes {
    return { ...this.#durationOf(address, operation), [ADDRESS]: this.#options.scrubText(address) };
  }

  /** The same without the address, of which there may be any number. */
  #durationOf(address: string, operation: Operation | 'process'): Attributes {
    const agent = this.#options.agentAt(address);
    if (agent === undefined) return this.#madeOf(address, operation);
    let made = this.#ofDurations.get(agent);
    if (made === undefined) this.#ofDurations.set(agent, (made = new Map()));
    let attributes = made.get(operation);
    if (attributes === undefined) made.set(operation, (attributes = this.#madeOf(address, operation)));
    return attributes;
  }

  #madeOf(address: string, operation: Operation | 'process'): Attributes {
    const { agentAt } = this.#options;
    const agent = agentAt(address);
    return {
      [SYSTEM]: SCOPE,
      [OPERATION]: operation,
      [OPERATION_TYPE]: operation === 'process' ? 'process' : 'send',
      [DESTINATION]: agentNameAt(address, agentAt),
      ...(agent !== undefined && { [POOL]: agent.threadId }),
    };
  }

  #wait(agent: string): void {
    const { clock } = this.#options;
    this.#isDue.set(agent, false);
    const timer = clock.setTimeout(() => this.#isDue.set(agent, true), PROBE_MS);
    clock.unref?.(timer);
  }

  /**
   * What makes milliseconds of the clock such of the epoch. The date is whole milliseconds: the largest difference seen is
   * the nearest, until the date itself is set anew.
   */
  #origin(): number {
    const { clock } = this.#options;
    const origin = clock.date() - clock.now();
    if (Math.abs(origin - this.#nearest) > 2) this.#nearest = origin;
    return (this.#nearest = Math.max(this.#nearest, origin));
  }
}

function end(span: Span | undefined, error: string | undefined, at?: TimeInput): void {
  if (error !== undefined) span?.setAttribute(ERROR_TYPE, error).setStatus({ code: SpanStatusCode.ERROR });
  span?.end(at);
}

const UNTRACED = { span: undefined, trace: undefined };

/** One for each trace, since nothing but the trace is in it. */
let lastSending: (Sending & { readonly trace: Trace }) | undefined;

function sendingIn(carried: Trace | undefined): Sending | undefined {
  if (carried === undefined) return undefined;
  if (lastSending?.trace !== carried) lastSending = { trace: carried, ended: undefined };
  return lastSending;
}
