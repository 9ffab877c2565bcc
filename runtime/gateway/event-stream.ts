import { hash } from 'node:crypto';
import type { AgentRef } from '../runtime.ts';
import { contained } from '../base/contained.ts';
import type { FollowedInstance } from './followed-instance.ts';
import type { HttpError } from './http-error.ts';
import { snapshotParts } from './routes.ts';

/** The events that a client wants, and how often. */
export interface StreamWishes {
  readonly only?: 'snapshot' | 'emitted' | undefined;
  /** The least time between two snapshots, in milliseconds; those in between are left out, but never the last. */
  readonly everyMs: number;
  /** The id of the last event that the client has received. Default: it hears what is emitted from now on. */
  readonly from?: string | undefined;
}

/** The sources of a stream. */
export interface StreamSources {
  /** The instance; absent when it has ended and the client comes for the rest. */
  readonly ref: AgentRef | undefined;
  /** What the instance emits; absent when the client does not want that. */
  readonly followed: FollowedInstance | undefined;
}

/** Proxies end a connection that is silent for a minute. */
const HEARTBEAT_MS = 15_000;
/** Milliseconds after which a browser comes again when its stream has ended. */
const RETRY_MS = 1000;
/** The size above which a state is not copied, but shared by slow clients. */
const LONG = 16 * 1024;

const encoder = new TextEncoder();

/** A state, and the number of the last event that was emitted on the way to it. */
interface State {
  readonly found: object;
  readonly offset: number | undefined;
}

/**
 * Server-sent events of one instance: `snapshot` with the current state and then the latest one, `emitted` with each
 * event that it emits, `gap` where some are missing, `end` when it has ended, `closed` when the gateway ends the
 * stream. A slow client costs nothing of its own but the latest state: emitted events wait in the tail of the instance,
 * which all clients share, and in which the id of each event is a place to go on from.
 */
export class EventStream {
  readonly #room: StreamRoom;
  readonly #wishes: StreamWishes;
  readonly #followed: FollowedInstance | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether the client waits for the next chunk. */
  #isWanted = false;
  #isGreeted = false;
  /** The number of the last emitted event that the client was given, or does not get. */
  #after = 0;
  /** Events that are missing before the next one. */
  #gap: { readonly reason: 'slow' | 'reconnected'; readonly dropped?: number } | undefined;
  /** The rest of the event that the client has begun to take. */
  #parts: Uint8Array[] = [];
  #latest: State | undefined;
  /** The last snapshot that was sent, so that none is sent twice. */
  #told: string | undefined;
  #toldAt = -Infinity;
  #next: NodeJS.Timeout | undefined;
  #last: { readonly event: 'end' | 'closed'; readonly data: Uint8Array } | undefined;
  #isLastTold = false;
  #isOver = false;
  #stopHearing = (): void => {};

  private constructor(room: StreamRoom, wishes: StreamWishes, followed: FollowedInstance | undefined) {
    this.#room = room;
    this.#wishes = wishes;
    this.#followed = followed;
  }

  /** Begins to listen; `signal` is aborted when the client goes. */
  static open(
    { ref, followed }: StreamSources,
    room: StreamRoom,
    wishes: StreamWishes,
    signal: AbortSignal,
  ): { readonly body: ReadableStream<Uint8Array>; readonly stream: EventStream } {
    const stream = new EventStream(room, wishes, followed);
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          stream.#controller = controller;
          stream.#safely(() => stream.#hear(ref))();
        },
        pull: () => {
          stream.#isWanted = true;
          stream.#safely(() => stream.#give())();
        },
        cancel: () => stream.#stop(),
      },
      // Events wait in the tail and not in the stream, which counts chunks.
      { highWaterMark: 0 },
    );
    signal.addEventListener('abort', () => stream.#stop(), { once: true });
    if (signal.aborted) stream.#stop();
    return { body, stream };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the stream, with the reason; what waits is left out, and a client that may come again gets it then. */
  close({ code, message, retryable }: HttpError): void {
    this.#latest = undefined;
    this.#end('closed', encode({ code, message, retryable }));
  }

  #hear(ref: AgentRef | undefined): void {
    const leave = this.#follow();
    const heartbeat = setInterval(
      this.#safely(() => this.#beat()),
      HEARTBEAT_MS,
    );
    const states = ref?.subscribe({
      // A client that wants no states has none sent from the thread.
      ...(this.#wishes.only !== 'emitted' && { next: this.#safely((found: object) => this.#state(found)) }),
      error: this.#safely((error: unknown) => this.#end('end', this.#room.shown({ error }))),
      complete: this.#safely(() => this.#end('end', encode({}))),
    });
    this.#stopHearing = () => {
      clearInterval(heartbeat);
      states?.unsubscribe();
      leave?.();
    };
    if (this.#isOver) return this.#stopHearing();
    if (ref === undefined) return this.#end('end', encoder.encode(this.#followed?.end ?? '{}'));
    if (this.#last !== undefined || this.#wishes.only === 'emitted') return;
    // A state that came in the meantime is newer. Without an answer, later states say everything.
    const first = this.#safely((found: object) => {
      if (this.#latest === undefined && this.#told === undefined) this.#state(found);
    });
    ref.snapshot().then(first, () => {});
  }

  #follow(): (() => void) | undefined {
    const followed = this.#followed;
    if (followed === undefined) return undefined;
    const { from } = this.#wishes;
    const { after, gap } =
      from === undefined ? { after: followed.tail.head, gap: undefined } : followed.tail.resume(from);
    this.#after = after;
    if (gap !== undefined) this.#gap = { reason: 'reconnected', ...gap };
    return followed.follow({
      more: this.#safely(() => this.#give()),
      broke: () => this.#finish(),
    });
  }

  /** What cannot be shown ends this stream, and not the process: nothing above these listeners catches. */
  #safely<A extends readonly unknown[]>(run: (...args: A) => void): (...args: A) => void {
    return contained(run, () => this.#finish());
  }

  #state(found: object): void {
    if (this.#last !== undefined) return;
    this.#latest = { found, offset: this.#followed?.tail.head };
    if (this.#next !== undefined) return;
    const wait = this.#toldAt + this.#wishes.everyMs - performance.now();
    if (wait <= 0) return this.#give();
    const due = this.#safely(() => {
      this.#next = undefined;
      this.#give();
    });
    this.#next = setTimeout(due, wait);
  }

  #beat(): void {
    if (this.#isWanted) this.#enqueue(encoder.encode(': alive\n\n'));
  }

  /** Stops listening; sends what waits, and then the end. */
  #end(event: 'end' | 'closed', data: Uint8Array): void {
    if (this.#last !== undefined || this.#isOver) return;
    this.#last = { event, data };
    clearTimeout(this.#next);
    this.#next = undefined;
    this.#give();
  }

  /** Gives the client the next chunk, if it waits for one. */
  #give(): void {
    if (!this.#isWanted || this.#isOver) return;
    if (this.#parts.length === 0) this.#parts = this.#nextEvents();
    const part = this.#parts.shift();
    if (part !== undefined) this.#enqueue(part);
    else if (this.#last !== undefined) this.#finish();
  }

  #enqueue(chunk: Uint8Array): void {
    this.#isWanted = false;
    this.#controller?.enqueue(chunk);
  }

  #nextEvents(): Uint8Array[] {
    if (!this.#isGreeted) return [this.#greeting()];
    const gap = this.#gap;
    this.#gap = undefined;
    if (gap !== undefined) return this.#framed('gap', encode(gap));
    const state = this.#next === undefined ? this.#takeLatest() : undefined;
    if (state !== undefined) return state;
    const last = this.#last;
    const emitted = last?.event === 'closed' ? [] : this.#takeEmitted();
    if (emitted.length > 0) return emitted;
    if (last === undefined || this.#isLastTold) return [];
    this.#isLastTold = true;
    return this.#framed(last.event, last.data);
  }

  /** A place to go on from, also for a client that receives nothing else before it has to come again. */
  #greeting(): Uint8Array {
    this.#isGreeted = true;
    return encoder.encode(`retry: ${RETRY_MS}\n${this.#idLine()}\n`);
  }

  #takeEmitted(): Uint8Array[] {
    const tail = this.#followed?.tail;
    if (tail === undefined) return [];
    const dropped = tail.gone - this.#after;
    if (dropped > 0) {
      this.#after = tail.gone;
      return this.#framed('gap', encode({ reason: 'slow', dropped }));
    }
    const next = tail.next(this.#after);
    if (next === undefined) return [];
    this.#after = next.upTo;
    return [next.chunk];
  }

  #takeLatest(): Uint8Array[] | undefined {
    const state = this.#latest;
    if (state === undefined) return undefined;
    this.#latest = undefined;
    const data = this.#room.shown(state.found, snapshotParts);
    const digest = hash('sha256', data);
    if (digest === this.#told) return undefined;
    this.#told = digest;
    this.#toldAt = performance.now();
    if (state.offset === undefined) return this.#framed('snapshot', data);
    // The data is shared by all clients, and an object.
    return this.#framed('snapshot', data.subarray(0, -1), `,"offset":${state.offset}}`);
  }

  #idLine(): string {
    const tail = this.#followed?.tail;
    return tail === undefined ? '' : `id: ${tail.idOf(this.#after)}\n`;
  }

  #framed(event: string, data: Uint8Array, more = ''): Uint8Array[] {
    const parts = [
      encoder.encode(`${this.#idLine()}event: ${event}\ndata: `),
      data,
      encoder.encode(`${more}\n\n`),
    ];
    return data.length > LONG ? parts : [Buffer.concat(parts)];
  }

  /** Ends the stream here; the client comes again. */
  #finish(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#controller?.close();
  }

  #stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#next);
    this.#latest = undefined;
    this.#stopHearing();
    this.#room.leave();
  }
}

function encode(data: object): Uint8Array {
  return encoder.encode(JSON.stringify(data));
}

/** What a stream needs of those who keep it. */
export interface StreamRoom {
  /** The value as it is sent: JSON, without values of secrets. */
  shown(value: unknown, part?: (value: Record<string, unknown>) => object): Uint8Array;
  /** Releases the room of a stream that is over. */
  leave(): void;
}
