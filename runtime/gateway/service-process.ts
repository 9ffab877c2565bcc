import { fork, type ChildProcess } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { HoldfastError, type HoldfastErrorCode } from '../errors.ts';
import { HttpError } from './http-error.ts';
import type { FromService, ToService } from './messages.ts';

/** Connections to a service process; more requests wait for one. */
const CONNECTIONS = 128;
/** A process that was asked to end and does not is killed. */
const END_MS = 20_000;

const extension = extname(fileURLToPath(import.meta.url));
const main = fileURLToPath(new URL(`./service-main${extension}`, import.meta.url));

/** Headers of one connection, which are not passed on, and one that undici does not speak. */
const OWN_TO_CONNECTION = new Set(
  [
    'connection',
    'keep-alive',
    'proxy-connection',
    'transfer-encoding',
    'upgrade',
    'te',
    'trailer',
    'expect',
  ].concat('http2-settings'),
);

/** A process that has a runtime, as the front sees it. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #pool: Pool;
  readonly exited: Promise<void>;
  #answered: ((message: FromService) => void) | undefined;
  #inFlight = 0;
  #idle: (() => void) | undefined;
  readonly #streams = new Set<AbortController>();

  /** It will listen at `socket`; what it writes goes to `log`. */
  constructor(socket: string, log: (text: string) => void) {
    this.#child = fork(main, {
      serialization: 'advanced',
      execArgv: extension === '.ts' ? ['-C', 'holdfast-source'] : [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', log);
    this.#child.stderr?.setEncoding('utf8').on('data', log);
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
    this.#child.on('message', (message: FromService) => this.#answered?.(message));
    this.#pool = new Pool('http://service', {
      socketPath: socket,
      connections: CONNECTIONS,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 600_000,
    });
    void this.exited.then(() => this.#pool.destroy());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Tells the process something and resolves with its answer.
   *
   * @throws {HoldfastError} when it fails, ends, or says nothing for `ms`
   */
  async ask<T extends FromService['type']>(
    message: ToService,
    answer: T,
    ms: number,
  ): Promise<Extract<FromService, { type: T }>> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const fail = (code: HoldfastErrorCode, text: string): void => reject(new HoldfastError(code, text));
        timer = setTimeout(
          () => fail('RUNTIME_STOPPED', `the service did not ${message.type} within ${ms} ms`),
          ms,
        );
        void this.exited.then(() => fail('RUNTIME_STOPPED', 'the service process ended; its log says why'));
        this.#answered = (found) => {
          if (found.type === 'failed') fail(found.code as HoldfastErrorCode, found.message);
          if (found.type === answer) resolve(found as Extract<FromService, { type: T }>);
        };
        this.tell(message);
      });
    } finally {
      clearTimeout(timer);
      this.#answered = undefined;
    }
  }

  tell(message: ToService): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** Passes a request on, and its answer back. Resolves when the answer is out. */
  async pass(request: IncomingMessage, response: ServerResponse, timeoutMs: number): Promise<void> {
    const isStream = request.headers.accept?.includes('text/event-stream') === true;
    const aborter = new AbortController();
    const gone = (): void => aborter.abort();
    response.once('close', gone);
    if (isStream) this.#streams.add(aborter);
    else this.#inFlight += 1;
    const timer = isStream
      ? undefined
      : setTimeout(
          () => aborter.abort(new HttpError(504, 'REQUEST_TIMEOUT', `no answer within ${timeoutMs} ms`)),
          timeoutMs,
        );
    try {
      await this.#pool.stream(
        {
          path: request.url ?? '/',
          method: request.method as 'GET',
          headers: passedOn(request.rawHeaders),
          body: hasBody(request) ? request : null,
          signal: aborter.signal,
        },
        ({ statusCode, headers }) => {
          for (const [name, value] of Object.entries(headers)) {
            if (value !== undefined && !OWN_TO_CONNECTION.has(name)) response.setHeader(name, value);
          }
          response.writeHead(statusCode);
          return response;
        },
      );
    } finally {
      clearTimeout(timer);
      response.removeListener('close', gone);
      this.#streams.delete(aborter);
      if (!isStream) {
        this.#inFlight -= 1;
        if (this.#inFlight === 0) this.#idle?.();
      }
    }
  }

  /** Resolves when all requests are answered, or after `ms`. Streams are ended: their clients come again. */
  async idle(ms: number): Promise<void> {
    for (const stream of this.#streams) stream.abort();
    if (this.#inFlight === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
  }

  /** Ends the process: by what it does itself, else by force. */
  async end(): Promise<void> {
    this.tell({ type: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_MS);
    await this.exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function passedOn(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let n = 0; n < raw.length; n += 2) {
    const [name = '', value = ''] = [raw[n], raw[n + 1]];
    if (!OWN_TO_CONNECTION.has(name.toLowerCase())) headers.push(name, value);
  }
  return headers;
}
