import type { ActorLogic, AnyActorLogic, AnyActorRef, InputFrom, Subscription } from 'xstate';
import type { EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate';
import { addressOf } from './base/address.ts';
import type { AskStream } from './instance/ask-stream.ts';
import type { AgentRef, PersistedEnvelope } from './instance/agent-ref.ts';
import type { AskToCarry } from './instance/carried-asks.ts';
import { checkCall, checkTimeout, listener, name, string } from './base/call-check.ts';
import type { ConfigFileOf, ConfigOf } from './config/agent-types.ts';
import { loadConfig } from './config/load.ts';
import type { LoadedConfig } from './config/resolve.ts';
import type { RuntimeConfig } from './config/schema.ts';
import { HoldfastError } from './base/errors.ts';
import type { FoundInstance } from './system/found-instance.ts';
import type { DeadLetter } from './dead-letters/dead-letters.ts';
import type { InspectOptions } from './inspect/inspect-options.ts';
import type { InspectorPage, RunningInspector } from './inspect/local/local-inspector.ts';
import { foreignXState } from './system/foreign-xstate.ts';
import { guardIsolation } from './isolation/guard.ts';
import { assertIsolation } from './isolation/strict.ts';
import { consoleLogger } from './base/logger.ts';
import type { ClusterConfig } from './config/cluster-schema.ts';
import { clusterOptions } from './system/config-cluster.ts';
import { configStore } from './system/config-store.ts';
import { JOIN, type JoinedNode, type JoiningCluster, type LocalNode } from './system/cluster.ts';
import type { Recycled } from './system/recycle.ts';
import { runtimeEvent, type RuntimeEvents, type RuntimeListener } from './telling/runtime-events.ts';
import { RuntimeSystem, type OpenWait, type SystemOptions } from './system/runtime-system.ts';
import { standingInstances } from './config/standing-instances.ts';
import { type FailedStart, notStarted, startAll, type StartStanding } from './system/start-standing.ts';
import { stopOnSignals } from './system/signals.ts';
import type { RuntimeOptions } from './system/runtime-options.ts';
import { checkRuntimeOptions } from './system/runtime-options-check.ts';
import { spawnRequest, type SpawnRequest } from './system/spawn-request.ts';
import type { NodeFigures, RuntimeOverview, RuntimeStatus } from './telling/status.ts';
import type { AgentSchemas } from './wire/agent-schemas.ts';
import type { CarriedAsk } from './wire/protocol.ts';
import { flushTelemetry } from './telemetry/flush.ts';
import { startTelemetry, type Telemetry } from './telemetry/telemetry.ts';

// What the gateway and the command line need by name besides.
export { configDatabase, type ConfigDatabase, type PostgresLook } from './system/config-database.ts';
export { readStoreKeys } from './system/read-store-keys.ts';
export type {
  AskStream,
  AgentRef,
  AgentSchemas,
  AskToCarry,
  CarriedAsk,
  DeadLetter,
  NodeFigures,
  OpenWait,
  PersistedEnvelope,
  RuntimeEvents,
  RuntimeOptions,
  RuntimeOverview,
  RuntimeStatus,
  StartStanding,
};

/** The logic that a config declares for an agent, or any logic when it declares none. */
export type LogicOf<C extends RuntimeConfig, N extends keyof C['agents']> = C['agents'][N] extends {
  logic?: infer TLogic extends AnyActorLogic;
}
  ? TLogic
  : AnyActorLogic;

/** The replies that a config declares for an agent, by the type of the event; `unknown` when it declares none. */
export type RepliesOf<C extends RuntimeConfig, N extends keyof C['agents']> = C['agents'][N] extends {
  replies?: infer TReplies;
}
  ? TReplies
  : unknown;

/** A reference to an instance of an agent of a config. */
export type AgentRefOf<C extends RuntimeConfig, N extends keyof C['agents']> = AgentRef<
  LogicOf<C, N>,
  RepliesOf<C, N>
>;

/** The names of the agents of a config. */
export type AgentName<C extends RuntimeConfig> = keyof C['agents'] & string;

/** Options of a new instance; every field has a default. */
export interface SpawnOptions<TLogic extends AnyActorLogic = AnyActorLogic> {
  /** The id, unique among the running instances of the agent; at least one character. Default: the next free number. */
  readonly id?: string;
  /** The machine's input, cloned into the thread. An instance that continues does not use it. Default: none. */
  readonly input?: InputFrom<TLogic>;
  /**
   * A snapshot from `persist()`, from which the instance continues. Default: the instance continues from its record in
   * `RuntimeOptions.store` if there is one and its `supervision.state` is `snapshot`; otherwise it starts afresh.
   */
  readonly snapshot?: PersistedEnvelope;
}

/**
 * The options as a parameter. They may be left out unless the logic requires an input; then they must have the input,
 * or the snapshot of an instance that has received it.
 */
export type SpawnArguments<TLogic extends AnyActorLogic, TOptions extends object = SpawnOptions<TLogic>> =
  undefined extends InputFrom<TLogic>
    ? [options?: TOptions]
    : [
        options: TOptions &
          ({ readonly input: InputFrom<TLogic> } | { readonly snapshot: PersistedEnvelope }),
      ];

/** An agent as actor logic of the host, to `invoke` or `spawn` inside any XState machine. */
export type ThreadBoundLogic<TLogic extends AnyActorLogic = AnyActorLogic> = ActorLogic<
  SnapshotFrom<TLogic>,
  EventFromLogic<TLogic>,
  InputFrom<TLogic>,
  AnyActorRef['system'],
  EmittedFrom<TLogic>
>;

/** A running system of agents. */
export interface Runtime<C extends RuntimeConfig = RuntimeConfig> extends AsyncDisposable {
  /** The supervisor: the root of the actor system. */
  readonly supervisor: AnyActorRef;
  /** The secrets actor, whose entries have versions and ages, never values. */
  readonly secrets: AnyActorRef;
  /**
   * Starts an instance, and resolves when it runs in its thread; of a durable instance that had something to do and was
   * therefore woken, with that. Rejects with `AGENT_UNKNOWN`, `ADDRESS_TAKEN`,
   * `AGENT_EXPORT_INVALID`, `MESSAGE_UNCLONABLE` (the input), `THREAD_START_TIMEOUT`, `POOL_EXHAUSTED`,
   * `THREAD_CRASHED`, `STORE_FAILED`, `RUNTIME_STOPPED`, `CONFIG_INVALID` (the options), or with what the agent threw
   * while it started.
   */
  spawn<N extends AgentName<C>>(
    agent: N,
    ...options: SpawnArguments<LogicOf<C, N>>
  ): Promise<AgentRefOf<C, N>>;
  /**
   * Returns the instance at `agent/id`, and starts it if there is none. Concurrent calls share one start; when it fails
   * they all reject, and the next call tries again. An instance that waits for its restart is returned; for one that is
   * stopping, the call waits for its end (at most 5 s). `options` apply to a start only. Rejects as `spawn` does, but
   * with `ADDRESS_TAKEN` only when a machine has made the instance and not started it, and also with
   * `AGENT_QUARANTINED`.
   */
  getOrSpawn<N extends AgentName<C>>(
    agent: N,
    id: string,
    ...options: SpawnArguments<LogicOf<C, N>, Omit<SpawnOptions<LogicOf<C, N>>, 'id'>>
  ): Promise<AgentRefOf<C, N>>;
  /** Returns the instance at `agent/id` if there is one: running, waiting for its restart, or quarantined. */
  get(address: string): AgentRef | undefined;
  /**
   * Looks an instance up at `agent/id`, in memory and in a store that commits each turn, and wakes nobody. Resolves with
   * `undefined` when there is none. Rejects with `STORE_FAILED`.
   */
  find(address: string): Promise<FoundInstance | undefined>;
  /**
   * Returns an agent as actor logic. Each actor made from it is an instance in a thread, owned by the machine that
   * invoked it. Its first error reaches `onError`; it is not restarted.
   */
  logic<N extends AgentName<C>>(agent: N): ThreadBoundLogic<LogicOf<C, N>>;
  /** The page of the inspector with `inspect: 'local'` or `'stately'`; otherwise `undefined`. */
  readonly inspector: InspectorPage | undefined;
  /** Returns the pools, threads, instances and secrets as plain JSON, without any payload or secret value. */
  status(): RuntimeStatus;
  /**
   * Calls the listener for each later event of a type: `dead-letter`, `thread`, `agent`, `secret`, `escalation` or
   * `warning`. {@link RuntimeEvents} describes each one. A throw of the listener is logged and has no other effect.
   *
   * @throws {HoldfastError} `OPTION_INVALID` for another type, or for a listener that is not a function.
   */
  on<K extends keyof RuntimeEvents>(type: K, listener: RuntimeListener<K>): Subscription;
  /**
   * Fetches a secret again now, by its id at the provider, and resolves when it is current. Use it for a secret that
   * was changed by hand and must not wait for `cacheTTL`. `provider` is an alias; default: `default`, which is
   * `externalSecrets`. A secret is fetched at most once in 5 s, and the secrets of a provider 10 times a second; a more
   * frequent call gets the result of the last fetch. Rejects with `SECRET_NOT_FOUND` (also when no agent has used it
   * yet), `SECRET_DENIED`, `SECRET_UNAVAILABLE` (also while an older version stays in use) or `RUNTIME_STOPPED`.
   */
  refreshSecret(id: string, options?: { readonly provider?: string }): Promise<void>;
  readonly deadLetters: {
    /**
     * Returns the last 1000 dead letters of the last hour, oldest first; large events are left out (`truncated`). With a
     * store under every turn also the last 1000 of the last 7 days whose events were in the store (`stored`).
     */
    list(): DeadLetter[];
    /**
     * Sends the event of a dead letter again, to the instance that now has its address, and resolves when that has
     * handled it; the letter is then no longer listed. When it fails again the letter keeps its `id`, its `replays`
     * grows by one, and `runtime.on('dead-letter')` reports it again. Rejects as `deliver` does; with `AGENT_STOPPED`
     * when no instance has the address, and the letter stays listed; and with `REPLAY_REFUSED` for a letter that is no
     * longer kept, is truncated, is being replayed, failed after 3 replays, or was sent to a parent. After 30 s it
     * rejects with `ASK_TIMEOUT`, and the event may still be handled. The event of a `stored` letter goes back into the
     * mailbox that the store keeps, in one transaction with the end of the letter, and the call resolves with that; it
     * rejects with `AGENT_STOPPED` when the store has no record of the address, and with `STORE_FAILED`.
     */
    replay(id: string): Promise<void>;
  };
  /**
   * Replaces the threads of the pool `threadId`, or of all pools, one after the other. No event and no state is lost:
   * each instance moves to another thread as the same incarnation, once no child is active that would start afresh (an
   * invoked promise, callback or observable) and no ask is put off. It handles nothing while it waits, for up to 2.5 s.
   * An instance that cannot move within `timeoutMs` (default 10 s) is stopped with its thread, so that it cleans up,
   * and restarted, which does not count as a failure; a `temporary` one ends. A thread is not replaced, and is listed
   * in `kept`, when the pool has room for another and that cannot start or cannot load its agents. Rejects with
   * `CONFIG_INVALID` for an unknown `threadId`, `RUNTIME_STOPPED`, and `THREAD_HUNG` when a thread does not end.
   */
  recycle(threadId?: string, options?: { readonly timeoutMs?: number }): Promise<Recycled>;
  /**
   * Accepts nothing more, and resolves when every event that was sent before, by the host or between agents, has been
   * handled; after `timeoutMs` (default 15 s) at the latest, with a warning. From this call on, a `send` becomes a dead
   * letter (`stopped`), and `ask`, `deliver` and `spawn` reject with `RUNTIME_STOPPED`. Instances and threads run until
   * `stop`. Events that wait for an agent whose `mailbox.drain` is `discard` become dead letters at once.
   */
  drain(options?: { readonly timeoutMs?: number }): Promise<void>;
  /**
   * Ends all instances, after they have handled what they were sent, and then all threads. Idempotent. Resolves after
   * `timeoutMs` at the latest (default 8 s, of the 10 s that Docker gives), with a warning that names the threads that
   * did not end. A thread that has been in one turn for half of that time, or has not stopped its instances after three
   * quarters, is ended together with them; a warning gives their number and the addresses of ten.
   */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/**
 * Starts the runtime of a config file with the types of its agents, which TypeScript cannot read from the file. Their
 * names, events, inputs, snapshots and replies are then checked as for a config in code. The types are not compared
 * with the file; a name that is not in it rejects with `AGENT_UNKNOWN`.
 *
 * @example
 * ```ts
 * const runtime = await createRuntime<{ desk: typeof import('./agents/desk.ts') }>('./openclaw.json');
 * ```
 */
export function createRuntime<A extends object = never>(
  config: ConfigFileOf<A>,
  options?: RuntimeOptions,
): Promise<Runtime<ConfigOf<A>>>;
/**
 * Starts the runtime that a config describes: an object, or the path or URL of a JSON5 file. A thread starts when an
 * instance needs it, except those that `strict` tests. The secrets that agents are granted are fetched: those that are
 * `required` before the promise resolves, the others in the background. Without a grant no secret provider is called.
 * Last the `instances` of the config are started; they run when the promise resolves.
 *
 * @throws {ConfigError} `CONFIG_INVALID` or `AGENT_MODULE_NOT_FOUND`, with every problem at once.
 * @throws {HoldfastError} `OPTION_INVALID` for options that are not valid, with every problem at once.
 * @throws {HoldfastError} `CONFIG_INVALID` when the file of `audit` cannot be written to.
 * @throws {HoldfastError} `ISOLATION_UNAVAILABLE` with `strict`; `SECRET_NOT_FOUND`, `SECRET_DENIED` or
 *   `SECRET_UNAVAILABLE` for required secrets that are not available: the code is that of the first, the message lists
 *   all.
 * @throws {HoldfastError} `AGENT_START_FAILED` when an instance that the config lists does not start: the message lists
 *   all that failed, and `cause` is an `AggregateError` with the reasons. Everything has been stopped by then.
 * @example
 * ```ts
 * await using runtime = await createRuntime('./openclaw.json');
 * const btc = await runtime.spawn('trading-agent', { id: 'btc' });
 * btc.send({ type: 'tick', price: 61_000 });
 * ```
 */
export function createRuntime<const C extends RuntimeConfig>(
  config: C | string | URL,
  options?: RuntimeOptions,
): Promise<Runtime<C>>;
export function createRuntime(config: unknown, options: RuntimeOptions = {}): Promise<Runtime<never>> {
  return openRuntime(config as RuntimeConfig | string | URL, options);
}

/** The parts of the system that a server of a runtime uses besides: see {@link Surroundings.onSystem}. */
export type ServedSystem = Pick<
  RuntimeSystem,
  | 'scrubber'
  | 'away'
  | 'secretIn'
  | 'roll'
  | 'resumeStore'
  | 'keep'
  | 'keepStream'
  | 'keeps'
  | 'outlives'
  | 'working'
  | 'handled'
  | 'open'
  | 'putOff'
  | 'spawn'
  | 'on'
  | 'agents'
  | 'schemas'
  | 'getOrSpawn'
  | 'get'
  | 'reach'
  | 'nudged'
  | 'isPlaced'
  | 'keepRow'
  | 'unsent'
  | 'warn'
  | 'lost'
  | 'storeId'
  | 'overview'
  | 'figures'
  | 'nodeFigures'
>;

type UsedStore = NonNullable<RuntimeOptions['store']>;

/** The surroundings of a runtime; the test kit and the gateway provide their own. */
export interface Surroundings extends Pick<
  SystemOptions,
  'clock' | 'startThread' | 'soon' | 'sent' | 'share' | 'logsPrinted'
> {
  /** Receives the scrubber, what changes a pool, and what sends an event. */
  readonly onSystem?: (system: ServedSystem) => void;
  /** The config, if it is loaded already. Default: it is loaded. */
  readonly loaded?: LoadedConfig;
  /**
   * Receives a function that opens the page of the inspector, if there is to be one. Default: the page is opened before
   * the runtime is returned.
   */
  readonly onPage?: (open: () => Promise<void>) => void;
  /** Receives the store of the options or of the config, and returns the one that is used. */
  readonly keptIn?: (store: UsedStore) => UsedStore;
  /**
   * Receives a function that opens the store, to be called before an instance starts; what it returns is waited for.
   * Default: the store is opened before the runtime is returned.
   */
  readonly onStore?: (open: () => Promise<void>) => Promise<void> | void;
  /**
   * Receives a function that starts the instances that the config lists. Default: they are started before the runtime
   * is returned.
   */
  readonly onStanding?: (start: StartStanding) => void;
  /** Whether the `cluster` of the config counts for nothing. Default: false. */
  readonly isAlone?: boolean;
}

/** What makes nodes of runtimes is loaded for those alone whose config says so. */
async function configCluster(config: ClusterConfig): Promise<JoiningCluster> {
  const [{ cluster }, options] = await Promise.all([import('./cluster/cluster.ts'), clusterOptions(config)]);
  return cluster(options) as JoiningCluster;
}

function joined(cluster: JoiningCluster, store: UsedStore | undefined): JoinedNode {
  if (store !== undefined && 'transactional' in store) return cluster[JOIN](store);
  throw new HoldfastError(
    'OPTION_INVALID',
    'createRuntime(): cluster needs a store that the nodes share: give all of them the same postgresStore()',
  );
}

/** {@link createRuntime}, anywhere. */
export async function openRuntime<const C extends RuntimeConfig>(
  config: C | string | URL,
  options: RuntimeOptions,
  surroundings: Surroundings = {},
): Promise<Runtime<C>> {
  const given = checkRuntimeOptions(options);
  const { capabilities, providers, logger = consoleLogger, audit } = given;
  const { strict = false, signals = false } = given;
  const customProviders = providers?.map(({ name }) => name);
  const chosen = given.inspect;
  const loaded = surroundings.loaded ?? (await loadConfig(config, customProviders && { customProviders }));
  const inspect: InspectOptions | undefined = chosen ?? loaded.inspect;
  const chosenStore = given.store ?? (loaded.store && configStore(loaded.store));
  const store = chosenStore && (surroundings.keptIn?.(chosenStore) ?? chosenStore);
  const written = surroundings.isAlone === true ? undefined : loaded.cluster;
  const cluster = given.cluster ?? (written && (await configCluster(written)));
  const node = cluster && joined(cluster, store);
  if (strict && !surroundings.startThread) await assertIsolation(loaded);
  const system = new RuntimeSystem(loaded, {
    ...surroundings,
    ...(capabilities && { capabilities }),
    ...(providers && { customProviders: providers }),
    logger,
    flush: flushTelemetry,
    ...(store && { store }),
    ...(node && { share: node.share }),
    audit,
    inspect,
  });
  surroundings.onSystem?.(system);
  let telemetry: Telemetry | undefined;
  const spawn = (agent: string, request: SpawnRequest): Promise<AgentRef> => {
    const spawned = (): Promise<AgentRef> => system.spawn(agent, request);
    return telemetry?.spawn(agent, request, spawned) ?? spawned();
  };
  const getOrSpawn = (agent: string, id: string, request: SpawnRequest): Promise<AgentRef> =>
    system.getOrSpawn(agent, id, () => spawn(agent, request));
  const here: LocalNode = {
    system,
    spawn: async (agent, id, options) => spawn(agent, { ...spawnRequest(agent, options, id), anew: true }),
    getOrSpawn: async (agent, id, options) => getOrSpawn(agent, id, spawnRequest(agent, options, id)),
  };
  /** The address, if another node has it. */
  const away = (agent: string, id: string | undefined): string | undefined => {
    const address = node === undefined || id === undefined ? undefined : addressOf(agent, id);
    return address !== undefined && node?.isAway(address) === true ? address : undefined;
  };
  for (const message of foreignXState(loaded.agents)) system.warn({}, message);
  let page: RunningInspector | undefined;
  try {
    if (inspect?.page !== undefined) {
      // The server and its page are loaded for those alone who want them.
      const { openPage } = await import('./inspect/local/open-page.ts');
      const open = async (): Promise<void> => {
        page = await openPage(system, inspect, given.logger && system.logger);
      };
      if (surroundings.onPage === undefined) await open();
      else surroundings.onPage(open);
    }
    await system.fetchSecrets();
    const openStore = async (): Promise<void> => {
      if (node === undefined) await system.openStore();
      else await node.open(here, () => system.openStore());
    };
    if (surroundings.onStore === undefined) await openStore();
    else await surroundings.onStore(openStore);
  } catch (error) {
    await page?.stop();
    await system.stop();
    await node?.close();
    throw error;
  }
  // A test kit brings its own threads.
  const guard = surroundings.startThread ? undefined : guardIsolation(loaded, system, strict);
  const started = (telemetry = startTelemetry(system, {
    agents: loaded.agents,
    addressOf,
    scrubText: system.scrubber.scrubText,
    messages: system.messages,
  }));
  const stop = (timeoutMs?: number): Promise<void> => {
    const stopping = system
      .stop(timeoutMs)
      .then(() => page?.stop())
      .finally(forgetSignals)
      .finally(() => node?.close());
    return started.stopped(guard?.stopped(stopping) ?? stopping);
  };
  const forgetSignals = signals
    ? stopOnSignals({ stop: () => stop(), stuck: () => system.threadNames(), logger: system.logger })
    : () => {};
  // Each starts on the node that has its address.
  const standing = startAll(standingInstances(loaded.agents), async ({ agent, id, input }) =>
    away(agent, id) === undefined ? getOrSpawn(agent, id, { id, input }) : undefined,
  );
  const startStanding: StartStanding = (failed) => {
    system.startWakes();
    return standing(failed);
  };
  if (surroundings.onStanding === undefined) {
    const failures: FailedStart[] = [];
    await startStanding((failure) => failures.push(failure));
    if (failures.length > 0) {
      const error = notStarted(failures, system.scrubber.scrubText);
      await stop();
      throw error;
    }
  } else {
    surroundings.onStanding(startStanding);
  }
  return {
    supervisor: system.supervisor as AnyActorRef,
    secrets: system.secrets.actor as AnyActorRef,
    spawn: async (agent, ...[options]) => {
      const request = spawnRequest(agent, options);
      const there = away(agent, request.id);
      if (there !== undefined) return (await node?.spawn('spawn', there, request)) as never;
      return (await spawn(agent, { ...request, anew: true })) as never;
    },
    getOrSpawn: async (agent, id, ...[options]) => {
      const request = spawnRequest(agent, options, id ?? '');
      const there = away(agent, request.id);
      if (there !== undefined) return (await node?.spawn('getOrSpawn', there, request)) as never;
      return (await getOrSpawn(agent, id, request)) as never;
    },
    get: (address) => (node?.isAway(address) === true ? node.ref(address) : system.get(address)),
    async find(address) {
      checkCall('runtime.find()', { address: [address, string] });
      return node?.isAway(address) === true ? node.find(address) : system.find(address);
    },
    logic: (agent) => system.logic(agent) as never,
    get inspector() {
      return page;
    },
    status: () => system.status(),
    on(type, listening) {
      checkCall('runtime.on()', { type: [type, runtimeEvent], listener: [listening, listener] });
      return system.on(type, listening);
    },
    deadLetters: {
      list: () => system.listDeadLetters(),
      async replay(id) {
        checkCall('runtime.deadLetters.replay()', { id: [id, string] });
        await system.replay(id);
      },
    },
    async refreshSecret(id, options) {
      const rules = { provider: name };
      const { provider } = checkCall<{ provider?: string }>(
        'runtime.refreshSecret()',
        { id: [id, name] },
        options,
        rules,
      );
      await system.refreshSecret(id, provider);
    },
    recycle: async (threadId, options) =>
      system.recycle(threadId, checkTimeout('runtime.recycle()', options)),
    drain: async (options) => system.drainOrWarn(checkTimeout('runtime.drain()', options)),
    stop: async (options) => stop(checkTimeout('runtime.stop()', options)),
    [Symbol.asyncDispose]: () => stop(),
  };
}
