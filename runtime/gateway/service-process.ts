import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError, type HoldfastErrorCode } from '../errors.ts';
import type { ControlAction, FromService, ToService } from './messages.ts';

/** A process that was asked to end and does not is killed, so long after the requests that it has. */
const END_MS = 20_000;

const extension = extname(fileURLToPath(import.meta.url));
const main = fileURLToPath(new URL(`./service-main${extension}`, import.meta.url));

type Answer = Exclude<FromService, { type: 'control' }>;

export interface ServiceProcessOptions {
  /** Where it is to listen for requests that come from other processes of the gateway. */
  readonly socket: string;
  /** Takes what it writes; with a promise, no more of it until that resolves. */
  readonly log: (text: string) => Promise<void> | void;
  /** Does what a request to it asks of the front. */
  readonly control: (action: ControlAction) => Promise<{ readonly status: number; readonly body: object }>;
}

/** A process that has a runtime, as the front sees it. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #options: ServiceProcessOptions;
  readonly exited: Promise<void>;
  /** Of the package that it has loaded; known when it is prepared. */
  version: string | undefined;
  /** The fingerprint of its certificate, when it serves https. */
  certificate: string | undefined;
  #answered: ((message: Answer) => void) | undefined;

  constructor(options: ServiceProcessOptions) {
    this.#options = options;
    this.#child = fork(main, {
      serialization: 'advanced',
      execArgv: extension === '.ts' ? ['-C', 'holdfast-source'] : [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => {
        const taken = options.log(text);
        if (taken === undefined) return;
        output.pause();
        void taken.finally(() => output.resume());
      });
      // What is left of it is lost; the process itself is looked after below.
      output?.on('error', () => {});
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      // There may be more than one.
      this.#child.on('error', () => resolve());
    });
    this.#child.on('message', (message: FromService) => {
      if (message.type === 'control') void this.#control(message);
      else this.#answered?.(message);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get socket(): string {
    return this.#options.socket;
  }

  /**
   * Tells the process something and resolves with its answer.
   *
   * @throws {HoldfastError} when it fails, ends, or says nothing for `ms`
   */
  async ask<T extends Answer['type']>(
    message: ToService,
    answer: T,
    ms: number,
  ): Promise<Extract<Answer, { type: T }>> {
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
          if (found.type === answer) resolve(found as Extract<Answer, { type: T }>);
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

  /** Gives it the connection of a client, unread. */
  give(socket: Socket): void {
    const message: ToService = { type: 'connection' };
    if (this.#child.connected) this.#child.send(message, socket, (error) => void (error && socket.destroy()));
    else socket.destroy();
  }

  /** Ends the process: by what it does itself, else by force. Its requests have `ms`. */
  async end(ms: number): Promise<void> {
    this.tell({ type: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ms + END_MS);
    await this.exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #control({ n, action }: Extract<FromService, { type: 'control' }>): Promise<void> {
    this.tell({ type: 'controlled', n, ...(await this.#options.control(action)) });
  }
}
