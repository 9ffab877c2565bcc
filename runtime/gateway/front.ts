import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../clock.ts';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { ConfigError, HoldfastError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { version } from '../version.ts';
import { ConfigWatch } from './config-watch.ts';
import { CrashBudget } from './crash-budget.ts';
import { HttpError, httpErrorOf } from './http-error.ts';
import type { HandedState } from './messages.ts';
import { ServiceProcess } from './service-process.ts';
import { digestOf, may, TokenAccess } from './token-access.ts';

/** How long a process may take until it is prepared: its modules and secrets are loaded. */
const PREPARE_MS = 60_000;
/** And to hand over, or to take, all instances. */
const HAND_OVER_MS = 30_000;
/** Requests that wait while no process serves; more are refused. */
const MOST_HELD = 10_000;

const NOTHING: HandedState = { instances: [], answers: [], lost: [] };

/** What a reload came to. */
export type Reloaded = 'nothing' | 'applied' | 'restarted';

/** What a restart came to. */
export interface Restarted {
  readonly result: 'restarted';
  /** Instances that went on in the new process. */
  readonly instances: number;
  /** Instances that begin anew, or are not there any more, with why. */
  readonly lost: HandedState['lost'];
  /** Milliseconds for which requests were held. */
  readonly heldMs: number;
}

export interface FrontOptions {
  /** The config, an absolute path. */
  readonly file: string;
  /** The token of who started it. */
  readonly token: string;
  readonly logger: Logger;
  /** What the service processes write. */
  readonly log: (line: string) => void;
  /** Default: five crashes in a minute. */
  readonly crashes?: CrashBudget;
  /** When it ended on its own: the service crashed too often. */
  readonly failed: (error: Error) => void;
}

/**
 * The small process that owns the socket. It passes requests on to a service process, which has the runtime, and holds them while one
 * takes over from another: the new process is prepared first, the old one drains and hands its instances over a pipe, and only then
 * does the new one serve.
 */
export class Front {
  readonly #options: FrontOptions;
  readonly #startedAt = Date.now();
  readonly #crashes: CrashBudget;
  readonly #watch = new ConfigWatch(() => void this.#configChanged());
  #config: LoadedConfig;
  #server: Server | undefined;
  #access: TokenAccess;
  #folder = '';
  #service: ServiceProcess | undefined;
  /** Resolves with the process that serves. */
  #serving = Promise.withResolvers<ServiceProcess>();
  #held = 0;
  #changing: Promise<unknown> = Promise.resolve();
  #restarts = 0;
  #lastProblem: string | undefined;
  #isStopping = false;

  private constructor(options: FrontOptions, config: LoadedConfig) {
    this.#options = options;
    this.#crashes = options.crashes ?? new CrashBudget();
    this.#config = config;
    this.#access = this.#accessOf(config);
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
      await front.#listen();
      const service = await front.#prepared();
      await front.#serve(service, NOTHING);
    } catch (error) {
      await front.stop();
      throw error;
    }
    front.#follow();
    return front;
  }

  get url(): string {
    const { host, tls } = this.#gateway;
    const bound = this.#server?.address() as AddressInfo | null | undefined;
    const port = bound?.port ?? this.#gateway.port;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls === undefined ? 'http' : 'https'}://${name}:${port}`;
  }

  status(): object {
    return {
      version,
      pid: process.pid,
      servicePid: this.#service?.pid ?? null,
      url: this.url,
      config: this.#options.file,
      uptimeMs: Date.now() - this.#startedAt,
      restarts: this.#restarts,
      held: this.#held,
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
      const kind = changeOf(this.#config, config);
      if (kind === 'restarted') await this.#handOver();
      if (kind === 'applied') {
        this.#config = config;
        this.#access = this.#accessOf(config);
        this.#service?.tell({ type: 'reload', gateway: this.#gateway });
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
    const server = this.#server;
    const closed = server && new Promise<void>((done) => void server.close(() => done()));
    await this.#service?.idle(this.#gateway.requestTimeoutMs);
    await this.#service?.end();
    server?.closeAllConnections();
    await closed;
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true });
  }

  get #gateway(): ResolvedGateway {
    const { gateway } = this.#config;
    if (gateway === undefined) throw new TypeError('a config that was read has its gateway');
    return gateway;
  }

  #accessOf({ gateway }: LoadedConfig): TokenAccess {
    if (gateway === undefined) throw new TypeError('a config that was read has its gateway');
    return new TokenAccess(gateway, digestOf(this.#options.token), systemClock);
  }

  #oneByOne<T>(change: () => Promise<T>): Promise<T> {
    const next = this.#changing.then(change, change);
    this.#changing = next.catch(() => {});
    return next;
  }

  async #listen(): Promise<void> {
    const { host, port, tls } = this.#gateway;
    const handle = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#handle(request, response);
    // A client that keeps its connection for a minute, as load balancers do, does not find it closed.
    const limits = { keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 60_000 };
    const folder = dirname(this.#options.file);
    const server =
      tls === undefined
        ? createServer(limits, handle)
        : createTlsServer(
            {
              ...limits,
              cert: await readFile(resolve(folder, tls.cert)),
              key: await readFile(resolve(folder, tls.key)),
            },
            handle,
          );
    await new Promise<void>((listening, failed) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const inUse = `${host}:${port} is in use: a gateway may run already, see holdfast gateway status; or write another gateway.port`;
        failed(error.code === 'EADDRINUSE' ? new HoldfastError('CONFIG_INVALID', inUse) : error);
      });
      server.listen(port, host, listening);
    });
    this.#server = server;
  }

  async #prepared(): Promise<ServiceProcess> {
    const socket = join(this.#folder, randomBytes(4).toString('hex'));
    const service = new ServiceProcess(socket, this.#options.log);
    const { file, token } = this.#options;
    try {
      await service.ask(
        { type: 'prepare', file, socket, ownerDigest: digestOf(token) },
        'prepared',
        PREPARE_MS,
      );
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
    this.#serving.resolve(service);
    return lost;
  }

  async #handOver(): Promise<Restarted> {
    const config = await loadConfig(this.#options.file);
    const before = this.#gateway;
    const next = await this.#prepared();
    const old = this.#service;
    const held = performance.now();
    this.#service = undefined;
    this.#serving = Promise.withResolvers();
    let state = NOTHING;
    if (old !== undefined) {
      await old.idle(before.requestTimeoutMs);
      try {
        ({ state } = await old.ask({ type: 'hand-over' }, 'state', HAND_OVER_MS));
      } catch (error) {
        this.#options.logger.error({ error }, 'the old process did not hand over; its instances are lost');
      }
      // It has nothing any more that somebody waits for.
      void old.end();
    }
    this.#config = config;
    this.#access = this.#accessOf(config);
    const lost = await this.#served(next, state);
    const heldMs = Math.round(performance.now() - held);
    const { host, port, tls } = this.#gateway;
    if (!isDeepStrictEqual([host, port, tls], [before.host, before.port, before.tls])) await this.#moveTo();
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
      return this.#serve(await this.#prepared(), state);
    }
  }

  /** Another address: who is connected to the old one is answered to the end. */
  async #moveTo(): Promise<void> {
    const old = this.#server;
    try {
      await this.#listen();
      old?.close();
    } catch (error) {
      this.#options.logger.error({ error }, 'the new address cannot be had; the old one stays');
    }
  }

  #exited(service: ServiceProcess): void {
    if (this.#service !== service || this.#isStopping) return;
    this.#service = undefined;
    this.#serving = Promise.withResolvers();
    const wait = this.#crashes.crashed(performance.now());
    const { logger, failed } = this.#options;
    if (wait === undefined) {
      const error = new HoldfastError('RUNTIME_STOPPED', 'the service crashed too often; its log says why');
      this.#serving.promise.catch(() => {});
      this.#serving.reject(new HttpError(503, 'SERVICE_FAILED', error.message));
      failed(error);
      return;
    }
    logger.error({ pid: service.pid, wait }, 'the service process ended; it is started again');
    void this.#oneByOne(async () => {
      await delay(wait);
      if (this.#isStopping) return;
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

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const path = request.url?.split('?', 1)[0] ?? '/';
      if (path === '/healthz') answer(response, 200, { status: 'ok' });
      else if (path.startsWith('/v1/gateway')) await this.#control(request, response, path);
      else await this.#pass(request, response);
    } catch (error) {
      const failure = error instanceof HttpError || error instanceof HoldfastError ? error : undefined;
      const { status, code, message, retryAfter } =
        failure === undefined
          ? new HttpError(502, 'SERVICE_FAILED', 'the service ended while it had this request')
          : httpErrorOf(failure);
      // What is half out cannot be taken back.
      if (response.headersSent || response.destroyed) response.destroy();
      else answer(response, status, { error: { code, message } }, retryAfter);
    }
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { maxBodyBytes, requestTimeoutMs } = this.#gateway;
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
      throw new HttpError(413, 'BODY_TOO_LARGE', `a body has at most ${maxBodyBytes} bytes`);
    }
    const service = this.#service ?? (await this.#hold(requestTimeoutMs));
    await service.pass(request, response, requestTimeoutMs + 1000);
  }

  async #hold(ms: number): Promise<ServiceProcess> {
    if (this.#held >= MOST_HELD)
      throw new HttpError(503, 'RESTARTING', 'too many requests wait for the restart', 1);
    this.#held += 1;
    const ended = new AbortController();
    try {
      return await Promise.race([
        this.#serving.promise,
        delay(ms, undefined, { signal: ended.signal }).then(() => {
          throw new HttpError(503, 'RESTARTING', `the restart took longer than ${ms} ms`, 1);
        }),
      ]);
    } finally {
      this.#held -= 1;
      ended.abort();
    }
  }

  async #control(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const caller = this.#access.caller(request.headers.authorization);
    if (!may(caller, 'admin')) throw new HttpError(403, 'FORBIDDEN', 'this token does not allow admin');
    const action = `${request.method} ${path.slice('/v1/gateway'.length)}`;
    if (action === 'GET ') return answer(response, 200, this.status());
    if (action === 'POST /restart') return answer(response, 200, await this.restart());
    if (action === 'POST /reload') return answer(response, 200, { result: await this.reload() });
    if (action === 'POST /stop') {
      answer(response, 202, { result: 'stopping' });
      process.emit('SIGTERM');
      return undefined;
    }
    throw new HttpError(
      404,
      'NOT_FOUND',
      'there is GET /v1/gateway, and POST to its restart, reload and stop',
    );
  }
}

/** What a change of the config needs: what is only of the tokens and limits is applied while it runs. */
function changeOf(before: LoadedConfig, after: LoadedConfig): Reloaded {
  if (isDeepStrictEqual(before, after)) return 'nothing';
  return isDeepStrictEqual(withoutAccess(before), withoutAccess(after)) ? 'applied' : 'restarted';
}

function withoutAccess({ gateway, ...rest }: LoadedConfig): object {
  const access = { tokens: 0, requestsPerSecond: 0, maxBodyBytes: 0, requestTimeoutMs: 0, reload: 0 };
  return { ...rest, files: [], gateway: { ...gateway, ...access } };
}

function answer(response: ServerResponse, status: number, body: object, retryAfter?: number): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  });
  response.end(text);
}
