import { hash } from 'node:crypto';
import type { AgentRef } from '../runtime.ts';
import { contained } from '../base/contained.ts';
import type { HttpError } from './http-error.ts';
import { snapshotParts } from './routes.ts';

/** The events that a client wants, and how often. */
export interface StreamWishes {
  readonly only?: 'snapshot' | 'emitted' | undefined;
  /** The least time between two snapshots, in milliseconds; those in between are left out, but never the last. */
  readonly everyMs: number;
  /** The client was connected before, and has missed what was emitted since. */
  readonly isAgain: boolean;
}

/** Proxies end a connection that is silent for a minute. */
const HEARTBEAT_MS = 15_000;
/** Milliseconds after which a browser comes again when its stream has ended. */
const RETRY_MS = 1000;
/** The size above which an event is not copied, but shared by slow clients. */
const LONG = 16 * 1024;

const encoder = new TextEncoder();
const END = encoder.encode('\n\n');

/**
 * Server-sent events of one instance: `snapshot` with the current state and then the latest one, `emitted` with each
 * event that it emits, `gap` where some are missing, `end` when it has ended, `closed` when the gateway ends the
 * stream. A slow client costs at most the events that wait for it: the latest state, and a megabyte of emitted events.
 */
export class EventStream {
  readonly #room: StreamRoom;
  readonly #wishes: StreamWishes;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether the client waits for the next chunk. */
  #isWanted = false;
  #n = 0;
  /** The rest of the event that the client has begun to take. */
  #parts: Uint8Array[] = [];
  #queue: { readonly event: string; readonly data: Uint8Array }[] = [];
  #bytes = 0;
  /** Events emitted since the last one that there was room for. */
  #dropped = 0;
  #latest: object | undefined;
  /** The last snapshot that was sent, so that none is sent twice. */
  #told: string | undefined;
  #toldAt = -Infinity;
  #next: NodeJS.Timeout | undefined;
  #last: { readonly event: string; readonly data: unknown } | undefined;
  #isLastTold = false;
  #isOver = false;
  #stopHearing = (): void => {};

  private constructor(room: StreamRoom, wishes: StreamWishes) {
    this.#room = room;
    this.#wishes = wishes;
  }

  /** Begins to listen; `signal` is aborted when the client goes. */
  static open(
    ref: AgentRef,
    room: StreamRoom,
    wishes: StreamWishes,
    signal: AbortSignal,
  ): { readonly body: ReadableStream<Uint8Array>; readonly stream: EventStream } {
    const stream = new EventStream(room, wishes);
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
      // Events wait here and not in the stream, which counts chunks.
      { highWaterMark: 0 },
    );
    signal.addEventListener('abort', () => stream.#stop(), { once: true });
    if (signal.aborted) stream.#stop();
    return { body, stream };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the stream, with the reason; waiting events are left out. */
  close({ code, message, retryable }: HttpError): void {
    this.#dropWaiting();
    this.#end('closed', { code, message, retryable });
  }

  #hear(ref: AgentRef): void {
    const states = ref.subscribe({
      // A client that wants no states has none sent from the thread.
      ...(this.#wishes.only !== 'emitted' && { next: this.#safely((found: object) => this.#state(found)) }),
      error: this.#safely((error: unknown) => this.#end('end', { error })),
      complete: this.#safely(() => this.#end('end', {})),
    });
    if (this.#isOver) return states.unsubscribe();
    const emitted =
      this.#wishes.only === 'snapshot'
        ? undefined
        : ref.on(
            '*',
            this.#safely((event: object) => this.#emitted(event)),
          );
    const heartbeat = setInterval(
      this.#safely(() => this.#beat()),
      HEARTBEAT_MS,
    );
    this.#stopHearing = () => {
      clearInterval(heartbeat);
      states.unsubscribe();
      emitted?.unsubscribe();
    };
    if (this.#wishes.only === 'emitted') return;
    // A state that came in the meantime is newer. Without an answer, later states say everything.
    const first = this.#safely((found: object) => {
      if (this.#latest === undefined && this.#told === undefined) this.#state(found);
    });
    ref.snapshot().then(first, () => {});
  }

  /** An event that cannot be shown ends this stream, and not the process: nothing above these listeners catches. */
  #safely<A extends readonly unknown[]>(run: (...args: A) => void): (...args: A) => void {
    return contained(run, () => this.#finish());
  }

  #state(found: object): void {
    if (this.#last !== undefined) return;
    this.#latest = found;
    if (this.#next !== undefined) return;
    const wait = this.#toldAt + this.#wishes.everyMs - performance.now();
    if (wait <= 0) return this.#give();
    const due = this.#safely(() => {
      this.#next = undefined;
      this.#give();
    });
    this.#next = setTimeout(due, wait);
  }

  #emitted(event: object): void {
    if (this.#last !== undefined) return;
    const data = this.#room.shown(event);
    // A single event is let in, however large it is.
    if (this.#queue.length > 0 && !this.#room.fits(this.#bytes, data.length)) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) this.#queueGap();
    this.#wait('emitted', data);
    this.#give();
  }

  #queueGap(): void {
    this.#wait('gap', encode({ reason: 'slow', dropped: this.#dropped }));
    this.#dropped = 0;
  }

  #wait(event: string, data: Uint8Array): void {
    this.#queue.push({ event, data });
    this.#bytes += data.length;
    this.#room.add(data.length);
  }

  #beat(): void {
    if (this.#isWanted) this.#enqueue(encoder.encode(': alive\n\n'));
  }

  /** Stops listening; sends what waits, and then the end. */
  #end(event: 'end' | 'closed', data: unknown): void {
    if (this.#last !== undefined || this.#isOver) return;
    this.#last = { event, data };
    clearTimeout(this.#next);
    this.#next = undefined;
    this.#give();
  }

  /** Gives the client the next chunk, if it waits for one. */
  #give(): void {
    if (!this.#isWanted || this.#isOver) return;
    if (this.#parts.length === 0) this.#parts = this.#nextEvent();
    const part = this.#parts.shift();
    if (part !== undefined) this.#enqueue(part);
    else if (this.#last !== undefined) this.#finish();
  }

  #enqueue(chunk: Uint8Array): void {
    this.#isWanted = false;
    this.#controller?.enqueue(chunk);
  }

  #nextEvent(): Uint8Array[] {
    if (this.#n === 0 && this.#wishes.isAgain) return this.#framed('gap', encode({ reason: 'reconnected' }));
    const state = this.#next === undefined ? this.#takeLatest() : undefined;
    if (state !== undefined) return this.#framed('snapshot', state);
    if (this.#queue.length === 0 && this.#dropped > 0) this.#queueGap();
    const next = this.#queue.shift();
    if (next !== undefined) {
      this.#bytes -= next.data.length;
      this.#room.add(-next.data.length);
      return this.#framed(next.event, next.data);
    }
    const last = this.#last;
    if (last === undefined || this.#isLastTold) return [];
    this.#isLastTold = true;
    return this.#framed(last.event, this.#room.shown(last.data));
  }

  #takeLatest(): Uint8Array | undefined {
    const found = this.#latest;
    if (found === undefined) return undefined;
    this.#latest = undefined;
    const data = this.#room.shown(found, snapshotParts);
    const digest = hash('sha256', data);
    if (digest === this.#told) return undefined;
    this.#told = digest;
    this.#toldAt = performance.now();
    return data;
  }

  #framed(event: string, data: Uint8Array): Uint8Array[] {
    const retry = this.#n === 0 ? `retry: ${RETRY_MS}\n` : '';
    this.#n += 1;
    const head = encoder.encode(`${retry}id: ${this.#n}\nevent: ${event}\ndata: `);
    const parts = [head, data, END];
    return data.length > LONG ? parts : [Buffer.concat(parts)];
  }

  /** Ends the stream here; the client comes again. */
  #finish(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#controller?.close();
  }

  #dropWaiting(): void {
    this.#room.add(-this.#bytes);
    this.#queue = [];
    this.#bytes = 0;
    this.#dropped = 0;
    this.#latest = undefined;
  }

  #stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#next);
    this.#dropWaiting();
    this.#stopHearing();
    this.#room.leave();
  }
}

function encode(data: object): Uint8Array {
  return encoder.encode(JSON.stringify(data));
}

/** The room in which a stream keeps what waits for its client. */
export interface StreamRoom {
  /** Whether so many bytes more may wait, for a client for whom `own` bytes wait already. */
  fits(own: number, bytes: number): boolean;
  add(bytes: number): void;
  /** The value as it is sent: JSON, without values of secrets. */
  shown(value: unknown, part?: (value: Record<string, unknown>) => object): Uint8Array;
  /** Releases the room of a stream that is over. */
  leave(): void;
}
