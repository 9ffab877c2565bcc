import type { MessagePort } from 'node:worker_threads';
import type { ThreadSpec } from '../threads/os-thread.ts';
import type { EventLoop } from '../worker/event-loop.ts';
import { loadLogic } from '../worker/load-logic.ts';
import { methodOf } from '../wire/link.ts';
import { startThread, type Thread } from '../worker/thread.ts';
import type { Random } from './random.ts';
import { ScheduledPort } from './scheduled-port.ts';
import type { Lane, Scheduler } from './scheduler.ts';
import { killError, type KillCause, type TestThread } from './test-thread.ts';
import { Timers, type Time } from './timers.ts';

export interface InProcessOptions {
  readonly spec: ThreadSpec;
  /** Stands for Node's id of the thread. */
  readonly threadId: number;
  readonly scheduler: Scheduler;
  readonly time: Time;
  readonly random: Random;
  /** Ports between threads of which one end is known, by their number. */
  readonly halves: Map<number, ScheduledPort>;
}

/**
 * A thread that runs here, with all of its own code over a real channel. What it would do in its own event loop, the
 * scheduler has it do.
 */
export class InProcessThread implements TestThread, Lane {
  readonly name: string;
  readonly pool: string;
  readonly port: ScheduledPort;
  readonly #options: InProcessOptions;
  readonly #inner: ScheduledPort;
  readonly #peers: ScheduledPort[] = [];
  readonly #timers: Timers;
  readonly #thread: Thread;
  readonly #immediates: (() => void)[] = [];
  readonly #onError: ((error: unknown) => void)[] = [];
  readonly #onExit: ((code: number) => void)[] = [];
  readonly #onEnded: (() => void)[] = [];
  #state: TestThread['state'] = 'alive';
  #ending = false;

  constructor(options: InProcessOptions) {
    const { spec, scheduler, time, threadId } = options;
    this.#options = options;
    this.name = spec.name;
    this.pool = spec.pool.threadId;
    [this.port, this.#inner] = ScheduledPort.pair(`host of ${spec.name}`, spec.name, scheduler);
    this.#timers = new Timers(time);
    scheduler.add(this);
    const loop: EventLoop = {
      immediate: (run) => {
        this.#immediates.push(run);
        scheduler.wake();
      },
      // No slice of turns ends because the machine is busy.
      now: () => time.now,
    };
    this.#thread = startThread(
      { ...spec.data, port: this.#inner },
      {
        clock: this.#timers,
        loop,
        now: () => time.now,
        adopt: (port, id) => this.#adopt(port, id),
        thread: threadId,
        load: (...agent) => scheduler.hold(loadLogic(...agent)),
      },
    );
  }

  get threadId(): number {
    return this.#state === 'ended' ? -1 : this.#options.threadId;
  }

  get state(): TestThread['state'] {
    return this.#state;
  }

  get ready(): boolean {
    return this.#immediates.length > 0 && this.#runs;
  }

  run(): string {
    const run = this.#immediates.shift();
    if (run !== undefined) this.#guarded(run);
    return `${this.name} goes on`;
  }

  on(event: 'error' | 'exit', listener: (value: never) => void): void {
    if (event === 'error') this.#onError.push(listener as (error: unknown) => void);
    else this.#onExit.push(listener as (code: number) => void);
  }

  terminate(): void {
    if (this.#ending) return;
    this.#stopRunning();
    this.port.later(() => this.#exit());
  }

  nextTimer(): Promise<number | undefined> {
    return Promise.resolve(this.#runs ? this.#timers.next : undefined);
  }

  moved(): Promise<void> {
    return Promise.resolve();
  }

  async runTimer(): Promise<void> {
    if (this.#runs) this.#guarded(() => this.#timers.runNext());
  }

  kill(cause: KillCause, done: () => void): void {
    this.#onEnded.push(done);
    if (cause === 'exit') this.terminate();
    else this.#crash(killError(this.name, cause));
  }

  async cut(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#stopRunning();
    this.port.stuck = true;
    this.#exit();
  }

  hang(done: () => void): void {
    this.#state = 'hung';
    for (const port of [this.#inner, ...this.#peers]) port.stuck = true;
    done();
  }

  dropBatch(done: () => void): void {
    this.port.intercept = (message) => {
      if (methodOf(message) !== 'deliver') return false;
      this.port.intercept = undefined;
      done();
      return true;
    };
  }

  get #runs(): boolean {
    return this.#state === 'alive' && !this.#ending;
  }

  /** What would be uncaught in a thread ends it. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#crash(error);
    }
  }

  #crash(error: unknown): void {
    if (this.#ending) return;
    this.#stopRunning();
    this.port.later(() => {
      for (const listener of this.#onError) listener(error);
      return `${this.name} fails`;
    });
    this.port.later(() => this.#exit());
  }

  #adopt(port: MessagePort, id: number): ScheduledPort {
    const { scheduler, halves } = this.#options;
    const own = new ScheduledPort(this.name, port, scheduler);
    const other = halves.get(id);
    if (other === undefined) {
      halves.set(id, own);
    } else {
      halves.delete(id);
      own.join(other);
      other.join(own);
    }
    this.#peers.push(own);
    return own;
  }

  #stopRunning(): void {
    this.#ending = true;
    for (const port of [this.#inner, ...this.#peers]) {
      port.stuck = true;
      // The dead send nothing.
      port.intercept = () => true;
    }
  }

  #exit(): string {
    this.#state = 'ended';
    this.#thread.end();
    this.#options.scheduler.remove(this);
    for (const listener of this.#onExit) listener(1);
    for (const port of [this.#inner, ...this.#peers]) port.close();
    this.port.close();
    for (const done of this.#onEnded) done();
    return `${this.name} has exited`;
  }
}
