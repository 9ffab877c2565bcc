/** Who is started again with an instance that failed: nobody, all of its agent, or those that first ran after it. */
export type Strategy = 'one-for-one' | 'all-for-one' | 'rest-for-one';

/** When and how often an instance is started again after it failed. */
export interface RestartPolicy {
  /** `permanent`: always; `transient`: unless it ended by itself (its machine is done); `temporary`: never. */
  readonly restart: 'permanent' | 'transient' | 'temporary';
  /** Default: `one-for-one`. */
  readonly strategy?: Strategy;
  /** More restarts than this within the window, and it is given up. `restarts: 0` never restarts. */
  readonly intensity: { readonly restarts: number; readonly withinMs: number };
  /** Wait before each restart: `minMs * factor^n`, at most `maxMs`, plus up to `jitter` of it. */
  readonly backoff: {
    readonly minMs: number;
    readonly maxMs: number;
    readonly factor: number;
    readonly jitter: number;
  };
}

/** What is remembered of an instance's failures. */
export interface FailureHistory {
  /** Times of the restarts within the window, oldest first. */
  readonly restarts: readonly number[];
  /** Failures in a row without a quiet time between them. */
  readonly streak: number;
  /** When the last restart was due; the wait before it was no quiet time. */
  readonly restartAt: number;
}

export type Decision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly history: FailureHistory }
  | { readonly kind: 'end' }
  | { readonly kind: 'give-up' };

export interface Failure {
  /**
   * `replaced`: it did nothing wrong, its thread was replaced and it could not leave in time. `unfit`: its state can be
   * neither committed nor restored, and the next incarnation would meet the same. `damaged`: nor can what the store has of
   * it be read, for which its pool can do nothing. `quarantined`: it was given up by the process before.
   */
  readonly reason: 'done' | 'failed' | 'replaced' | 'unfit' | 'damaged' | 'quarantined';
  /** Milliseconds on the runtime's clock. */
  readonly at: number;
  /** In [0, 1): the jitter. */
  readonly random: number;
}

const GIVEN_UP: ReadonlySet<Failure['reason']> = new Set(['unfit', 'damaged', 'quarantined']);

/**
 * Decides after a failure. The window slides: `restarts` are allowed within any `withinMs`, the next one is
 * not. Backoff starts over after a quiet time of half of `minMs + maxMs` since the restart (Pekko's rule).
 */
export function decideRestart(
  policy: RestartPolicy,
  history: FailureHistory | undefined,
  failure: Failure,
): Decision {
  // Whatever the policy says: its end would take its record with it.
  if (GIVEN_UP.has(failure.reason)) return { kind: 'give-up' };
  if (policy.restart === 'temporary') return { kind: 'end' };
  if (policy.restart === 'transient' && failure.reason === 'done') return { kind: 'end' };
  if (failure.reason === 'replaced') {
    const nothing = { restarts: [], streak: 0, restartAt: failure.at };
    return { kind: 'restart', delayMs: 0, history: history ?? nothing };
  }
  const { restarts, withinMs } = policy.intensity;
  const recent = (history?.restarts ?? []).filter((time) => failure.at - time < withinMs);
  if (recent.length >= restarts) return { kind: 'give-up' };
  const { minMs, maxMs } = policy.backoff;
  const quiet = history === undefined || failure.at - history.restartAt >= (minMs + maxMs) / 2;
  const streak = quiet ? 0 : history.streak + 1;
  const delayMs = backoffMs(policy.backoff, streak, failure.random);
  return {
    kind: 'restart',
    delayMs,
    history: { restarts: [...recent, failure.at], streak, restartAt: failure.at + delayMs },
  };
}

/** `minMs * factor^streak`, capped, plus jitter on top (so never shorter than the curve). */
export function backoffMs(backoff: RestartPolicy['backoff'], streak: number, random: number): number {
  // A long streak overflows to Infinity, and Infinity times a minimum of 0 is not a number.
  const growth = Math.min(backoff.factor ** streak, Number.MAX_VALUE);
  const curve = Math.min(backoff.maxMs, backoff.minMs * growth);
  return Math.round(curve * (1 + backoff.jitter * random));
}
