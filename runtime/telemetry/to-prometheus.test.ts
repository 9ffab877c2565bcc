import { expect, test } from 'vitest';
import { toPrometheus, type RuntimeStatus } from 'holdfast';
import { agentFigures } from './agent-figures.ts';
import { prometheusOf } from './to-prometheus.ts';
import { fixture, start } from '../fixtures/start.ts';

const empty: RuntimeStatus = {
  version: '1.2.3',
  state: 'running',
  uptimeMs: 1500,
  pools: [],
  instances: [],
  secrets: [],
  secretProviders: [],
  deadLetters: 2,
  restarts: 3,
};

/** As Prometheus reads it: each line a comment or a sample, and all samples of a metric together behind its type. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  let type: string | undefined;
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.trimEnd().split('\n')) {
    const declared = /^# TYPE ([a-z_]+) (?:gauge|counter)$/.exec(line)?.[1];
    if (declared !== undefined) type = declared;
    if (line.startsWith('#')) continue;
    const [, name, labels = '', value] =
      /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)$/.exec(line) ?? [];
    expect([line, name]).toEqual([line, type]);
    expect([line, Number.isFinite(Number(value))]).toEqual([line, true]);
    expect([line, found.has(`${name}${labels}`)]).toEqual([line, false]);
    found.set(`${name}${labels}`, Number(value));
  }
  return found;
}

test('a runtime’s figures are there, by pool, thread and agent', async () => {
  const runtime = await start({ agents: { counter: fixture('counter', { threadId: 'a', maxThreads: 3 }) } });
  await runtime.spawn('counter');
  const ref = await runtime.spawn('counter');
  await ref.deliver({ type: 'inc' });
  const found = samples(toPrometheus(runtime.status()));
  expect(Object.fromEntries(found)).toMatchObject({
    'holdfast_threads{pool="a"}': 2,
    'holdfast_threads_max{pool="a"}': 3,
    'holdfast_pool_open{pool="a"}': 1,
    'holdfast_instances{agent="counter",state="running"}': 2,
    'holdfast_mailbox_depth{agent="counter"}': 0,
    'holdfast_mailbox_capacity{agent="counter"}': 2000,
    'holdfast_handled{agent="counter"}': 1,
    holdfast_restarts_total: 0,
  });
});

test('are the same from instances that were counted before', async () => {
  const counter = (id: number, state: 'running' | 'passive', mailbox: number) => ({
    address: `counter/${id}`,
    agent: id === 2 ? 'other' : 'counter',
    threadId: 'a',
    thread: 1,
    incarnation: 1,
    restarts: 0,
    state,
    handled: 3,
    mailbox,
    capacity: 10,
  });
  const instances = [counter(1, 'running', 2), counter(2, 'running', 0), counter(3, 'passive', 5)];
  const agents = [
    { agent: 'counter', states: { running: 1, passive: 1 }, handled: 6, mailbox: 7, capacity: 20 },
    { agent: 'other', states: { running: 1 }, handled: 3, mailbox: 0, capacity: 10 },
  ];
  expect(agentFigures(instances)).toEqual(agents);
  expect(agentFigures([...instances, counter(4, 'running', 1)])[0]).toEqual({
    agent: 'counter',
    states: { running: 2, passive: 1 },
    handled: 9,
    mailbox: 8,
    capacity: 30,
  });
  const text = toPrometheus({ ...empty, instances });
  expect(prometheusOf({ ...empty, agents })).toBe(text);
  expect(Object.fromEntries(samples(text))).toMatchObject({
    'holdfast_instances{agent="counter",state="passive"}': 1,
    'holdfast_mailbox_depth{agent="counter"}': 7,
    'holdfast_handled{agent="counter"}': 6,
    'holdfast_handled{agent="other"}': 3,
  });
});

test('names that mean something to Prometheus are escaped, and secret ids are no labels', () => {
  const secret = {
    provider: 'a "b"\\\n',
    id: 'desk/key',
    stage: 'AWSCURRENT',
    epoch: 1,
    holders: 1,
    hits: 4,
    misses: 1,
  };
  const text = toPrometheus({
    ...empty,
    secrets: [
      { ...secret, state: 'fresh' },
      { ...secret, id: 'desk/other', state: 'stale' },
    ],
    secretProviders: [{ alias: 'default', provider: 'env', breaker: 'open' }],
  });
  const found = Object.fromEntries(samples(text));
  expect(found).toMatchObject({
    'holdfast_info{version="1.2.3",state="running"}': 1,
    holdfast_uptime_seconds: 1.5,
    'holdfast_secrets{provider="a \\"b\\"\\\\\\n",state="stale"}': 1,
    'holdfast_secret_hits{provider="a \\"b\\"\\\\\\n"}': 8,
    'holdfast_secret_breaker_closed{provider="default"}': 0,
    holdfast_dead_letters_total: 2,
    holdfast_restarts_total: 3,
  });
  expect(text).not.toContain('desk/');
});

test('a node of a cluster says which it is, and what it knows of the others', () => {
  const at = '127.0.0.1:7700';
  const nodes = [
    { node: 0, at, partitions: 40, reachable: true },
    { node: 1, at, partitions: 24, reachable: false, why: 'it was not tried' },
  ];
  const found = samples(toPrometheus({ ...empty, cluster: { node: 0, nodes } }));
  expect(Object.fromEntries(found)).toMatchObject({
    'holdfast_info{version="1.2.3",state="running",node="0"}': 1,
    'holdfast_node_partitions{node="0"}': 40,
    'holdfast_node_partitions{node="1"}': 24,
    'holdfast_node_reachable{node="0"}': 1,
    'holdfast_node_reachable{node="1"}': 0,
  });
  expect([...samples(toPrometheus(empty)).keys()].join()).not.toContain('node');
});
