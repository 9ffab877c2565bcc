import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RuntimeStatus } from '../status.ts';

/** Longer than that at 99 %, and requests wait for the process itself: a second. */
const SLOW_MS = 1000;
const NS_PER_MS = 1e6;

/** Whether requests are to come here, and why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly state: RuntimeStatus['state'];
  readonly eventLoop: { readonly p99Ms: number; readonly ok: boolean };
  /** Pools that start no threads. */
  readonly closedPools: readonly string[];
  /** Secrets that are not current; agents go on with what they have. */
  readonly staleSecrets: readonly string[];
}

/** Looks at the event loop from now on. */
export class ReadinessProbe {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  constructor() {
    this.#delay.enable();
  }

  /** What was before does not count: a start keeps the event loop busy. */
  begin(): void {
    this.#delay.reset();
  }

  /** Of the time since the last look. */
  look({ state, pools, secrets }: RuntimeStatus): Readiness {
    // It counts its own interval along.
    const p99Ms = Math.max(0, Math.round(this.#delay.percentile(99) / NS_PER_MS) - 20);
    this.#delay.reset();
    const eventLoop = { p99Ms, ok: p99Ms < SLOW_MS };
    const closedPools = pools.filter(({ health }) => health !== 'open').map(({ threadId }) => threadId);
    const staleSecrets = secrets
      .filter((one) => one.state === 'stale' || one.state === 'failed')
      .map(({ id }) => id);
    const ready = state === 'running' && eventLoop.ok && closedPools.length === 0;
    return { ready, state, eventLoop, closedPools, staleSecrets };
  }

  stop(): void {
    this.#delay.disable();
  }
}
