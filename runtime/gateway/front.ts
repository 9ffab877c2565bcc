import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadedConfig, ResolvedPool } from '../config/resolve.ts';
import { ConfigError, HoldfastError } from '../errors.ts';
import type { Failed } from '../guarded-server.ts';
import type { Logger } from '../logger.ts';
import { version } from '../version.ts';
import { type ConfigChange, changeOf } from './config-change.ts';
import { ConfigWatch } from './config-watch.ts';
import { CrashBudget } from './crash-budget.ts';
import { Door } from './door.ts';
import { HttpError, httpErrorOf } from './http-error.ts';
import type { ControlAction, HandedState } from './messages.ts';
import { ServiceProcess } from './service-process.ts';
import { type TlsFiles, tlsOf } from './tls-files.ts';
import { digestOf } from './token-access.ts';

/** How long a process may take until it is prepared: its modules and secrets are loaded. */
const PREPARE_MS = 60_000;
/** And to hand over, or to take, all instances. */
const HAND_OVER_MS = 30_000;
/** And to replace the threads of pools, each of which may wait 10 s for its instances. */
const ROLL_MS = 600_000;
/** And to heed what takes no time. */
const HEED_MS = 5000;

const NOTHING: HandedState = { instances: [], answers: [], lost: [] };

/** What a reload came to. */
export type Reloaded = ConfigChange['kind'];

/** What a restart came to. */
export interface Restarted {
  readonly result: 'restarted';
  /** Instances that went on in the new process. */
  readonly instances: number;
  /** Instances that begin anew, or are not there any more, with why. */
  readonly lost: HandedState['lost'];
  /** Milliseconds for which requests waited. */
  readonly heldMs: number;
}

export interface FrontOptions {
  /** The config, an absolute path. */
  readonly file: string;
  /** The token of who started it. */
  readonly token: string;
  readonly logger: Logger;
  /** Takes what the service processes write; with a promise, no more of it until that resolves. */
  readonly log: (text: string) => Promise<void> | void;
  /** A process begins to serve; the address and the certificate may be others than before. */
  readonly serves?: (front: Front) => void;
  /** Default: five crashes in a minute. */
  readonly crashes?: CrashBudget;
  /** When it ended on its own: the service crashed too often. */
  readonly failed: (error: Error) => void;
}

/**
 * The small process that owns the socket. It gives each connection to a service process, which has the runtime, and holds them while
 * one takes over from another: the new process is prepared first, the old one drains and hands its instances over a pipe, and only
 * then does the new one serve. What comes meanwhile on connections of the old one waits there, and is passed on.
 */
export class Front {
  readonly #options: FrontOptions;
  readonly #startedAt = Date.now();
  readonly #crashes: CrashBudget;
  readonly #watch = new ConfigWatch(() => void this.#configChanged());
  #config: LoadedConfig;
  #door: Door | undefined;
  #tls: TlsFiles | undefined;
  #folder = '';
  #service: ServiceProcess | undefined;
  /** Those that were, and have connections still. */
  readonly #leaving = new Set<ServiceProcess>();
  #changing: Promise<unknown> = Promise.resolve();
  #restarts = 0;
  #lastProblem: string | undefined;
  #isStopping = false;

  private constructor(options: FrontOptions, config: LoadedConfig) {
    this.#options = options;
    this.#crashes = options.crashes ?? new CrashBudget();
    this.#config = config;
  }

  /**
   * Starts a gateway; resolves when it serves.
   *
   * @throws {ConfigError} when the config is invalid
   * @throws {HoldfastError} what the service failed with
   */
  static async start(options: FrontOptions): Promise<Front> {
    const front = new Front(options, await loadConfig(options.file));
    front.#folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
    try {
      front.#tls = await tlsOf(front.#gateway, options.file);
      front.#door = await front.#opened(front.#gateway);
      const service = await front.#prepared();
      await front.#serve(service, NOTHING);
      options.serves?.(front);
    } catch (error) {
      await front.stop();
      throw error;
    }
    front.#follow();
    return front;
  }

  get url(): string {
    return this.#door?.url ?? '';
  }

  /** The fingerprint of the certificate, when it serves https. */
  get certificate(): string | undefined {
    return this.#service?.certificate;
  }

  status() {
    return {
      version,
      pid: process.pid,
      servicePid: this.#service?.pid ?? null,
      // After an upgrade and a restart it is newer than that of the front, which stays.
      serviceVersion: this.#service?.version ?? null,
      url: this.url,
      config: this.#options.file,
      uptimeMs: Date.now() - this.#startedAt,
      restarts: this.#restarts,
      held: this.#door?.held ?? 0,
      ...(this.#lastProblem !== undefined && { configProblem: this.#lastProblem }),
    };
  }

  /**
   * Puts a new process in the place of the one that serves. No request is lost or refused meanwhile. When the new one cannot be
   * prepared, the old one goes on.
   */
  restart(): Promise<Restarted> {
    return this.#oneByOne(() => this.#handOver());
  }

  /** Has the config as it is on disk now take effect. An invalid one changes nothing. */
  reload(): Promise<Reloaded> {
    return this.#oneByOne(async () => {
      const config = await loadConfig(this.#options.file);
      const change = changeOf(this.#config, config);
      const kind = change.kind === 'rolled' ? await this.#roll(change.pools) : change.kind;
      if (kind === 'restarted') await this.#handOver();
      else if (kind !== 'nothing') {
        this.#config = config;
        const message = { type: 'reload', gateway: this.#gateway } as const;
        await Promise.allSettled(this.#processes().map((one) => one.ask(message, 'reloaded', HEED_MS)));
      }
      this.#lastProblem = undefined;
      this.#follow();
      return kind;
    });
  }

  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#watch.stop();
    this.#door?.close();
    const ms = this.#gateway.requestTimeoutMs;
    await Promise.all(this.#processes().map((service) => service.end(ms)));
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true });
  }

  get #gateway(): ResolvedGateway {
    const { gateway } = this.#config;
    if (gateway === undefined) throw new TypeError('a config that was read has its gateway');
    return gateway;
  }

  /** The one that serves, and those that have connections still. */
  #processes(): ServiceProcess[] {
    return this.#service === undefined ? [...this.#leaving] : [this.#service, ...this.#leaving];
  }

  #oneByOne<T>(change: () => Promise<T>): Promise<T> {
    const next = this.#changing.then(change, change);
    this.#changing = next.catch(() => {});
    return next;
  }

  #opened({ host, port }: ResolvedGateway): Promise<Door> {
    const holdMs = (): number => this.#gateway.requestTimeoutMs;
    const failed: Failed = (error, what) =>
      this.#options.logger.error({ error }, `${what} failed; it was closed`);
    return Door.open({ host, port, tls: () => this.#tls, holdMs, failed });
  }

  async #prepared(): Promise<ServiceProcess> {
    const socket = join(this.#folder, randomBytes(4).toString('hex'));
    const { file, token, log } = this.#options;
    const service = new ServiceProcess({ socket, log, control: (action) => this.#control(action) });
    try {
      const message = { type: 'prepare', file, socket, ownerDigest: digestOf(token) } as const;
      const prepared = await service.ask(message, 'prepared', PREPARE_MS);
      service.version = prepared.version;
      service.certificate = prepared.certificate;
      return service;
    } catch (error) {
      service.kill();
      throw error;
    }
  }

  async #serve(service: ServiceProcess, state: HandedState): Promise<HandedState['lost']> {
    const { lost } = await service.ask({ type: 'serve', state }, 'serving', HAND_OVER_MS);
    this.#service = service;
    void service.exited.then(() => this.#exited(service));
    const { socket } = service;
    const message = { type: 'succeeded', socket, gateway: this.#gateway } as const;
    this.#door?.leadTo((client) => service.give(client));
    await Promise.allSettled([...this.#leaving].map((one) => one.ask(message, 'passing-on', HEED_MS)));
    return lost;
  }

  /** What cannot be rolled in time is restarted. */
  async #roll(pools: readonly ResolvedPool[]): Promise<'rolled' | 'restarted'> {
    try {
      await this.#service?.ask({ type: 'roll', pools }, 'rolled', ROLL_MS);
      return 'rolled';
    } catch (error) {
      this.#options.logger.error({ error }, 'the threads of a pool could not be replaced one by one');
      return 'restarted';
    }
  }

  async #handOver(): Promise<Restarted> {
    const config = await loadConfig(this.#options.file);
    const before = this.#gateway;
    const next = await this.#prepared();
    const old = this.#service;
    const held = performance.now();
    this.#service = undefined;
    this.#door?.hold();
    let state = NOTHING;
    if (old !== undefined) {
      this.#leaving.add(old);
      void old.exited.then(() => this.#leaving.delete(old));
      try {
        const ms = before.requestTimeoutMs + HAND_OVER_MS;
        ({ state } = await old.ask({ type: 'hand-over' }, 'state', ms));
      } catch (error) {
        this.#options.logger.error({ error }, 'the old process did not hand over; its instances are lost');
        void old.end(0);
      }
    }
    this.#config = config;
    const lost = await this.#served(next, state);
    const heldMs = Math.round(performance.now() - held);
    const { host, port } = this.#gateway;
    if (host !== before.host || port !== before.port) await this.#move(before);
    this.#tls = await tlsOf(this.#gateway, this.#options.file);
    this.#options.serves?.(this);
    this.#restarts += 1;
    this.#follow();
    return { result: 'restarted', instances: state.instances.length, lost: [...state.lost, ...lost], heldMs };
  }

  /** With the state in hand it is tried once more: nobody else has it. */
  async #served(service: ServiceProcess, state: HandedState): Promise<HandedState['lost']> {
    try {
      return await this.#serve(service, state);
    } catch (error) {
      this.#options.logger.error({ error }, 'the new process failed as it took over; another one is started');
      service.kill();
    }
    try {
      return await this.#serve(await this.#prepared(), state);
    } catch (error) {
      this.#giveUp('the new process failed twice as it took over; its log says why');
      throw error;
    }
  }

  /** Who held on is told, and who started this process starts it again. */
  #giveUp(why: string): void {
    this.#door?.refuse(new HttpError(503, 'SERVICE_FAILED', why));
    this.#options.failed(new HoldfastError('RUNTIME_STOPPED', why));
  }

  /** Another address: who is connected to the old one is answered to the end. */
  async #move(before: ResolvedGateway): Promise<void> {
    const old = this.#door;
    // The same port at another host cannot be had while the old one has it.
    const isSamePort = before.port === this.#gateway.port;
    if (isSamePort) old?.close();
    try {
      this.#door = await this.#opened(this.#gateway);
      if (!isSamePort) old?.close();
    } catch (error) {
      this.#options.logger.error({ error }, 'the new address cannot be had; the old one stays');
      if (isSamePort) this.#door = await this.#reopened(before);
    }
    const service = this.#service;
    if (service !== undefined) this.#door?.leadTo((socket) => service.give(socket));
  }

  async #reopened(before: ResolvedGateway): Promise<Door | undefined> {
    try {
      return await this.#opened(before);
    } catch {
      this.#giveUp(`neither the new address nor ${before.host}:${before.port} can be had`);
      return undefined;
    }
  }

  #exited(service: ServiceProcess): void {
    if (this.#service !== service || this.#isStopping) return;
    this.#service = undefined;
    this.#door?.hold();
    const wait = this.#crashes.crashed(performance.now());
    const { logger } = this.#options;
    if (wait === undefined) return this.#giveUp('the service crashed too often; its log says why');
    logger.error({ pid: service.pid, wait }, 'the service process ended; it is started again');
    void this.#oneByOne(async () => {
      await delay(wait);
      // A restart that was under way may have another one serve by now.
      if (this.#isStopping || this.#service !== undefined) return;
      try {
        await this.#serve(await this.#prepared(), NOTHING);
        this.#restarts += 1;
      } catch (error) {
        logger.error({ error }, 'the service could not be started');
        this.#service = service;
        this.#exited(service);
      }
    });
  }

  #follow(): void {
    const { files = [this.#options.file] } = this.#config;
    if (this.#gateway.reload && !this.#isStopping) this.#watch.follow(files);
    else this.#watch.stop();
  }

  async #configChanged(): Promise<void> {
    const { logger } = this.#options;
    try {
      const kind = await this.reload();
      logger.info({ result: kind }, 'the config was read again');
    } catch (error) {
      const { message } = error as Error;
      this.#lastProblem = message;
      const what =
        error instanceof ConfigError ? 'the config is invalid' : 'the config could not take effect';
      logger.warn({ message }, `${what}; the last good one stays`);
    }
  }

  /** Does what a request to a service process asks of the gateway. */
  async #control(action: ControlAction): Promise<{ status: number; body: object }> {
    try {
      if (action === 'status') return { status: 200, body: this.status() };
      if (action === 'restart') return { status: 200, body: await this.restart() };
      if (action === 'reload') return { status: 200, body: { result: await this.reload() } };
      // After the answer is on its way.
      setImmediate(() => process.emit('SIGTERM'));
      return { status: 202, body: { result: 'stopping' } };
    } catch (error) {
      const { status, code, message } = httpErrorOf(error);
      return { status, body: { error: { code, message } } };
    }
  }
}
