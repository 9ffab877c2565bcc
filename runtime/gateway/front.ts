import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { addressOf } from '../base/address.ts';
import { systemClock, within } from '../base/clock.ts';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import { readForGateway } from '../config/load.ts';
import type { LoadedConfig, ResolvedPool } from '../config/resolve.ts';
import { ConfigError, HoldfastError } from '../base/errors.ts';
import type { Failed } from '../base/guarded-server.ts';
import type { Logger } from '../base/logger.ts';
import { standingInstances } from '../config/standing-instances.ts';
import { version } from '../base/version.ts';
import { type ConfigChange, changeOf } from './config-change.ts';
import { ConfigWatch } from './config-watch.ts';
import { CrashBudget } from './crash-budget.ts';
import { Door } from './door.ts';
import { errorBody, HttpError, httpErrorOf } from './http-error.ts';
import { goneOf, logGone } from './known-instances.ts';
import type { ControlAction, ControlAnswer, HandedState, InEffect } from './messages.ts';
import { RESUME } from './paused.ts';
import { realModules } from './real-modules.ts';
import type { ServiceProcess } from './service-process.ts';
import { Services } from './services.ts';
import { startMs } from './start-time.ts';
import { fingerprintOf, sameFiles, type TlsFiles, tlsOf } from './tls-files.ts';
import { digestOf } from './token-access.ts';

/** Milliseconds for a process to hand over all instances. */
const HAND_OVER_MS = 30_000;
/** Milliseconds for the work of durable instances that is under way as a restart is asked for, such as a call of a model. */
const WORK_MS = 60_000;
/** Milliseconds for the answers that agents write as a restart is asked for: half of what a request may take by default, such as the one that asked for the restart. */
const FINISH_MS = 15_000;
/** Milliseconds to replace the threads of pools, each of which may wait 10 s for its instances. */
const ROLL_MS = 600_000;
/** Milliseconds to start the instances that the config lists, which may take 10 s. */
const RESUME_MS = 30_000;
/** Milliseconds for an order that takes no time. */
const HEED_MS = 5000;
/** The most processes that pass on the requests of their connections; beyond it the oldest is ended. */
const MOST_LEAVING = 4;

const NOTHING: HandedState = { instances: [], answers: [], lost: [] };

/** The result of a reload. */
export type Reloaded = ConfigChange['kind'];

/** The result of a restart. */
export interface Restarted {
  readonly result: 'restarted';
  /** The number of instances that went on in the new process. */
  readonly instances: number;
  /** Instances that begin anew or are gone, each with the reason. */
  readonly lost: HandedState['lost'];
  /** Milliseconds for which requests waited. */
  readonly heldMs: number;
}

/** The replacements that a restart makes, besides the process. */
interface Replacement {
  readonly config: LoadedConfig;
  readonly tls: TlsFiles | undefined;
  /** The real places of its modules, as one text. */
  readonly modules: string;
  /** Absent when the address stays, or its port does. */
  readonly door: Door | undefined;
}

export interface FrontOptions {
  /** The config, as an absolute path. */
  readonly file: string;
  /** The token of the user who started the gateway. */
  readonly token: string;
  readonly logger: Logger;
  /** Takes the output of the service processes; while it returns a pending promise, no more is read. */
  readonly log: (text: string) => Promise<void> | void;
  /** Called when a process begins to serve; the address and the certificate may have changed. */
  readonly serves?: (front: Front) => void;
  /** Whether agents handle nothing until {@link Front.resume}. Default: false. */
  readonly isPaused?: boolean;
  /** Default: five crashes in a minute. */
  readonly crashes?: CrashBudget;
  /** Milliseconds that a restart gives agents to end the answers that they write to clients. Default: 15 s. */
  readonly finishMs?: number;
  /** Milliseconds that a restart gives durable instances to end what they have under way. Default: 60 s. */
  readonly workMs?: number;
  /** Called when the gateway ended by itself, because the service crashed too often. */
  readonly failed: (error: Error) => void;
  /** Stops the gateway, even while it starts. Default: none. */
  readonly signal?: AbortSignal;
}

/**
 * The front: the small process that owns the socket. It gives each connection to a service process, which has the
 * runtime, and holds connections while one process takes over from another: the new one is prepared first, the old one
 * drains and hands its instances over a pipe, and only then does the new one serve. Requests that come in the meantime
 * on connections of the old one wait there, and are passed on.
 */
export class Front {
  readonly #options: FrontOptions;
  readonly #startedAt = Date.now();
  readonly #crashes: CrashBudget;
  readonly #watch = new ConfigWatch({
    changed: () => void this.#configChanged(),
    troubled: (folder, code) =>
      this.#options.logger.warn(
        { folder, code },
        'a folder of the config cannot be watched; its files are checked every 2 s',
      ),
  });
  /** Resolves when the gateway serves; changes before that are read then. */
  readonly #started = Promise.withResolvers<void>();
  #config: LoadedConfig;
  /** The files whose change may make another config. */
  #looked: readonly string[];
  /** The real places of the modules that the service has loaded, as one text. */
  #modules = '';
  #door: Door | undefined;
  #tls: TlsFiles | undefined;
  readonly #services: Services;
  #service: ServiceProcess | undefined;
  /** Earlier processes that still have connections. */
  readonly #leaving = new Set<ServiceProcess>();
  #changing: Promise<unknown> = Promise.resolve();
  /** The orders that have not begun; a further request for the same gets the same. */
  #nextRestart: Promise<Restarted> | undefined;
  #isNextForced = false;
  #nextReload: Promise<Reloaded> | undefined;
  #restarts = 0;
  #isPaused: boolean;
  #lastProblem: string | undefined;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  private constructor(options: FrontOptions, config: LoadedConfig, looked: readonly string[]) {
    this.#options = options;
    this.#looked = looked;
    this.#crashes = options.crashes ?? new CrashBudget();
    this.#config = config;
    this.#isPaused = options.isPaused === true;
    this.#services = new Services({
      file: options.file,
      ownerDigest: digestOf(options.token),
      log: options.log,
      control: (action) => this.#control(action),
      isPaused: () => this.#isPaused,
      lost: (socket) => this.#door?.turnAway(socket, tooMany()),
      exited: (service, untaken) => this.#exited(service, untaken),
    });
  }

  /**
   * Starts a gateway; resolves when it serves.
   *
   * @throws {ConfigError} when the config is invalid
   * @throws {HoldfastError} the failure of the service; `RUNTIME_STOPPED` when it was stopped in the meantime
   */
  static async start(options: FrontOptions): Promise<Front> {
    const { config, error, looked } = await readForGateway(options.file);
    if (error !== undefined) throw error;
    const front = new Front(options, config, looked);
    const stop = (): void => void front.stop();
    if (options.signal?.aborted === true) stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      front.#goOn();
      front.#follow();
      front.#tls = await tlsOf(front.#gateway, options.file);
      front.#modules = await realModules(config, options.file);
      front.#door = await front.#opened(front.#gateway);
      await front.#serve(await front.#services.prepared(true), NOTHING);
      options.serves?.(front);
    } catch (error) {
      await front.stop();
      throw error;
    }
    front.#started.resolve();
    return front;
  }

  get url(): string {
    return this.#door?.url ?? '';
  }

  /** The fingerprint of the certificate, when the gateway serves https. */
  get certificate(): string | undefined {
    return this.#service?.certificate;
  }

  status() {
    return {
      version,
      pid: process.pid,
      servicePid: this.#service?.pid ?? null,
      // After an upgrade and a restart the service is newer than the front, which stays.
      serviceVersion: this.#service?.version ?? null,
      url: this.url,
      config: this.#options.file,
      ...(this.certificate !== undefined && { certificate: this.certificate }),
      uptimeMs: Date.now() - this.#startedAt,
      restarts: this.#restarts,
      ...(this.#isPaused && { paused: true, next: RESUME }),
      held: this.#door?.held ?? 0,
      instances: this.#service?.instances.count ?? 0,
      ...(this.#lastProblem !== undefined && { configProblem: this.#lastProblem }),
    };
  }

  /**
   * Replaces the serving process with a new one. No request is lost or refused meanwhile. When the new process cannot
   * be prepared, the old one goes on. `force`: also when the new one cannot read states that the store keeps.
   */
  restart(force = false): Promise<Restarted> {
    this.#isNextForced ||= force;
    this.#nextRestart ??= this.#oneByOne(() => {
      this.#nextRestart = undefined;
      const isForced = this.#isNextForced;
      this.#isNextForced = false;
      return this.#handOver(isForced);
    });
    return this.#nextRestart;
  }

  /** Applies the config as it is on disk now. An invalid config changes nothing. */
  reload(): Promise<Reloaded> {
    this.#nextReload ??= this.#oneByOne(() => {
      this.#nextReload = undefined;
      return this.#takeUp();
    });
    return this.#nextReload;
  }

  /** Has the agents of a gateway that was started paused handle what comes, and what waits. */
  resume(): Promise<'resumed' | 'running'> {
    return this.#oneByOne(async () => {
      if (!this.#isPaused) return 'running';
      this.#isPaused = false;
      // A process that takes its place is told so itself.
      await this.#service?.ask({ type: 'resume' }, 'resumed', RESUME_MS);
      return 'resumed';
    });
  }

  /**
   * Ends all processes, whatever is under way; requests have `requestTimeoutMs`. A second call returns the same stop.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    this.#stopping.abort();
    this.#watch.stop();
    this.#door?.close();
    await this.#services.end(this.#gateway.requestTimeoutMs);
    // Changes under way find that nothing goes on.
    const late = (): Error => new HoldfastError('RUNTIME_STOPPED', 'another change is still under way');
    await within(systemClock, HEED_MS, this.#changing, late).catch(() => {});
  }

  /** Throws in a step of a change when a stop has overtaken it. */
  #goOn(): void {
    if (this.#isStopping) throw new HoldfastError('RUNTIME_STOPPED', 'the gateway stops');
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  get #gateway(): ResolvedGateway {
    const { gateway } = this.#config;
    if (gateway === undefined) throw new TypeError('a config that was read has its gateway');
    return gateway;
  }

  /** The process that serves, and those that still have connections. */
  #processes(): ServiceProcess[] {
    return this.#service === undefined ? [...this.#leaving] : [this.#service, ...this.#leaving];
  }

  #oneByOne<T>(change: () => Promise<T>): Promise<T> {
    const next = this.#changing.then(() => {
      this.#goOn();
      return change();
    });
    this.#changing = next.catch(() => {});
    return next;
  }

  async #opened({ host, port }: ResolvedGateway): Promise<Door> {
    const holdMs = (): number => this.#gateway.requestTimeoutMs;
    const failed: Failed = (error, what) =>
      this.#options.logger.error({ error }, `${what} failed; it was closed`);
    const door = await Door.open({ host, port, tls: () => this.#tls, holdMs, failed });
    if (this.#isStopping) door.close();
    this.#goOn();
    return door;
  }

  async #takeUp(): Promise<Reloaded> {
    const config = await this.#read();
    const tls = await tlsOf(config.gateway ?? this.#gateway, this.#options.file);
    const isMoved = (await realModules(config, this.#options.file)) !== this.#modules;
    const change = isMoved ? ({ kind: 'restarted' } as const) : changeOf(this.#config, config);
    const kind = change.kind === 'rolled' ? await this.#roll(change.pools) : change.kind;
    this.#goOn();
    if (kind === 'restarted') await this.#handOver(false);
    const isRenewed = kind !== 'restarted' && !sameFiles(tls, this.#tls);
    if (kind === 'applied' || kind === 'rolled' || isRenewed) await this.#apply(config, isRenewed, tls);
    this.#lastProblem = undefined;
    this.#follow();
    return kind === 'nothing' && isRenewed ? 'applied' : kind;
  }

  /** Ends the process when it fails to serve. */
  async #serve(service: ServiceProcess, state: HandedState): Promise<HandedState['lost']> {
    let lost: HandedState['lost'];
    try {
      this.#goOn();
      const ms = startMs(this.#config.pools, state.instances.length);
      ({ lost } = await service.ask({ type: 'serve', state }, 'serving', ms));
      this.#goOn();
    } catch (error) {
      // A stop of everything lets the process clean up.
      if (!this.#isStopping) service.kill();
      throw error;
    }
    this.#service = service;
    const { socket } = service;
    const message = { type: 'succeeded', socket, gateway: this.#gateway } as const;
    this.#door?.leadTo((client) => service.give(client));
    await Promise.allSettled([...this.#leaving].map((one) => one.ask(message, 'passing-on', HEED_MS)));
    this.#goOn();
    return lost;
  }

  /** Applies a change that needs no new process in the processes that exist. */
  async #apply(config: LoadedConfig, isRenewed: boolean, tls: TlsFiles | undefined): Promise<void> {
    this.#config = config;
    const gateway = this.#gateway;
    const message = { type: 'reload', gateway, ...(isRenewed && tls !== undefined && { tls }) } as const;
    await Promise.allSettled(this.#processes().map((one) => one.ask(message, 'reloaded', HEED_MS)));
    this.#goOn();
    if (!isRenewed || tls === undefined) return;
    this.#tls = tls;
    if (this.#service !== undefined) this.#service.certificate = fingerprintOf(tls);
    this.#options.serves?.(this);
  }

  /** Reads the config as it is on disk. Its files are followed from then on, even when it is invalid. */
  async #read(): Promise<LoadedConfig> {
    const { config, error, looked } = await readForGateway(this.#options.file);
    this.#looked = looked;
    this.#follow();
    if (error !== undefined) throw error;
    return config;
  }

  /** A pool that cannot be rolled in time leads to a restart. */
  async #roll(pools: readonly ResolvedPool[]): Promise<'rolled' | 'restarted'> {
    try {
      await this.#service?.ask({ type: 'roll', pools }, 'rolled', ROLL_MS);
      return 'rolled';
    } catch (error) {
      this.#goOn();
      this.#options.logger.error({ error }, 'the threads of a pool could not be replaced one by one');
      return 'restarted';
    }
  }

  async #handOver(isForced: boolean): Promise<Restarted> {
    const config = await this.#read();
    const { gateway = this.#gateway } = config;
    // Steps that can fail for reasons from outside come first, while the old process goes on.
    const tls = await tlsOf(gateway, this.#options.file);
    const modules = await realModules(config, this.#options.file);
    // The same port at another host cannot be had while the old door has it.
    const door = gateway.port === this.#gateway.port ? undefined : await this.#opened(gateway);
    try {
      const next = await this.#services.preparedToFollow(isForced);
      this.#goOn();
      await this.#finished();
      return await this.#replaced(next, { config, tls, modules, door });
    } catch (error) {
      if (this.#door !== door) door?.close();
      throw error;
    }
  }

  /** Agents end their work and the answers that they write; meanwhile everything goes on as before. */
  async #finished(): Promise<void> {
    // A process that does not say so hands over what it has.
    const { finishMs: ms = FINISH_MS, workMs = WORK_MS } = this.#options;
    const order = { type: 'finish', workMs, ms } as const;
    await this.#service?.ask(order, 'finished', workMs + ms + HEED_MS).catch(() => {});
    this.#goOn();
  }

  async #replaced(next: ServiceProcess, { config, tls, modules, door }: Replacement): Promise<Restarted> {
    const before = this.#gateway;
    const inEffect = { config: this.#config, tls: this.#tls };
    let old = this.#service;
    const held = performance.now();
    this.#service = undefined;
    this.#door?.hold();
    let state = NOTHING;
    if (old !== undefined) {
      this.#leaving.add(old);
      try {
        const ms = before.requestTimeoutMs + HAND_OVER_MS;
        ({ state } = await old.ask({ type: 'hand-over' }, 'state', ms));
      } catch (error) {
        this.#goOn();
        this.#options.logger.error({ error }, 'the old process did not hand over; its instances are lost');
        this.#mourn(old);
        void old.end(0);
        old = undefined;
      }
    }
    this.#config = config;
    this.#tls = tls;
    const lost = await this.#served(next, state, old && (() => this.#backTo(old, inEffect, state)));
    const heldMs = Math.round(performance.now() - held);
    this.#modules = modules;
    if (door !== undefined) this.#moveTo(door);
    else if (this.#gateway.host !== before.host) await this.#move(before);
    this.#options.serves?.(this);
    this.#restarts += 1;
    this.#follow();
    for (const oldest of [...this.#leaving].slice(0, -MOST_LEAVING)) void oldest.end(before.requestTimeoutMs);
    return { result: 'restarted', instances: state.instances.length, lost: [...state.lost, ...lost], heldMs };
  }

  /**
   * When the process fails, the old one goes on, and the restart has failed. Without an old one it is tried once more,
   * because nobody else has the state.
   */
  async #served(
    service: ServiceProcess,
    state: HandedState,
    goBack: (() => Promise<void>) | undefined,
  ): Promise<HandedState['lost']> {
    const { logger } = this.#options;
    try {
      return await this.#serve(service, state);
    } catch (error) {
      this.#goOn();
      logger.error({ error }, 'the new process failed as it took over');
      const isBack = goBack?.().then(
        () => true,
        (error: unknown) => {
          this.#goOn();
          logger.error({ error }, 'the old process could not go on; another one is started');
          return false;
        },
      );
      if (await isBack) throw notReplaced(error);
    }
    try {
      return await this.#serve(await this.#services.prepared(false), state);
    } catch (error) {
      this.#goOn();
      this.#giveUp('the new process failed twice as it took over; its log says why');
      logGone(this.#options.logger, goneOf(state.instances.map(({ agent, id }) => addressOf(agent, id))));
      throw error;
    }
  }

  /** Has a process that has handed over serve again. */
  async #backTo(old: ServiceProcess, inEffect: InEffect, state: HandedState): Promise<void> {
    this.#config = inEffect.config;
    this.#tls = inEffect.tls;
    await this.#services.again(old, inEffect);
    await this.#serve(old, state);
    this.#leaving.delete(old);
  }

  /** Waiting clients are told, and the owner of this process starts it again. */
  #giveUp(why: string): void {
    this.#door?.refuse(new HttpError(503, 'SERVICE_FAILED', why));
    this.#options.failed(new HoldfastError('RUNTIME_STOPPED', why));
  }

  /** Clients of the old address are answered to the end. */
  #moveTo(door: Door): void {
    const [old, service] = [this.#door, this.#service];
    this.#door = door;
    if (service === undefined) door.hold();
    else door.leadTo((socket) => service.give(socket));
    old?.close();
  }

  /** Moves to the same port of another host. */
  async #move(before: ResolvedGateway): Promise<void> {
    this.#door?.close();
    try {
      this.#moveTo(await this.#opened(this.#gateway));
    } catch (error) {
      this.#goOn();
      this.#options.logger.error(
        { error },
        'the gateway cannot listen at the new address; it stays at the old one',
      );
      await this.#moveBack(before);
    }
  }

  async #moveBack(before: ResolvedGateway): Promise<void> {
    try {
      this.#moveTo(await this.#opened(before));
    } catch {
      this.#goOn();
      this.#giveUp(`neither the new address nor ${before.host}:${before.port} can be listened at`);
    }
  }

  #exited(service: ServiceProcess, untaken: readonly Socket[]): void {
    this.#leaving.delete(service);
    if (this.#service === service && !this.#isStopping) {
      this.#crashed(service.pid);
      this.#mourn(service);
    }
    for (const socket of untaken) {
      if (this.#door === undefined) socket.destroy();
      else this.#door.readmit(socket);
    }
  }

  #crashed(pid: number | undefined): void {
    if (this.#isStopping) return;
    this.#service = undefined;
    this.#door?.hold();
    const wait = this.#crashes.crashed(performance.now());
    const { logger } = this.#options;
    if (wait === undefined) return this.#giveUp('the service crashed too often; its log says why');
    logger.error({ pid, wait }, 'the service process ended; it is started again');
    // Rejects when a stop overtakes it.
    this.#oneByOne(() => this.#again(wait)).catch(() => {});
  }

  /** Reports the instances of a process that did not hand them over. */
  #mourn({ instances }: ServiceProcess): void {
    const standing = standingInstances(this.#config.agents).map(({ address }) => address);
    logGone(this.#options.logger, instances.lost(new Set(standing)));
  }

  async #again(wait: number): Promise<void> {
    await delay(wait, undefined, { signal: this.#stopping.signal });
    // A restart that was under way may have put another process in place by now.
    if (this.#service !== undefined) return;
    let service: ServiceProcess | undefined;
    try {
      // The config in effect, because the one on disk may be invalid by now; a valid one is applied as any change is.
      service = await this.#services.prepared(false, { config: this.#config, tls: this.#tls });
      await this.#serve(service, NOTHING);
      this.#restarts += 1;
    } catch (error) {
      this.#goOn();
      this.#options.logger.error({ error }, 'the service could not be started');
      this.#crashed(service?.pid);
    }
  }

  #follow(): void {
    if (this.#gateway.reload && !this.#isStopping) this.#watch.follow(this.#looked);
    else this.#watch.stop();
  }

  async #configChanged(): Promise<void> {
    const { logger } = this.#options;
    try {
      await this.#started.promise;
      const kind = await this.reload();
      logger.info({ result: kind }, 'the config was read again');
    } catch (error) {
      if (this.#isStopping) return;
      const { message } = error as Error;
      this.#lastProblem = message;
      const what =
        error instanceof ConfigError ? 'the config is invalid' : 'the config could not take effect';
      logger.warn({ message }, `${what}; the last good one stays`);
    }
  }

  /** Carries out a request of a service process to the gateway. */
  async #control(action: ControlAction): Promise<ControlAnswer> {
    try {
      if (action === 'status') return { status: 200, body: this.status() };
      if (action === 'restart') return { status: 200, body: await this.restart() };
      if (action === 'forced-restart') return { status: 200, body: await this.restart(true) };
      if (action === 'resume') return { status: 200, body: { result: await this.resume() } };
      if (action === 'reload') return { status: 200, body: { result: await this.reload() } };
      // After the answer is on its way.
      if (!this.#isStopping) setImmediate(() => process.emit('SIGTERM'));
      return { status: 202, body: { result: 'stopping' } };
    } catch (error) {
      const found = httpErrorOf(error);
      return { status: found.status, body: errorBody(found), retryAfter: found.retryAfter };
    }
  }
}

function notReplaced(error: unknown): HttpError {
  const { code, message } = httpErrorOf(error);
  return new HttpError(503, code, `the new process could not take over, and the old one goes on: ${message}`);
}

function tooMany(): HttpError {
  return new HttpError(503, 'SERVICE_FAILED', 'the service has no room for another connection');
}
