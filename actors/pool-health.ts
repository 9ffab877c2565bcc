import type { ThreadCause } from './thread.ts';

/** More than `restarts` strikes within `withinMs`, and a pool starts no more threads. */
export interface PoolIntensity {
  readonly restarts: number;
  readonly withinMs: number;
}

/** What counts against a pool itself. That a thread dies which was ready counts against its instances alone. */
export type Strike =
  /** Thread `n` ended before it was ready. */
  | { readonly kind: 'failed-start'; readonly n: number; readonly cause: ThreadCause }
  /** An instance failed too often and was quarantined. */
  | { readonly kind: 'escalation'; readonly address: string };

/**
 * - `open`: threads are started as they are needed
 * - `exhausted`: there were too many strikes; no thread is started
 * - `half-open`: a whole window has passed without another; one thread may be tried
 */
export type PoolHealth = 'open' | 'exhausted' | 'half-open';

export interface PoolRecord {
  readonly health: PoolHealth;
  /** Within the window, oldest first. Each is forgotten when `withinMs` have passed. */
  readonly strikes: readonly Strike[];
}

export const HEALTHY: PoolRecord = { health: 'open', strikes: [] };

/** What a strike leads to: it counts or not, and this may be one too many; `told` when that is news. */
export interface Struck {
  readonly record: PoolRecord;
  readonly counts: boolean;
  readonly exhausted: boolean;
  readonly told: boolean;
}

export function strike(record: PoolRecord, { restarts }: PoolIntensity, one: Strike): Struck {
  const { health } = record;
  // What cannot be placed fails until it is quarantined: that must not keep the pool closed.
  const counts = health !== 'exhausted' || one.kind === 'failed-start';
  if (!counts) return { record, counts, exhausted: false, told: false };
  const strikes = [...record.strikes, one];
  if (health === 'exhausted') return { record: { health, strikes }, counts, exhausted: false, told: false };
  const tooMany = strikes.length > restarts;
  const failedTrial = health === 'half-open' && one.kind === 'failed-start';
  const exhausted = tooMany || failedTrial;
  return {
    record: { health: exhausted ? 'exhausted' : health, strikes },
    counts,
    exhausted,
    // That a trial fails is no news.
    told: exhausted && !failedTrial,
  };
}

/** The oldest strike is out of the window. With the last of them the quiet time is over. */
export function forget({ health, strikes }: PoolRecord): PoolRecord {
  const left = strikes.slice(1);
  return { health: health === 'exhausted' && left.length === 0 ? 'half-open' : health, strikes: left };
}

/** A thread is ready: the one that was tried, if one was. */
export function proved(record: PoolRecord): PoolRecord {
  return record.health === 'half-open' ? { ...record, health: 'open' } : record;
}
