import { createActor, type AnyActorRef, type Subscription } from 'xstate';
import type { Placeable } from '../actors/placement.ts';
import type { SupervisorEvent } from '../actors/supervisor.ts';
import type { TwinLogic } from '../actors/twin.ts';
import { addressOf, agentOf } from './address.ts';
import { Addresses } from './addresses.ts';
import { activate } from './activate.ts';
import { toAgentRef, type AgentRef } from './agent-ref.ts';
import { systemClock, type Clock } from './clock.ts';
import type { LoadedConfig, ResolvedAgent, ResolvedPool } from './config/resolve.ts';
import { DeadLetterLog } from './dead-letter-log.ts';
import { DeadLetters } from './dead-letters.ts';
import { drained } from './drain.ts';
import { HoldfastError } from './errors.ts';
import { closedPool, noThread, placementOf } from './exhausted.ts';
import { Instance, type InstanceEffects } from './instance.ts';
import { LargeEvents } from './large-events.ts';
import { consoleLogger, type Logger } from './logger.ts';
import { Waiting } from './mailbox/waiting.ts';
import { recycleThreads, type Recycled } from './recycle.ts';
import { replayLetter } from './replay.ts';
import { EventHub, type RuntimeEvents, type RuntimeListener } from './runtime-events.ts';
import { createSecretsBroker, type SecretsBroker, type SecretsBrokerOptions } from './secrets/broker.ts';
import { ownMemory } from './secrets/own-memory.ts';
import type { StartThread } from './os-thread.ts';
import { PeerBroker } from './peer-broker.ts';
import { FailureLog } from './quarantine.ts';
import { continuationOf, type SpawnRequest } from './spawn-request.ts';
import type { Keeper } from './store/keeper.ts';
import type { SnapshotStore } from './store/snapshot-store.ts';
import { Snapshots } from './store/snapshots.ts';
import { shutDown } from './shut-down.ts';
import { instanceStatus, poolStatus, type RuntimeStatus } from './status.ts';
import { poolContext, poolRef, startSupervisor, type SupervisorRef } from './supervision.ts';
import type { Seat } from './seats.ts';
import { ThreadHost } from './thread-host.ts';
import { decodeError } from './wire/errors.ts';
import { twinLogic, type InstanceRequest, type TwinEffects } from './twins.ts';
import { version } from './version.ts';
import { createChild } from './xstate/xstate5.ts';

export interface SystemOptions extends Pick<SecretsBrokerOptions, 'customProviders' | 'capabilities'> {
  readonly logger?: Logger;
  readonly clock?: Clock | undefined;
  readonly startThread?: StartThread | undefined;
  readonly store?: SnapshotStore | undefined;
  /** Sends out what else holds something of the system, before it ends. */
  readonly flush?: (() => Promise<void>) | undefined;
  /** Gets every event that an instance is sent, before it waits in the mailbox. */
  readonly sent?: ((event: object) => void) | undefined;
}

/** What the instances of a thread that is replaced get to go elsewhere: as long as they get to start. */
const RECYCLE_MS = 10_000;
/** `drain` by itself: as long as a whole stop. */
const DRAIN_MS = 15_000;
/** `stop` as a whole: half of Kubernetes' default grace of 30 s. */
const STOP_MS = 15_000;

/** The running system behind a `Runtime`: one supervisor, its pools, the instances and the secrets. */
export class RuntimeSystem {
  readonly deadLetters: DeadLetters;
  readonly supervisor: SupervisorRef;
  readonly secrets: SecretsBroker;
  readonly #config: LoadedConfig;
  readonly #clock: Clock;
  readonly #startThread: StartThread | undefined;
  readonly #sent: SystemOptions['sent'];
  readonly #flush: SystemOptions['flush'];
  readonly #hub: EventHub;
  readonly #logger: Logger;
  readonly #deadLetterLog: DeadLetterLog;
  readonly #waiting: Waiting;
  readonly #agents: ReadonlyMap<string, ResolvedAgent>;
  readonly #instances = new Map<string, Instance>();
  readonly #refs = new Map<string, AgentRef>();
  readonly #addresses = new Addresses((address) => this.#instances.has(address));
  readonly #byTwin = new WeakMap<AnyActorRef, Instance>();
  /** By agent; only of those whose instances live and fail together. */
  readonly #groupFailures = new Map<string, FailureLog>();
  readonly #hosts = new Map<string, Set<ThreadHost>>();
  readonly #large = new LargeEvents((fields, message) => this.#warn(fields, message));
  readonly #broker: PeerBroker;
  readonly #snapshots: Snapshots;
  readonly #startedAt: number;
  #state: RuntimeStatus['state'] = 'running';
  #shut: HoldfastError | undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: LoadedConfig, options: SystemOptions) {
    this.#config = config;
    this.#clock = options.clock ?? systemClock;
    this.#startThread = options.startThread;
    this.#logger = options.logger ?? consoleLogger;
    this.#hub = new EventHub(this.#logger);
    this.#waiting = new Waiting(this.#clock);
    this.#agents = new Map(config.agents.map((agent) => [agent.name, agent]));
    this.#startedAt = this.#clock.now();
    this.#sent = options.sent;
    this.#flush = options.flush;
    this.#snapshots = new Snapshots({
      store: options.store,
      clock: this.#clock,
      warn: (fields, message) => this.#warn(fields, message),
    });
    this.#deadLetterLog = new DeadLetterLog({
      logger: this.#logger,
      clock: this.#clock,
      // It is to happen, and `runtime.on` tells it.
      expected: ({ address, reason }) => {
        if (reason !== 'mailbox-full') return false;
        const overflow = this.#instances.get(address)?.agent.overflow ?? 'reject';
        return overflow !== 'reject';
      },
    });
    this.deadLetters = new DeadLetters(
      (letter, type) => {
        this.#deadLetterLog.add(letter, type);
        this.#hub.emit('dead-letter', letter);
      },
      () => this.#clock.date(),
    );
    this.#broker = new PeerBroker({
      instanceAt: (address) => this.#instances.get(address),
      poolOf: (address) => this.#agents.get(agentOf(address))?.threadId,
      deadLetters: this.deadLetters,
    });
    this.supervisor = this.#supervise();
    this.secrets = createSecretsBroker({
      providers: config.providers,
      ...(options.customProviders && { customProviders: options.customProviders }),
      ...(options.capabilities && { capabilities: options.capabilities }),
      ...(options.clock && secretsTime(options.clock)),
      start: (logic, identity) =>
        createActor(logic, { ...identity, parent: this.supervisor as AnyActorRef }).start(),
      onWarning: (message) => this.#warn({}, message),
    });
  }

  async spawn(name: string, request: SpawnRequest): Promise<AgentRef> {
    this.#assertRunning();
    const agent = this.#agent(name);
    const id = request.id ?? this.#addresses.freeId(agent.name);
    const address = addressOf(agent.name, id);
    if (this.#addresses.isTaken(address)) {
      throw new HoldfastError(
        'ADDRESS_TAKEN',
        `${address} is in use; await its stop() first, or give another id`,
      );
    }
    const logic = twinLogic(this.#twinEffects, {
      agent,
      id,
      named: request.id !== undefined,
      parent: 'pool',
      snapshot: request.snapshot && continuationOf(request.snapshot),
    });
    const parent = poolRef(this.supervisor, agent.threadId) as AnyActorRef;
    const twin = createChild(logic, { id: address, parent, input: request.input });
    const instance = this.#byTwin.get(twin) as Instance;
    twin.start();
    await instance.started;
    return twin as unknown as AgentRef;
  }

  /** The instance at that address, which `spawn` starts when there is none. */
  async getOrSpawn(name: string, id: string, spawn: () => Promise<AgentRef>): Promise<AgentRef> {
    this.#assertRunning();
    const address = addressOf(this.#agent(name).name, id);
    return activate(() => {
      const [instance, ref] = [this.#instances.get(address), this.#refs.get(address)];
      return instance && ref && { instance, ref };
    }, spawn);
  }

  get(address: string): AgentRef | undefined {
    return this.#refs.get(address);
  }

  async replay(id: string): Promise<void> {
    this.#assertRunning();
    await replayLetter(id, this.deadLetters, (address) => this.#instances.get(address), this.#clock);
  }

  logic(name: string): TwinLogic {
    return twinLogic(this.#twinEffects, { agent: this.#agent(name), parent: 'machine' });
  }

  on<K extends keyof RuntimeEvents>(type: K, listener: RuntimeListener<K>): Subscription {
    return this.#hub.on(type, listener);
  }

  status(): RuntimeStatus {
    return {
      version,
      state: this.#state,
      uptimeMs: Math.round(this.#clock.now() - this.#startedAt),
      pools: this.#config.pools.map(({ threadId }) =>
        poolStatus(poolContext(this.supervisor, threadId), this.#hosts.get(threadId) ?? []),
      ),
      instances: [...this.#instances.values()].map(instanceStatus),
      secrets: this.secrets.status(),
      deadLetters: this.deadLetters.total,
      restarts: this.supervisor.getSnapshot().context.restarts,
    };
  }

  /** Replaces the threads of a pool, or of all, without losing an event or a state. */
  async recycle(threadId: string | undefined, timeoutMs: number = RECYCLE_MS): Promise<Recycled> {
    this.#assertRunning();
    const pools = this.#config.pools.map((pool) => pool.threadId);
    if (threadId !== undefined && !pools.includes(threadId)) {
      const known = pools.map((one) => `"${one}"`).join(', ');
      throw new HoldfastError('CONFIG_INVALID', `no pool has the threadId "${threadId}"; there are ${known}`);
    }
    return recycleThreads({
      clock: this.#clock,
      hosts: pools
        .filter((one) => threadId === undefined || one === threadId)
        .flatMap((one) => Array.from(this.#hosts.get(one) ?? [])),
      timeoutMs,
      replace: ({ pool, n }) =>
        this.#tell({ type: 'thread.recycle', threadId: pool, n, timeoutMs, force: true }),
      assertRunning: () => this.#assertRunning(),
    });
  }

  /** Lets nothing more in, and resolves when all that was sent before was handled; `false` when it was not in time. */
  async drain(timeoutMs: number = DRAIN_MS): Promise<boolean> {
    if (this.#state === 'running') {
      this.#state = 'draining';
      this.#shut = new HoldfastError(
        'RUNTIME_STOPPED',
        'the runtime drains and takes nothing more; create a new one',
      );
      for (const instance of this.#instances.values()) instance.inbox.drain();
    }
    return drained(timeoutMs, {
      clock: this.#clock,
      // What waits for one that is quarantined is not handled.
      instances: [...this.#instances.values()].filter(({ quarantine }) => quarantine === undefined),
      threads: () => this.#threads(),
    });
  }

  async drainOrWarn(timeoutMs: number = DRAIN_MS): Promise<void> {
    if (await this.drain(timeoutMs)) return;
    const waiting = [...this.#instances.values()].reduce((sum, { mailbox }) => sum + mailbox.depth, 0);
    this.#warn(
      { waiting },
      `drain gave up after ${timeoutMs} ms; what still waits becomes dead letters with stop`,
    );
  }

  /** Ends everything, once: instances after what they were sent, last started first; then the threads. */
  stop(timeoutMs: number = STOP_MS): Promise<void> {
    return (this.#stopping ??= this.#stop(timeoutMs));
  }

  async #stop(timeoutMs: number): Promise<void> {
    const draining = this.drain(timeoutMs / 2);
    this.#state = 'stopping';
    await shutDown(timeoutMs, {
      clock: this.#clock,
      drained: draining,
      instances: () => [...this.#instances.values()].toReversed(),
      flush: async () => {
        await Promise.all([this.#snapshots.flushed(), this.#flush?.()]);
      },
      stopSecrets: () => this.secrets.stop(),
      stopThreads: () => this.#stopThreads(),
      gaveUp: () => {
        this.#warn(
          { threads: this.threadNames() },
          `stop gave up after ${timeoutMs} ms; these threads do not end`,
        );
      },
    });
    this.#deadLetterLog.end();
    this.#state = 'stopped';
  }

  /** Names of the threads that have not ended. */
  threadNames(): string[] {
    return this.#threads().map(({ name }) => name);
  }

  #threads(): ThreadHost[] {
    return [...this.#hosts.values()].flatMap((hosts) => Array.from(hosts));
  }

  /** An instance may end after the supervisor has, when its thread does not let go of it. */
  #tell(event: SupervisorEvent): void {
    if (this.supervisor.getSnapshot().status === 'active') this.supervisor.send(event);
  }

  #stopThreads(): Promise<void> {
    return new Promise((resolve) => {
      this.supervisor.subscribe({ complete: resolve });
      this.#tell({ type: 'stop' });
      if (this.supervisor.getSnapshot().status !== 'active') resolve();
    });
  }

  #supervise(): SupervisorRef {
    return startSupervisor(this.#config.pools, {
      clock: this.#clock,
      startThread: (pool, n, name, tell) => {
        const { threadId } = pool;
        const moduleUrls = this.#config.agents
          .filter((agent) => agent.threadId === threadId)
          .map(({ moduleUrl }) => moduleUrl);
        const hosts = this.#hosts.get(threadId) ?? new Set();
        this.#hosts.set(threadId, hosts);
        this.#hub.emit('thread', { threadId, name, state: 'starting' });
        const host: ThreadHost = new ThreadHost({
          pool,
          n,
          name,
          moduleUrls,
          clock: this.#clock,
          startThread: this.#startThread,
          waiting: this.#waiting,
          instanceAt: (address) => this.#instances.get(address),
          recycle: (n) =>
            this.#tell({ type: 'thread.recycle', threadId, n, timeoutMs: RECYCLE_MS, force: false }),
          release: (freed) => this.#tell({ type: 'instance.release', threadId, n: freed }),
          tell: (event) => {
            if (event.type === 'worker.exit') hosts.delete(host);
            tell(event);
            if (event.type === 'worker.ready') this.#hub.emit('thread', { threadId, name, state: 'ready' });
            if (event.type === 'worker.exit')
              this.#hub.emit('thread', { threadId, name, state: 'exited', cause: host.cause });
          },
          capability: (instance, capability, input) => this.#capability(instance, capability, input),
          warn: (fields, message) => this.#warn(fields, message),
          broker: this.#broker,
          letter: ({ address, reason, event, evidence }) => {
            const incarnation = this.#instances.get(address)?.incarnation ?? 0;
            const suspected = evidence && { evidence: { ...evidence, error: decodeError(evidence.error) } };
            this.deadLetters.add({ address, reason, event, incarnation, ...suspected });
          },
        });
        hosts.add(host);
        return host;
      },
      unplaced: (address, error) => this.#instances.get(address)?.startFailed(unmade(error)),
      restart: (address) => {
        const instance = this.#instances.get(address);
        if (instance === undefined) return;
        instance.restart();
        this.#openGrants(instance);
      },
      end: (address) => this.#instances.get(address)?.finishEnded(),
      refused: ({ address, threadId, why }) => {
        const error = noThread(address, this.#pool(threadId), why);
        this.#instances.get(address)?.refused(error, why === 'full' ? 'init-timeout' : 'error');
      },
      exhausted: ({ threadId, strikes, intensity }) => {
        const error = closedPool(threadId, intensity);
        this.#hub.emit('escalation', { kind: 'pool', threadId, error, evidence: { ...intensity, strikes } });
        this.#logger.error({ threadId, error }, 'a pool starts no more threads');
      },
      pause: (address) => this.#instances.get(address)?.pause(),
      stop: (address) => void this.#instances.get(address)?.stop(),
      giveUp: (address, because) => {
        const instance = this.#instances.get(address);
        const error = instance?.giveUp(because === undefined ? undefined : this.#instances.get(because));
        // What happens to a whole group is told once.
        if (instance === undefined || error === undefined || because !== undefined) return;
        const { threadId } = instance.agent;
        this.#hub.emit('escalation', {
          kind: 'instance',
          address,
          threadId,
          error,
          evidence: error.evidence,
        });
        this.#logger.error({ address, error }, 'an instance failed too often and was quarantined');
      },
    });
  }

  readonly #instanceEffects = {
    draining: () => this.#shut,
    fromPeers: (seat: Seat) => this.#broker.handled(seat),
    large: ({ address, agent }: Instance, event: object, bytes: number) =>
      this.#large.seen(agent, address, event, bytes),
    place: (instance: Instance) => this.#tell({ type: 'instance.place', ...placeable(instance) }),
    release: ({ agent: { threadId } }: Instance, n: number) =>
      this.#tell({ type: 'instance.release', threadId, n }),
    ended: (instance: Instance, reason: 'done' | 'failed') => {
      const { address, supervision: policy, incarnation } = instance;
      const [at, random] = [this.#clock.now(), this.#clock.random()];
      const of = { ...placeable(instance), group: groupOf(instance) };
      this.#tell({ type: 'instance.failed', ...of, reason, policy, at, random });
      // Decided by now: it has ended for good, or waits for its restart.
      if (!instance.over) this.#hub.emit('agent', { address, incarnation, state: 'restarting' });
    },
    running: (instance: Instance) => {
      const { address, incarnation, supervision } = instance;
      const group = groupOf(instance);
      const temporary = supervision.restart === 'temporary';
      if (group !== undefined)
        this.#tell({ type: 'instance.running', ...placeable(instance), group, temporary });
      this.#hub.emit('agent', { address, incarnation, state: 'running' });
    },
    down: (instance: Instance) => {
      const { address, incarnation, over } = instance;
      const group = groupOf(instance);
      if (!over) this.#hub.emit('agent', { address, incarnation, state: 'restarting' });
      if (group !== undefined) this.#tell({ type: 'instance.down', address, group });
    },
    moving: (instance: Instance, from: number) => {
      const { address, incarnation } = instance;
      this.#hub.emit('agent', { address, incarnation, state: 'moving' });
      const wanted = placeable(instance);
      const anywhere = wanted.placement === undefined || wanted.placement.kind === 'fewest';
      const placement = anywhere ? ({ kind: 'replacement', of: from } as const) : wanted.placement;
      this.#tell({ type: 'instance.place', ...wanted, placement });
    },
    resume: (instance: Instance) => {
      this.#assertRunning();
      this.#tell({ type: 'instance.resume', ...placeable(instance), group: groupOf(instance) });
    },
    quarantined: ({ address, incarnation }: Instance) => {
      this.secrets.close(address);
      this.#hub.emit('agent', { address, incarnation, state: 'quarantined' });
    },
    gone: (instance: Instance) => {
      const { address, incarnation } = instance;
      this.#instances.delete(address);
      this.#refs.delete(address);
      this.secrets.close(address);
      this.#snapshots.closed(address);
      this.#tell({ type: 'instance.forget', address, group: groupOf(instance) });
      this.#hub.emit('agent', { address, incarnation, state: 'ended' });
    },
    watcherThrew: ({ address }: Instance, error: unknown) =>
      this.#logger.error({ address, error }, 'a listener of watch threw'),
  };

  readonly #twinEffects: TwinEffects = {
    create: (request: InstanceRequest, twin: AnyActorRef): Instance => {
      this.#assertRunning();
      const { agent, parent } = request;
      const id = request.id ?? this.#addresses.freeId(agent.name);
      const address = addressOf(agent.name, id);
      const effects: InstanceEffects = {
        ...this.#instanceEffects,
        clock: this.#clock,
        waiting: this.#waiting,
        deadLetters: this.deadLetters,
        sent: this.#sent,
      };
      // The machine that invoked it hears of its first error, and decides itself.
      const supervision: ResolvedAgent['supervision'] =
        parent === 'machine'
          ? { ...agent.supervision, restart: 'temporary', strategy: 'one-for-one' }
          : agent.supervision;
      const { input, snapshot } = request;
      const { sharedMemory } = this.#pool(agent.threadId);
      const instance = new Instance({
        agent,
        id,
        address,
        input,
        snapshot,
        sharedMemory,
        supervision,
        failures: this.#failuresOf(agent, supervision),
        parent,
        keeper: this.#keeper(request, address),
        effects,
      });
      this.#addresses.reserve(address, twin);
      this.#byTwin.set(twin, instance);
      toAgentRef(twin, instance);
      return instance;
    },
    observed: ({ address }, error, what) => {
      const message = what === 'observer' ? 'an observer threw' : 'an instance ended with an error';
      this.#logger.error({ address, error }, message);
    },
    // Not before it starts: a machine may stop a child in the transition that spawned it, and no one tells the child.
    begin: (instance, twin) => {
      this.#addresses.release(instance.address, twin);
      this.#instances.set(instance.address, instance);
      this.#refs.set(instance.address, twin as unknown as AgentRef);
      try {
        this.#openGrants(instance);
        const place = (): void => {
          if (!instance.over) this.#instanceEffects.place(instance);
        };
        const prepared = instance.prepared();
        if (prepared === undefined) place();
        else prepared.then(place).catch((error: unknown) => instance.startFailed(error));
      } catch (error) {
        instance.startFailed(error);
      }
    },
  };

  /** A machine restarts nothing of what it has invoked. */
  #keeper({ agent, parent, named = false }: InstanceRequest, address: string): Keeper | undefined {
    if (parent === 'machine' || (agent.state ?? this.#snapshots.defaultState) === 'fresh') return undefined;
    return this.#snapshots.open(address, named, (error) => {
      this.#warn({ address, error }, 'another runtime goes on with an instance, which ends here');
      void this.#instances.get(address)?.fenced(error);
    });
  }

  #openGrants(instance: Instance): void {
    const { address, agent } = instance;
    this.secrets.open(address, agent.grants, (event) => {
      instance.inbox.acceptControl(event);
      this.#hub.emit('secret', { type: event.type, address, label: event.label, epoch: event.epoch });
    });
  }

  async #capability(instance: Instance, name: string, input: unknown): Promise<unknown> {
    const { label, args } = (input ?? {}) as { label?: unknown; args?: unknown };
    const named = typeof label === 'string' ? label : '';
    return ownMemory(await this.secrets.call(instance.address, name, named, args));
  }

  #failuresOf({ name }: ResolvedAgent, { strategy, intensity }: ResolvedAgent['supervision']): FailureLog {
    const shared = this.#groupFailures.get(name);
    if (shared !== undefined && strategy !== 'one-for-one') return shared;
    const failures = new FailureLog(intensity.restarts);
    if (strategy !== 'one-for-one') this.#groupFailures.set(name, failures);
    return failures;
  }

  #pool(threadId: string): ResolvedPool {
    return this.#config.pools.find((pool) => pool.threadId === threadId) as ResolvedPool;
  }

  #agent(name: string): ResolvedAgent {
    const agent = this.#agents.get(name);
    if (agent !== undefined) return agent;
    const known = [...this.#agents.keys()].map((known) => `"${known}"`).join(', ') || 'none';
    throw new HoldfastError('AGENT_UNKNOWN', `no agent is named "${name}"; the config declares ${known}`);
  }

  #assertRunning(): void {
    if (this.#state === 'running') return;
    throw new HoldfastError('RUNTIME_STOPPED', 'the runtime is stopping or has stopped; create a new one');
  }

  warn(fields: object, message: string): void {
    this.#warn(fields, message);
  }

  #warn(fields: object, message: string): void {
    this.#logger.warn(fields, message);
    this.#hub.emit('warning', { ...fields, message });
  }
}

/** An instance, for its supervisor. */
function placeable({ address, agent, id }: Instance): Placeable {
  return { address, threadId: agent.threadId, placement: placementOf(agent, id) };
}

/** Those of an agent live and fail together, when its strategy says so. */
function groupOf({ agent, supervision }: Instance): string | undefined {
  return (supervision.strategy ?? 'one-for-one') === 'one-for-one' ? undefined : agent.name;
}

/** The broker keeps time by the calendar. */
function secretsTime(clock: Clock): Pick<SecretsBrokerOptions, 'clock' | 'random'> {
  return { clock: { ...clock, now: () => clock.date() }, random: () => clock.random() };
}

/** Why a worker thread could not be made. */
function unmade(error: unknown): HoldfastError {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ERR_WORKER_INVALID_EXEC_ARGV') {
    const advice =
      "this Node does not know an option that the pool's isolation needs; use Node 22.18 or later";
    return new HoldfastError('ISOLATION_UNAVAILABLE', `${advice} (${message})`, { cause: error });
  }
  return new HoldfastError('THREAD_CRASHED', `the thread could not be made: ${message}`, { cause: error });
}
