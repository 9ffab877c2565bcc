import {
  ValueType,
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  type Observable,
} from '@opentelemetry/api';
import type { RuntimeFigures } from '../telling/status.ts';
import { AGENT, POOL, PROVIDER, RESULT, STATE, THREAD_NAME, type ObservedAgent } from './attributes.ts';

/** A runtime that is looked at when metrics are collected. */
export interface GaugeSource {
  readonly agents: Iterable<ObservedAgent>;
  figures(): RuntimeFigures;
}

type Add = (attributes: Attributes, value: number) => void;

interface Definition {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** What only rises is counted over all runtimes there ever were; a level is that of those there are, 0 when it is gone. */
  readonly kind: 'level' | 'share' | 'count';
  readonly read: (figures: RuntimeFigures, source: GaugeSource, add: Add) => void;
}

const THREADS = 'holdfast.threads';
const ACTIVE = 'holdfast.agent.active';

const definitions: readonly Definition[] = [
  {
    name: THREADS,
    unit: '{thread}',
    description: 'Live worker threads of a pool.',
    kind: 'level',
    read({ pools }, _source, add) {
      for (const { threadId, threads } of pools) add({ [POOL]: threadId }, threads.length);
    },
  },
  {
    name: ACTIVE,
    unit: '{agent}',
    description: 'Instances of an agent that run in their thread.',
    kind: 'level',
    read(figures, { agents }, add) {
      for (const { name } of agents) add({ [AGENT]: name }, 0);
      for (const { agent, states } of figures.agents) add({ [AGENT]: agent }, states.running ?? 0);
    },
  },
  {
    name: 'holdfast.mailbox.depth',
    unit: '{message}',
    description: 'Events that wait for an agent, or were sent and not acknowledged.',
    kind: 'level',
    read(figures, { agents }, add) {
      for (const { name } of agents) add({ [AGENT]: name }, 0);
      for (const { agent, mailbox } of figures.agents) add({ [AGENT]: agent }, mailbox);
    },
  },
  {
    name: 'nodejs.eventloop.utilization',
    unit: '1',
    description: 'The share of time in which the event loop of a thread was busy.',
    kind: 'share',
    read({ pools }, _source, add) {
      for (const { threadId, threads } of pools)
        for (const { name, utilization } of threads)
          if (utilization !== undefined) add({ [POOL]: threadId, [THREAD_NAME]: name }, utilization);
    },
  },
  {
    name: 'holdfast.thread.heap.used',
    unit: 'By',
    description: 'Bytes of the heap of a thread that are in use.',
    kind: 'level',
    read({ pools }, _source, add) {
      for (const { threadId, threads } of pools)
        for (const { name, heapUsed } of threads)
          if (heapUsed !== undefined) add({ [POOL]: threadId, [THREAD_NAME]: name }, heapUsed);
    },
  },
  {
    name: 'holdfast.secret.entries',
    unit: '{secret}',
    description: 'Secrets that are kept, by their state.',
    kind: 'level',
    read({ secrets }, _source, add) {
      for (const { provider, state } of secrets) add({ [PROVIDER]: provider, [STATE]: state }, 1);
    },
  },
  {
    name: 'holdfast.secret.uses',
    unit: '{use}',
    description: 'Uses of secrets that were answered from the cache, and those that were not.',
    kind: 'count',
    read({ secrets }, _source, add) {
      for (const { provider, hits, misses } of secrets) {
        add({ [PROVIDER]: provider, [RESULT]: 'hit' }, hits);
        add({ [PROVIDER]: provider, [RESULT]: 'miss' }, misses);
      }
    },
  },
  {
    name: 'holdfast.secret.breaker',
    unit: '{breaker}',
    description: 'Breakers of secret providers, by their state.',
    kind: 'level',
    read({ secretProviders }, _source, add) {
      for (const { alias, breaker } of secretProviders) add({ [PROVIDER]: alias, [STATE]: breaker }, 1);
    },
  },
];

function placeOf(metric: string): number {
  return definitions.findIndex(({ name }) => name === metric);
}

/** Values by attributes, as JSON. */
type Series = Map<string, number>;

/**
 * The gauges of all runtimes of one process. An SDK keeps one value for each set of attributes, so that two
 * runtimes with a pool of the same name would overwrite each other: here they are summed. And it goes on telling
 * the last value of a series that nobody observes any more: so what has ended is 0 once before it is left out.
 */
export class Gauges {
  static readonly #all = new WeakMap<MeterProvider, Gauges>();
  readonly #meter: Meter;
  readonly #observables: readonly Observable[];
  readonly #sources = new Set<GaugeSource>();
  /** What was observed last, by the place of its definition. */
  readonly #before = definitions.map((): Series => new Map());
  /** What sources that only count have counted, and what those have that are gone. */
  readonly #counted = definitions.map(() => new Map<GaugeSource | undefined, Series>());
  readonly #ended = new Set<ObservedAgent>();
  #registered = false;

  /** Those that a provider collects, on its meter. */
  static of(provider: MeterProvider, meter: Meter): Gauges {
    const gauges = Gauges.#all.get(provider) ?? new Gauges(meter);
    Gauges.#all.set(provider, gauges);
    return gauges;
  }

  private constructor(meter: Meter) {
    this.#meter = meter;
    this.#observables = definitions.map((definition) => observable(meter, definition));
  }

  add(source: GaugeSource): void {
    this.#sources.add(source);
    if (this.#registered) return;
    this.#registered = true;
    this.#meter.addBatchObservableCallback(this.#observe, [...this.#observables]);
  }

  /** Lets go of the runtime at once; what it had is 0 at the next collection. Idempotent. */
  remove(source: GaugeSource): void {
    if (!this.#sources.delete(source)) return;
    for (const agent of source.agents) this.#ended.add(agent);
    for (const counted of this.#counted) {
      const last = counted.get(source);
      counted.delete(source);
      if (last === undefined) continue;
      const gone = counted.get(undefined) ?? new Map<string, number>();
      counted.set(undefined, gone);
      for (const [key, value] of last) gone.set(key, (gone.get(key) ?? 0) + value);
    }
  }

  readonly #observe = (result: BatchObservableResult): void => {
    const all = definitions.map((): Series => new Map());
    for (const { name, threadId } of this.#ended) {
      all[placeOf(THREADS)]?.set(JSON.stringify({ [POOL]: threadId }), 0);
      all[placeOf(ACTIVE)]?.set(JSON.stringify({ [AGENT]: name }), 0);
    }
    this.#ended.clear();
    for (const source of this.#sources) {
      const figures = source.figures();
      for (const [n, definition] of definitions.entries())
        this.#read(definition, n, { source, figures }, all[n]);
    }
    for (const [n, { kind }] of definitions.entries()) {
      const [now, before] = [all[n] as Series, this.#before[n] as Series];
      if (kind === 'count')
        for (const series of this.#counted[n]?.values() ?? [])
          for (const [key, value] of series) now.set(key, (now.get(key) ?? 0) + value);
      else for (const [key, value] of before) if (value !== 0 && !now.has(key)) now.set(key, 0);
      this.#before[n] = now;
      for (const [key, value] of now)
        result.observe(this.#observables[n] as Observable, value, JSON.parse(key) as Attributes);
    }
    // Not while the SDK walks its callbacks.
    queueMicrotask(() => this.#unregister());
  };

  #read(
    { kind, read }: Definition,
    n: number,
    { source, figures }: { readonly source: GaugeSource; readonly figures: RuntimeFigures },
    all: Series = new Map(),
  ): void {
    const own: Series = kind === 'count' ? new Map() : all;
    read(figures, source, (attributes, value) => {
      const key = JSON.stringify(attributes);
      const known = own.get(key) ?? 0;
      own.set(key, kind === 'share' ? Math.max(known, value) : known + value);
    });
    if (kind !== 'count') return;
    // A secret that is no longer kept takes its count along; a count never falls.
    const counted = this.#counted[n]?.get(source) ?? new Map<string, number>();
    for (const [key, value] of own) counted.set(key, Math.max(counted.get(key) ?? 0, value));
    this.#counted[n]?.set(source, counted);
  }

  /** Once nothing is left to tell. */
  #unregister(): void {
    if (this.#sources.size > 0 || this.#ended.size > 0) return;
    this.#registered = false;
    this.#meter.removeBatchObservableCallback(this.#observe, [...this.#observables]);
  }
}

function observable(meter: Meter, { name, unit, description, kind }: Definition): Observable {
  const options = { unit, description, valueType: kind === 'share' ? ValueType.DOUBLE : ValueType.INT };
  if (kind === 'share') return meter.createObservableGauge(name, options);
  if (kind === 'count') return meter.createObservableCounter(name, options);
  return meter.createObservableUpDownCounter(name, options);
}
