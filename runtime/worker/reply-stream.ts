import { HoldfastError } from '../base/errors.ts';
import {
  LARGEST_CHUNK,
  MOST_UNSENT,
  UNSENT_CHUNK,
  WINDOW_BYTES,
  WINDOW_CHUNKS,
} from '../mailbox/stream-window.ts';
import { REPLY_STREAM } from '../xstate/persisted-actors.ts';
import { readyChunk, type ReadyChunk } from './ready-chunk.ts';

/** What an agent writes before the reply to an ask, for `ref.askStream()` to read. */
export interface ReplyStream {
  /**
   * Sends a chunk, and resolves when there is room for it: 64 chunks and 256 KiB may be on the way that the reader has not
   * taken. Rejects with the reason of `signal` once the stream is over, and ends the stream with `REPLY_UNCLONABLE` when the
   * chunk cannot be cloned, with `MESSAGE_TOO_LARGE` when it has more than 1 MiB, or when 16 MiB wait for room, 256 bytes a
   * chunk included: wait for each write where there are many. A rejection that nobody handles does no harm. Of an event that was asked with a plain `ask`, or sent, chunks are dropped.
   */
  write(chunk: unknown): Promise<void>;
  /** Ends the stream after what was written, with the reply: `result` of the reader, or what a plain `ask` resolves with. */
  end(value?: unknown): void;
  /** Ends the stream after what was written, with an error for the reader. */
  fail(error: unknown): void;
  /**
   * Aborted when there is nobody to write for any more: the reader has stopped, its time was up, or the instance has ended.
   * From the start for an event that was not asked. Give it to what makes the chunks.
   */
  readonly signal: AbortSignal;
}

/** What a stream does in its thread. */
export interface ReplyStreamHost {
  /** Whether anybody reads the chunks. */
  readonly streams: boolean;
  /** Whether chunks may carry memory that threads share. */
  readonly sharedMemory: boolean;
  /** The `threadId` of the pool. */
  readonly threadId: string;
  send(chunk: ReadyChunk): void;
  answer(value: unknown): void;
  refuse(error: unknown): void;
  /** The stream is over. */
  over(): void;
}

interface Blocked {
  readonly chunk: ReadyChunk;
  readonly sent: () => void;
  readonly failed: (reason: unknown) => void;
}

type End = { readonly value: unknown } | { readonly error: unknown };

const SENT = Promise.resolve();

/**
 * The stream of one ask in its thread. A class without fields that could be cloned: an agent may keep it in its context, of
 * which a snapshot then holds an empty object, and a persisted state a mark.
 */
export class Writer implements ReplyStream {
  readonly [REPLY_STREAM] = true;
  #host: ReplyStreamHost | undefined;
  #controller: AbortController | undefined;
  /** Why it is over. */
  #reason: unknown;
  /** The bytes of each chunk that the reader has not taken, from the first one on. */
  readonly #sizes: number[] = [];
  #first = 0;
  #bytes = 0;
  /** The chunks that wait for room, from the first one on: an action cannot wait for its writes. */
  #blocked: Blocked[] = [];
  #firstBlocked = 0;
  #blockedBytes = 0;
  #end: End | undefined;

  constructor(host: ReplyStreamHost) {
    this.#host = host;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  write(chunk: unknown): Promise<void> {
    const host = this.#host;
    if (host === undefined || this.#end !== undefined) return handled(this.#reason ?? ended());
    if (!host.streams) return SENT;
    let ready;
    try {
      ready = readyChunk(chunk, LARGEST_CHUNK, host);
    } catch (error) {
      this.interrupt(error);
      return handled(error);
    }
    if (!this.#isBlocked && this.#hasRoom()) {
      this.#send(ready);
      return SENT;
    }
    this.#blockedBytes += UNSENT_CHUNK + ready.bytes;
    if (this.#blockedBytes > MOST_UNSENT) {
      const error = tooMuchUnsent();
      this.interrupt(error);
      return handled(error);
    }
    const waits = new Promise<void>((sent, failed) => {
      this.#blocked.push({ chunk: ready, sent, failed });
    });
    waits.catch(() => {});
    return waits;
  }

  end(value?: unknown): void {
    this.#endWith({ value });
  }

  fail(error: unknown): void {
    this.#endWith({ error });
  }

  /** The reader has taken so many chunks. */
  taken(count: number): void {
    const sizes = this.#sizes;
    for (let i = 0; i < count && this.#first < sizes.length; i++)
      this.#bytes -= sizes[this.#first++] as number;
    if (this.#first >= WINDOW_CHUNKS) {
      sizes.splice(0, this.#first);
      this.#first = 0;
    }
    const blocked = this.#blocked;
    while (this.#isBlocked && this.#hasRoom()) {
      const { chunk, sent } = blocked[this.#firstBlocked++] as Blocked;
      this.#blockedBytes -= UNSENT_CHUNK + chunk.bytes;
      this.#send(chunk);
      sent();
    }
    if (this.#firstBlocked >= WINDOW_CHUNKS && this.#firstBlocked * 2 >= blocked.length) {
      blocked.splice(0, this.#firstBlocked);
      this.#firstBlocked = 0;
    }
    if (!this.#isBlocked && this.#end !== undefined) this.#finish(this.#end);
  }

  /** Ends the stream for this reason; the reader is told by others. */
  close(reason: unknown): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#host = undefined;
    this.#reason = reason;
    const blocked = this.#blocked.slice(this.#firstBlocked);
    this.#blocked = [];
    this.#firstBlocked = 0;
    host.over();
    for (const { failed } of blocked) failed(reason);
    this.#controller?.abort(reason);
  }

  /** Ends the stream for this reason, of which the reader is told. */
  interrupt(reason: unknown): void {
    const host = this.#host;
    this.close(reason);
    host?.refuse(reason);
  }

  get #isBlocked(): boolean {
    return this.#firstBlocked < this.#blocked.length;
  }

  #hasRoom(): boolean {
    return this.#sizes.length - this.#first < WINDOW_CHUNKS && this.#bytes < WINDOW_BYTES;
  }

  #send(chunk: ReadyChunk): void {
    this.#sizes.push(chunk.bytes);
    this.#bytes += chunk.bytes;
    this.#host?.send(chunk);
  }

  #endWith(end: End): void {
    if (this.#host === undefined || this.#end !== undefined) return;
    this.#end = end;
    if (!this.#isBlocked) this.#finish(end);
  }

  /** Its signal is not aborted: what has written everything may still have something to do. */
  #finish(end: End): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#host = undefined;
    this.#reason = ended();
    host.over();
    if ('value' in end) host.answer(end.value);
    else host.refuse(end.error);
  }
}

/** A stream that nobody reads: it is over, and what is written to it is dropped. */
class Unread implements ReplyStream {
  readonly [REPLY_STREAM] = true;
  readonly #why: string;

  constructor(why: string) {
    this.#why = why;
  }

  get signal(): AbortSignal {
    return AbortSignal.abort(
      new HoldfastError('STREAM_INTERRUPTED', `nobody reads this stream: ${this.#why}`),
    );
  }

  write(): Promise<void> {
    return SENT;
  }

  end(): void {}

  fail(): void {}
}

/** The stream of an event that nobody asked. */
export function unread(): ReplyStream {
  return new Unread('the event was not asked, or its ask was answered already');
}

/** The stream that stands in a restored state for one of an incarnation that has ended. */
export function overStream(): ReplyStream {
  return new Unread('the incarnation that was asked has ended');
}

/** A rejection that nobody has to handle: in an action there is nobody who could. */
function handled(reason: unknown): Promise<void> {
  const rejected = Promise.reject(reason);
  rejected.catch(() => {});
  return rejected;
}

function tooMuchUnsent(): HoldfastError {
  return new HoldfastError(
    'MESSAGE_TOO_LARGE',
    `more than ${MOST_UNSENT / 1024 / 1024} MiB of a stream wait for its reader; await each write() before the next`,
  );
}

function ended(): HoldfastError {
  return new HoldfastError(
    'STREAM_INTERRUPTED',
    'the stream has ended: nothing is written after end() or fail()',
  );
}
