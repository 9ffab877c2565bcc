import { Worker } from 'node:worker_threads';
import type { CounterEvent } from '../agents/counter-event.ts';
import type { Kind } from '../agents/local.ts';
import type { Sender } from '../lib/load.ts';

/** What a task of the pools is, besides the counting events. */
export type Task = CounterEvent | { readonly type: 'work'; readonly n: number };

export type RawMessage =
  | { readonly batch: readonly unknown[] }
  | { readonly id: number; readonly to: number; readonly event: Task }
  | { readonly to: number; readonly event: CounterEvent };

type RawAnswer = { readonly ack: number } | { readonly id: number; readonly value: unknown };

/** A bare worker and a map of who waits for which answer: the least that asks need. */
export class RawThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, (value: unknown) => void>();
  readonly #acks: (() => void)[] = [];
  #id = 0;

  constructor(kind?: Kind) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { kind } });
    this.#worker.on('message', (answer: RawAnswer) => {
      if ('ack' in answer) {
        this.#acks.shift()?.();
        return;
      }
      this.#pending.get(answer.id)?.(answer.value);
      this.#pending.delete(answer.id);
    });
  }

  ask(to: number, event: Task): Promise<unknown> {
    const id = ++this.#id;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
      this.#worker.postMessage({ id, to, event } satisfies RawMessage);
    });
  }

  /** Each event a message of its own. */
  perEvent(): Sender {
    return {
      send: (to, n, last) => {
        this.#worker.postMessage({ to, event: { type: 'tick', n } } satisfies RawMessage);
        return last ? this.#ack() : undefined;
      },
      total: () => this.#total(),
    };
  }

  /** The events of a burst in one message, as `[to, event, to, event …]`. */
  batched(): Sender {
    let batch: unknown[] = [];
    return {
      send: (to, n, last) => {
        batch.push(to, { type: 'tick', n });
        if (!last) return undefined;
        this.#worker.postMessage({ batch } satisfies RawMessage);
        batch = [];
        return this.#ack();
      },
      total: () => this.#total(),
    };
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #ack(): Promise<void> {
    return new Promise((resolve) => this.#acks.push(resolve));
  }

  async #total(): Promise<number> {
    return (await this.ask(0, { type: 'read' })) as number;
  }
}

/** So many bare workers, asked in turn. */
export function rawPool(threads: number, kind?: Kind): { ask: RawThread['ask']; stop(): Promise<void> } {
  const pool = Array.from({ length: threads }, () => new RawThread(kind));
  return {
    ask: (to, event) => (pool[to % threads] as RawThread).ask(to, event),
    stop: async () => {
      await Promise.all(pool.map((thread) => thread.stop()));
    },
  };
}
