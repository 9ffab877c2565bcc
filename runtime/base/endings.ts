/**
 * Why an incarnation ended:
 * - `done`: its machine is done
 * - `stopped`: `ref.stop()`, or the machine that is its parent, stopped it
 * - `error`: it failed, also while starting; or its thread ended with an uncaught error
 * - `exit`: its thread ended without an error, as with `process.exit()`
 * - `oom`: its thread reached its memory limit
 * - `hang`: its thread was busy with one thing for `watchdog.killMs`, and was ended
 * - `init-timeout`: it or its thread did not start within `startTimeoutMs`
 * - `shutdown`: `runtime.stop()` ended it
 * - `unreachable`: it is on another node, which cannot be reached: nobody knows whether it has ended
 */
export type StopReason =
  | 'done'
  | 'stopped'
  | 'error'
  | 'exit'
  | 'oom'
  | 'hang'
  | 'init-timeout'
  | 'shutdown'
  | 'unreachable';

/** The end of one incarnation; watchers receive it once. */
export interface IncarnationEnd {
  /** `agent/id`. */
  readonly address: string;
  readonly incarnation: number;
  readonly reason: StopReason;
}
