import type { AskStream } from '../runtime.ts';
import { HoldfastError } from '../base/errors.ts';
import type { StreamScrubbing, TextScrubbing } from '../base/scrubbing.ts';
import type { ErrorBody } from './http-error.ts';
import { type HandedTail, Tail } from './tail.ts';
import type { Caller } from './token-access.ts';

/** Milliseconds that a stream is kept without a client: enough for any client to come again. */
const GRACE_MS = 30_000;

/** The path of a stream without a key is of that stream alone. */
const ONE_RUN: HandedTail = { run: '', head: 0, events: [] };

const NOT_SHOWN =
  '{"code":"AGENT_FAILED","message":"what the agent wrote cannot be shown","retryable":false}';

/** A stream that goes to the next process, where its clients get the rest of it. */
export interface HandedAskedStream extends HandedTail {
  readonly id: string;
  readonly address: string;
  readonly owner: string;
  readonly ownerDigest: string;
  readonly asked?: AskedStreamOf['asked'];
}

/** What identifies a stream, and who may read it: the token that asked, and nobody else. */
export interface AskedStreamOf {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  readonly caller: Pick<Caller, 'name' | 'digest'>;
  /** The `Idempotency-Key` that it was opened with, and what identifies the request. */
  readonly asked?: { readonly key: string; readonly fingerprint: string } | undefined;
}

/** What a stream needs of those who keep it. */
export interface AskedStreamRoom {
  /** The most bytes that may wait for the client before the agent waits as well. Read for each chunk. */
  readonly ahead: () => number;
  /** The bytes that are kept have changed. */
  readonly changed: () => void;
  /** The agent has ended it, or was made to. */
  readonly over: () => void;
  /** Nobody has come for it in time. */
  readonly forget: () => void;
}

/** How what an agent writes is shown. */
export interface AskedStreamShown {
  /** A value as JSON, without values of secrets. */
  readonly value: (value: unknown) => string;
  readonly error: (error: unknown) => ErrorBody['error'];
  readonly textStream: StreamScrubbing['textStream'];
}

/** Who reads it now. */
export interface AskedClient {
  /** There is another event, or the stream is over. */
  readonly more: () => void;
  /** Another client reads it from now on. */
  readonly replaced: () => void;
}

/**
 * What one agent writes for one ask over HTTP, for a client that may lose its connection and come again: `chunk`s, a `gap` where
 * they are not kept, and at last `end` or `error`, numbered from 1. The last of them are kept, also those that the client was sent, since what is on its way is
 * lost with a connection. The agent waits when the client does not keep up, and ends when none comes.
 */
export class AskedStream {
  readonly of: AskedStreamOf;
  readonly tail: Tail;
  readonly #room: AskedStreamRoom;
  readonly #leaving = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;
  /** It was asked before, in another stream. */
  isAgain = false;
  #failedAtOnce: { readonly error: unknown } | undefined;
  #client: AskedClient | undefined;
  #grace: NodeJS.Timeout | undefined;
  /** The number of the last event that the client was given, and the bytes of those after it. */
  #given = 0;
  #ahead = 0;
  #roomy: (() => void) | undefined;
  /** The texts among its chunks are one text, which may hold a value of a secret in pieces. */
  #text: TextScrubbing | undefined;

  /** With `handed`, it is over, and the rest of it is kept. */
  constructor(of: AskedStreamOf, room: AskedStreamRoom, handed?: HandedTail) {
    this.of = of;
    this.#room = room;
    // A key outlives its stream, and may be that of another one when a client comes again.
    this.tail = new Tail(handed ?? (of.asked === undefined ? ONE_RUN : undefined));
    this.#isOver = handed !== undefined;
    this.#wait();
  }

  /** Resolves when it is over. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The error with which it ended before anything was written. */
  get failedAtOnce(): { readonly error: unknown } | undefined {
    return this.#failedAtOnce;
  }

  /** Aborted when nobody reads it any more. */
  get signal(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Reads what the agent writes, to the end. */
  async read(stream: AskStream, shown: AskedStreamShown): Promise<void> {
    try {
      const missing = await this.#chunks(stream, shown);
      const reply = await stream.result;
      const data = shown.value({ reply: reply ?? null });
      this.#endText(shown);
      if (missing !== undefined && !this.#isOver) this.#add('gap', JSON.stringify(shown.error(missing)));
      this.#end('end', data);
    } catch (error) {
      this.#failed(error, shown);
    }
  }

  /** Reads the chunks; resolves with the error of a stream whose chunks are not kept, though its reply may be. */
  async #chunks(stream: AskStream, shown: AskedStreamShown): Promise<unknown> {
    try {
      for await (const chunk of stream) {
        if (this.#isOver) return undefined;
        this.#chunk(chunk, shown);
        while (this.#ahead > this.#room.ahead() && !this.#isOver)
          await new Promise<void>((resolve) => {
            this.#roomy = resolve;
          });
      }
      return undefined;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'ANSWER_NOT_KEPT') return error;
      throw error;
    }
  }

  /** What cannot be shown ends this stream, and not the process: nothing above it catches. */
  #failed(error: unknown, shown: AskedStreamShown): void {
    try {
      this.#endText(shown);
      if (this.tail.head === 0) this.#failedAtOnce = { error };
      this.#end('error', JSON.stringify(shown.error(error)));
    } catch {
      this.#end('error', NOT_SHOWN);
    }
  }

  /** Ends it with an error for its reader, and ends what the agent does for it. */
  interrupt(error: Error, shown: ErrorBody['error']): void {
    this.#end('error', JSON.stringify(shown));
    this.#leaving.abort(error);
  }

  /** A client goes on after that event; the one before reads no more. Returns how it leaves. */
  attach(client: AskedClient, after: number): () => void {
    this.#client?.replaced();
    this.#client = client;
    clearTimeout(this.#grace);
    this.#ahead = this.tail.bytesAfter(after);
    this.given(after, 0);
    return () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#wait();
    };
  }

  /** The client was given all up to that event, which are so many bytes. */
  given(upTo: number, bytes: number): void {
    this.#given = upTo;
    this.#ahead -= bytes;
    this.#goOn();
  }

  /** Drops the oldest event that the client was given; returns whether there was one. */
  dropGiven(): boolean {
    if (this.tail.gone >= this.#given) return false;
    this.tail.dropOldest();
    return true;
  }

  /** Keeps nothing any more. */
  forget(): void {
    clearTimeout(this.#grace);
    this.#isOver = true;
    this.#over.resolve();
    this.#client?.replaced();
    this.#client = undefined;
    this.tail.clear();
    const message = 'no client of the gateway reads this stream any more';
    this.#leaving.abort(new DOMException(message, 'AbortError'));
    this.given(this.tail.head, 0);
  }

  handOver(): HandedAskedStream {
    const { id, address, caller, asked } = this.of;
    const { name: owner, digest } = caller;
    return { id, address, owner, ownerDigest: digest.toString('hex'), asked, ...this.tail.handOver() };
  }

  #chunk(chunk: unknown, shown: AskedStreamShown): void {
    if (typeof chunk !== 'string') {
      this.#endText(shown);
      return this.#add('chunk', shown.value(chunk));
    }
    this.#text ??= shown.textStream();
    const text = this.#text.push(chunk);
    if (text !== '' || chunk === '') this.#add('chunk', JSON.stringify(text));
  }

  /** What was held back of a text goes before what follows the text. */
  #endText(shown: AskedStreamShown): void {
    const rest = this.#text?.end() ?? '';
    this.#text = undefined;
    if (rest !== '' && !this.#isOver) this.#add('chunk', shown.value(rest));
  }

  #end(event: 'end' | 'error', data: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#add(event, data);
    this.#goOn();
    this.#over.resolve();
    this.#room.over();
    if (this.#client === undefined) this.#wait();
  }

  /** Has the reading of what the agent writes look whether there is room. */
  #goOn(): void {
    this.#roomy?.();
    this.#roomy = undefined;
  }

  #add(event: string, data: string): void {
    this.#ahead += this.tail.add(event, data);
    this.#room.changed();
    this.#client?.more();
  }

  #wait(): void {
    clearTimeout(this.#grace);
    this.#grace = setTimeout(() => this.#room.forget(), GRACE_MS).unref();
  }
}
