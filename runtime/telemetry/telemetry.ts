import { createNoopMeter, metrics } from '@opentelemetry/api';
import { version } from '../base/version.ts';
import { SCOPE, type AgentAt, type ObservedAgent } from './attributes.ts';
import { countEvents, type EventSource } from './counters.ts';
import { Gauges, type GaugeSource } from './gauges.ts';
import type { MessageTelemetry } from './messages.ts';
import { quietly } from './quietly.ts';
import { inSpawnSpan, type Spawned } from './spawn-span.ts';

export interface TelemetryOptions {
  readonly agents: readonly ObservedAgent[];
  readonly addressOf: (agent: string, id: string) => string;
  /** Takes the values of secrets out of a text. Default: nothing to take out. */
  readonly scrubText?: (text: string) => string;
  /** Measures messages, when somebody measures. */
  readonly messages?: Pick<MessageTelemetry, 'measure'>;
}

/** A spawn, as far as its span tells of it. */
export interface SpawnAsked {
  /** Undefined: the runtime chooses one. */
  readonly id?: string | undefined;
}

/** Spans and metrics of one runtime. */
export interface Telemetry {
  /** Runs a spawn in its span. */
  spawn<T extends Spawned>(agent: string, request: SpawnAsked, spawn: () => Promise<T>): Promise<T>;
  /** Settles as `stopping` does, and the runtime is no longer observed from then on. */
  stopped(stopping: Promise<void>): Promise<void>;
}

/**
 * Has the SDK of this process, if it has one, see a runtime; see `docs/telemetry.md`. Metrics go to the meter
 * provider that is registered now, spans to the tracer provider that is registered when they start. Whatever an
 * SDK throws stays here.
 */
export function startTelemetry(
  runtime: EventSource & Pick<GaugeSource, 'figures'>,
  { agents, addressOf, scrubText, messages }: TelemetryOptions,
): Telemetry {
  const byName = new Map(agents.map((agent) => [agent.name, agent]));
  const source: GaugeSource = { agents, figures: () => runtime.figures() };
  const gauges = quietly(() =>
    startMetrics(runtime, source, version, agentFinder(agents, addressOf), messages),
  );
  return {
    spawn(agent, { id }, spawn) {
      const pool = byName.get(agent)?.threadId;
      const known = pool !== undefined && id !== undefined;
      const address = known ? quietly(() => addressOf(agent, id)) : undefined;
      return inSpawnSpan({ version, agent, pool, address, scrubText }, spawn);
    },
    stopped: (stopping) => stopping.finally(() => gauges?.remove(source)),
  };
}

function startMetrics(
  runtime: EventSource,
  source: GaugeSource,
  version: string,
  agentAt: AgentAt,
  messages: TelemetryOptions['messages'],
): Gauges | undefined {
  const provider = metrics.getMeterProvider();
  const meter = provider.getMeter(SCOPE, version);
  // Nobody measures: hear nothing, hold nothing.
  if (meter === createNoopMeter()) return undefined;
  countEvents(meter, runtime, agentAt);
  messages?.measure(meter);
  const gauges = Gauges.of(provider, meter);
  gauges.add(source);
  return gauges;
}

function agentFinder(agents: readonly ObservedAgent[], addressOf: TelemetryOptions['addressOf']): AgentAt {
  const byPrefix = new Map(agents.map((agent) => [addressOf(agent.name, ''), agent]));
  return (address) => byPrefix.get(address.slice(0, address.indexOf('/') + 1));
}
