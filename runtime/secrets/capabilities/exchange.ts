import type { Dispatcher } from 'undici';
import type { BodySink, BodySource } from './body-source.ts';

/** The head of an answer, as the service sent it. */
export interface RawHead {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case; several values of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How many requests wait for a connection. */
export interface WaitingRequests {
  count: number;
}

/** The most bytes that are read of a body that nobody wants, so that its connection can be used again. */
const DISCARDED = 65_536;
/** Milliseconds for that: what comes with the head is here by then, and a body without an end holds no connection. */
const DISCARD_MS = 250;

/**
 * One request and its answer, as undici tells of them. The body of the answer is read without a stream in between: it
 * comes with the bytes of the socket, and stops the socket when it is not taken.
 */
export class Exchange implements Dispatcher.DispatchHandler, BodySource {
  /** Resolves when the head of the answer has come; rejects when it cannot come any more. */
  readonly head: Promise<RawHead>;
  readonly #head = Promise.withResolvers<RawHead>();
  /** Resolves when nothing more comes, however it has ended. */
  readonly over: Promise<void>;
  readonly #isOver = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  #sink: BodySink | undefined;
  /** What came before anybody read. */
  #early: Uint8Array[] = [];
  #end: { readonly error?: unknown } | undefined;
  readonly #signal: AbortSignal;
  #waiting: WaitingRequests | undefined;
  readonly #aborted = (): void => this.abort(this.#signal.reason);

  constructor(signal: AbortSignal, waiting: WaitingRequests) {
    this.head = this.#head.promise;
    this.over = this.#isOver.promise;
    this.#signal = signal;
    this.#waiting = waiting;
    waiting.count += 1;
    if (signal.aborted) this.#aborted();
    else signal.addEventListener('abort', this.#aborted, { once: true });
  }

  read(sink: BodySink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = [];
    let takes = true;
    for (const bytes of early) takes = sink.data(bytes);
    if (this.#end !== undefined) sink.end(this.#end.error);
    else if (takes) this.resume();
  }

  resume(): void {
    if (this.#end === undefined) this.#controller?.resume();
  }

  abort(reason: unknown): void {
    if (this.#end !== undefined) return;
    const controller = this.#controller;
    this.#over(reason);
    controller?.abort(reason as Error);
  }

  /** Reads the rest, if it is short and comes soon, and drops it. */
  discard(): void {
    let left = DISCARDED;
    const unread = (): void => this.abort(new Error('nobody reads this answer'));
    const timer = setTimeout(unread, DISCARD_MS);
    this.read({
      data(bytes) {
        left -= bytes.byteLength;
        if (left < 0) unread();
        return left >= 0;
      },
      end: () => clearTimeout(timer),
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#waitsNoLonger();
    // It was given up while it waited for a connection.
    if (this.#end !== undefined) controller.abort(this.#end.error as Error);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    statusText = '',
  ): void {
    // An interim answer such as 103 is none.
    if (status < 200) return;
    const joined = Object.entries(headers).map(([name, value]): [string, string] => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]);
    this.#head.resolve({ status, statusText, headers: Object.fromEntries(joined) });
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#end !== undefined) return;
    if (this.#sink === undefined) this.#early.push(bytes);
    if (this.#sink?.data(bytes) !== true) controller.pause();
  }

  onResponseEnd(): void {
    this.#over();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#over(error);
  }

  #over(...error: [unknown?]): void {
    if (this.#end !== undefined) return;
    this.#end = error.length === 0 ? {} : { error: error[0] ?? new Error('given up') };
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#waitsNoLonger();
    this.#head.promise.catch(() => {});
    this.#head.reject(this.#end.error);
    this.#isOver.resolve();
    this.#sink?.end(this.#end.error);
  }

  #waitsNoLonger(): void {
    if (this.#waiting !== undefined) this.#waiting.count -= 1;
    this.#waiting = undefined;
  }
}
