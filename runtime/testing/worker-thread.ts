import { MessageChannel } from 'node:worker_threads';
import { startWorker, type OsThread, type ThreadSpec } from '../threads/os-thread.ts';
import { methodOf, openLink, type Link } from '../wire/link.ts';
import { countedPort, type CountedPort } from './counted-port.ts';
import { killError, type KillCause, type TestThread } from './test-thread.ts';
import type { ControlData, Pulse } from './thread-control.ts';

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./thread-entry${extension}`, import.meta.url);

const NOTHING: Pulse = [0, 0, false, null, []];

/** A worker thread of Node with the test's clock. */
export class WorkerThread implements TestThread {
  readonly name: string;
  readonly pool: string;
  readonly port: CountedPort;
  readonly #worker: OsThread;
  readonly #control: Link;
  readonly #gate = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #onError: ((error: unknown) => void)[] = [];
  readonly #onEnded: (() => void)[] = [];
  #state: TestThread['state'] = 'alive';
  #ending = false;
  #hanging = false;

  constructor(spec: ThreadSpec, now: number) {
    this.name = spec.name;
    this.pool = spec.pool.threadId;
    const { port1, port2 } = new MessageChannel();
    const data: ControlData = { control: port2, now, gate: this.#gate };
    this.#worker = startWorker(spec, { url: entry, data, transfer: [port2] });
    this.port = countedPort(this.#worker.port);
    this.#control = openLink(port1);
    port1.unref();
    this.on('exit', () => {
      this.#state = 'ended';
      this.#control.close(new Error(`${this.name} has ended`));
    });
  }

  get threadId(): number {
    return this.#worker.threadId;
  }

  heapUsed(): Promise<number | undefined> {
    return this.#worker.heapUsed?.() ?? Promise.resolve(undefined);
  }

  get state(): TestThread['state'] {
    return this.#state;
  }

  on(event: 'error' | 'exit', listener: (value: never) => void): void {
    if (event === 'exit') {
      this.#worker.on('exit', listener as (code: number) => void);
      return;
    }
    this.#onError.push(listener as (error: unknown) => void);
    this.#worker.on('error', (error) => {
      this.#ending = true;
      (listener as (error: unknown) => void)(error);
    });
  }

  terminate(): void {
    this.#ending = true;
    this.#worker.terminate();
  }

  /** Says the same twice when nothing happens there, nor on the way; `undefined` when something certainly does. */
  async pulse(): Promise<Pulse | undefined> {
    if (this.#state === 'ended' || (this.#state === 'hung' && !this.#ending)) return NOTHING;
    if (this.#ending || this.#hanging) return undefined;
    const pulse = await this.#ask<Pulse>('pulse');
    if (pulse === undefined) return undefined;
    const [sent, received, busy] = pulse;
    if (busy || sent !== this.port.received || received !== this.port.sent) return undefined;
    return pulse;
  }

  async nextTimer(): Promise<number | undefined> {
    return (await this.#ask<Pulse>('pulse'))?.[3] ?? undefined;
  }

  async moved(now: number): Promise<void> {
    await this.#ask('moved', now);
  }

  async runTimer(): Promise<void> {
    await this.#ask('runTimer');
  }

  kill(cause: KillCause, done: () => void): void {
    this.#onEnded.push(done);
    if (this.#onEnded.length === 1) {
      // After those of the host, which were there before.
      this.on('exit', () => {
        for (const told of this.#onEnded) told();
      });
    }
    if (cause !== 'exit') {
      const error = killError(this.name, cause);
      for (const listener of this.#onError) listener(error);
    }
    this.terminate();
  }

  async cut(): Promise<void> {
    if (this.#state === 'ended') return;
    this.port.deaf = true;
    const ended = new Promise<void>((resolve) => this.on('exit', resolve));
    this.terminate();
    await ended;
  }

  hang(done: () => void): void {
    this.#hanging = true;
    void this.#hang(done);
  }

  dropBatch(done: () => void): void {
    this.port.intercept = (message) => {
      if (methodOf(message) !== 'deliver') return false;
      this.port.intercept = undefined;
      done();
      return true;
    };
  }

  async #hang(done: () => void): Promise<void> {
    try {
      await this.#control.call('hang');
    } catch {
      return;
    }
    // It has answered before it hangs, and may do something else in between.
    while (Atomics.load(this.#gate, 0) === 0 && !this.#ending) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#hanging = false;
    this.#state = 'hung';
    done();
  }

  /** `undefined` when it ends before it answers. */
  async #ask<T>(method: string, ...args: readonly unknown[]): Promise<T | undefined> {
    if (this.#state !== 'alive' || this.#ending) return undefined;
    try {
      return (await this.#control.call(method, ...args)) as T;
    } catch {
      return undefined;
    }
  }
}
