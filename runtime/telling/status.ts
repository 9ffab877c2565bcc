import type { PoolHealth } from '../../actors/pool-health.ts';
import type { PoolContext } from '../../actors/pool-plan.ts';
import type { ThreadCause } from '../../actors/thread.ts';
import type { Instance } from '../instance/instance.ts';
import type { InstancePhase } from '../instance/life.ts';
import type { QuarantineEvidence } from '../instance/quarantine.ts';
import type { SecretProviderStatus, SecretStatus } from '../secrets/values/secret-status.ts';
import type { ThreadHost } from '../threads/thread-host.ts';

export interface ThreadStatus {
  /** `holdfast:<threadId>:<n>`: also the name the operating system shows, cut to its length. */
  readonly name: string;
  readonly n: number;
  /** Node's id of the worker thread. */
  readonly thread: number;
  /**
   * `recycling`: it is being replaced, and its instances move. `stuck`: it was ended and does not end; its place is
   * taken until it does.
   */
  readonly state: 'starting' | 'ready' | 'recycling' | 'leaving' | 'stuck';
  /** Instances that run on it. */
  readonly instances: number;
  /**
   * The share of time in which its event loop was busy, 0 to 1, between the last two readings of the status that were at
   * least a second apart; absent in its first second.
   */
  readonly utilization?: number;
  /** Bytes of its heap in use, of the same reading; the first is that of its start. Absent when nobody knows. */
  readonly heapUsed?: number;
}

export interface PoolStatus {
  readonly threadId: string;
  readonly maxThreads: number;
  /** Threads alive now. */
  readonly threads: readonly ThreadStatus[];
  /** The most that were ever alive at once; never more than `maxThreads`. */
  readonly peakThreads: number;
  readonly startedThreads: number;
  /** How threads ended, counted by cause. */
  readonly endedThreads: Readonly<Partial<Record<ThreadCause, number>>>;
  /** Instances that wait for a thread. */
  readonly waiting: number;
  /** Whether it starts threads: `exhausted` after too many failures, `half-open` when it tries again. */
  readonly health: PoolHealth;
}

export interface InstanceStatus {
  readonly address: string;
  readonly agent: string;
  readonly threadId: string;
  /** Node's id of its thread; -1 while it has none. */
  readonly thread: number;
  readonly incarnation: number;
  /** Since it was spawned. */
  readonly restarts: number;
  readonly state: InstancePhase;
  /** Events handled since it was spawned, over all incarnations. */
  readonly handled: number;
  /** Events queued or sent and not acknowledged. */
  readonly mailbox: number;
  /** The most that its mailbox holds; what comes then goes by its `overflow`. */
  readonly capacity: number;
  /** Why it is quarantined, if it is. */
  readonly quarantine?: QuarantineEvidence;
}

/** A JSON-safe picture of the runtime. No events, no contexts, no secret values. */
export interface RuntimeStatus {
  readonly version: string;
  readonly state: 'running' | 'draining' | 'stopping' | 'stopped';
  readonly uptimeMs: number;
  readonly pools: readonly PoolStatus[];
  readonly instances: readonly InstanceStatus[];
  readonly secrets: readonly SecretStatus[];
  /** Those that serve them. */
  readonly secretProviders: readonly SecretProviderStatus[];
  /** All that there ever were. */
  readonly deadLetters: number;
  /** Restarts of instances, over all. */
  readonly restarts: number;
  /** Only when the runtime is inspected. */
  readonly inspection?: InspectionCounts;
}

export function poolStatus(pool: PoolContext, hosts: Iterable<ThreadHost>): PoolStatus {
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
    })),
    peakThreads: pool.peak,
    startedThreads: pool.started,
    endedThreads: pool.ended,
    waiting: pool.waiting.length,
    health: pool.health,
  };
}

export function instanceStatus(instance: Instance): InstanceStatus {
  const { address, agent, thread, incarnation, phase, mailbox } = instance;
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
    ...(instance.quarantine && { quarantine: instance.quarantine.evidence }),
  };
}

/** How much was seen. */
export interface InspectionCounts {
  /** Passed on. */
  readonly passed: number;
  /** Left out, because there were too many: only the latest states were shown then. */
  readonly sampled: number;
}
