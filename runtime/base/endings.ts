/**
 * Why an incarnation ended, as the physical cause:
 * - `done`: by itself, its machine is done
 * - `stopped`: by `ref.stop()`, or by the machine that is its parent
 * - `error`: it failed, at its start too; or its thread ended with an uncaught error
 * - `exit`: its thread ended without one, as with `process.exit()`
 * - `oom`: its thread reached its memory limit
 * - `hang`: its thread did nothing else for `watchdog.killMs`, and was ended
 * - `init-timeout`: it or its thread was not up within `startTimeoutMs`
 * - `shutdown`: by `runtime.stop()`
 */
export type StopReason = 'done' | 'stopped' | 'error' | 'exit' | 'oom' | 'hang' | 'init-timeout' | 'shutdown';

/** The end of one incarnation, as its watchers hear it, once. */
export interface IncarnationEnd {
  /** `agent/id`. */
  readonly address: string;
  readonly incarnation: number;
  readonly reason: StopReason;
}
