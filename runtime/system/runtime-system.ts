import { createActor, type AnyActorRef, type Subscription } from 'xstate';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import type { TwinLogic } from '../../actors/twin.ts';
import { ActivationLimit } from '../base/activation-limit.ts';
import { addressOf, agentOf, partsOf } from '../base/address.ts';
import { activate } from './activate.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import { shownError } from '../instance/quarantine.ts';
import { kindOf } from '../base/call-check.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import type { LoadedConfig, ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import { DEFAULT_PROVIDER_ALIAS } from '../config/secrets-schema.ts';
import { DeadLetterLog } from '../dead-letters/dead-letter-log.ts';
import { DeadLetters, type DeadLetter } from '../dead-letters/dead-letters.ts';
import { decisions } from '../supervision/decisions.ts';
import { drained } from './drain.ts';
import { HoldfastError } from '../base/errors.ts';
import { closedPool } from '../threads/pool-errors.ts';
import type { Instance } from '../instance/instance.ts';
import type { KeptAsk } from '../instance/ask-stream.ts';
import type { GivenId, KeptKind } from '../instance/kept-calls.ts';
import { Instances, MOST_IDS } from './instances.ts';
import { requests } from '../supervision/requests.ts';
import { poolActor } from '../../actors/supervisor.ts';
import { InspectionHub, type InspectOptions } from '../inspect/inspection-hub.ts';
import { consoleLogger, scrubbedLogger, type Logger } from '../base/logger.ts';
import type { Origin } from '../mailbox/trace.ts';
import { Waiting, type WaitOptions } from '../mailbox/waiting.ts';
import { recycleThreads, type Recycled } from './recycle.ts';
import { type NodeShare, notLinked, notLocal } from './node-share.ts';
import { refusal, silent, tooLate } from '../dead-letters/refusal.ts';
import { replayLetter } from './replay.ts';
import { EventHub, type RuntimeEvents, type RuntimeListener } from '../telling/runtime-events.ts';
import { createAudit, type Audit, type AuditTarget } from '../secrets/audit.ts';
import { McpServers } from '../mcp/mcp-servers.ts';
import { createSecretsBroker, type SecretsBroker, type SecretsBrokerOptions } from '../secrets/broker.ts';
import { createScrubber, type Scrubber } from '../secrets/scrub/scrubber.ts';
import type { StartThread } from '../threads/os-thread.ts';
import { PeerBroker } from '../threads/peer-broker.ts';
import { continuationOf, type SpawnRequest } from './spawn-request.ts';
import { KeptThreads } from './kept-threads.ts';
import { threadNotStarted } from '../threads/thread-errors.ts';
import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import type { DurableStore, EncodedState, OnStoreFailure } from '../store/durable-store.ts';
import { Ledgers } from '../store/ledgers.ts';
import { lostTurn } from '../store/lost-turn.ts';
import { StoreKeyring } from './store-keyring.ts';
import { StoreUrl } from './store-url.ts';
import type { SnapshotStore } from '../store/snapshot-store.ts';
import { Snapshots } from '../store/snapshots.ts';
import { storeFailed } from './store-failure.ts';
import { StoredLetters } from './stored-letters.ts';
import { SecretAccess } from './secret-access.ts';
import { secretInEncoded } from './secret-in-encoded.ts';
import { SentEvents } from './sent-events.ts';
import { auditCalls, grantsOfServers, toolAccess } from './tool-access.ts';
import { SchemaVisits } from './schema-visits.ts';
import { shutDown } from './shut-down.ts';
import {
  type NodeFigures,
  type NodeStatus,
  instanceStatus,
  poolStatus,
  storeStatus,
  type RuntimeFigures,
  type RuntimeOverview,
  type RuntimeStatus,
} from '../telling/status.ts';
import { MessageTelemetry } from '../telemetry/messages.ts';
import { poolContext, poolRef, startSupervisor, type SupervisorRef } from '../supervision/supervision.ts';
import type { ThreadHost } from '../threads/thread-host.ts';
import { RECYCLE_MS, Threads, type ThreadsOptions } from '../supervision/threads.ts';
import { twinLogic } from '../instance/twins.ts';
import { version } from '../base/version.ts';
import { type FoundInstance, foundInMemory, foundInStore } from './found-instance.ts';
import { Wakes } from './wakes.ts';
import type { AgentSchemas } from '../wire/agent-schemas.ts';
import type { CarriedAsk } from '../wire/protocol.ts';
import { encodeEvent } from '../wire/encoded-state.ts';
import { createChild, keepTimersByActor } from '../xstate/xstate5.ts';

export interface SystemOptions extends Pick<SecretsBrokerOptions, 'customProviders' | 'capabilities'> {
  readonly logger?: Logger;
  readonly clock?: Clock | undefined;
  readonly startThread?: StartThread | undefined;
  readonly soon?: ThreadsOptions['soon'];
  readonly logsPrinted?: ThreadsOptions['logsPrinted'];
  readonly store?: SnapshotStore | DurableStore | undefined;
  /** The target of the audit trail. */
  readonly audit?: AuditTarget | undefined;
  readonly inspect?: InspectOptions | undefined;
  /** What this node runs, of several with a common store. Default: it is alone. */
  readonly share?: NodeShare | undefined;
  /** Flushes what else holds data of the system, before it ends. */
  readonly flush?: (() => Promise<void>) | undefined;
  /** Called with every event for an instance before it is queued. */
  readonly sent?: ((event: object) => void) | undefined;
}

/** The time to wait for the outcome of an event, and the time that the event itself waits for its turn. */
export type OpenWait = Pick<
  WaitOptions,
  'timeoutMs' | 'expiresMs' | 'signal' | 'refused' | 'throws' | 'putOff'
> & {
  /** How many asks led to the event. Default: none. */
  readonly depth?: number | undefined;
  /** Where the event comes from, when that is not this program. */
  readonly origin?: Origin | undefined;
};

/** Milliseconds that an instance may take to list the asks it has put off: as long as for its snapshot. */
const PUT_OFF_MS = 5000;

/** The most instances that are woken in a second by default. */
const WAKES_PER_SECOND = 1000;
/** The instances that nobody waits for and that are on their way at once in a careful start. */
const CAREFUL_WAKES = 64;
/** Milliseconds between two looks for what other nodes have written: their word of it may be lost. */
const LOOK_MS = 1000;
/** Milliseconds before an instance is woken again for which there was no room. */
const ROOM_MS = 1000;
/** The most passive instances that are remembered as woken by the runtime, and spawned by nobody. */
const MOST_UNCLAIMED = 10_000;
/** Milliseconds that `drain` by itself may take by default: half of Kubernetes' default grace of 30 s. */
const DRAIN_MS = 15_000;
/** Milliseconds for the whole of `stop` by default: of the 10 s that Docker gives, the rest is for the program's own end. */
const STOP_MS = 8000;

/** The running system behind a `Runtime`: one supervisor, its pools, the instances and the secrets. */
export class RuntimeSystem {
  readonly deadLetters: DeadLetters;
  readonly supervisor: SupervisorRef;
  readonly secrets: SecretsBroker;
  /** The user's logger, scrubbed. */
  readonly logger: Logger;
  /** The audit trail. */
  readonly audit: Audit;
  /** Knows every value that is or was in use, and takes it out of what leaves the runtime. */
  readonly scrubber: Scrubber;
  readonly clock: Clock;
  /** Observes messages, once there is a listener. */
  readonly messages: MessageTelemetry;
  /** The hub of inspection; `undefined` when nobody inspects. */
  readonly inspection: InspectionHub | undefined;
  readonly #config: LoadedConfig;
  /** The current settings of the pools, by `threadId`. */
  readonly #pools: Map<string, ResolvedPool>;
  readonly #flush: SystemOptions['flush'];
  readonly #hub: EventHub;
  readonly #deadLetterLog: DeadLetterLog;
  readonly #waiting: Waiting;
  readonly #agents: ReadonlyMap<string, ResolvedAgent>;
  readonly #instances: Instances;
  readonly #secretAccess: SecretAccess;
  readonly #mcp: McpServers;
  readonly #threads: Threads;
  readonly #schemas: SchemaVisits;
  readonly #kept = new KeptThreads();
  /** The instances that agents have started, by the pool of the agents. */
  readonly #activated = new ActivationLimit((address) => this.#instances.at(address)?.over === false);
  readonly #broker: PeerBroker;
  readonly #snapshots: Snapshots;
  readonly #ledgers: Ledgers | undefined;
  readonly #durable: DurableStore | undefined;
  readonly #storeKeyring: StoreKeyring | undefined;
  readonly #storeUrl: StoreUrl | undefined;
  readonly #share: NodeShare | undefined;
  readonly #sent = this.#sentEvents();
  readonly #wakes: Wakes | undefined;
  readonly #letters: StoredLetters | undefined;
  /** The store was restored from a copy, and wakes nobody until it is resumed. */
  #restored = false;
  #storeId: string | undefined;
  /** The addresses of instances that the runtime has woken, and that nobody has spawned since. */
  readonly #woken = new Set<string>();
  /** The agents that are in the store and cannot be woken, of which there was a warning. */
  readonly #unwakeable = new Set<string>();
  readonly #startedAt: number;
  #state: RuntimeStatus['state'] = 'running';
  #shut: HoldfastError | undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: LoadedConfig, options: SystemOptions) {
    this.#config = config;
    this.#pools = new Map(config.pools.map((pool) => [pool.threadId, pool]));
    this.clock = options.clock ?? systemClock;
    this.scrubber = createScrubber(this.clock);
    const { scrub, scrubText, find } = this.scrubber;
    this.logger = scrubbedLogger(options.logger ?? consoleLogger, this.scrubber, (error) =>
      this.#unlogged(error),
    );
    this.#hub = new EventHub(this.logger, this.scrubber);
    this.#waiting = new Waiting(this.clock, scrub);
    this.#agents = new Map(config.agents.map((agent) => [agent.name, agent]));
    this.messages = new MessageTelemetry({
      version,
      agentAt: (address) => this.#agents.get(agentOf(address)),
      scrubText,
      clock: this.clock,
    });
    this.#startedAt = this.clock.now();
    this.#flush = options.flush;
    const { store, share } = options;
    this.#share = share;
    const isTransactional = store !== undefined && 'transactional' in store;
    const urlRef = isTransactional ? store.urlRef : undefined;
    this.#storeUrl = urlRef === undefined ? undefined : new StoreUrl(urlRef, () => this.secrets);
    this.#ledgers = isTransactional
      ? new Ledgers({
          store,
          clock: this.clock,
          warn: this.warn,
          secretIn: secretInEncoded(this.scrubber),
          learned: () => this.scrubber.learned,
          due: (address, at) => this.#due(address, at),
          // The number is known when the node has joined.
          node: () => share?.node,
          left: () => this.#wakes?.left(),
          isThrough: () => this.#wakes?.isThrough !== false && this.#letters?.isThrough !== false,
          admit: this.#sent.admit,
          unwait: (tag) => this.#waiting.forget(tag),
          hand: this.#sent.hand,
          summon: this.#sent.summon,
          failed: (error) => this.#storeFailed(error, store.onFailure),
          url: this.#storeUrl?.read,
        })
      : undefined;
    this.#durable = isTransactional ? store : undefined;
    const keyRefs = this.#durable?.keyRefs;
    this.#storeKeyring =
      this.#durable && keyRefs
        ? new StoreKeyring({
            store: this.#durable,
            keyRefs,
            secrets: () => this.secrets,
            isRunning: () => this.#state === 'running',
            info: (fields, message) => this.logger.info(fields, message),
            warn: this.warn,
          })
        : undefined;
    this.#wakes = isTransactional ? this.#openWakes(store) : undefined;
    this.#snapshots = new Snapshots({
      store: isTransactional ? undefined : store,
      clock: this.clock,
      warn: this.warn,
      secretIn: find,
    });
    this.#deadLetterLog = new DeadLetterLog({
      logger: this.logger,
      clock: this.clock,
      // An overflow policy that drops events is what the config asks for; `runtime.on` still tells of each letter.
      expected: ({ address, reason }) => {
        if (reason !== 'mailbox-full') return false;
        const overflow = this.#instances.at(address)?.agent.overflow ?? 'reject';
        return overflow !== 'reject';
      },
    });
    this.deadLetters = new DeadLetters(
      (letter, type) => {
        this.#deadLetterLog.add(letter, type);
        this.#hub.emit('dead-letter', letter);
      },
      () => this.clock.date(),
    );
    const instanceAt = (address: string): Instance | undefined => this.#instances.at(address);
    this.#letters =
      this.#ledgers &&
      new StoredLetters({
        store: this.#durable as DurableStore,
        ledgers: this.#ledgers,
        letters: this.deadLetters,
        clock: this.clock,
        perSecond: this.#durable?.wakesPerSecond ?? WAKES_PER_SECOND,
        instanceAt,
        poolOf: (agent) => this.#agents.get(agent)?.threadId,
        owns: (address) => this.#owns(address),
        warn: this.warn,
      });
    this.#broker = new PeerBroker({
      instanceAt,
      poolOf: (address) => this.#agents.get(agentOf(address))?.threadId,
      activate: (pool, address) => this.#activate(pool, address),
      rouse: (address) => this.#rouse(address),
      away: (address) => (this.#elsewhere(address) === undefined ? undefined : notLinked(address)),
      watchAway: (address) => {
        const elsewhere = this.#elsewhere(address);
        return elsewhere && ((ended) => elsewhere.watch(address, ended));
      },
      deadLetters: this.deadLetters,
    });
    const { warn } = this;
    const tell = (event: SupervisorEvent): void => this.#tell(event);
    this.inspection =
      options.inspect &&
      new InspectionHub({
        ...options.inspect,
        clock: this.clock,
        scrub,
        warn,
        addressOf: (twin) => this.#instances.of(twin)?.address,
        poolActor,
        poolOf: (address) => this.#agents.get(agentOf(address))?.threadId,
      });
    this.#secretAccess = new SecretAccess({
      secrets: () => this.secrets,
      messages: this.messages,
      hub: this.#hub,
    });
    this.#mcp = new McpServers({
      agents: config.agents,
      clock: this.clock,
      logger: this.logger,
      scrub,
      fetchWith: grantsOfServers(this.#agents, () => this.secrets),
      ended: auditCalls(() => this.audit),
    });
    this.#schemas = new SchemaVisits({ clock: this.clock, poolOf: (threadId) => this.#pool(threadId), tell });
    this.#threads = new Threads({
      agents: config.agents,
      clock: this.clock,
      startThread: options.startThread,
      soon: options.soon,
      scrubText,
      logsPrinted: options.logsPrinted,
      waiting: this.#waiting,
      instanceAt,
      visitAt: (address) => this.#schemas.take(address),
      useSecret: this.#secretAccess.use,
      callTool: toolAccess(this.#mcp, this.messages),
      openStream: this.#secretAccess.stream,
      inspection: this.inspection,
      messages: this.messages,
      broker: this.#broker,
      durable: isTransactional,
      storeFailing: () => this.#ledgers?.failing !== undefined,
      deadLetters: this.deadLetters,
      hub: this.#hub,
      logger: this.logger,
      warn,
      tell,
    });
    const effects = requests({
      clock: this.clock,
      node: () => share?.node,
      waiting: this.#waiting,
      deadLetters: this.deadLetters,
      scrubber: this.scrubber,
      messages: this.messages,
      inspects: this.inspection && ((agent) => this.inspection?.wants(agent) === true),
      sent: options.sent,
      draining: () => this.#shut,
      broker: this.#broker,
      secrets: () => this.secrets,
      endCalls: (address) => this.#mcp.endCalls(address),
      snapshots: this.#snapshots,
      ledgers: this.#ledgers,
      hub: this.#hub,
      logger: this.logger,
      warn,
      tell,
      assertRunning: () => this.#assertRunning(),
      forget: (instance, failure) => {
        if (failure !== undefined) this.inspection?.ended(instance.address, shownError(failure));
        this.#woken.delete(instance.address);
        this.#instances.forget(instance);
      },
      shelve: (instance) => {
        if (this.#woken.size > MOST_UNCLAIMED) this.#woken.delete(instance.address);
        this.#instances.shelve(instance);
      },
      watched: (instance) => this.#instances.watched(instance),
      unshelve: (instance, load) => this.#instances.unshelve(instance, load),
    });
    this.#instances = new Instances({
      effects,
      snapshots: this.#snapshots,
      ledgers: this.#ledgers,
      poolOf: (threadId) => this.#pool(threadId),
      openGrants: this.#secretAccess.open,
      owns: (address) => this.#owns(address),
      assertRunning: () => this.#assertRunning(),
      logger: this.logger,
      warn,
    });
    this.audit = createAudit(options.audit, { clock: this.clock, warn, scrubText });
    this.supervisor = this.#supervise();
    this.#inspect();
    this.secrets = createSecretsBroker({
      providers: config.providers,
      ...(config.maxSecrets !== undefined && { maxEntries: config.maxSecrets }),
      ...(options.customProviders && { customProviders: options.customProviders }),
      ...(options.capabilities && { capabilities: options.capabilities }),
      clock: this.clock,
      random: () => this.clock.random(),
      start: (logic, identity) =>
        createActor(logic, { ...identity, parent: this.supervisor as AnyActorRef }).start(),
      scrubber: this.scrubber,
      audit: options.audit === undefined ? undefined : this.audit,
      onRotated: (rotation) => this.#storeKeyring?.rotated(rotation),
      onWarning: (message) => warn({}, message),
    });
  }

  #sentEvents(): SentEvents {
    return new SentEvents({
      deadLetters: () => this.deadLetters,
      instanceAt: (address) => this.#instances.at(address),
      agentOf: (address) => this.#agents.get(agentOf(address)),
      isDurable: (agent) => this.#instances.isDurable(agent),
      secretIn: (event) => this.secretIn(event),
      activate: async (from, address) => {
        const threadId = this.#agents.get(agentOf(from))?.threadId;
        if (threadId !== undefined) await this.#activate(threadId, address);
      },
      askAway: (address, { event, row: { from }, headers }, { kind, deadline, depth }) => {
        const timeoutMs = Math.max(1, deadline - this.clock.now());
        return this.#elsewhere(address)?.ask(address, kind, event, {
          timeoutMs,
          depth,
          origin: { from, headers },
        });
      },
      rouse: (address) => this.#rouse(address),
    });
  }

  #inspect(): void {
    const { inspection } = this;
    if (inspection === undefined) return;
    inspection.watch(this.supervisor as AnyActorRef);
    this.#hub.on('agent', ({ address, state }) => {
      if (state !== 'running') inspection.ended(address);
    });
  }

  #owns(address: string): boolean {
    return this.#share?.owns(address) !== false;
  }

  /** How nodes share what there is, for a durable instance that runs on another one. */
  #elsewhere(address: string): NodeShare | undefined {
    return this.#owns(address) || !this.isPlaced(address) ? undefined : this.#share;
  }

  /** How the instance at an address is reached that runs on another node; `undefined`: it is one of this node's. */
  away(address: string): NodeShare | undefined {
    // One that is not in the store is where it was started.
    const isStored = this.#instances.at(address)?.continuation.durable ?? true;
    return isStored ? this.#elsewhere(address) : undefined;
  }

  #due(address: string, at: number): void {
    if (this.#owns(address)) this.#wakes?.due(address, at);
    // Whoever owns it finds by itself what is for later.
    else if (at <= this.clock.date()) this.#share?.nudge(address);
  }

  /** Another node has written an event for the address; resolves when that has its place, or its instance is about to wake. */
  async nudged(address: string): Promise<void> {
    if (this.#owns(address)) await this.#ledgers?.nudged(address);
  }

  /** Whether the state of an instance with that address, and an id that was given, is in the store. */
  isPlaced(address: string): boolean {
    const agent = this.#agents.get(agentOf(address));
    return this.#ledgers !== undefined && agent !== undefined && this.#instances.isDurable(agent);
  }

  /**
   * Keeps an event for an instance that runs on another node; resolves when the store has it. What is refused is a dead letter
   * too. Rejects with `AGENT_STOPPED` when it has no record. `inTurn` has it go to the store.
   */
  async keepRow(
    address: string,
    event: unknown,
    at = 0,
    inTurn: (keep: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    this.#assertRunning();
    const letter = (reason: DeadLetterReason, kept?: string): unknown =>
      this.deadLetters.add({ address, reason, event, incarnation: 0, kept });
    let encoded: EncodedState;
    try {
      encoded = encodeEvent(event);
    } catch (error) {
      letter('unclonable');
      throw error;
    }
    const admitted = this.#sent.admit([address, encoded, undefined, false]);
    if (admitted instanceof HoldfastError) throw admitted;
    const dueAt = at <= this.clock.date() ? 0 : Math.ceil(at);
    try {
      await inTurn(async () =>
        this.#ledgers?.keep(address, encoded, dueAt, (kept) => letter('unknown-address', kept)),
      );
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'MAILBOX_FULL') letter('mailbox-full');
      throw error;
    }
  }

  /** The path to the value of a secret in what is encoded, which must not be stored or leave; undefined: there is none. */
  secretIn(encoded: EncodedState): readonly string[] | undefined {
    return secretInEncoded(this.scrubber)(encoded);
  }

  /** An event that nobody waits for was not kept for an instance on another node. */
  unsent(address: string, error: unknown): void {
    const { code } = error as Partial<HoldfastError>;
    if (code !== 'RUNTIME_STOPPED' && code?.startsWith('STORE_') !== true) return;
    this.warn({ address, error }, 'nobody knows whether an event for an instance on another node is kept');
  }

  /** The name of the store under every turn, which no copy of it has; undefined before it is open. */
  get storeId(): string | undefined {
    return this.#storeId;
  }

  /** Other nodes have those addresses now: their instances here end, and tell nothing any more. */
  lost(isLost: (address: string) => boolean): void {
    this.#ledgers?.lost(isLost);
    // Whoever still holds the reference of a passive one is not to wake it here.
    for (const one of this.#instances.held())
      if (isLost(one.address) && one.continuation.durable) void one.fenced(lostTurn(one.address, 'moved'));
  }

  /** Resolves with the instance at an address, which wakes if it is in the store. Rejects with `AGENT_STOPPED` if there is none. */
  async reach(address: string): Promise<AgentRef> {
    this.#assertRunning();
    if (!this.#owns(address)) throw notLocal(address);
    const running = this.#instances.ref(address);
    if (running !== undefined) return running;
    const parts = partsOf(address);
    if (parts === undefined || !this.isPlaced(address)) throw refusal(address, 'stopped');
    const { agent, id } = parts;
    const passive = this.#instances.roused(address);
    if (passive === undefined && (await this.#ledgers?.has(address, false)) !== true)
      throw refusal(address, 'stopped');
    return this.#getRecorded(agent, id);
  }

  /** Reads the url of the database where that is a secret. */
  get readStoreUrl(): StoreUrl['read'] | undefined {
    return this.#storeUrl?.read;
  }

  /** Opens the store under every turn, if there is one. */
  async openStore(): Promise<void> {
    const ledgers = this.#ledgers;
    if (ledgers === undefined) return;
    const keyring = this.#storeKeyring;
    const opening = keyring === undefined ? ledgers.start() : keyring.open((keys) => ledgers.start(keys));
    const { restored, storeId } = await opening;
    this.#restored = restored;
    this.#storeId = storeId;
    await this.#letters?.start();
  }

  #storeFailed(error: HoldfastError, onFailure: OnStoreFailure = 'wait'): void {
    storeFailed(this.scrubber.scrub(error), {
      onFailure,
      logger: this.logger,
      stop: () => this.stop(),
      stuck: () => this.threadNames(),
    });
  }

  /** From now on instances wake that have something to do and are not in memory; none of a store that was restored. */
  startWakes(): void {
    if (this.#restored) return;
    this.#wakes?.start();
    void this.#letters?.begin();
  }

  /** Lets the instances of a store that was restored wake. */
  async resumeStore(): Promise<void> {
    await this.#durable?.resume();
    this.#restored = false;
    this.startWakes();
  }

  #openWakes(store: DurableStore): Wakes {
    return new Wakes({
      store,
      clock: this.clock,
      perSecond: store.wakesPerSecond ?? WAKES_PER_SECOND,
      atOnce: () => (this.#ledgers?.careful === undefined ? Infinity : CAREFUL_WAKES),
      isResident: (address) => this.#instances.at(address) !== undefined,
      ...(this.#share && { everyMs: LOOK_MS, overdue: (address) => void this.#ledgers?.nudged(address) }),
      wake: (address) => this.#wake(address),
      warn: this.warn,
    });
  }

  /** Returns whether an instance was woken, or is not to be. */
  async #wake(address: string): Promise<boolean> {
    if (this.#state !== 'running' || !this.#owns(address)) return true;
    const { agent, id } = partsOf(address) ?? { agent: agentOf(address), id: '' };
    const known = this.#agents.get(agent);
    if (known === undefined || known.state === 'fresh') {
      this.#cannotWake(agent, address);
      return true;
    }
    try {
      // One that nobody waits for waits for room.
      if (!(await this.#instances.spare(known.threadId))) {
        this.#wakes?.due(address, this.clock.date() + ROOM_MS);
        return true;
      }
      await this.#getRecorded(agent, id);
      await this.#ledgers?.survived(address);
      return true;
    } catch (error) {
      this.warn(
        { address, error },
        'an instance that has something to do could not be woken, which is tried again within a minute',
      );
      return false;
    }
  }

  /** Resolves with the instance at an address, which has a record. */
  #getRecorded(agent: string, id: string): Promise<AgentRef> {
    return this.getOrSpawn(agent, id, async () => {
      const address = addressOf(agent, id);
      const isUnclaimed = this.#woken.has(address);
      const waking = this.spawn(agent, { id, recorded: true });
      this.#woken.add(address);
      const ref = await waking;
      // Somebody had spawned it before it was passive.
      if (!isUnclaimed && this.#instances.at(address)?.continuation.wasPassive === true)
        this.#woken.delete(address);
      return ref;
    });
  }

  /** Wakes an instance that an agent needs, and that is in the store. */
  #rouse(address: string): Promise<void> | undefined {
    const parts = partsOf(address);
    const agent = parts && this.#agents.get(parts.agent);
    if (this.#ledgers === undefined || parts === undefined || agent === undefined || agent.state === 'fresh')
      return undefined;
    if (!this.#owns(address)) return undefined;
    return this.#instances.roused(address) === undefined ? this.#wakeFor(address, parts) : undefined;
  }

  async #wakeFor(address: string, { agent, id }: { agent: string; id: string }): Promise<void> {
    try {
      if ((await this.#ledgers?.has(address, false)) === true) await this.#getRecorded(agent, id);
    } catch (error) {
      this.warn({ address, error }, 'an instance to which an agent sends could not be woken');
    }
  }

  #cannotWake(agent: string, address: string): void {
    if (this.#unwakeable.has(agent)) return;
    this.#unwakeable.add(agent);
    const message =
      'instances of an agent have something to do and are left as they are: the config has no such agent, or its state is "fresh"';
    this.warn({ agent, address }, message);
  }

  /** Looks an instance up, in memory and in the store, and wakes nobody. */
  async find(address: string): Promise<FoundInstance | undefined> {
    const instance = this.#instances.at(address);
    if (instance !== undefined) return foundInMemory(instance);
    return this.#durable && foundInStore(this.#durable, address);
  }

  /** Fetches the keys and the url of the store, and the secrets that agents are granted; resolves when the required ones are here. */
  fetchSecrets(): Promise<void> {
    const { agents } = this.#config;
    const ofStore = [this.#storeKeyring?.declared, this.#storeUrl?.declared].filter(
      (one) => one !== undefined,
    );
    return this.secrets.prefetch([...ofStore, ...agents]);
  }

  async refreshSecret(id: string, provider: string = DEFAULT_PROVIDER_ALIAS): Promise<void> {
    this.#assertRunning();
    await this.secrets.refresh(provider, id);
  }

  async spawn(name: string, request: SpawnRequest): Promise<AgentRef> {
    this.#assertRunning();
    const agent = this.#agent(name);
    const free = request.id ?? this.#freeId(agent);
    const id = typeof free === 'string' ? free : await free;
    const address = addressOf(agent.name, id);
    if (request.id !== undefined && this.#instances.isDurable(agent) && !this.#owns(address))
      throw notLocal(address);
    const isUnclaimed = this.#woken.delete(address);
    if (isUnclaimed && request.snapshot === undefined) {
      const running = this.#instances.running(address) ?? this.#instances.roused(address);
      if (running?.instance.quarantine !== undefined) {
        this.#woken.add(address);
        throw running.instance.quarantine;
      }
      if (running?.instance.over === false)
        return activate(
          () => running,
          () => Promise.resolve(running.ref),
        );
    }
    if (this.#instances.isTaken(address)) throw taken(address);
    if (request.anew === true && !isUnclaimed && this.#instances.mayRest(agent)) {
      const isPassive = request.id !== undefined && (await this.#ledgers?.has(address, true)) === true;
      this.#assertRunning();
      if (isPassive || this.#instances.isTaken(address)) throw taken(address);
    }
    const logic = twinLogic(this.#instances, {
      agent,
      id,
      named: request.id !== undefined,
      parent: 'pool',
      snapshot: request.snapshot && continuationOf(request.snapshot),
      asks: request.asks,
      recorded: request.recorded,
    });
    const parent = poolRef(this.supervisor, agent.threadId) as AnyActorRef;
    const twin = createChild(logic, { id: address, parent, input: request.input });
    const instance = this.#instances.of(twin) as Instance;
    twin.start();
    await instance.started;
    return twin as unknown as AgentRef;
  }

  /** Returns a number for an instance without an id, of which the store has no other. */
  #freeId(agent: ResolvedAgent): string | Promise<string> {
    const isKept = this.#ledgers !== undefined && this.#instances.isDurable(agent);
    return isKept ? this.#unstoredId(agent, this.#ledgers) : this.#instances.freeId(agent.name);
  }

  async #unstoredId({ name }: ResolvedAgent, ledgers: Pick<Ledgers, 'has'>): Promise<string> {
    for (let tries = 0; ; tries += 1) {
      const id = this.#instances.freeId(name);
      const address = addressOf(name, id);
      // It starts here, and who looks for its address looks here.
      if (!this.#owns(address) && tries < MOST_IDS) continue;
      const isStored = await ledgers.has(address, false).catch((error: unknown) => {
        // What is there and damaged is somebody's all the same.
        if (error instanceof HoldfastError && error.code === 'STORE_CORRUPT') return true;
        throw error;
      });
      this.#assertRunning();
      if (!isStored && !this.#instances.isTaken(address)) return id;
    }
  }

  /** Resolves with the instance at an address, which `spawn` starts when there is none. */
  async getOrSpawn(name: string, id: string, spawn: () => Promise<AgentRef>): Promise<AgentRef> {
    this.#assertRunning();
    const address = addressOf(this.#agent(name).name, id);
    return activate(() => this.#instances.running(address) ?? this.#instances.roused(address), spawn);
  }

  /** Starts an instance that an agent of the pool sends to. The limit counts by pool, since a thread speaks for its pool. */
  async #activate(threadId: string, address: string): Promise<void> {
    const parts = partsOf(address);
    if (parts === undefined) {
      const advice = 'an address is agent/id, each as encodeURIComponent gives it';
      throw new HoldfastError('AGENT_UNKNOWN', `nothing can be started at ${quoted(address)}: ${advice}`);
    }
    const { agent, id } = parts;
    const { activatedInstances } = this.#pool(threadId);
    const elsewhere = this.#elsewhere(address);
    const start = async (): Promise<void> => {
      if (elsewhere === undefined) await this.getOrSpawn(agent, id, () => this.spawn(agent, { id }));
      else await elsewhere.begin(address);
    };
    await this.#activated.start(threadId, address, activatedInstances, start, (count) => {
      const advice = `stop some, or raise threads.${threadId}.activatedInstances (${activatedInstances})`;
      const message = `${address} was not started: agents of pool "${threadId}" have started ${count} instances that exist; ${advice}`;
      return new HoldfastError('ACTIVATION_LIMIT', message);
    });
  }

  /** The pool of an agent of the config. */
  threadIdOf(agent: string): string {
    return this.#agent(agent).threadId;
  }

  /** The names of the agents. */
  get agents(): string[] {
    return [...this.#agents.keys()];
  }

  /** Resolves with what the module of an agent says of its events. */
  async schemas(name: string): Promise<AgentSchemas> {
    this.#assertRunning();
    const schemas = await this.#schemas.of(this.#agent(name));
    // They are there to be looked at.
    return this.scrubber.scrub(schemas);
  }

  get(address: string): AgentRef | undefined {
    return this.#instances.ref(address);
  }

  /** Whether the instance at an address commits each of its turns, and keeps what is enqueued. */
  keeps(address: string): boolean {
    return this.#instances.at(address)?.inbox.keeps === true;
  }

  /** Whether the next process finds the state of an instance in the store. */
  outlives(address: string): boolean {
    return this.#instances.at(address)?.continuation.durable === true;
  }

  /** The addresses of instances whose work begins anew in the next process; `undefined` when none outlives this one. */
  working(): string[] | undefined {
    if (this.#ledgers === undefined) return undefined;
    return this.#instances.all().flatMap(({ address, works }) => (works ? [address] : []));
  }

  /** Sends an event for a caller who must know the outcome, and may wait longer than the event does. */
  open(address: string, kind: 'ask' | 'delivery', event: unknown, wait: OpenWait): Promise<unknown> {
    const instance = this.#instances.at(address);
    if (instance === undefined) {
      wait.refused?.();
      return Promise.reject(refusal(address, 'stopped'));
    }
    const onTimeout = (ms: number): Error => tooLate(address, kind, ms);
    return instance.inbox.open(kind, event, { ...wait, onTimeout });
  }

  /** Sends an event with an id, once for each caller, to an instance that {@link keeps} what it did with it. */
  keep(
    address: string,
    kind: KeptKind,
    event: unknown,
    given: GivenId,
    wait: Pick<OpenWait, 'timeoutMs' | 'signal'>,
  ): Promise<unknown> {
    const instance = this.#instances.at(address);
    if (instance === undefined) return Promise.reject(refusal(address, 'stopped'));
    const onTimeout = (ms: number): Error => tooLate(address, kind === 'ask' ? 'ask' : 'delivery', ms);
    return instance.inbox.keep(kind, event, given, { ...wait, onTimeout });
  }

  /** {@link keep} of an ask whose answer is read as it is written; `undefined` when there is no such instance. */
  keepStream(
    address: string,
    event: unknown,
    given: GivenId,
    wait: Pick<OpenWait, 'timeoutMs' | 'signal'>,
  ): KeptAsk | undefined {
    const onTimeout = (ms: number): Error => silent(address, ms);
    return this.#instances.at(address)?.inbox.keepStream(event, given, { ...wait, onTimeout });
  }

  /** Resolves with the asks that an instance has put off, for another process to take over: see {@link SpawnRequest.asks}. */
  async putOff(address: string): Promise<readonly CarriedAsk[]> {
    return (await this.#instances.at(address)?.putOff(PUT_OFF_MS)) ?? [];
  }

  async replay(id: string): Promise<void> {
    this.#assertRunning();
    const stored = this.deadLetters.stored(id);
    if (stored !== undefined && this.#letters !== undefined) return this.#letters.replay(stored);
    await replayLetter(id, this.deadLetters, this.#instances.at, this.clock);
  }

  logic(name: string): TwinLogic {
    return twinLogic(this.#instances, { agent: this.#agent(name), parent: 'machine' });
  }

  on<K extends keyof RuntimeEvents>(type: K, listener: RuntimeListener<K>): Subscription {
    return this.#hub.on(type, listener);
  }

  /** Returns the dead letters without the values of secrets. */
  listDeadLetters(): DeadLetter[] {
    return this.deadLetters.list().map((letter) => this.scrubber.scrub(letter));
  }

  status(): RuntimeStatus {
    return this.scrubber.scrub({ ...this.#overview(), instances: this.#instances.all().map(instanceStatus) });
  }

  /** The status of everything but the instances: it takes the same time, however many there are. */
  overview(): RuntimeOverview {
    return this.scrubber.scrub(this.#overview());
  }

  /** The status with its instances counted: it takes the same time, however many there are. */
  figures(): RuntimeFigures {
    const agents = this.#instances.figures(this.#broker.handledByAgent());
    return this.scrubber.scrub({ ...this.#overview(), agents });
  }

  /** All nodes of the cluster, each with what it says of itself; `undefined` for a runtime that is alone. */
  async nodeFigures(): Promise<readonly NodeFigures[] | undefined> {
    const share = this.#share;
    const nodes = share?.status()?.nodes;
    if (share === undefined || nodes === undefined) return undefined;
    const asked = nodes.map((one) => figuresOf(one, share));
    return this.scrubber.scrub(await Promise.all(asked));
  }

  #overview(): RuntimeOverview {
    const cluster = this.#share?.status();
    return {
      version,
      state: this.#state,
      uptimeMs: Math.round(this.clock.now() - this.#startedAt),
      pools: [...this.#pools.keys()].map((threadId) =>
        poolStatus(
          poolContext(this.supervisor, threadId),
          this.#threads.of(threadId),
          this.#instances.residents(threadId),
        ),
      ),
      secrets: this.secrets.status(),
      secretProviders: this.secrets.providers(),
      deadLetters: this.deadLetters.total,
      restarts: this.supervisor.getSnapshot().context.restarts,
      ...(this.#mcp.any && { mcpServers: this.#mcp.status() }),
      ...(this.#ledgers && { store: storeStatus(this.#ledgers.health, this.#ledgers.writes) }),
      ...(cluster && { cluster }),
      ...(this.inspection && { inspection: this.inspection.counts }),
    };
  }

  /** Replaces the threads of a pool, or of all, without losing an event or a state. */
  async recycle(threadId: string | undefined, timeoutMs: number = RECYCLE_MS): Promise<Recycled> {
    this.#assertRunning();
    const pools = [...this.#pools.keys()];
    if (threadId !== undefined && !pools.includes(threadId)) {
      const known = pools.map((one) => `"${one}"`).join(', ');
      throw new HoldfastError(
        'CONFIG_INVALID',
        `no pool has the threadId ${quoted(threadId)}; there are ${known}`,
      );
    }
    const chosen = pools.filter((one) => threadId === undefined || one === threadId);
    return this.#replace(
      chosen.flatMap((one) => this.#threads.of(one)),
      timeoutMs,
    );
  }

  /** Replaces one thread of a pool. */
  async recycleThread(threadId: string, n: number): Promise<Recycled> {
    this.#assertRunning();
    return this.#replace([this.#threadAt(threadId, n)]);
  }

  /** A CPU profile of the next so many milliseconds of a thread, without the values of secrets. */
  async profileThread(threadId: string, n: number, ms: number): Promise<object> {
    this.#assertRunning();
    return this.scrubber.scrub(await this.#threadAt(threadId, n).profile(ms));
  }

  #threadAt(threadId: string, n: number): ThreadHost {
    const host = this.#threads.of(threadId).find((one) => one.n === n);
    if (host !== undefined) return host;
    throw new HoldfastError('CONFIG_INVALID', `no thread ${n} of the pool ${quoted(threadId)} runs now`);
  }

  #replace(hosts: readonly ThreadHost[], timeoutMs: number = RECYCLE_MS): Promise<Recycled> {
    return recycleThreads({
      clock: this.clock,
      hosts,
      timeoutMs,
      replace: ({ pool, n }) =>
        this.#tell({ type: 'thread.recycle', threadId: pool, n, timeoutMs, force: true }),
      watchKept: (name) => this.#kept.watch(name),
      assertRunning: () => this.#assertRunning(),
    });
  }

  #keep(threadId: string, n: number, tried: number | undefined): void {
    const { intensity, startTimeoutMs } = this.#pool(threadId);
    const [thread, other] = [n, tried ?? 0].map((one) => `holdfast:${threadId}:${one}`) as [string, string];
    const why =
      tried === undefined
        ? closedPool(threadId, intensity)
        : (this.#threads.takeFailure(other) ?? threadNotStarted(other, startTimeoutMs));
    const error = this.scrubber.scrub(why);
    this.warn(
      { thread, error },
      'a thread is not replaced and goes on, because no other can be started for it',
    );
    this.#kept.tell(thread, error);
  }

  /** Gives a pool other settings, and replaces its threads one by one with threads that have them. */
  async roll(pool: ResolvedPool): Promise<Recycled> {
    this.#assertRunning();
    const { threadId, maxThreads, minThreads, idleTimeoutMs, startTimeoutMs, intensity } = pool;
    // Threads that start from here on have the new settings.
    const before = this.#threads.of(threadId);
    this.#pools.set(threadId, pool);
    const settings = { maxThreads, minThreads, idleTimeoutMs, startTimeoutMs, intensity };
    this.#tell({ type: 'pool.configure', threadId, settings });
    return this.#replace(before);
  }

  /** Lets nothing more in; resolves with `true` when all that was sent before was handled, `false` if not in time. */
  async drain(timeoutMs: number = DRAIN_MS): Promise<boolean> {
    if (this.#state === 'running') {
      this.#state = 'draining';
      this.#wakes?.stop();
      this.#shut = new HoldfastError(
        'RUNTIME_STOPPED',
        'the runtime is draining and accepts nothing more; create a new one',
      );
      for (const instance of this.#instances.all()) instance.inbox.drain();
    }
    return this.handled(timeoutMs);
  }

  /** Resolves with `true` when all that was sent before was handled, `false` if not in time. Nobody may send meanwhile. */
  handled(timeoutMs: number): Promise<boolean> {
    return drained(timeoutMs, {
      clock: this.clock,
      instances: this.#instances.all(),
      threads: () => this.#threads.all(),
    });
  }

  async drainOrWarn(timeoutMs: number = DRAIN_MS): Promise<void> {
    if (await this.drain(timeoutMs)) return;
    const waiting = this.#instances.all().reduce((sum, { mailbox }) => sum + mailbox.depth, 0);
    this.warn(
      { waiting },
      `drain gave up after ${timeoutMs} ms; what still waits becomes dead letters with stop`,
    );
  }

  /** Ends everything, once: first the instances after their mailboxes, last started first, then the threads. */
  stop(timeoutMs: number = STOP_MS): Promise<void> {
    return (this.#stopping ??= this.#stop(timeoutMs));
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#share?.release();
    await shutDown(timeoutMs, {
      clock: this.clock,
      drained: (ms) => {
        const draining = this.drain(ms);
        this.#state = 'stopping';
        return draining;
      },
      instances: () => [...this.#instances.held(), ...this.#instances.all().toReversed()],
      threads: () => this.#threads.all(),
      committed: async () => {
        await this.#ledgers?.flushed();
        if (this.#ledgers?.failing !== undefined) throw this.#ledgers.failing;
      },
      giveUpCommits: () => this.#ledgers?.giveUp(),
      endThread: ({ pool: threadId, n }) => this.#tell({ type: 'thread.end', threadId, n }),
      flush: async () => {
        await Promise.all([this.#snapshots.flushed(), this.#ledgers?.flushed(), this.#flush?.()]);
      },
      stopSecrets: async () => {
        await Promise.all([this.#mcp.stop(), this.secrets.stop()]);
        await this.audit.close();
      },
      stopThreads: () => this.#stopThreads(),
      warn: this.warn,
    });
    this.#letters?.stop();
    await this.#ledgers?.stop();
    this.#deadLetterLog.end();
    this.inspection?.stop();
    this.#waiting.close();
    this.#state = 'stopped';
    // The letters that can still be read are scrubbed for good, since from here on nobody knows the values.
    this.deadLetters.replaceAll(this.scrubber.scrub);
    this.scrubber.close();
  }

  /** Returns the names of the threads that have not ended. */
  threadNames(): string[] {
    return this.#threads.all().map(({ name }) => name);
  }

  /** Tells the supervisor, if it has not ended: an instance may end later, when its thread does not let go of it. */
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
    const poolOf = (threadId: string): ResolvedPool => this.#pool(threadId);
    return startSupervisor(
      [...this.#pools.values()],
      {
        clock: this.clock,
        made: (supervisor) => keepTimersByActor(supervisor, this.clock),
        poolOf,
        startThread: (...thread) => this.#threads.start(...thread),
      },
      decisions({
        poolOf,
        instanceAt: this.#instances.at,
        unvisited: (address, error) => this.#schemas.refused(address, error),
        openGrants: this.#secretAccess.open,
        kept: (threadId, n, tried) => this.#keep(threadId, n, tried),
        hub: this.#hub,
        logger: this.logger,
      }),
    );
  }

  #pool(threadId: string): ResolvedPool {
    return this.#pools.get(threadId) as ResolvedPool;
  }

  #agent(name: string): ResolvedAgent {
    const agent = this.#agents.get(name);
    if (agent !== undefined) return agent;
    const known = [...this.#agents.keys()].map((known) => `"${known}"`).join(', ') || 'none';
    throw new HoldfastError(
      'AGENT_UNKNOWN',
      `no agent is named ${quoted(name)}; the config declares ${known}`,
    );
  }

  #assertRunning(): void {
    if (this.#state === 'running') return;
    throw new HoldfastError('RUNTIME_STOPPED', 'the runtime is stopping or has stopped; create a new one');
  }

  /** Reports a failure of the logger itself to the console and to listeners for warnings. */
  #unlogged(error: unknown): void {
    const message = 'the logger failed; this record, and each other one that it fails to take, is lost';
    consoleLogger.warn({ error: this.scrubber.scrub(error) }, message);
    this.#hub.emit('warning', { error, message });
  }

  /** Warns by the log and to listeners for warnings. */
  readonly warn = (fields: object, message: string): void => {
    this.logger.warn(fields, message);
    this.#hub.emit('warning', { ...fields, message });
  };
}

function taken(address: string): HoldfastError {
  const message = `${address} is in use; await its stop() first, or give another id`;
  return new HoldfastError('ADDRESS_TAKEN', message);
}

/** Quotes a name from a caller, which may be anything. */
function quoted(name: unknown): string {
  return typeof name === 'string' ? `"${name}"` : kindOf(name);
}

async function figuresOf(node: NodeStatus, share: NodeShare): Promise<NodeFigures> {
  try {
    return { ...node, figures: await share.figuresOf(node.node) };
  } catch (error) {
    return { ...node, reachable: false, why: node.why ?? (error as Error).message };
  }
}
