import {
  ValueType,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  type Observable,
} from '@opentelemetry/api';
import type { RuntimeStatus } from '../status.ts';
import { AGENT, POOL, type ObservedAgent } from './attributes.ts';

/** A runtime that is looked at when metrics are collected. */
export interface GaugeSource {
  readonly agents: Iterable<ObservedAgent>;
  status(): RuntimeStatus;
}

/**
 * The gauges of all runtimes of one process. An SDK keeps one value for each set of attributes, so that two
 * runtimes with a pool of the same name would overwrite each other: here they are summed. And it goes on telling
 * the last value of a series that nobody observes any more: so what has ended is 0 once before it is left out.
 */
export class Gauges {
  static readonly #all = new WeakMap<MeterProvider, Gauges>();
  readonly #meter: Meter;
  readonly #threads: Observable;
  readonly #active: Observable;
  readonly #sources = new Set<GaugeSource>();
  readonly #endedPools = new Set<string>();
  readonly #endedAgents = new Set<string>();
  #registered = false;

  /** Those that a provider collects, on its meter. */
  static of(provider: MeterProvider, meter: Meter): Gauges {
    const gauges = Gauges.#all.get(provider) ?? new Gauges(meter);
    Gauges.#all.set(provider, gauges);
    return gauges;
  }

  private constructor(meter: Meter) {
    this.#meter = meter;
    this.#threads = meter.createObservableUpDownCounter('holdfast.threads', {
      unit: '{thread}',
      description: 'Live worker threads of a pool.',
      valueType: ValueType.INT,
    });
    this.#active = meter.createObservableUpDownCounter('holdfast.agent.active', {
      unit: '{agent}',
      description: 'Instances of an agent that run in their thread.',
      valueType: ValueType.INT,
    });
  }

  add(source: GaugeSource): void {
    this.#sources.add(source);
    if (this.#registered) return;
    this.#registered = true;
    this.#meter.addBatchObservableCallback(this.#observe, this.#observables());
  }

  /** Lets go of the runtime at once; what it had is 0 at the next collection. Idempotent. */
  remove(source: GaugeSource): void {
    if (!this.#sources.delete(source)) return;
    for (const { name, threadId } of source.agents) {
      this.#endedAgents.add(name);
      this.#endedPools.add(threadId);
    }
  }

  readonly #observe = (result: BatchObservableResult): void => {
    const threads = zeros(this.#endedPools);
    const active = zeros(this.#endedAgents);
    this.#endedPools.clear();
    this.#endedAgents.clear();
    for (const source of this.#sources) {
      const { pools, instances } = source.status();
      for (const { name } of source.agents) add(active, name, 0);
      for (const pool of pools) add(threads, pool.threadId, pool.threads.length);
      for (const { agent, state } of instances) if (state === 'running') add(active, agent, 1);
    }
    for (const [pool, count] of threads) result.observe(this.#threads, count, { [POOL]: pool });
    for (const [agent, count] of active) result.observe(this.#active, count, { [AGENT]: agent });
    // Not while the SDK walks its callbacks.
    queueMicrotask(() => this.#unregister());
  };

  /** Once nothing is left to tell. */
  #unregister(): void {
    if (this.#sources.size > 0 || this.#endedPools.size > 0) return;
    this.#registered = false;
    this.#meter.removeBatchObservableCallback(this.#observe, this.#observables());
  }

  #observables(): Observable[] {
    return [this.#threads, this.#active];
  }
}

function zeros(names: Iterable<string>): Map<string, number> {
  return new Map([...names].map((name) => [name, 0]));
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
