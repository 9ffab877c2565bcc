import type { ActorLogic, AnyActorLogic, AnyActorRef, InputFrom, Subscription } from 'xstate';
import type { EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate';
import { addressOf } from './base/address.ts';
import type { AgentRef, PersistedEnvelope } from './instance/agent-ref.ts';
import type { AskToCarry } from './instance/carried-asks.ts';
import { checkCall, checkTimeout, listener, name, string } from './base/call-check.ts';
import type { ConfigFileOf, ConfigOf } from './config/agent-types.ts';
import { loadConfig } from './config/load.ts';
import type { LoadedConfig } from './config/resolve.ts';
import type { RuntimeConfig } from './config/schema.ts';
import type { DeadLetter } from './dead-letters/dead-letters.ts';
import type { InspectOptions } from './inspect/inspect-options.ts';
import type { InspectorPage, RunningInspector } from './inspect/local/local-inspector.ts';
import { foreignXState } from './system/foreign-xstate.ts';
import { guardIsolation } from './isolation/guard.ts';
import { assertIsolation } from './isolation/strict.ts';
import { consoleLogger } from './base/logger.ts';
import type { Recycled } from './system/recycle.ts';
import { runtimeEvent, type RuntimeEvents, type RuntimeListener } from './telling/runtime-events.ts';
import { RuntimeSystem, type OpenWait, type SystemOptions } from './system/runtime-system.ts';
import { standingInstances } from './config/standing-instances.ts';
import { type FailedStart, notStarted, startAll, type StartStanding } from './system/start-standing.ts';
import { stopOnSignals } from './system/signals.ts';
import type { RuntimeOptions } from './system/runtime-options.ts';
import { checkRuntimeOptions } from './system/runtime-options-check.ts';
import { spawnRequest, type SpawnRequest } from './system/spawn-request.ts';
import type { RuntimeStatus } from './telling/status.ts';
import type { CarriedAsk } from './wire/protocol.ts';
import { flushTelemetry } from './telemetry/flush.ts';
import { startTelemetry } from './telemetry/telemetry.ts';

// What the gateway and the command line need by name besides.
export type {
  AgentRef,
  AskToCarry,
  CarriedAsk,
  DeadLetter,
  OpenWait,
  PersistedEnvelope,
  RuntimeEvents,
  RuntimeOptions,
  RuntimeStatus,
  StartStanding,
};

/** The logic a config says an agent has, or any logic when it does not say. */
export type LogicOf<C extends RuntimeConfig, N extends keyof C['agents']> = C['agents'][N] extends {
  logic?: infer TLogic extends AnyActorLogic;
}
  ? TLogic
  : AnyActorLogic;

/** What a config says an agent replies, by the type of the event; `unknown` when it does not say. */
export type RepliesOf<C extends RuntimeConfig, N extends keyof C['agents']> = C['agents'][N] extends {
  replies?: infer TReplies;
}
  ? TReplies
  : unknown;

/** An agent of a config, running. */
export type AgentRefOf<C extends RuntimeConfig, N extends keyof C['agents']> = AgentRef<
  LogicOf<C, N>,
  RepliesOf<C, N>
>;

/** Names of the agents of a config. */
export type AgentName<C extends RuntimeConfig> = keyof C['agents'] & string;

/** What a new instance is made of; every field has a default. */
export interface SpawnOptions<TLogic extends AnyActorLogic = AnyActorLogic> {
  /** Unique among the running instances of the agent; at least one character. Default: the next free number. */
  readonly id?: string;
  /** The machine's input; cloned into the thread. Not used by an instance that continues. Default: none. */
  readonly input?: InputFrom<TLogic>;
  /**
   * What `persist()` gave: the instance continues from it. Default: it continues from its record in
   * `RuntimeOptions.store` when there is one and its `supervision.state` is `snapshot`, else it begins anew.
   */
  readonly snapshot?: PersistedEnvelope;
}

/**
 * Options as a parameter that may be left out, unless the logic requires an input: then that has to be given, or the
 * snapshot of an instance that has got it already.
 */
export type SpawnArguments<TLogic extends AnyActorLogic, TOptions extends object = SpawnOptions<TLogic>> =
  undefined extends InputFrom<TLogic>
    ? [options?: TOptions]
    : [
        options: TOptions &
          ({ readonly input: InputFrom<TLogic> } | { readonly snapshot: PersistedEnvelope }),
      ];

/** An agent as actor logic of the host: `invoke` or `spawn` it inside any XState machine. */
export type ThreadBoundLogic<TLogic extends AnyActorLogic = AnyActorLogic> = ActorLogic<
  SnapshotFrom<TLogic>,
  EventFromLogic<TLogic>,
  InputFrom<TLogic>,
  AnyActorRef['system'],
  EmittedFrom<TLogic>
>;

/** A running system of agents. */
export interface Runtime<C extends RuntimeConfig = RuntimeConfig> extends AsyncDisposable {
  /** The root of the one actor system. */
  readonly supervisor: AnyActorRef;
  /** The secrets actor: entries with versions and ages, never values. */
  readonly secrets: AnyActorRef;
  /**
   * Starts an instance and resolves when it runs in its thread. Rejects with `AGENT_UNKNOWN`, `ADDRESS_TAKEN`,
   * `AGENT_EXPORT_INVALID`, `MESSAGE_UNCLONABLE` (the input), `THREAD_START_TIMEOUT`, `POOL_EXHAUSTED`, `THREAD_CRASHED`,
   * `STORE_FAILED`, `RUNTIME_STOPPED`, `CONFIG_INVALID` (the options), or with what the agent threw while it started.
   */
  spawn<N extends AgentName<C>>(
    agent: N,
    ...options: SpawnArguments<LogicOf<C, N>>
  ): Promise<AgentRefOf<C, N>>;
  /**
   * The instance at `agent/id`, which is started when there is none: once, however many ask for it at a time. When
   * that start fails they all hear of it, and the next call tries again. An instance that waits for its restart is
   * returned; of one that is stopping the end is awaited (5 s at most). `options` are for a start alone. Rejects as
   * `spawn` does, with `ADDRESS_TAKEN` only for what a machine has made and not started, and with `AGENT_QUARANTINED`.
   */
  getOrSpawn<N extends AgentName<C>>(
    agent: N,
    id: string,
    ...options: SpawnArguments<LogicOf<C, N>, Omit<SpawnOptions<LogicOf<C, N>>, 'id'>>
  ): Promise<AgentRefOf<C, N>>;
  /** The instance at `agent/id`, if there is one: it runs, waits for its restart, or is quarantined. */
  get(address: string): AgentRef | undefined;
  /**
   * An agent as actor logic: each actor of it is an instance of its own in a thread, that the machine which
   * invoked it owns. Its first error reaches `onError`; it is not restarted.
   */
  logic<N extends AgentName<C>>(agent: N): ThreadBoundLogic<LogicOf<C, N>>;
  /** The page of `inspect: 'local'` or `'stately'`; undefined without one. */
  readonly inspector: InspectorPage | undefined;
  /** A JSON-safe picture of pools, threads, instances and secrets, without any payload or secret value. */
  status(): RuntimeStatus;
  /**
   * Calls the listener with what happens from now on: `dead-letter`, `thread`, `agent`, `secret`, `escalation` or
   * `warning`; {@link RuntimeEvents} has what each one tells. A listener that throws is logged and disturbs nobody.
   *
   * @throws {HoldfastError} `OPTION_INVALID` for another type, and for a listener that is no function.
   */
  on<K extends keyof RuntimeEvents>(type: K, listener: RuntimeListener<K>): Subscription;
  /**
   * Looks at a secret now, by its id at the provider (`default` is `externalSecrets`), and resolves when it is current.
   * For a secret that was changed by hand and must not wait for `cacheTTL`. A secret is fetched at most once in 5 s and a
   * provider's secrets 10 times a second; what comes more often settles with what the last look found. Rejects with
   * `SECRET_NOT_FOUND` (also when no agent has used it yet), `SECRET_DENIED`, `SECRET_UNAVAILABLE` (also when an older
   * version goes on being used meanwhile) or `RUNTIME_STOPPED`.
   */
  refreshSecret(id: string, options?: { readonly provider?: string }): Promise<void>;
  readonly deadLetters: {
    /** The last 1000 of the last hour, oldest first; the bodies of large ones are left out (`truncated`). */
    list(): DeadLetter[];
    /**
     * Sends the event of a letter again, to the instance that has its address now, and resolves when that has handled
     * it: the letter is no longer listed then. When it fails again it is the same letter, with the same `id` and one
     * more in `replays`, and `runtime.on('dead-letter')` tells it again. Rejects as `deliver` does; with
     * `AGENT_STOPPED` when no instance has the address, and the letter stays as it is; with `REPLAY_REFUSED` for a
     * letter that is not kept or truncated, is being replayed, failed after 3 replays, or was sent to a parent. After
     * 30 s it rejects with `ASK_TIMEOUT`, while the event stays on its way.
     */
    replay(id: string): Promise<void>;
  };
  /**
   * Replaces the threads of the pool `threadId`, or of all pools, one after the other. No event and no state is lost:
   * each instance goes on, as the same incarnation, on another thread, as soon as none of its children is at work that
   * would begin anew (an invoked promise, callback or observable) and no ask is put off; it handles nothing meanwhile, for
   * up to 2.5 s. One that cannot go within `timeoutMs` (10 s) is stopped with its thread, so that it cleans up, and
   * restarted, which is no failure; a `temporary` one ends. A thread goes on as it is, and stands in `kept`, when the pool
   * has room for another and that cannot be started, or not load its agents. Rejects with
   * `CONFIG_INVALID` for an unknown `threadId`, `RUNTIME_STOPPED`, and `THREAD_HUNG` when a thread does not end.
   */
  recycle(threadId?: string, options?: { readonly timeoutMs?: number }): Promise<Recycled>;
  /**
   * Lets nothing more in, and resolves when all that was sent before has been handled, by the host and by agents to each
   * other; after `timeoutMs` (15 s) at the latest, with a warning. From the call on a `send` becomes a dead letter,
   * `stopped`, and `ask`, `deliver` and `spawn` reject with `RUNTIME_STOPPED`. Instances and threads go on until `stop`.
   * What waits for an agent whose `mailbox.drain` is `discard` becomes dead letters at once.
   */
  drain(options?: { readonly timeoutMs?: number }): Promise<void>;
  /**
   * Ends all instances, after what they were sent, and all threads. Idempotent. Resolves after `timeoutMs` (8 s, of the
   * 10 s that Docker gives) at the latest, with a warning that names the threads which did not end. A thread that has been
   * at one turn for half of that time, or has not stopped its instances after three quarters, is ended with them; a
   * warning has how many they were, and the names of ten.
   */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/**
 * Starts the runtime of a config file, which TypeScript cannot read, with the types of its agents: their names, events, inputs,
 * snapshots and replies are checked as those of a config in code are. Type only: nobody compares them with the file, and a
 * name that is not in it rejects with `AGENT_UNKNOWN`.
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
 * Starts the runtime that a config describes: an object, or the path or URL of a JSON5 file. No thread is started
 * before an instance needs it, but for those that `strict` tries. The secrets that agents are granted are fetched: those
 * that are `required` before it resolves, the others meanwhile. Without a grant no secret provider is called. Then the
 * `instances` of the config are started; when it resolves, they run.
 *
 * @throws {ConfigError} `CONFIG_INVALID` or `AGENT_MODULE_NOT_FOUND`, with every problem at once.
 * @throws {HoldfastError} `OPTION_INVALID` for options that make no sense, with all that is wrong.
 * @throws {HoldfastError} `CONFIG_INVALID` when the file of `audit` cannot be written to.
 * @throws {HoldfastError} `ISOLATION_UNAVAILABLE` with `strict`; `SECRET_NOT_FOUND`, `SECRET_DENIED` or
 *   `SECRET_UNAVAILABLE` for required secrets that cannot be had: the code is that of the first, the message has all.
 * @throws {HoldfastError} `AGENT_START_FAILED` when an instance that the config lists does not start: the message has all
 *   that did not, and `cause` is an `AggregateError` of why. Everything has been stopped then.
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

/** What whoever serves a runtime to others uses of it besides: see {@link Surroundings.onSystem}. */
export type ServedSystem = Pick<RuntimeSystem, 'scrubber' | 'roll' | 'open' | 'putOff' | 'spawn' | 'on'>;

/** What surrounds a runtime; the test kit and the gateway bring their own. */
export interface Surroundings extends Pick<
  SystemOptions,
  'clock' | 'startThread' | 'soon' | 'sent' | 'logsPrinted'
> {
  /** Is given what takes values of secrets out of whatever leaves the process, what changes a pool, and what sends an event. */
  readonly onSystem?: (system: ServedSystem) => void;
  /** The config as it was loaded before. Default: it is loaded. */
  readonly loaded?: LoadedConfig;
  /** Is given what opens the page of the inspector, where there is to be one. Default: it is opened before the runtime is there. */
  readonly onPage?: (open: () => Promise<void>) => void;
  /** Is given what starts the instances that the config lists. Default: they are started before the runtime is there. */
  readonly onStanding?: (start: StartStanding) => void;
}

/** {@link createRuntime}, anywhere. */
export async function openRuntime<const C extends RuntimeConfig>(
  config: C | string | URL,
  options: RuntimeOptions,
  surroundings: Surroundings = {},
): Promise<Runtime<C>> {
  const given = checkRuntimeOptions(options);
  const { capabilities, providers, logger = consoleLogger, store, audit } = given;
  const { strict = false, signals = false } = given;
  const customProviders = providers?.map(({ name }) => name);
  const chosen = given.inspect;
  const loaded = surroundings.loaded ?? (await loadConfig(config, customProviders && { customProviders }));
  const inspect: InspectOptions | undefined = chosen ?? loaded.inspect;
  if (strict && !surroundings.startThread) await assertIsolation(loaded);
  const system = new RuntimeSystem(loaded, {
    ...surroundings,
    ...(capabilities && { capabilities }),
    ...(providers && { customProviders: providers }),
    logger,
    flush: flushTelemetry,
    ...(store && { store }),
    audit,
    inspect,
  });
  surroundings.onSystem?.(system);
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
  } catch (error) {
    await page?.stop();
    await system.stop();
    throw error;
  }
  // A test kit brings its own threads.
  const guard = surroundings.startThread ? undefined : guardIsolation(loaded, system, strict);
  const telemetry = startTelemetry(system, {
    agents: loaded.agents,
    addressOf,
    scrubText: system.scrubber.scrubText,
    messages: system.messages,
  });
  const spawn = (agent: string, request: SpawnRequest): Promise<AgentRef> =>
    telemetry.spawn(agent, request, () => system.spawn(agent, request));
  const stop = (timeoutMs?: number): Promise<void> => {
    const stopping = system
      .stop(timeoutMs)
      .then(() => page?.stop())
      .finally(forgetSignals);
    return telemetry.stopped(guard?.stopped(stopping) ?? stopping);
  };
  const forgetSignals = signals
    ? stopOnSignals({ stop: () => stop(), stuck: () => system.threadNames(), logger: system.logger })
    : () => {};
  const startStanding = startAll(standingInstances(loaded.agents), ({ agent, id, input }) =>
    system.getOrSpawn(agent, id, () => spawn(agent, { id, input })),
  );
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
    spawn: async (agent, ...[options]) => (await spawn(agent, spawnRequest(agent, options))) as never,
    getOrSpawn: async (agent, id, ...[options]) => {
      const request = spawnRequest(agent, options, id ?? '');
      return (await system.getOrSpawn(agent, id, () => spawn(agent, request))) as never;
    },
    get: (address) => system.get(address),
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
