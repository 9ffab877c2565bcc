import { checkCall, type Rule } from '../base/call-check.ts';
import type { NodeStatus, RuntimeFigures, RuntimeStatus } from '../telling/status.ts';
import { agentFigures } from './agent-figures.ts';

type Labels = Readonly<Record<string, string>>;

/** One metric with its samples, as they come. */
interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly (readonly [labels: Labels, value: number])[];
}

/**
 * The figures of a status as Prometheus reads them: text of the exposition format 0.0.4. For those who have no collector of
 * OpenTelemetry; it has no durations. Names, addresses and secret ids are no labels, only what the config names.
 *
 * @example
 * ```ts
 * response.setHeader('Content-Type', 'text/plain; version=0.0.4');
 * response.end(toPrometheus(runtime.status()));
 * ```
 */
export function toPrometheus(status: RuntimeStatus): string {
  checkCall('toPrometheus()', { status: [status, aStatus] });
  return prometheusOf({ ...status, agents: agentFigures(status.instances) });
}

/** {@link toPrometheus} of instances that are counted already. */
export function prometheusOf(figures: RuntimeFigures): string {
  return metricsOf(figures).map(text).join('');
}

const aStatus: Rule = {
  what: 'what runtime.status() gives',
  is(value) {
    const { pools, instances, secrets, secretProviders } = value as Partial<RuntimeStatus>;
    return [pools, instances, secrets, secretProviders].every(Array.isArray);
  },
};

function metricsOf(status: RuntimeFigures): Metric[] {
  const { pools, agents, secrets, secretProviders, cluster } = status;
  const own: Labels = cluster === undefined ? {} : { node: String(cluster.node) };
  const threads = pools.flatMap(({ threadId: pool, threads }) =>
    threads.map((thread) => ({ pool, ...thread })),
  );
  const byAgent = (amount: (figures: RuntimeFigures['agents'][number]) => number): Metric['samples'] =>
    agents.map((figures) => [{ agent: figures.agent }, amount(figures)]);
  return [
    gauge('info', 'The version, and the node of a cluster.', [
      [{ version: status.version, state: status.state, ...own }, 1],
    ]),
    gauge('uptime_seconds', 'Since the runtime was created.', [[{}, status.uptimeMs / 1000]]),
    gauge(
      'threads',
      'Live worker threads of a pool.',
      of(pools, ({ threads }) => threads.length),
    ),
    gauge(
      'threads_max',
      'Worker threads that a pool may have.',
      of(pools, ({ maxThreads }) => maxThreads),
    ),
    gauge(
      'pool_waiting',
      'Instances that wait for a thread.',
      of(pools, ({ waiting }) => waiting),
    ),
    gauge(
      'pool_open',
      '1: the pool starts threads; 0: it has failed too often.',
      of(pools, ({ health }) => Number(health === 'open')),
    ),
    gauge(
      'thread_eventloop_utilization_ratio',
      'The share of time in which the event loop of a thread was busy.',
      threads.flatMap(({ pool, name, utilization }) =>
        utilization === undefined ? [] : [[{ pool, thread: name }, utilization] as const],
      ),
    ),
    gauge(
      'thread_heap_used_bytes',
      'Heap of a thread that is in use.',
      threads.flatMap(({ pool, name, heapUsed }) =>
        heapUsed === undefined ? [] : [[{ pool, thread: name }, heapUsed] as const],
      ),
    ),
    gauge(
      'instances',
      'Instances of an agent, by their state.',
      agents.flatMap(({ agent, states }) =>
        Object.entries(states).map(([state, count]) => [{ agent, state }, count] as const),
      ),
    ),
    gauge(
      'mailbox_depth',
      'Events that wait for an agent.',
      byAgent(({ mailbox }) => mailbox),
    ),
    gauge(
      'mailbox_capacity',
      'Events that may wait for an agent.',
      byAgent(({ capacity }) => capacity),
    ),
    gauge(
      'handled',
      'Events that the present instances of an agent have handled.',
      byAgent(({ handled }) => handled),
    ),
    counter('restarts_total', 'Restarts of instances.', [[{}, status.restarts]]),
    counter('dead_letters_total', 'Events that were not handled.', [[{}, status.deadLetters]]),
    gauge(
      'secrets',
      'Secrets that are kept, by their state.',
      sums(secrets.map(({ provider, state }) => [{ provider, state }, 1])),
    ),
    gauge(
      'secret_hits',
      'Uses of the secrets that are kept that were answered from the cache.',
      sums(secrets.map(({ provider, hits }) => [{ provider }, hits])),
    ),
    gauge(
      'secret_misses',
      'Uses of the secrets that are kept that waited for a fetch, or failed.',
      sums(secrets.map(({ provider, misses }) => [{ provider }, misses])),
    ),
    gauge(
      'secret_breaker_closed',
      '1: the provider is called; 0: it failed too often.',
      secretProviders.map(({ alias, breaker }) => [{ provider: alias }, Number(breaker === 'closed')]),
    ),
    gauge(
      'node_partitions',
      'Of the 64 partitions of all addresses, those of a node, as this one sees it.',
      ofNodes(cluster, ({ partitions }) => partitions),
    ),
    gauge(
      'node_reachable',
      '1: this node reaches that one; 0: it does not.',
      ofNodes(cluster, ({ reachable }) => Number(reachable)),
    ),
  ].filter(({ samples }) => samples.length > 0);
}

function of(
  pools: RuntimeStatus['pools'],
  amount: (pool: RuntimeStatus['pools'][number]) => number,
): Metric['samples'] {
  return pools.map((pool) => [{ pool: pool.threadId }, amount(pool)]);
}

function ofNodes(cluster: RuntimeStatus['cluster'], amount: (node: NodeStatus) => number): Metric['samples'] {
  return (cluster?.nodes ?? []).map((one) => [{ node: String(one.node) }, amount(one)]);
}

function gauge(name: string, help: string, samples: Metric['samples']): Metric {
  return { name: `holdfast_${name}`, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: Metric['samples']): Metric {
  return { name: `holdfast_${name}`, type: 'counter', help, samples };
}

/** One sample for each set of labels. */
function sums(samples: readonly (readonly [labels: Labels, value: number])[]): Metric['samples'] {
  const sums = new Map<string, [Labels, number]>();
  for (const [labels, value] of samples) {
    const key = JSON.stringify(labels);
    sums.set(key, [labels, (sums.get(key)?.[1] ?? 0) + value]);
  }
  return [...sums.values()];
}

function text({ name, type, help, samples }: Metric): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, of]) => `${label}="${escaped(of)}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
