import type { Call, Connection } from './connection.ts';
import { GatewayError } from './gateway-error.ts';
import { parsed, resumable } from './resumable.ts';
import type { ServerEvent } from './server-events.ts';

/** How to read what an agent writes. */
export interface AskStreamOptions {
  /** Milliseconds of silence of the agent at most: to the first chunk, and between two. Default: 60 s. */
  readonly timeoutMs?: number;
  /** Stops the agent's writing; the iteration and `result` reject with the reason. */
  readonly signal?: AbortSignal;
  /** The key under which the gateway asks once, of 1 to 255 characters. Default: a new one for each call. */
  readonly idempotencyKey?: string;
}

/** What an agent writes for an ask, to be iterated over once, and its reply. */
export interface AskStream<TChunk = unknown, TResult = unknown> extends AsyncIterable<TChunk> {
  /**
   * The reply: what the agent ends its stream with. Rejects as iterating does. It may be left alone, and it resolves also when
   * nobody iterates, unless the agent waits for a reader.
   */
  readonly result: Promise<TResult>;
}

/** Chunks and characters that wait for the reader; the rest waits in the gateway. */
const MOST_CHUNKS = 64;
const MOST_LENGTH = 256 * 1024;
/** A restart of the gateway gives agents 15 s to end what they write, and a lost answer is kept for 30 s. */
const RECONNECT_MS = 60_000;
/** Milliseconds for telling the gateway that nobody reads any more; it finds out by itself in 30 s. */
const CANCEL_MS = 5000;

const OVER: IteratorResult<unknown, undefined> = { done: true, value: undefined };

interface Chunk {
  readonly value: unknown;
  readonly length: number;
}

/** Reads what an agent writes, over lost connections, in order and each chunk once; what is cut never looks like an end. */
export class AskReader implements AskStream {
  readonly result: Promise<unknown>;
  readonly #connection: Connection;
  readonly #address: string;
  readonly #left = new AbortController();
  /** Rejects when the reader has left. */
  readonly #leaving = Promise.withResolvers<never>();
  #chunks: Chunk[] = [];
  #length = 0;
  #n = 0;
  /** The id of the last event. */
  #last: string | undefined;
  /** Where the answer is, once it is known. */
  #place: string | undefined;
  /** The request was sent, and no answer to it has begun. */
  #isAsked = false;
  #tooLate: ReturnType<typeof setTimeout> | undefined;
  #isIterated = false;
  #over: { readonly reason?: unknown } | undefined;
  /** What was written is not kept, though the reply is. */
  #gap: GatewayError | undefined;
  /** Those who wait for a chunk, and what waits for room. */
  #waiting: (() => void)[] = [];
  #taken = (): void => {};

  constructor(connection: Connection, address: string, call: Call, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#address = address;
    const leave = (): void => this.#leave(signal?.reason);
    if (signal?.aborted === true) leave();
    signal?.addEventListener('abort', leave, { once: true });
    const read = this.#read(call).finally(() => {
      clearTimeout(this.#tooLate);
      signal?.removeEventListener('abort', leave);
    });
    this.result = Promise.race([read, this.#leaving.promise]);
    // It may be left alone.
    this.result.catch(() => {});
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    if (this.#isIterated) {
      const message = 'the stream is iterated over already, and what was read is not kept; ask again';
      throw new GatewayError('OPTION_INVALID', message);
    }
    this.#isIterated = true;
    return {
      next: () => this.#next(),
      return: () => {
        this.#leave(new GatewayError('STREAM_INTERRUPTED', 'the reader has stopped before the end'), {});
        return Promise.resolve(OVER);
      },
    };
  }

  async #next(): Promise<IteratorResult<unknown, undefined>> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#length -= chunk.length;
        this.#taken();
        return { done: false, value: chunk.value };
      }
      if (this.#over !== undefined) {
        if ('reason' in this.#over) throw this.#over.reason;
        return OVER;
      }
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }

  async #read(call: Call): Promise<unknown> {
    const { signal } = this.#left;
    try {
      const events = resumable(this.#connection, {
        // The same request is the same answer, and is asked once.
        call: () => this.#asked(call),
        isLast: ({ event }) => event === 'end' || event === 'error',
        onAnswer: ({ headers }) => this.#answered(headers.get('content-location') ?? undefined),
        reconnectMs: RECONNECT_MS,
        signal,
      });
      for await (const event of events) {
        if (!this.#isNext(event)) continue;
        if (event.event === 'end') return this.#end((parsed(event.data) as { reply?: unknown }).reply);
        if (event.event === 'error') throw failed(event);
        if (event.event === 'gap') this.#gap = failed(event);
        if (event.event === 'chunk')
          await this.#add({ value: parsed(event.data), length: event.data.length });
      }
      throw new GatewayError('STREAM_INTERRUPTED', 'the answer broke off', { retryable: true });
    } catch (error) {
      const reason = signal.aborted ? signal.reason : error;
      this.#over ??= { reason };
      this.#came();
      throw reason;
    }
  }

  /** The request for the rest; none once the reader has left. */
  #asked(call: Call): Call {
    if (this.#over !== undefined) throw new GatewayError('STREAM_INTERRUPTED', 'the reader has left');
    this.#isAsked = true;
    return { ...call, headers: { ...call.headers, 'last-event-id': this.#last } };
  }

  #answered(place: string | undefined): void {
    this.#isAsked = false;
    this.#place = place;
    if (this.#over !== undefined) this.#cancel();
  }

  /** Whether the event comes after the last one; one that came before is left out. */
  #isNext({ event, id }: ServerEvent): boolean {
    if (event === '') return false;
    // The number stands behind what tells this answer from another one with the same key.
    const n = Number(id.slice(id.indexOf('.') + 1));
    if (n <= this.#n) return false;
    if (n !== this.#n + 1) {
      throw new GatewayError('STREAM_INTERRUPTED', `part ${this.#n + 1} of the answer is missing`);
    }
    this.#n = n;
    this.#last = id;
    return true;
  }

  async #add(chunk: Chunk): Promise<void> {
    const { signal } = this.#left;
    // More may have come together with what the reader stopped at.
    signal.throwIfAborted();
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#came();
    while (this.#chunks.length >= MOST_CHUNKS || this.#length > MOST_LENGTH) {
      await new Promise<void>((resolve) => (this.#taken = resolve));
      signal.throwIfAborted();
    }
  }

  #came(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #end(reply: unknown): unknown {
    this.#over = this.#gap === undefined ? {} : { reason: this.#gap };
    this.#came();
    return reply;
  }

  /** Nobody reads any more: the agent is told at once. */
  #leave(reason: unknown, over: { readonly reason?: unknown } = { reason }): void {
    this.#chunks = [];
    this.#length = 0;
    if (this.#over !== undefined) return;
    this.#over = over;
    this.#leaving.reject(reason);
    this.#came();
    this.#taken();
    const cancel = (): void => this.#cancel(reason);
    // What the gateway has begun by then can be cancelled when it says where that is.
    if (this.#isAsked && this.#place === undefined) this.#tooLate = setTimeout(cancel, CANCEL_MS);
    else cancel();
  }

  #cancel(reason?: unknown): void {
    this.#left.abort(reason);
    const path = this.#place;
    if (path?.startsWith(`/v1/agents/${this.#address}/asks/`) !== true) return;
    this.#connection.json({ method: 'DELETE', path }, CANCEL_MS).catch(() => {});
  }
}

function failed({ data }: ServerEvent): GatewayError {
  const { code, message, retryable, issues } = parsed(data) as GatewayError;
  return new GatewayError(code, message, { retryable, issues });
}
