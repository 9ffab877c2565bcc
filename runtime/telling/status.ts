import type { PoolHealth } from '../../actors/pool-health.ts';
import type { PoolContext } from '../../actors/pool-plan.ts';
import type { ThreadCause } from '../../actors/thread.ts';
import type { Instance } from '../instance/instance.ts';
import type { InstancePhase } from '../instance/life.ts';
import type { QuarantineEvidence, RecentFailure } from '../instance/quarantine.ts';
import type { McpServerStatus } from '../mcp/mcp-servers.ts';
import type { SecretProviderStatus, SecretStatus } from '../secrets/values/secret-status.ts';
import type { AgentWrites } from '../store/agent-writes.ts';
import type { StoreHealth } from '../store/committer.ts';
import type { ThreadHost } from '../threads/thread-host.ts';

export interface ThreadStatus {
  /** The name, `holdfast:<threadId>:<n>`. The operating system shows it too, cut to its own limit. */
  readonly name: string;
  readonly n: number;
  /** Node's id of the worker thread. */
  readonly thread: number;
  /**
   * `recycling`: the thread is being replaced, and its instances move. `stuck`: the thread was ended and does not end;
   * it counts towards `maxThreads` until it does.
   */
  readonly state: 'starting' | 'ready' | 'recycling' | 'leaving' | 'stuck';
  /** The number of instances that run on the thread. */
  readonly instances: number;
  /**
   * The share of time in which the event loop was busy, 0 to 1, between the last two readings of the status that were
   * at least a second apart; absent in the first second.
   */
  readonly utilization?: number;
  /**
   * Bytes of the heap in use, from the same reading; the first one is from the start of the thread. Absent when not
   * known.
   */
  readonly heapUsed?: number;
  /** Set while one turn, or other work, has kept the thread longer than `watchdog.warnMs`. */
  readonly slow?: SlowWork;
}

/** What keeps a thread. */
export interface SlowWork {
  /** Milliseconds so far. */
  readonly ms: number;
  /** The instance whose turn it is; absent outside of turns. */
  readonly address?: string;
}

/** How many instances of a pool are in memory, and how many are not. */
export interface ResidentCounts {
  /** The number of instances in memory. */
  readonly resident: number;
  /** The number of those that have left memory in this process, and have not come back or ended since. */
  readonly passive: number;
  /** How often an instance has left memory. */
  readonly passivations: number;
  /** How often one came although the pool was full, because somebody waited for it and none could leave. */
  readonly over: number;
}

export interface PoolStatus {
  readonly threadId: string;
  readonly maxThreads: number;
  /** The live threads. */
  readonly threads: readonly ThreadStatus[];
  /** The largest number of live threads so far; never more than `maxThreads`. */
  readonly peakThreads: number;
  readonly startedThreads: number;
  /** The number of ended threads, by cause. */
  readonly endedThreads: Readonly<Partial<Record<ThreadCause, number>>>;
  /** The number of instances that wait for a thread. */
  readonly waiting: number;
  /** How many of its instances are in memory; only where instances may leave it (`passivateAfterMs`, `maxResident`). */
  readonly residents?: ResidentCounts;
  /** Whether the pool starts threads: `exhausted` after too many failures, `half-open` while it tries again. */
  readonly health: PoolHealth;
}

export interface InstanceStatus {
  readonly address: string;
  readonly agent: string;
  readonly threadId: string;
  /** Node's id of the thread; -1 while the instance has none. */
  readonly thread: number;
  readonly incarnation: number;
  /** The number of restarts since the spawn. */
  readonly restarts: number;
  readonly state: InstancePhase;
  /** The number of events handled since the spawn, over all incarnations. */
  readonly handled: number;
  /** The number of events that are queued, or sent and not acknowledged. */
  readonly mailbox: number;
  /** The capacity of the mailbox; further events go by `overflow`. */
  readonly capacity: number;
  /**
   * The last failure, of an instance that is not quarantined, as long as it counts towards a quarantine
   * (`supervision.intensity.withinMs`).
   */
  readonly failure?: RecentFailure;
  /** The evidence, if the instance is quarantined. */
  readonly quarantine?: QuarantineEvidence;
}

/** The store under every turn. */
export interface StoreStatus {
  /**
   * `failing`: it fails, has not answered for a second, or was away when it was looked at last; nothing that rests on it is told
   * meanwhile, and it is tried again. `locked`: another process owns it, and all durable instances have ended.
   */
  readonly state: 'ok' | 'failing' | 'locked';
  /** The error of the last try, while the state is not `ok`. */
  readonly error?: { readonly code: string; readonly message: string };
  /** The number of instances with something that is not committed. */
  readonly waiting: number;
  /**
   * How many ids and dead letters were dropped before their time since the start, because they had more than their part of
   * `maxBytes`. Absent while there are none.
   */
  readonly dropped?: { readonly ids: number; readonly letters: number };
  /** What the instances of each agent have written, of those that have. */
  readonly agents: readonly AgentWrites[];
}

/** One of the nodes that share a store. */
export interface NodeStatus {
  /** Its number: its place in the list of nodes, from 0. */
  readonly node: number;
  /** Where it listens, `host:port`. */
  readonly at: string;
  /** How many of the 64 partitions of all addresses it has. */
  readonly partitions: number;
  /** Whether it answers this node now, as the pings of the link to it say; true for this node itself. */
  readonly reachable: boolean;
  /** Why it does not, in words; only of a node that is not reached. */
  readonly why?: string;
}

/** The nodes that share a store, as one of them sees them. */
export interface ClusterStatus {
  /** The number of the node that says this. */
  readonly node: number;
  /** All nodes, this one among them, by their numbers. */
  readonly nodes: readonly NodeStatus[];
}

/** A node, and what it says of itself. */
export interface NodeFigures extends NodeStatus {
  /** Absent of a node that has not answered. */
  readonly figures?: RuntimeFigures;
}

/** The state of the runtime as plain JSON, without events, contexts or values of secrets. */
export interface RuntimeStatus {
  readonly version: string;
  readonly state: 'running' | 'draining' | 'stopping' | 'stopped';
  readonly uptimeMs: number;
  readonly pools: readonly PoolStatus[];
  readonly instances: readonly InstanceStatus[];
  readonly secrets: readonly SecretStatus[];
  /** The providers that serve the secrets. */
  readonly secretProviders: readonly SecretProviderStatus[];
  /** The MCP servers of all agents; only when there are any. */
  readonly mcpServers?: readonly McpServerStatus[];
  /** The number of all dead letters so far. */
  readonly deadLetters: number;
  /** The number of all restarts of instances so far. */
  readonly restarts: number;
  /** Only with a store under every turn. */
  readonly store?: StoreStatus;
  /** The nodes; only of a runtime that is one of several. */
  readonly cluster?: ClusterStatus;
  /** Only when the runtime is inspected. */
  readonly inspection?: InspectionCounts;
}

export function storeStatus(
  { state, error, waiting, dropped }: StoreHealth,
  agents: readonly AgentWrites[],
): StoreStatus {
  return {
    state,
    ...(error && { error: { code: error.code, message: error.message } }),
    waiting,
    ...(dropped && { dropped }),
    agents,
  };
}

export function poolStatus(
  pool: PoolContext,
  hosts: Iterable<ThreadHost>,
  residents: ResidentCounts | undefined,
): PoolStatus {
  const byNumber = new Map([...hosts].map((host) => [host.n, host]));
  return {
    threadId: pool.threadId,
    maxThreads: pool.maxThreads,
    threads: pool.threads.map(({ n, state }) => ({
      name: `holdfast:${pool.threadId}:${n}`,
      n,
      thread: byNumber.get(n)?.thread ?? -1,
      state,
      instances: byNumber.get(n)?.instances ?? 0,
      ...byNumber.get(n)?.vitals,
      ...slowWork(byNumber.get(n)),
    })),
    peakThreads: pool.peak,
    startedThreads: pool.started,
    endedThreads: pool.ended,
    waiting: pool.waiting.size,
    ...(residents && { residents }),
    health: pool.health,
  };
}

function slowWork(host: ThreadHost | undefined): Pick<ThreadStatus, 'slow'> {
  const slow = host?.slow;
  return slow === undefined ? {} : { slow };
}

export function instanceStatus(instance: Instance): InstanceStatus {
  const { address, agent, thread, incarnation, phase, mailbox, quarantine } = instance;
  const failure = quarantine === undefined ? instance.failure : undefined;
  return {
    address,
    agent: agent.name,
    threadId: agent.threadId,
    thread,
    incarnation,
    restarts: instance.restarts,
    state: phase,
    handled: instance.handled,
    mailbox: mailbox.depth,
    capacity: mailbox.capacity,
    ...(quarantine ? { quarantine: quarantine.evidence } : failure && { failure }),
  };
}

/** A status without what there is of each instance: it is as small as the config, however many instances there are. */
export type RuntimeOverview = Omit<RuntimeStatus, 'instances'>;

/** The instances of one agent, counted. */
export interface AgentFigures {
  readonly agent: string;
  /** How many there are in each state; states in which there is none are left out. */
  readonly states: Readonly<Partial<Record<InstancePhase, number>>>;
  /** The sums of what {@link InstanceStatus} has of each. */
  readonly handled: number;
  readonly mailbox: number;
  readonly capacity: number;
}

/** A status with its instances counted. */
export interface RuntimeFigures extends RuntimeOverview {
  /** Of agents that have instances. */
  readonly agents: readonly AgentFigures[];
}

/** The number of inspection events. */
export interface InspectionCounts {
  /** Events passed on to inspectors. */
  readonly passed: number;
  /** Events left out because there were too many; only the latest states were shown then. */
  readonly sampled: number;
}
