import type { SecretProvider } from '../../providers/provider.ts';
import type { Logger } from '../base/logger.ts';
import type { Inspect } from '../inspect/inspect-options.ts';
import type { AuditTarget } from '../secrets/audit.ts';
import type { Capability } from '../secrets/capabilities/capability.ts';
import type { SnapshotStore } from '../store/snapshot-store.ts';

/** What `createRuntime` may be given beside the config. */
export interface RuntimeOptions {
  /** Host functions that use a secret on an agent's behalf; see `defineCapability`. Default: none. */
  readonly capabilities?: readonly Capability[];
  /** Secret providers of your own, by their `name` in the config. Default: only the built-in ones. */
  readonly providers?: readonly SecretProvider[];
  /** Shaped like pino's. Default: warnings and errors on the console. */
  readonly logger?: Logger;
  /**
   * Keeps the states of instances whose `supervision.state` is `snapshot`; see `docs/persistence.md`. Default: none, and
   * a restart goes on from the last state in this runtime's own memory.
   */
  readonly store?: SnapshotStore;
  /**
   * Who used which secret, through what, when and with what outcome, refused uses too; never a value. The path or file:
   * URL of a file that gets one JSON line for each ({@link AuditRecord}), made with mode 0600 when it is missing, or a
   * function that gets each record. It never delays or fails a use: what cannot be written is counted, and warned about
   * once. Default: none.
   */
  readonly audit?: AuditTarget;
  /**
   * Shows all actors of the runtime, those in threads included, as one tree; see `docs/inspect.md`. `'local'`: on a page
   * that is served on 127.0.0.1, whose address is printed; `'stately'`: in the hosted inspector at stately.ai, through a
   * relay on 127.0.0.1; or through what `createInspector(adapter)` of `@statelyai/inspect` 0.7 returns, whose options say
   * what its adapter gets, or an adapter of your own, which gets all but the values of secrets. An adapter is started and
   * stopped with the runtime, an inspector by you. Default: nobody inspects.
   */
  readonly inspect?: Inspect;
  /**
   * Whether the isolation of every pool must hold: what a thread can try against the host is tried in one of each pool,
   * about a tenth of a second each, and `createRuntime` rejects with `ISOLATION_UNAVAILABLE` when anything comes
   * through, or when agents of different grants share a pool. Default: false, closed pools are tried in the background
   * and what is open there is a warning.
   */
  readonly strict?: boolean;
  /**
   * Whether SIGTERM and SIGINT stop the runtime and then end the process: with exit code 0, or with SIGKILL (137) when a
   * thread does not end. A second signal ends it at once. Default `false`: a library leaves signals to its program.
   */
  readonly signals?: boolean;
}
