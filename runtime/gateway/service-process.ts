import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';
import { KnownInstances } from './known-instances.ts';
import type { ControlAction, ControlAnswer, FromService, ToService } from './messages.ts';

/** Milliseconds, after those for its requests, until a process that was asked to end is killed. */
const END_MS = 20_000;
/**
 * Milliseconds in which the last output and messages of an ended process arrive, unless others that it started still
 * have its output.
 */
const HEARD_MS = 1000;
/**
 * Milliseconds for connections on their way, after which the process is asked for them: they take no more than a
 * moment, or are lost.
 */
const ON_THEIR_WAY_MS = 1000;

const extension = extname(fileURLToPath(import.meta.url));
const main = fileURLToPath(new URL(`./service-main${extension}`, import.meta.url));

type Answer = Exclude<FromService, { type: 'control' | 'taken' | 'instances' }>;

export interface ServiceProcessOptions {
  /** The socket at which it listens for requests of other processes of the gateway. */
  readonly socket: string;
  /** Takes the output of the process; while it returns a pending promise, no more is read. */
  readonly log: (text: string) => Promise<void> | void;
  /** Carries out a request of the process to the gateway. */
  readonly control: (action: ControlAction) => Promise<ControlAnswer>;
  /** Takes back a connection, unread, that did not reach the process. */
  readonly lost: (socket: Socket) => void;
}

/** A service process, as the front sees it. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #options: ServiceProcessOptions;
  #socket: string;
  /** Resolves when the process has ended, and everything that it said was heard. */
  readonly exited: Promise<void>;
  /** The instances that the process has, or had when it ended. */
  instances = new KnownInstances();
  /** Connections that the process has not confirmed: nobody has read them. */
  readonly #given = new Map<number, Socket>();
  #connections = 0;
  #asking: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;
  #isToServe = false;
  /** The version of the package that it has loaded; known when it is prepared. */
  version: string | undefined;
  /** The fingerprint of its certificate, when it serves https. */
  certificate: string | undefined;
  #answered: ((message: Answer) => void) | undefined;

  constructor(options: ServiceProcessOptions) {
    this.#options = options;
    this.#socket = options.socket;
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
      // The rest of the output is lost; the process itself is handled below.
      output?.on('error', () => {});
    }
    this.exited = this.#over();
    void this.exited.then(() => this.#letGo());
    this.#child.on('message', (message: FromService) => {
      if (message.type === 'control') void this.#control(message);
      else if (message.type === 'taken') this.#taken(message);
      else if (message.type === 'instances') this.instances.told(message);
      else this.#answered?.(message);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get socket(): string {
    return this.#socket;
  }

  /**
   * Sends the process an order and resolves with its answer.
   *
   * @throws {HoldfastError} when it fails, ends, or does not answer for `ms`
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
        if (message.type === 'serve') this.#isToServe = true;
        this.tell(message);
      });
    } finally {
      clearTimeout(timer);
      this.#answered = undefined;
    }
  }

  /** The process is to serve once more after it has handed over, and listens at another socket. */
  again(socket: string): void {
    this.#socket = socket;
    this.instances = new KnownInstances();
  }

  tell(message: ToService): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /**
   * Gives the process the connection of a client, unread. The connection stays open here until the process has
   * confirmed it: when a process dies, Node neither reports nor returns what was sent to it.
   */
  give(socket: Socket): void {
    const n = (this.#connections += 1);
    this.#given.set(n, socket);
    const message: ToService = { type: 'connection', n };
    if (this.#child.connected) this.#child.send(message, socket, { keepOpen: true }, () => {});
    this.#askForThem();
  }

  /** The connections that it was given and had not confirmed when it ended. */
  untaken(): Socket[] {
    const sockets = [...this.#given.values()];
    this.#given.clear();
    return sockets;
  }

  /**
   * Ends the process: by itself if it can, else by force. Its requests have `ms`. A process that serves nobody yet
   * ends at once.
   */
  end(ms: number): Promise<void> {
    this.#ending ??= this.#ended(ms);
    return this.#ending;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ended(ms: number): Promise<void> {
    if (this.#isToServe) this.tell({ type: 'stop' });
    else this.kill();
    const timer = setTimeout(() => this.kill(), ms + END_MS);
    await this.exited;
    clearTimeout(timer);
  }

  #over(): Promise<void> {
    const child = this.#child;
    return new Promise((resolve) => {
      let late: NodeJS.Timeout | undefined;
      child.once('exit', () => (late = setTimeout(resolve, HEARD_MS)));
      // Its output and the channel have ended.
      child.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      // The process could not be started; other errors end nothing.
      child.on('error', () => {
        if (child.pid === undefined) resolve();
      });
    });
  }

  /** Other processes that it started may write to its output for ever, and the front does not wait for that. */
  #letGo(): void {
    for (const output of [this.#child.stdout, this.#child.stderr]) (output as Socket | null)?.unref();
  }

  #taken({ connections, upTo = 0 }: Extract<FromService, { type: 'taken' }>): void {
    for (const n of connections) {
      // The process has its own handle; the connection ends when both are closed.
      this.#given.get(n)?.destroy();
      this.#given.delete(n);
    }
    for (const [n, socket] of this.#given) {
      if (n > upTo) break;
      this.#given.delete(n);
      this.#options.lost(socket);
    }
  }

  /** A process without a free file descriptor is not even told that a connection was to come. */
  #askForThem(): void {
    if (this.#asking !== undefined) return;
    this.#asking = setTimeout(() => {
      this.#asking = undefined;
      if (this.#given.size === 0) return;
      this.tell({ type: 'given', upTo: this.#connections });
      this.#askForThem();
    }, ON_THEIR_WAY_MS).unref();
  }

  async #control({ n, action }: Extract<FromService, { type: 'control' }>): Promise<void> {
    this.tell({ type: 'controlled', n, ...(await this.#options.control(action)) });
  }
}
