import { relative } from 'node:path';
import { request } from './gateway-client.ts';
import { runningGateway } from '../gateway/running.ts';
import { storeName } from '../config/store-name.ts';
import type { LoadedConfig, ResolvedAgent } from '../config/resolve.ts';
import type { RuntimeStatus } from '../runtime.ts';
import { table, type Terminal } from './terminal.ts';

/** What an agent has written, as a gateway that runs says it. */
export type Writes = NonNullable<RuntimeStatus['store']>['agents'][number];

/** Whether the states of an agent outlive the process. */
export interface AgentDurability {
  readonly agent: string;
  /** `turn`: each turn is committed before it is told. `behind`: states are written behind. `no`: nothing outlives the process. */
  readonly durable: 'turn' | 'behind' | 'no';
  readonly cost: string;
  readonly writes?: Writes;
}

const COSTS = {
  turn: 'is written after turns that change it, and what they let out waits for that',
  behind: 'is written after turns that change it, and nothing waits for that',
};

/** What each agent of a config keeps, and what it has written so far. */
export function durabilityOf({ agents, store }: LoadedConfig, writes: readonly Writes[]): AgentDurability[] {
  return agents.map((agent) => {
    const durable = durableOf(agent, store !== undefined);
    const found = writes.find((one) => one.agent === agent.name);
    return { agent: agent.name, durable, cost: costOf(durable, store), ...(found && { writes: found }) };
  });
}

function costOf(durable: AgentDurability['durable'], store: LoadedConfig['store']): string {
  if (durable === 'no') return 'nothing';
  const state =
    store?.type === 'postgres' ? 'the whole state' : 'the state, or what has changed of a large one,';
  return `${state} ${COSTS[durable]}`;
}

function durableOf({ state, durable }: ResolvedAgent, isStored: boolean): AgentDurability['durable'] {
  if (!isStored || state === 'fresh') return 'no';
  return durable === false ? 'behind' : 'turn';
}

/** What the agents of the gateway of a config have written; empty when none runs, or it does not say. */
export async function writesOfGateway(file: string, { env }: Terminal): Promise<readonly Writes[]> {
  try {
    const running = await runningGateway(file, env);
    if (running === undefined) return [];
    return ((await request(running, 'GET', '/v1/status')) as RuntimeStatus).store?.agents ?? [];
  } catch {
    return [];
  }
}

/** Where states go, and what that costs each agent. */
export function durabilityText(config: LoadedConfig, all: readonly AgentDurability[], cwd: string): string {
  const rows = all.map(({ agent, durable, cost, writes }) => [
    agent,
    durable === 'turn' ? 'each turn' : durable,
    ...rates(writes),
    cost,
  ]);
  return `${storeText(config, cwd)}\n\n${table(['agent', 'durable', 'commits/s', 'KiB/s', 'what that costs'], rows)}`;
}

function storeText({ store }: LoadedConfig, cwd: string): string {
  if (store === undefined)
    return 'The config names no store: agents end with the process, unless RuntimeOptions.store is one.';
  const exits = store.onFailure === 'exit' ? ['its failure ends the process'] : [];
  if (store.type === 'postgres') {
    const parts = [
      'outlives this machine as far as the database does',
      'not encrypted by Holdfast',
      ...exits,
    ];
    return `The store is ${storeName(store)}: ${parts.join(', ')}.`;
  }
  const { path, fsync = 'disk', maxBytes, encryption } = store;
  const parts = [
    fsync === 'disk' ? 'outlives a loss of power' : 'outlives the process, not a loss of power',
    encryption === undefined ? 'not encrypted' : 'encrypted',
    ...(maxBytes === undefined ? [] : [`at most ${Math.round(maxBytes / 1024 ** 2)} MiB`]),
    ...exits,
  ];
  return `The store is ${relative(cwd, path) || path}: ${parts.join(', ')}.`;
}

/** Commits in a second, and the KiB of them; empty where nothing was read. */
export function rates(writes: Writes | undefined): [commits: string, bytes: string] {
  const { commitsPerSecond: commits, bytesPerSecond: bytes } = writes ?? {};
  return commits === undefined || bytes === undefined
    ? ['', '']
    : [String(commits), (bytes / 1024).toFixed(1)];
}

/** What to do about agents that write too much. */
export function heavyTexts(writes: readonly Writes[]): string[] {
  return writes
    .filter(({ heavy }) => heavy)
    .map(
      ({ agent }) =>
        `${agent} commits more than 64 KiB of a state more than 20 times a second: change it less often or in fewer places, or keep in it what finds the rest`,
    );
}
