import { HoldfastError } from '../base/errors.ts';
import type { AnswerStream, StreamSeat, Waiting } from '../mailbox/waiting.ts';
import { LARGEST_CHUNK, WINDOW_BYTES, WINDOW_CHUNKS } from '../mailbox/stream-window.ts';
import type { Tag } from '../mailbox/tag.ts';

/** What an agent writes for an ask, to be iterated over once, and its reply. */
export interface AskStream<TChunk = unknown, TResult = unknown> extends AsyncIterable<TChunk> {
  /**
   * The reply: what the agent ends its stream with, or gives to `reply`. Rejects as iterating does. It may be left alone, and
   * it resolves also when nobody iterates, unless the agent waits for a reader.
   */
  readonly result: Promise<TResult>;
}

/** An ask with an id. */
export interface KeptAsk {
  readonly stream: AskStream;
  /** Resolves when it is known: with `true` when it was asked before, so that nothing of it is read here. */
  readonly again: Promise<boolean>;
}

type Step = IteratorResult<unknown, undefined>;

interface Reading {
  readonly resolve: (step: Step) => void;
  readonly reject: (reason: unknown) => void;
}

/** Chunks that came together. */
interface Group {
  readonly chunks: readonly unknown[];
  /** Where the next one is. */
  at: number;
  /** Their bytes as the thread has counted them, and as the host has. */
  readonly told: number;
  readonly bytes: number;
}

/**
 * More than an honest thread has on the way: chunks of the window, the one beyond it, and as much again, since a copy may be
 * measured otherwise than what it is a copy of.
 */
const MOST_BYTES = 2 * (WINDOW_BYTES + LARGEST_CHUNK);

const OVER: Step = { done: true, value: undefined };

export interface AskReaderOptions {
  readonly waiting: Pick<Waiting, 'touch' | 'hold' | 'reject'>;
  readonly address: string;
  readonly signal: AbortSignal | undefined;
}

/** An iterator that was let go of holds nothing back any more: then the deadline of its stream runs again. */
const dropped = new FinalizationRegistry<AskReader>((reader) => reader.dropped());

/** Reads what comes before the answer of an ask: keeps what came, in order and bounded, and says how much was taken. */
export class AskReader implements AnswerStream {
  readonly #options: AskReaderOptions;
  /** The tag of the ask, and the one under which its caller waits. */
  #tag: Tag = 0;
  #caller: Tag = 0;
  #isAgain: HoldfastError | undefined;
  #seat: StreamSeat | undefined;
  #groups: Group[] = [];
  /** Chunks that came and were not taken, and their bytes. */
  #kept = 0;
  #keptBytes = 0;
  /** What was taken since the thread was last told. */
  #taken = 0;
  #takenBytes = 0;
  #begun = false;
  /** There was an iterator, and there is one. */
  #wasIterated = false;
  #isIterated = false;
  #held = false;
  readonly #readings: Reading[] = [];
  #over: { readonly reason?: unknown } | undefined;

  constructor(options: AskReaderOptions) {
    this.#options = options;
  }

  /** Hears of the answer. */
  follow(answer: Promise<unknown>): void {
    answer.then(
      () => this.#end(this.#isAgain === undefined ? {} : { reason: this.#isAgain }),
      (reason: unknown) => {
        this.#seat?.credit(this.#tag, -1);
        if (this.#options.signal?.aborted === true) this.#groups = [];
        this.#end({ reason });
      },
    );
  }

  /** Its one iterator. */
  iterator(): AsyncIterator<unknown, undefined> {
    if (this.#wasIterated)
      throw new HoldfastError(
        'OPTION_INVALID',
        'ref.askStream(): the stream is iterated over already, and what was read is not kept; ask again',
      );
    this.#wasIterated = true;
    this.#isIterated = true;
    if (this.#kept > 0) this.#hold();
    const iterator = { next: () => this.#step(), return: () => this.#stop() };
    dropped.register(iterator, this);
    return iterator;
  }

  /** Nobody has its iterator any more. */
  dropped(): void {
    this.#isIterated = false;
    this.#held = false;
    if (this.#over === undefined) this.#options.waiting.touch(this.#caller);
  }

  /** Its caller waits under that tag, and not under the one of the ask. */
  waitsBy(caller: Tag): void {
    this.#caller = caller;
  }

  /** It was asked before: there is an answer, and what came before that is not kept. */
  again(): void {
    this.#isAgain = notRead(this.#options.address);
  }

  // --- from its thread ------------------------------------------------------------------------------------

  get begun(): boolean {
    return this.#begun;
  }

  opened(tag: Tag): void {
    this.#tag = tag;
    if (this.#caller === 0) this.#caller = tag;
  }

  seated(seat: StreamSeat): void {
    this.#seat ??= seat;
  }

  take(seat: StreamSeat, chunks: readonly unknown[], told: number, bytes: number): string | undefined {
    this.#seat ??= seat;
    if (this.#seat !== seat) return 'a chunk for the reader of another instance';
    if (this.#kept + chunks.length > WINDOW_CHUNKS || this.#keptBytes + bytes > MOST_BYTES)
      return 'more chunks than their reader has room for';
    this.#begun = true;
    this.#kept += chunks.length;
    this.#keptBytes += bytes;
    this.#groups.push({ chunks, at: 0, told, bytes });
    while (this.#readings.length > 0 && this.#kept > 0)
      this.#readings.shift()?.resolve({ done: false, value: this.#next() });
    if (this.#kept > 0 && this.#isIterated) this.#hold();
    else this.#options.waiting.touch(this.#caller);
    return undefined;
  }

  // --- to its reader --------------------------------------------------------------------------------------

  #step(): Promise<Step> {
    if (this.#kept > 0) return Promise.resolve({ done: false, value: this.#next() });
    if (this.#over !== undefined) return this.#last(this.#over);
    if (this.#held) {
      this.#held = false;
      this.#options.waiting.touch(this.#caller);
    }
    return new Promise((resolve, reject) => {
      this.#readings.push({ resolve, reject });
    });
  }

  /** The reader stops: what the agent does for it is to end as well. */
  #stop(): Promise<Step> {
    this.#groups = [];
    this.#kept = 0;
    if (this.#over === undefined) {
      this.#over = {};
      const message = `the reader of ${this.#options.address} has stopped before the end`;
      this.#options.waiting.reject(this.#caller, new HoldfastError('STREAM_INTERRUPTED', message));
    }
    while (this.#readings.length > 0) this.#readings.shift()?.resolve(OVER);
    return Promise.resolve(OVER);
  }

  /** The deadline is one of silence, and it is the reader that holds back. */
  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#options.waiting.hold(this.#caller);
  }

  #next(): unknown {
    const group = this.#groups[0] as Group;
    const chunk = group.chunks[group.at];
    group.at += 1;
    this.#kept -= 1;
    this.#taken += 1;
    if (group.at === group.chunks.length) {
      this.#groups.shift();
      this.#keptBytes -= group.bytes;
      this.#takenBytes += group.told;
    }
    if (this.#taken >= WINDOW_CHUNKS / 2 || this.#takenBytes >= WINDOW_BYTES / 2) {
      if (this.#over === undefined) this.#seat?.credit(this.#tag, this.#taken);
      this.#taken = 0;
      this.#takenBytes = 0;
    }
    return chunk;
  }

  #end(over: { readonly reason?: unknown }): void {
    if (this.#groups.length === 0) this.#kept = 0;
    if (this.#over !== undefined) return;
    this.#over = over;
    while (this.#readings.length > 0) {
      const { resolve, reject } = this.#readings.shift() as Reading;
      this.#last(over).then(resolve, reject);
    }
  }

  /** A failure is told once; then the iteration is over. */
  #last(over: { readonly reason?: unknown }): Promise<Step> {
    this.#over = {};
    return 'reason' in over ? Promise.reject(over.reason) : Promise.resolve(OVER);
  }
}

function notRead(address: string): HoldfastError {
  return new HoldfastError(
    'ANSWER_NOT_KEPT',
    `${address} was asked that before, and what it wrote then is not kept; its reply is the result of this stream`,
  );
}
