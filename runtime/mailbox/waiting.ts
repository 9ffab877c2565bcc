import type { Tag } from './tag.ts';

/** The part of the runtime's clock that a deadline needs; this room imports nothing, so it declares the part itself. */
export interface TimeoutClock {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Milliseconds since the epoch that never go back. */
  now(): number;
  /** Sets a timer so that it no longer keeps the process alive. */
  unref?(handle: unknown): void;
}

export interface WaitOptions {
  /** `Infinity`: whoever opens the wait sees to its end. */
  readonly timeoutMs: number;
  /** Called only when the time is up. */
  readonly onTimeout: (timeoutMs: number) => Error;
  /**
   * The time after which the envelope expires, where that is earlier than the end of the wait. Default: `timeoutMs`.
   */
  readonly expiresMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The one who is to answer; answers of others are ignored. */
  readonly of?: unknown;
  /** Called when the wait is over, however it ends. */
  readonly settled?: ((tag: Tag) => void) | undefined;
  /** Called before the wait rejects because the envelope was not begun and will not be. */
  readonly refused?: (() => void) | undefined;
  /** The delivery rejects with what its turn threw. Default: false, the delivery counts as handled. */
  readonly throws?: boolean | undefined;
  /** Called when the ask was handled and put off. */
  readonly putOff?: ((tag: Tag) => void) | undefined;
  /** Reads what comes before the answer. Then the deadline is one of silence: {@link Waiting.touch} begins it anew. */
  readonly stream?: AnswerStream | undefined;
}

/** The reader of what comes before the answer to an ask. */
export interface AnswerStream {
  /** The wait is open. */
  opened(tag: Tag): void;
  /** The ask was put off by an instance that sits there, and may be streamed from there. */
  seated(seat: StreamSeat): void;
  /** Takes chunks from there; returns what is wrong with them, if anything is. */
  take(seat: StreamSeat, chunks: readonly unknown[], told: number, bytes: number): string | undefined;
  /** Something of the answer has come. */
  readonly begun: boolean;
}

/** The place from which chunks come. */
export interface StreamSeat {
  /** Lets the writer of an ask send more; `taken` below 0: nobody reads any more. */
  credit(tag: Tag, taken: number): void;
}

interface Waiter {
  readonly tag: Tag;
  readonly options: WaitOptions;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  deadline: number;
  readonly line: Line;
  /** Whether the deadline counts. */
  lined: boolean;
  abort: (() => void) | undefined;
  before: Waiter | undefined;
  after: Waiter | undefined;
}

/** Waits of equal length, in the order of their deadlines, so that one timer serves them all. */
interface Line {
  readonly timeoutMs: number;
  first: Waiter | undefined;
  last: Waiter | undefined;
  timer: unknown;
}

/** The most empty lines that are kept: most waits use one of few timeouts. */
const IDLE_LINES = 16;

/**
 * The promises of those who wait for an envelope: asks (`tag > 0`) for a reply, deliveries (`tag < 0`) for its having
 * been handled. Each has a deadline; an answer to nobody is ignored.
 */
export class Waiting {
  readonly #clock: TimeoutClock;
  readonly #waiters = new Map<Tag, Waiter>();
  readonly #lines = new Map<number, Line>();
  readonly #shown: (reason: unknown) => unknown;
  #last = 0;
  #closed = false;

  /** `shown` turns a reason into the one that waits reject with. Default: the reason itself. */
  constructor(clock: TimeoutClock, shown: (reason: unknown) => unknown = (reason) => reason) {
    this.#clock = clock;
    this.#shown = shown;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Opens a wait and hands its tag and deadline to `offer`, which queues the envelope. */
  open(
    kind: 'ask' | 'delivery',
    options: WaitOptions,
    offer: (tag: Tag, deadline: number) => void,
  ): Promise<unknown> {
    const { timeoutMs, signal, expiresMs = timeoutMs } = options;
    try {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#last += 1;
    const tag = kind === 'ask' ? this.#last : -this.#last;
    return new Promise((resolve, reject) => {
      const line = this.#lineOf(timeoutMs);
      const now = this.#clock.now();
      const deadline = now + timeoutMs;
      const waiter: Waiter = {
        tag,
        options,
        resolve,
        reject,
        deadline,
        line,
        lined: false,
        abort: undefined,
        before: undefined,
        after: undefined,
      };
      this.#enter(waiter);
      this.#waiters.set(tag, waiter);
      try {
        options.stream?.opened(tag);
        // Runs before the envelope is on its way, so that a signal that throws leaves nothing behind.
        if (signal !== undefined) {
          const abort = (): void => this.reject(tag, reasonOf(signal));
          signal.addEventListener('abort', abort, { once: true });
          waiter.abort = abort;
        }
        offer(tag, now + expiresMs);
      } catch (error) {
        this.reject(tag, error);
      }
    });
  }

  /** Whether the wait expects its answer from `of`. */
  isOf(tag: Tag, of: unknown): boolean {
    return this.#waiters.get(tag)?.options.of === of;
  }

  /** The one who is expected to answer, if the wait is open. */
  ownerOf(tag: Tag): unknown {
    return this.#waiters.get(tag)?.options.of;
  }

  /** The ask is put off by the instance on that seat: its answer comes later, separately. */
  putOff(tag: Tag, seat?: StreamSeat): void {
    const options = this.#waiters.get(tag)?.options;
    options?.putOff?.(tag);
    if (seat !== undefined) options?.stream?.seated(seat);
  }

  /** The reader of what comes before the answer, if the wait is open and has one. */
  streamOf(tag: Tag): AnswerStream | undefined {
    return this.#waiters.get(tag)?.options.stream;
  }

  /** Begins the deadline anew. */
  touch(tag: Tag): void {
    const waiter = this.#waiters.get(tag);
    if (waiter === undefined) return;
    const { line } = waiter;
    waiter.deadline = this.#clock.now() + line.timeoutMs;
    // It is the last one already.
    if (waiter.lined && line.last === waiter) return;
    if (waiter.lined) this.#leave(waiter);
    this.#enter(waiter);
  }

  /** Suspends the deadline until the next touch. */
  hold(tag: Tag): void {
    const waiter = this.#waiters.get(tag);
    if (waiter?.lined !== true) return;
    this.#leave(waiter);
    if (waiter.line.first === undefined) this.#empty(waiter.line);
  }

  resolve(tag: Tag, value?: unknown): void {
    this.#remove(tag)?.resolve(value);
  }

  reject(tag: Tag, reason: unknown): void {
    const waiter = this.#remove(tag);
    if (waiter !== undefined) waiter.reject(this.#shown(reason));
  }

  /** Nothing waits any more, and nobody is told. */
  forget(tag: Tag): void {
    this.#remove(tag);
  }

  /** No wait is opened any more: a timer that stays for the next one would keep all this in memory until it is due. */
  close(): void {
    this.#closed = true;
    for (const line of this.#lines.values()) if (line.first === undefined) this.#empty(line);
  }

  /** The envelope was not begun and will not be. */
  refuse(tag: Tag, reason: unknown): void {
    this.#waiters.get(tag)?.options.refused?.();
    this.reject(tag, reason);
  }

  /** The envelope expired before its turn. */
  expire(tag: Tag): void {
    const options = this.#waiters.get(tag)?.options;
    if (options !== undefined) this.refuse(tag, options.onTimeout(options.expiresMs ?? options.timeoutMs));
  }

  /** The turn of the envelope threw. */
  threw(tag: Tag, reason: unknown): void {
    if (this.#waiters.get(tag)?.options.throws === true) this.reject(tag, reason);
  }

  #lineOf(timeoutMs: number): Line {
    let line = this.#lines.get(timeoutMs);
    if (line === undefined) {
      line = { timeoutMs, first: undefined, last: undefined, timer: undefined };
      this.#lines.set(timeoutMs, line);
    }
    return line;
  }

  /** The timer may be older than the first wait of the line: then it is set again for the rest. */
  #due(line: Line): void {
    line.timer = undefined;
    const now = this.#clock.now();
    // A timer may fire within the millisecond before it is due.
    for (let { first } = line; first !== undefined && first.deadline - now < 1; { first } = line) {
      this.reject(first.tag, first.options.onTimeout(line.timeoutMs));
    }
    if (line.first === undefined) return;
    if (line.timer === undefined) this.#set(line, line.first.deadline - now);
  }

  #remove(tag: Tag): Waiter | undefined {
    const waiter = this.#waiters.get(tag);
    if (waiter === undefined) return undefined;
    this.#waiters.delete(tag);
    const { line, abort, options } = waiter;
    if (waiter.lined) {
      this.#leave(waiter);
      if (line.first === undefined) this.#empty(line);
    }
    if (abort !== undefined) forget(options.signal, abort);
    options.settled?.(tag);
    return waiter;
  }

  /** Takes its place at the end of the line, where the latest deadline is. */
  #enter(waiter: Waiter): void {
    const { line } = waiter;
    if (line.timeoutMs === Infinity) return;
    waiter.lined = true;
    waiter.before = line.last;
    if (line.last === undefined) line.first = waiter;
    else line.last.after = waiter;
    line.last = waiter;
    if (line.timer === undefined) this.#set(line, line.timeoutMs);
  }

  #leave(waiter: Waiter): void {
    const { line, before, after } = waiter;
    waiter.lined = false;
    if (before === undefined) line.first = after;
    else before.after = after;
    if (after === undefined) line.last = before;
    else after.before = before;
    waiter.before = undefined;
    waiter.after = undefined;
  }

  /**
   * A wait is for a thread that lives or is to be started, and threads keep the process alive, so the timer need not.
   */
  #set(line: Line, ms: number): void {
    // Node makes a timer of 0 one of a millisecond, in which an answer may come.
    if (ms <= 0) return queueMicrotask(() => this.#due(line));
    line.timer = this.#clock.setTimeout(() => this.#due(line), ms);
    this.#clock.unref?.(line.timer);
  }

  /**
   * Setting a timer costs more than the rest of a wait, so a timer that keeps nothing alive stays for the next one.
   */
  #empty(line: Line): void {
    if (!this.#closed && this.#clock.unref !== undefined && this.#lines.size <= IDLE_LINES) return;
    if (line.timer !== undefined) this.#clock.clearTimeout(line.timer);
    line.timer = undefined;
    if (this.#lines.size > IDLE_LINES) this.#lines.delete(line.timeoutMs);
  }
}

/** A signal that is not the platform's own may throw; the wait rejects in any case. */
function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason;
  } catch (error) {
    return error;
  }
}

function forget(signal: AbortSignal | undefined, abort: () => void): void {
  try {
    signal?.removeEventListener('abort', abort);
  } catch {
    // The wait is over, so an abort has no effect.
  }
}
