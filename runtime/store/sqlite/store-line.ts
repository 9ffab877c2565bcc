import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../base/errors.ts';
import type { OpenedStore } from '../durable-store.ts';
import type { StoreAnswer, StoreMethod, StoreThreadData } from './store-call.ts';
import { fromWire } from './wire-store-error.ts';

/** By the extension of this file the thread is found in source and in `dist`. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./store-thread${extension}`, import.meta.url);

/** Milliseconds without an answer after which a thread counts as dead: longer than a disk that is merely slow takes. */
const SILENT_MS = 30_000;

interface Call {
  readonly resolve: (value: never) => void;
  readonly reject: (error: HoldfastError) => void;
}

export interface LineOptions {
  readonly path: string;
  readonly warn: (fields: object, message: string) => void;
  /** The thread is gone, or so silent that it counts as gone; calls were rejected. */
  readonly lost: () => void;
  /** Default: {@link SILENT_MS}. */
  readonly silentMs?: number | undefined;
}

/** Calls to one thread of a store, which answers them in their order; each is answered or rejected. */
export class StoreLine {
  readonly #options: LineOptions;
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  readonly #exited: Promise<void>;
  /** An opening may take long, whatever was asked for. */
  #silentMs = SILENT_MS;
  #nextId = 0;
  /** How many commits have failed, as the thread says. */
  #failures = 0;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;

  constructor(data: StoreThreadData, options: LineOptions) {
    this.#options = options;
    this.#worker = new Worker(entry, {
      name: 'holdfast:store',
      workerData: data,
      // From source, with what strips types.
      env: extension === '.ts' ? { ...process.env } : {},
      // Node 22 warns of `node:sqlite`, and of types in source files.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#worker.on('message', (answer: StoreAnswer) => this.#hear(answer));
    this.#worker.on('error', (error) => this.#end(`its thread failed: ${(error as Error).message}`));
    this.#exited = new Promise((resolve) =>
      this.#worker.once('exit', () => {
        this.#end('its thread has ended');
        resolve();
      }),
    );
  }

  /** What the thread says when it has opened the store; before any call. */
  opened(): Promise<OpenedStore> {
    return new Promise((resolve, reject) => this.#expect({ resolve, reject }));
  }

  call<T>(method: StoreMethod, given: readonly unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(this.#failed('its thread has ended'));
      this.#worker.postMessage([this.#nextId, this.#failures, method, ...given]);
      this.#expect({ resolve, reject });
    });
  }

  /** Ends the thread, whatever it is doing; resolves when it is gone, or when it does not go. */
  async end(patienceMs: number): Promise<void> {
    this.#isOver = true;
    // Nothing of the runtime is held for what is left of its time.
    clearTimeout(this.#timer);
    void this.#worker.terminate();
    const patience = new Promise<void>((resolve) => setTimeout(resolve, patienceMs).unref());
    await Promise.race([this.#exited, patience]);
  }

  #expect(call: Call): void {
    if (this.#calls.size === 0) this.#watch();
    this.#calls.set(this.#nextId++, call);
  }

  /** A process with nothing else to do ends between calls, and not within one. */
  #watch(): void {
    this.#worker.ref();
    this.#heardAt = performance.now();
    // The timer of the calls before stays: to set one for each group costs a good part of the call.
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), this.#silentMs);
    else this.#timer.ref();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#calls.size === 0) return;
    const left = this.#heardAt + this.#silentMs - performance.now();
    if (left > 0) this.#timer = setTimeout(() => this.#look(), left);
    else {
      this.#end(`its thread has said nothing for ${this.#silentMs / 1000} s`);
      void this.#worker.terminate();
    }
  }

  #hear(answer: StoreAnswer): void {
    if ('warn' in answer) return this.#options.warn(...answer.warn);
    if ('ids' in answer) {
      for (const [i, id] of answer.ids.entries()) this.#hear({ id, value: answer.values[i] });
      return;
    }
    if (answer.id === 0) this.#isOpened();
    const call = this.#calls.get(answer.id);
    if (call === undefined) return;
    this.#calls.delete(answer.id);
    this.#heardAt = performance.now();
    if (this.#calls.size === 0) this.#rest();
    if ('error' in answer) {
      this.#failures = answer.failures;
      call.reject(fromWire(answer.error));
    } else call.resolve(answer.value as never);
  }

  /** From here on calls have their own time, and not what is left of that of the opening. */
  #isOpened(): void {
    this.#silentMs = this.#options.silentMs ?? SILENT_MS;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#calls.size > 1) this.#watch();
  }

  #rest(): void {
    this.#worker.unref();
    this.#timer?.unref();
  }

  #end(why: string): void {
    if (this.#isOver && this.#calls.size === 0) return;
    const isFirst = !this.#isOver;
    this.#isOver = true;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#worker.unref();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (isFirst) this.#options.lost();
    for (const { reject } of calls) reject(this.#failed(why));
  }

  #failed(why: string): HoldfastError {
    return new HoldfastError(
      'STORE_FAILED',
      `the store ${this.#options.path} did not answer, since ${why}: nobody knows whether this took effect, and the same ` +
        'call may come again',
    );
  }
}
