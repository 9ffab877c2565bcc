import type { ReadableByteStreamController, UnderlyingByteSource } from 'node:stream/web';

/** Readers that nobody has any more: their bodies are given up, and with them the connections of the host. */
const unread = new FinalizationRegistry<AnswerBody>((body) => body.giveUp());

export interface AnswerBodyOptions {
  /** The reader has taken so many bytes. */
  readonly taken: (bytes: number) => void;
  /** Nobody reads the rest. */
  readonly given: () => void;
  /** Called once, when the body is over or nobody reads it any more. */
  readonly over: () => void;
}

/**
 * The body of an answer in the thread: what has come and was not read, and the stream that it is read from.
 *
 * The stream is held while somebody waits for a chunk of it, and else only by its readers. So a stream that nobody has
 * any more is collected, and its connection freed, which no time limit would do: a service that has to wait is not idle.
 */
export class AnswerBody {
  readonly #options: AnswerBodyOptions;
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #controller: WeakRef<ReadableByteStreamController> | undefined;
  /** Set while somebody waits for a chunk. */
  #wanting: ReadableByteStreamController | undefined;
  #end: { readonly error?: unknown } | undefined;
  #over = false;

  constructor(options: AnswerBodyOptions) {
    this.#options = options;
  }

  /** The stream of the body; made once. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const source: UnderlyingByteSource = {
      type: 'bytes',
      start: (controller) => void (this.#controller = new WeakRef(controller)),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.giveUp(),
    };
    // Nothing is asked for ahead of a reader: what has come waits here.
    const stream = new ReadableStream(source, { highWaterMark: 0 });
    unread.register(stream, this, this);
    this.#settle();
    return stream as ReadableStream<Uint8Array<ArrayBuffer>>;
  }

  /** Bytes have come, in memory of their own. */
  add(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#over) return;
    const wanting = this.#wanting;
    if (wanting === undefined) {
      this.#chunks.push(bytes);
      return;
    }
    this.#wanting = undefined;
    this.#give(wanting, bytes);
  }

  /** Nothing more comes: the body is whole, or it was cut off. What has come before is read first. */
  end(...error: [unknown?]): void {
    if (this.#over || this.#end !== undefined) return;
    this.#end = error.length === 0 ? {} : { error: error[0] };
    this.#settle();
  }

  /** The agent ended it: its reader has the reason at once. */
  abort(reason: unknown): void {
    if (this.#over) return;
    this.#chunks.length = 0;
    this.#end = { error: reason };
    const controller = this.#controller?.deref();
    this.#finish();
    controller?.error(reason);
    this.#options.given();
  }

  /** Nobody reads the rest. */
  giveUp(): void {
    if (this.#over) return;
    const isHere = this.#end !== undefined;
    this.#finish();
    if (!isHere) this.#options.given();
  }

  #pull(controller: ReadableByteStreamController): void {
    const bytes = this.#chunks.shift();
    if (bytes !== undefined) this.#give(controller, bytes);
    else this.#wanting = controller;
    this.#settle();
  }

  #give(controller: ReadableByteStreamController, bytes: Uint8Array<ArrayBuffer>): void {
    const { byteLength } = bytes;
    controller.enqueue(bytes);
    this.#options.taken(byteLength);
  }

  /** Tells the stream of the end, when all before it was read. */
  #settle(): void {
    if (this.#end === undefined || this.#over || this.#chunks.length > 0) return;
    const controller = this.#controller?.deref();
    if (controller === undefined) return;
    const { error } = this.#end;
    const isWhole = !('error' in this.#end);
    this.#finish();
    if (!isWhole) return controller.error(error);
    controller.close();
    // Whoever reads into memory of their own waits for an answer to that.
    controller.byobRequest?.respond(0);
  }

  #finish(): void {
    this.#over = true;
    this.#wanting = undefined;
    this.#chunks.length = 0;
    unread.unregister(this);
    this.#options.over();
  }
}
