import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { addressOf } from '../base/address.ts';
import { systemClock } from '../base/clock.ts';
import { loadForGateway } from '../config/load.ts';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import type { Failed } from '../base/guarded-server.ts';
import { inTurn } from '../base/in-turn.ts';
import { type Logger, scrubbedLogger } from '../base/logger.ts';
import {
  openRuntime,
  type AgentRef,
  type Runtime,
  type RuntimeOptions,
  type ServedSystem,
  type StartStanding,
} from '../runtime.ts';
import { standingInstances } from '../config/standing-instances.ts';
import { version } from '../base/version.ts';
import { Activations } from './activations.ts';
import { type Anywhere, anywhere } from './anywhere.ts';
import { carriedAnswer } from './answering.ts';
import { gatewayApp } from './app.ts';
import { Idempotency } from './idempotency.ts';
import { AskedStreams } from './asked-streams.ts';
import { InstanceReports } from './instance-reports.ts';
import { checkKeptStates } from './kept-states.ts';
import type {
  ControlAction,
  ControlAnswer,
  FromService,
  HandedInstance,
  HandedState,
  Prepare,
  ToService,
} from './messages.ts';
import { openedStore } from './opened-store.ts';
import { optionsOf } from './options-module.ts';
import { type HandedAsk, PutOffAsks } from './put-off-asks.ts';
import { ReadinessProbe } from './readiness.ts';
import { Receipts } from './receipts.ts';
import { RequestServer } from './request-server.ts';
import { beginStanding } from './standing.ts';
import { StreamTokens } from './stream-tokens.ts';
import { shownBy, Streams } from './streams.ts';
import { fingerprintOf, type TlsFiles, tlsOf } from './tls-files.ts';
import { TokenAccess } from './token-access.ts';
import { WorkUnderWay } from './work-under-way.ts';

/** Milliseconds for waiting events, before the states are handed over. */
const DRAIN_MS = 10_000;
/** The part of the time of a request for which it waits in a restart, so that agents end what they have begun. */
const HELD_SHARE = 1 / 2;
/** The most instances that a line of the log names. */
const MOST_NAMED = 10;
/**
 * The interval in milliseconds, and the number of tries, for the page of the inspector while another process may have
 * its port.
 */
const PAGE_MS = 1000;
const PAGE_TRIES = 60;

/** The number of requests to the front that the services of this process have made. */
let controlled = 0;

/** The process that has the runtime: it is prepared, serves, and hands its instances to the next. */
export class Service {
  readonly #logger: Logger;
  readonly #tell: (message: FromService) => void;
  #runtime: Runtime | undefined;
  #server: RequestServer | undefined;
  #access: TokenAccess | undefined;
  #system: ServedSystem | undefined;
  /** Calls of instances, on whatever node they are. */
  #anywhere: Anywhere | undefined;
  #work: WorkUnderWay | undefined;
  #tls: TlsFiles | undefined;
  #socket = '';
  #ownerDigest = '';
  #gateway: ResolvedGateway | undefined;
  /** Present until the page was opened. */
  #openPage: (() => Promise<void>) | undefined;
  /** Present until the store was opened. */
  #openStore: (() => Promise<void>) | undefined;
  /** Restores the states of the store with the code at hand. */
  #checkStates: ((ms: number) => Promise<void>) | undefined;
  /** The addresses that the config lists, and the start of those that another process had before. */
  #standing: ReadonlySet<string> = new Set();
  #startStanding: StartStanding | undefined;
  /** Answers a request; nobody is let in before it is set. */
  #listener: ReturnType<typeof getRequestListener> | undefined;
  readonly #receipts = new Receipts((connections, upTo) =>
    this.#tell({ type: 'taken', connections, ...(upTo !== undefined && { upTo }) }),
  );
  readonly #idempotency = new Idempotency(systemClock, () => this.#gateway?.limits.keptAnswerBytes ?? 0);
  readonly #asks = new PutOffAsks(
    (...event) => this.#anywhere?.open(...event) ?? Promise.reject(notPrepared()),
    () => systemClock.now(),
  );
  readonly #reports = new InstanceReports(
    (changed) => this.#tell(changed),
    (address) => this.#system?.outlives(address) === true,
  );
  readonly #readiness = new ReadinessProbe();
  readonly #leaving = new AbortController();
  readonly #streams = new Streams(this.#leaving.signal);
  readonly #asked = new AskedStreams();
  readonly #streamTokens = new StreamTokens(systemClock);
  #activations: Activations | undefined;
  #hasLeft = false;
  #isPaused = false;
  readonly #controls = new Map<number, (answer: ControlAnswer) => void>();

  constructor(logger: Logger, tell: (message: FromService) => void) {
    this.#logger = logger;
    this.#tell = tell;
  }

  /** Carries out an order of the front, and reports the result. Resolves with whether the process is to end. */
  async handle(message: ToService, socket?: Socket): Promise<boolean> {
    switch (message.type) {
      case 'prepare':
        await this.#prepare(message);
        this.#tell({
          type: 'prepared',
          version,
          ...(this.#tls && { certificate: fingerprintOf(this.#tls) }),
        });
        break;
      case 'serve':
        this.#tell({ type: 'serving', lost: await this.#serve(message.state) });
        break;
      case 'connection':
        // A client that went away on the way here leaves no socket.
        if (this.#server === undefined) socket?.destroy();
        else if (socket !== undefined) this.#server.accept(socket);
        this.#receipts.taken(message.n);
        break;
      case 'given':
        this.#receipts.given(message.upTo);
        break;
      case 'reload':
        this.reload(message);
        this.#tell({ type: 'reloaded' });
        break;
      case 'roll':
        for (const pool of message.pools) await this.#system?.roll(pool);
        this.#tell({ type: 'rolled' });
        break;
      case 'check':
        await this.#checkStates?.(message.ms);
        this.#tell({ type: 'checked' });
        break;
      case 'finish':
        await this.#finish(message);
        this.#tell({ type: 'finished' });
        break;
      case 'resume':
        await this.#resume();
        this.#tell({ type: 'resumed' });
        break;
      case 'hand-over':
        await this.#leave();
        break;
      case 'succeeded':
        await this.#passOn(message);
        return true;
      case 'controlled':
        this.#controls.get(message.n)?.(message);
        this.#controls.delete(message.n);
        break;
      case 'stop':
        await this.stop();
        return true;
    }
    return false;
  }

  /** Whether it has handed over, or is about to. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Applies another config of the gateway. */
  reload({ gateway, tls }: Omit<Extract<ToService, { type: 'reload' }>, 'type'>): void {
    this.#reload(gateway);
    if (tls !== undefined) this.#server?.secure(tls);
  }

  /** Another process serves; resolves when nobody is connected here any more. */
  async #passOn({ socket, gateway }: Extract<ToService, { type: 'succeeded' }>): Promise<void> {
    // The current access rules hold for clients that are connected here, too.
    this.#reload(gateway);
    const changed = this.#server?.succeeded(socket);
    this.#tell({ type: 'passing-on' });
    await changed;
    await this.#server?.left;
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#leaving.abort();
    this.#asked.interrupt();
    this.#reports.end();
    await this.#server?.stop(this.#gateway?.requestTimeoutMs ?? 0);
    this.#readiness.stop();
    await this.#runtime?.stop();
    // The front does it too, unless it was killed.
    if (this.#socket !== '') await rm(dirname(this.#socket), { recursive: true, force: true });
  }

  /**
   * Everything that can fail because of the config, or for reasons from outside, fails here, while the process before
   * goes on.
   */
  async #prepare({ file, socket, ownerDigest, isFirst, isPaused, inEffect }: Prepare): Promise<void> {
    this.#socket = socket;
    this.#isPaused = isPaused;
    const config = inEffect?.config ?? (await loadForGateway(file));
    const { gateway } = config;
    if (gateway === undefined) throw new TypeError('a config that was read has its gateway');
    this.#tls = inEffect === undefined ? await tlsOf(gateway, file) : inEffect.tls;
    this.#ownerDigest = ownerDigest;
    this.#reload(gateway);
    const options = await optionsOf(config, file);
    const onSystem = (system: ServedSystem): void => {
      this.#system = system;
      this.#work = new WorkUnderWay(system);
      system.on('agent', this.#reports.record);
      system.on('dead-letter', this.#streams.tails.lost);
    };
    // Always a logger: without one, a link to the inspector would be written to stderr, which is the log.
    const opened = { ...options, logger: options.logger ?? this.#logger, signals: false };
    // What is in a store of the options is not at hand before it is opened.
    if (options.store === undefined) this.#checkStates = (ms) => this.#check(config, options.providers, ms);
    this.#standing = new Set(standingInstances(config.agents).map(({ address }) => address));
    // After all requests that have come are read, so that those for one thread leave together.
    this.#runtime = await openRuntime(file, opened, {
      onSystem,
      onPage: (open) => void (this.#openPage = open),
      ...(inEffect && { loaded: inEffect.config }),
      // What another process still has is for this one when that has handed over.
      onStore: (open) => (isFirst ? openedStore(open, this.#logger) : void (this.#openStore = open)),
      ...((!isFirst || isPaused) && { onStanding: (start) => void (this.#startStanding = start) }),
      soon: setImmediate,
      logsPrinted: true,
    });
    await this.#listen(gateway, socket);
    // For a later process, the one before still has the port of the page, where one is given.
    if (isFirst) {
      await this.#openPage?.();
      this.#openPage = undefined;
    }
  }

  async #check(config: LoadedConfig, providers: RuntimeOptions['providers'], ms: number): Promise<void> {
    const scrubber = this.#system?.scrubber;
    if (scrubber === undefined) throw notPrepared();
    const logger = scrubbedLogger(this.#logger, scrubber);
    try {
      await checkKeptStates({ config, providers, logger, ms });
    } catch (error) {
      throw scrubber.scrub(error);
    }
  }

  async #listen(gateway: ResolvedGateway, socket: string): Promise<void> {
    const [tls, system] = [this.#tls, this.#system];
    const logger = system === undefined ? this.#logger : scrubbedLogger(this.#logger, system.scrubber);
    const failed: Failed = (error, what) => logger.error({ error }, `${what} failed; it was closed`);
    this.#server = new RequestServer({
      listener: (request, response) => this.#listener?.(request, response),
      requestTimeoutMs: () => (this.#gateway ?? gateway).requestTimeoutMs,
      failed,
      ...(tls && { tls }),
    });
    await this.#server.listen(socket);
  }

  #reload(gateway: ResolvedGateway): void {
    this.#gateway = gateway;
    this.#access = new TokenAccess(gateway, this.#ownerDigest, systemClock);
    this.#streams.recheck(this.#access);
    this.#asked.recheck(this.#access);
  }

  async #serve({
    instances,
    answers,
    activations,
    carried = [],
    streamTokens = [],
    events = [],
    asked = [],
  }: HandedState): Promise<HandedState['lost']> {
    const [runtime, gateway, system] = [this.#runtime, this.#gateway, this.#system];
    if (runtime === undefined || gateway === undefined || system === undefined) {
      throw notPrepared();
    }
    const { scrubber } = system;
    if (this.#openStore !== undefined) await openedStore(this.#openStore, this.#logger);
    this.#openStore = undefined;
    this.#idempotency.adopt(answers);
    this.#streamTokens.adopt(streamTokens);
    this.#asked.adopt(asked);
    const lost: { address: string; why: string }[] = [];
    const { tails } = this.#streams;
    const emitted = tails.adopt(events, shownBy(scrubber));
    const followed = new Set(events.map(({ address }) => address));
    await inTurn(instances, async ({ agent, id, snapshot, isKept: recorded = false, asks = [] }) => {
      const address = addressOf(agent, id);
      // Nobody waits for it: it wakes when it has something to do.
      if (recorded && asks.length === 0 && !followed.has(address)) return;
      // A listed instance that begins anew has its input in the config.
      if (snapshot === undefined && !recorded && this.#standing.has(address)) return;
      try {
        const started = system.spawn(agent, {
          id,
          snapshot,
          recorded,
          asks: this.#asks.adopt(address, asks),
        });
        // Before it emits anything.
        emitted(runtime.get(address));
        await started;
      } catch (error) {
        lost.push({ address: `${agent}/${id}`, why: (error as Error).message });
      }
    });
    const requestTimeoutMs = (): number => (this.#gateway ?? gateway).requestTimeoutMs;
    const logger = scrubbedLogger(this.#logger, scrubber);
    const everywhere = (this.#anywhere = anywhere(runtime, system));
    if (!this.#isPaused) await this.#begin(lost);
    this.#idempotency.takeOver(carried, (ticket) =>
      carriedAnswer(this.#asks.answer(ticket), { logger, scrubber }),
    );
    const current = (): ResolvedGateway => this.#gateway ?? gateway;
    const mostActivated = (): number => current().limits.activatedInstances;
    const isAway = (address: string): boolean => system.away(address) !== undefined;
    this.#activations = new Activations(runtime, mostActivated, activations, isAway);
    const app = gatewayApp({
      runtime,
      asks: this.#asks,
      requests: () => this.#server,
      activations: this.#activations,
      anywhere: everywhere,
      system,
      isPaused: () => this.#isPaused,
      streamTokens: this.#streamTokens,
      streams: this.#streams,
      asked: this.#asked,
      readiness: this.#readiness,
      requestTimeoutMs,
      control: (action) => this.#control(action),
      access: () => this.#access ?? new TokenAccess(gateway, this.#ownerDigest, systemClock),
      gateway: current,
      idempotency: this.#idempotency,
      leaving: this.#leaving.signal,
      scrubber,
      logger,
    });
    this.#listener = getRequestListener(app.fetch);
    this.#readiness.begin();
    await this.#tryPage(PAGE_TRIES);
    return lost;
  }

  /** Starts the instances that the config lists, and wakes those that have something to do. */
  async #begin(lost: HandedState['lost'][number][]): Promise<void> {
    const [start, system] = [this.#startStanding, this.#system];
    if (start === undefined || system === undefined) return;
    this.#startStanding = undefined;
    const logger = scrubbedLogger(this.#logger, system.scrubber);
    await beginStanding(start, lost, { logger, signal: this.#leaving.signal });
  }

  async #resume(): Promise<void> {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // What cannot be started is in the log.
    await this.#begin([]);
  }

  /**
   * The process before has closed its own page by now, or is about to be ended; another program may have the port for
   * ever.
   */
  async #tryPage(tries: number): Promise<void> {
    if (this.#openPage === undefined || this.#leaving.signal.aborted) return;
    try {
      await this.#openPage();
      this.#openPage = undefined;
    } catch (error) {
      const advice =
        'the page of the inspector cannot be served yet; the gateway tries again every second, for a minute';
      if (tries === PAGE_TRIES) this.#logger.error({ error }, advice);
      if (tries > 1) setTimeout(() => void this.#tryPage(tries - 1), PAGE_MS).unref();
    }
  }

  #control(action: ControlAction): Promise<ControlAnswer> {
    const n = (controlled += 1);
    return new Promise((resolve) => {
      this.#controls.set(n, resolve);
      this.#tell({ type: 'control', n, action });
    });
  }

  /** Everything goes on meanwhile. */
  async #finish({ workMs, ms }: Extract<ToService, { type: 'finish' }>): Promise<void> {
    this.#tellWork('info', 'the restart waits for what these instances have under way', { ms: workMs });
    await this.#work?.finished(workMs);
    await this.#asked.finished(ms);
  }

  #tellWork(level: 'info' | 'warn', message: string, more: object = {}): void {
    const addresses = this.#work?.now ?? [];
    if (addresses.length === 0) return;
    const fields = { count: addresses.length, addresses: addresses.slice(0, MOST_NAMED), ...more };
    this.#logger[level](fields, message);
  }

  /** Work of the instances that was begun here is over before they go on there. */
  async #leave(): Promise<void> {
    this.#hasLeft = true;
    const state = await this.#handOver();
    this.#reports.end();
    await this.#runtime?.stop();
    // Instances that are in the store have emitted until now.
    this.#tell({ type: 'state', state: { ...state, events: this.#streams.tails.handOver() } });
  }

  async #handOver(): Promise<HandedState> {
    const runtime = this.#runtime;
    if (runtime === undefined) return { instances: [], answers: [], lost: [] };
    this.#leaving.abort();
    const { requestTimeoutMs = 0 } = this.#gateway ?? {};
    const heldAt = performance.now();
    await this.#server?.leave(requestTimeoutMs);
    const heldMs = performance.now() - heldAt;
    await this.#work?.over(Math.max(0, requestTimeoutMs * HELD_SHARE - heldMs));
    this.#tellWork('warn', 'what these instances have under way is cut by the restart, and begins anew');
    this.#asked.interrupt();
    await runtime.drain({ timeoutMs: DRAIN_MS });
    const lost: { address: string; why: string }[] = [];
    const instances: HandedInstance[] = [];
    await inTurn(runtime.status().instances, async ({ address, agent }) => {
      const ref = runtime.get(address);
      // Another node has it by now.
      if (ref === undefined || this.#system?.away(address) !== undefined) return;
      const id = decodeURIComponent(address.slice(address.indexOf('/') + 1));
      if (this.#system?.outlives(address) === true) {
        this.#streams.tails.outlives(address);
        const asks = await this.#putOffBy(ref);
        instances.push({ agent, id, isKept: true, ...(asks.length > 0 && { asks }) });
        return;
      }
      const snapshot = await this.#stateOf(ref, (why) => lost.push({ address, why }));
      const asks = snapshot === undefined ? [] : await this.#putOffBy(ref);
      instances.push({ agent, id, ...(snapshot && { snapshot }), ...(asks.length > 0 && { asks }) });
    });
    return {
      instances,
      answers: this.#idempotency.handOver(),
      carried: this.#idempotency.carried,
      activations: this.#activations?.handOver() ?? [],
      streamTokens: this.#streamTokens.handOver(),
      asked: this.#asked.handOver(),
      lost,
    };
  }

  /**
   * When an instance cannot say what it has put off, those who wait for the answer are told when the runtime stops.
   */
  async #putOffBy({ address }: AgentRef): Promise<readonly HandedAsk[]> {
    try {
      return this.#asks.handOver(address, (await this.#system?.putOff(address)) ?? []);
    } catch {
      return [];
    }
  }

  async #stateOf(ref: AgentRef, lose: (why: string) => void): Promise<HandedInstance['snapshot']> {
    try {
      return await ref.persist();
    } catch (error) {
      lose((error as Error).message);
      return undefined;
    } finally {
      // What it emits from here on, it emits in the next process again.
      this.#streams.tails.seal(ref.address);
    }
  }
}

function notPrepared(): TypeError {
  return new TypeError('a service is prepared before it serves');
}
