import type { SecretProvider } from '../../providers/provider.ts';
import type { Logger } from '../base/logger.ts';
import type { Inspect } from '../inspect/inspect-options.ts';
import type { AuditTarget } from '../secrets/audit.ts';
import type { Capability } from '../secrets/capabilities/capability.ts';
import type { Cluster } from './cluster.ts';
import type { DurableStore } from '../store/durable-store.ts';
import type { SnapshotStore } from '../store/snapshot-store.ts';

/** Options of `createRuntime`, beside the config. */
export interface RuntimeOptions {
  /** Host functions that use a secret on an agent's behalf; see `defineCapability`. Default: none. */
  readonly capabilities?: readonly Capability[];
  /** Secret providers of your own, by their `name` in the config. Default: only the built-in ones. */
  readonly providers?: readonly SecretProvider[];
  /** A logger with the shape of pino's. Default: warnings and errors on the console. */
  readonly logger?: Logger;
  /**
   * The store for the states of instances whose `supervision.state` is `snapshot`; see `docs/persistence.md`. Default:
   * none; a restart continues from the last state in the memory of this runtime.
   */
  readonly store?: SnapshotStore | DurableStore;
  /**
   * Makes the runtime one of several nodes that share a `postgresStore()`, as `cluster()` of `holdfast/cluster` returns it; see
   * `docs/cluster.md`. Durable instances run on the node that has their address, and any node reaches them. Default: the
   * `cluster` of the config, or none.
   */
  readonly cluster?: Cluster;
  /**
   * The audit trail: which instance used which secret, through what, when and with what outcome, refused uses included;
   * never a value. The path or file: URL of a file that gets one JSON line for each use ({@link AuditRecord}), created
   * with mode 0600 if it is missing, or a function that gets each record. Recording never delays or fails a use; a
   * record that cannot be written is counted, and the first one is warned about. Default: none.
   */
  readonly audit?: AuditTarget;
  /**
   * Shows all actors of the runtime, those in threads included, as one tree; see `docs/inspect.md`. `'local'`: on a
   * page that is served on 127.0.0.1, whose address is printed. `'stately'`: in the hosted inspector at stately.ai,
   * through a relay on 127.0.0.1. Or an inspector that `createInspector(adapter)` of `@statelyai/inspect` 0.7 returns,
   * whose options say what its adapter gets; or an adapter of your own, which gets everything but the values of
   * secrets. The runtime starts and stops an adapter; you start and stop an inspector. Default: none.
   */
  readonly inspect?: Inspect;
  /**
   * Whether the isolation of every pool must hold. Known attacks of a thread on the host are then tried in one thread
   * of each pool, in about a tenth of a second each, and `createRuntime` rejects with `ISOLATION_UNAVAILABLE` when one
   * succeeds, or when agents with different grants share a pool. Default: false; closed pools are tested in the
   * background, and an attack that succeeds there is a warning.
   */
  readonly strict?: boolean;
  /**
   * Whether SIGTERM and SIGINT stop the runtime and then end the process, with exit code 0, or with SIGKILL (137) when
   * a thread does not end. A second signal ends the process at once. Default: false; a library leaves signals to its
   * program.
   */
  readonly signals?: boolean;
}
