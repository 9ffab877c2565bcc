import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RuntimeOverview } from '../runtime.ts';
import { RESUME } from './paused.ts';

/** The delay of the event loop at the 99th percentile above which requests wait for the process itself: a second. */
const SLOW_MS = 1000;
const NS_PER_MS = 1e6;
/** Milliseconds of a window. A delay counts for one to two windows. */
const WINDOW_MS = 5000;
/** The resolution of the probe, in milliseconds, which it counts along in each delay. */
const RESOLUTION_MS = 20;

/** Whether requests may be sent here, and the reasons if not. */
export interface Readiness {
  readonly ready: boolean;
  readonly state: RuntimeOverview['state'];
  readonly eventLoop: { readonly p99Ms: number; readonly ok: boolean };
  /** Pools that start no more threads. */
  readonly closedPools: readonly string[];
  /** The store under every turn, when it fails or another process owns it; absent otherwise. */
  readonly store?: RuntimeOverview['store'];
  /** What this node of a cluster has and reaches; absent when it is alone. Without partitions it is not ready: others have them all. */
  readonly cluster?: NodeReadiness;
  /** The gateway was started paused, and agents handle nothing yet; absent otherwise. */
  readonly paused?: true;
  /** While it is paused: the command that ends that. */
  readonly next?: string;
  /** Secrets that are not current; agents go on with the versions they have. */
  readonly staleSecrets: readonly string[];
}

/** One node, as it sees itself and the others. */
export interface NodeReadiness {
  readonly node: number;
  /** How many of the 64 partitions of all addresses it has. */
  readonly partitions: number;
  /** The numbers of the nodes that it does not reach; what is asked of their instances here is a 503. */
  readonly unreachable: readonly number[];
}

/** Watches the event loop from now on: always the last 5 to 10 s, however often it is asked. */
export class ReadinessProbe {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #windows: NodeJS.Timeout;
  #before = 0;

  constructor() {
    this.#delay.enable();
    this.#windows = setInterval(() => this.#turn(), WINDOW_MS).unref();
  }

  /** Forgets earlier delays, because a start keeps the event loop busy. */
  begin(): void {
    this.#before = 0;
    this.#delay.reset();
    this.#windows.refresh();
  }

  look({ state, pools, secrets, store, cluster: nodes }: RuntimeOverview, isPaused = false): Readiness {
    const p99Ms = Math.max(this.#before, this.#p99Ms());
    const eventLoop = { p99Ms, ok: p99Ms < SLOW_MS };
    const closedPools = pools.filter(({ health }) => health !== 'open').map(({ threadId }) => threadId);
    const staleSecrets = secrets
      .filter((one) => one.state === 'stale' || one.state === 'failed')
      .map(({ id }) => id);
    const isStored = store === undefined || store.state === 'ok';
    const cluster = nodes && nodeReadiness(nodes);
    const hasPart = cluster === undefined || cluster.partitions > 0;
    const isSound = eventLoop.ok && closedPools.length === 0 && isStored;
    const ready = state === 'running' && isSound && hasPart && !isPaused;
    return {
      ready,
      state,
      ...(isPaused && { paused: true as const, next: RESUME }),
      eventLoop,
      closedPools,
      ...(!isStored && { store }),
      ...(cluster && { cluster }),
      staleSecrets,
    };
  }

  stop(): void {
    clearInterval(this.#windows);
    this.#delay.disable();
  }

  #turn(): void {
    this.#before = this.#p99Ms();
    this.#delay.reset();
  }

  #p99Ms(): number {
    return Math.max(0, Math.round(this.#delay.percentile(99) / NS_PER_MS) - RESOLUTION_MS);
  }
}

function nodeReadiness({ node, nodes }: NonNullable<RuntimeOverview['cluster']>): NodeReadiness {
  return {
    node,
    partitions: nodes.find((one) => one.node === node)?.partitions ?? 0,
    unreachable: nodes.filter(({ reachable }) => !reachable).map((one) => one.node),
  };
}
