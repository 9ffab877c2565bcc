import type { Ending } from '../base/ending.ts';
import { areAlone } from '../base/own-bytes.ts';
import type { TraceHeaders } from '../mailbox/trace.ts';
import type { Caller } from '../secrets/secret-use.ts';
import { encodeError } from '../wire/errors.ts';
import type { AnswerHead, Chunks } from '../wire/protocol.ts';
import { isPlain } from '../wire/shapes.ts';
import { UploadBody } from './upload-body.ts';

/** The answer to a request, whose body is read by a sink. */
export interface StreamedAnswer extends Omit<AnswerHead, 'hasBody'> {
  readonly body:
    | {
        read(sink: { data(bytes: Uint8Array): boolean; end(error?: unknown): void }): void;
        resume(): void;
      }
    | undefined;
}

/** Sends a request with a secret on behalf of an instance. */
export type OpenStream = (
  caller: Caller,
  input: unknown,
  ending: Ending,
  /** The body of the request, where it comes in parts. */
  upload: AsyncIterable<Uint8Array> | undefined,
  /** The trace that the request is a part of. */
  headers: TraceHeaders | undefined,
) => Promise<StreamedAnswer>;

export interface SecretStreamsOptions {
  /** Tells the thread of parts of bodies. */
  readonly tell: (chunks: Chunks, moving: readonly ArrayBuffer[]) => void;
  /** Runs a function when what has come by now was read from all sockets. Default: `setImmediate`. */
  readonly soon?: (run: () => void) => void;
}

interface Stream {
  /** The bytes that were sent and that the reader has not taken. */
  ahead: number;
  held: boolean;
  readonly resume: () => void;
}

/** The bytes of one body that may be on their way to its reader: what a busy machine needs to keep both sides at work. */
export const WINDOW = 1_048_576;
/** The bytes of one body when those of all that a thread reads are many. */
export const LEAST_WINDOW = 131_072;
/** The bytes of all bodies on their way to one thread beyond which each has the least. */
export const LANE = 16_777_216;
/** Bytes above which a part moves to the thread: below, copying it costs less. */
const MOVED = 16_384;

/** The bodies on their way from services to the instances of one thread, and those of their requests. */
export class SecretStreams {
  readonly #options: SecretStreamsOptions;
  readonly #streams = new Map<number, Stream>();
  readonly #uploads = new Map<number, UploadBody>();
  /** The bytes of all bodies that were sent and that no reader has taken. */
  #ahead = 0;
  /** What the thread is told next: all that came since, of all bodies. */
  #chunks: (number | Uint8Array | null | ReturnType<typeof encodeError>)[] = [];
  #moving: ArrayBuffer[] = [];

  constructor(options: SecretStreamsOptions) {
    this.#options = options;
  }

  /** Has the request sent, and resolves with the head of its answer; `over` is called when nothing more of it comes. */
  async open(
    n: number,
    input: unknown,
    send: (upload: UploadBody | undefined) => Promise<StreamedAnswer>,
    over: () => void,
  ): Promise<AnswerHead> {
    const upload = isPlain(input) && input['uploads'] === true ? new UploadBody() : undefined;
    if (upload !== undefined) this.#uploads.set(n, upload);
    const ended = (): void => {
      this.#uploads.delete(n);
      upload?.close();
      this.#streams.delete(n);
      over();
    };
    try {
      const { body, status, statusText, headers, url, redirected } = await send(upload);
      if (body === undefined) ended();
      else {
        const stream: Stream = { ahead: 0, held: false, resume: () => body.resume() };
        this.#streams.set(n, stream);
        body.read({
          data: (bytes) => this.#sent(n, stream, bytes),
          end: (error) => {
            // What the reader has yet to take is no longer asked for, nor told.
            this.#ahead -= stream.ahead;
            ended();
            this.#add(n, error === undefined ? null : encodeError(error));
          },
        });
      }
      return { status, statusText, headers, url, redirected, hasBody: body !== undefined };
    } catch (error) {
      ended();
      throw error;
    }
  }

  /** The reader has taken so many bytes. Returns whether it can have. */
  credit(n: number, bytes: number): boolean {
    const stream = this.#streams.get(n);
    // The body has ended, and the thread has not heard of that.
    if (stream === undefined) return true;
    if (bytes > stream.ahead) return false;
    stream.ahead -= bytes;
    this.#ahead -= bytes;
    if (stream.held && stream.ahead <= this.#window / 2) {
      stream.held = false;
      stream.resume();
    }
    return true;
  }

  /**
   * Takes a part of a request's body, or its end; resolves with whether more is wanted. `undefined`: no thread sends such
   * a part.
   */
  upload(n: number, bytes: Uint8Array | undefined): Promise<boolean> | undefined {
    const upload = this.#uploads.get(n);
    return upload === undefined ? Promise.resolve(false) : upload.push(bytes);
  }

  #sent(n: number, stream: Stream, bytes: Uint8Array): boolean {
    // What is copied is left to the collector, which runs for each 32 MB of it.
    const own = areAlone(bytes) ? bytes : copyOf(bytes);
    if (own.byteLength >= MOVED) this.#moving.push(own.buffer as ArrayBuffer);
    stream.ahead += own.byteLength;
    this.#ahead += own.byteLength;
    stream.held = stream.ahead >= this.#window;
    this.#add(n, own);
    return !stream.held;
  }

  get #window(): number {
    return this.#ahead < LANE ? WINDOW : LEAST_WINDOW;
  }

  #add(n: number, what: Uint8Array | null | ReturnType<typeof encodeError>): void {
    const { soon = setImmediate } = this.#options;
    if (this.#chunks.length === 0) soon(() => this.#flush());
    this.#chunks.push(n, what);
  }

  #flush(): void {
    const [chunks, moving] = [this.#chunks, this.#moving];
    this.#chunks = [];
    this.#moving = [];
    this.#options.tell(chunks, moving);
  }
}

/** The bytes in memory of their own: what is behind them is the socket's, and others'. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  own.set(bytes);
  return own;
}
