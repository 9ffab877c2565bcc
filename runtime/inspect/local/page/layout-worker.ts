import type { ElkNode } from './chart-layout.ts';

interface Answer {
  readonly id: number;
  readonly data?: ElkNode;
  readonly error?: { readonly message: string };
}

/** Milliseconds after which a layout is given up: the largest that were seen take a few seconds on a busy machine. */
const GIVEN_UP_MS = 60_000;

/** The Eclipse Layout Kernel in a worker of its own, which is loaded with the first chart. */
export class LayoutWorker {
  #worker: Worker | undefined;
  #last = 0;
  readonly #waiting = new Map<number, { done(laid: ElkNode): void; failed(error: Error): void }>();

  async layout(graph: ElkNode): Promise<ElkNode> {
    if (this.#worker === undefined) {
      this.#worker = this.#start();
      void this.#call({ cmd: 'register', algorithms: ['layered'] }).catch(() => {});
    }
    return this.#call({ cmd: 'layout', graph, layoutOptions: {}, options: {} });
  }

  #start(): Worker {
    const worker = new Worker('/elk-worker.js');
    worker.addEventListener('message', ({ data: { id, data, error } }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(id);
      if (error !== undefined) waiting?.failed(new Error(error.message));
      else waiting?.done(data ?? { id: '' });
    });
    worker.addEventListener('error', ({ message }) => this.#end(new Error(message || 'it did not load')));
    return worker;
  }

  #call(command: object): Promise<ElkNode> {
    const id = (this.#last += 1);
    const { promise, resolve, reject } = Promise.withResolvers<ElkNode>();
    const late = setTimeout(() => this.#end(new Error('it took too long')), GIVEN_UP_MS);
    this.#waiting.set(id, { done: resolve, failed: reject });
    this.#worker?.postMessage({ id, ...command });
    return promise.finally(() => {
      clearTimeout(late);
      this.#waiting.delete(id);
    });
  }

  /** The next chart begins with another worker. */
  #end(error: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.failed(error);
  }
}
