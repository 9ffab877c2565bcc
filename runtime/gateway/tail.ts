import { randomBytes } from 'node:crypto';

/** The most bytes of one stream that are kept: more than systems hold on the way to a client, which may be megabytes. */
const MOST_BYTES = 8 * 1024 * 1024;
/** The bytes that an event takes besides its text: measured on Node 24, with small events. */
const EVENT_BYTES = 128;
/** The bytes that go to a client at a time, unless one event has more. */
const CHUNK_BYTES = 32 * 1024;

const ID = /^(?:([\w-]{8})\.)?(\d{1,15})$/;

/** The part of a stream that goes to the next process. */
export interface HandedTail {
  readonly run: string;
  readonly head: number;
  readonly events: readonly Uint8Array[];
}

/** The place from which a client goes on. */
export interface Resumed {
  /** The number of the last event that the client does not get any more, or has. */
  readonly after: number;
  /** Present when events are missing between those that the client has and those that it gets. */
  readonly gap?: { readonly dropped?: number };
}

/**
 * The last events of one stream, numbered from 1, for clients that read at their own pace and come again. Their ids are
 * `run.number`: a run ends when nobody counts any more, and no number of one run is taken for that of another. Where the
 * run is empty, as for a stream that is counted once and has an address of its own, they are numbers.
 */
export class Tail {
  readonly run: string;
  #head: number;
  #events: Uint8Array[];
  /** The index of the oldest event. */
  #start = 0;
  #bytes = 0;

  constructor({ run, head, events }: HandedTail = { run: newRun(), head: 0, events: [] }) {
    this.run = run;
    this.#head = head;
    this.#events = [...events];
    for (const { length } of events) this.#bytes += EVENT_BYTES + length;
  }

  /** The number of the last event; 0 when there was none. */
  get head(): number {
    return this.#head;
  }

  /** The number of the last event that is not kept any more; 0 when all are. */
  get gone(): number {
    return this.#head - (this.#events.length - this.#start);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The id that says: all up to this number was received. */
  idOf(n: number): string {
    return this.run === '' ? String(n) : `${this.run}.${n}`;
  }

  /** Adds an event, whose data is JSON; returns its bytes. A single one is kept however large it is. */
  add(event: string, data: string): number {
    this.#head += 1;
    const framed = Buffer.from(`id: ${this.idOf(this.#head)}\nevent: ${event}\ndata: ${data}\n\n`);
    this.#events.push(framed);
    this.#bytes += EVENT_BYTES + framed.length;
    while (this.#bytes > MOST_BYTES && this.gone + 1 < this.#head) this.dropOldest();
    return framed.length;
  }

  /** Drops the oldest event, if there is one. */
  dropOldest(): void {
    const oldest = this.#events[this.#start];
    if (oldest === undefined) return;
    this.#bytes -= EVENT_BYTES + oldest.length;
    this.#start += 1;
    if (this.#start * 2 < this.#events.length) return;
    this.#events = this.#events.slice(this.#start);
    this.#start = 0;
  }

  /** Drops all events; the numbers go on. */
  clear(): void {
    this.#events = [];
    this.#start = 0;
    this.#bytes = 0;
  }

  /** The place of a client that has received the event of that id last. */
  resume(id: string): Resumed {
    const [, run = '', n] = ID.exec(id) ?? [];
    const [number, { gone }] = [Number(n), this];
    // A client that comes from another run has nothing of this one.
    if (n === undefined || run !== this.run || number > this.#head) return { after: gone, gap: {} };
    return number < gone ? { after: gone, gap: { dropped: gone - number } } : { after: number };
  }

  /** Whether the id is of an event of this run. */
  has(id: string): boolean {
    return ID.exec(id)?.[1] === this.run;
  }

  /** The next events as one chunk, and the number of the last of them; `after` is not below {@link gone}. */
  next(after: number): { readonly chunk: Uint8Array; readonly upTo: number } | undefined {
    const from = this.#start + (after - this.gone);
    let [to, bytes] = [from, 0];
    for (; to < this.#events.length; to += 1) {
      const { length } = this.#events[to] as Uint8Array;
      if (bytes > 0 && bytes + length > CHUNK_BYTES) break;
      bytes += length;
    }
    const events = this.#events.slice(from, to);
    const [first] = events;
    if (first === undefined) return undefined;
    return { chunk: events.length === 1 ? first : Buffer.concat(events, bytes), upTo: after + events.length };
  }

  /** The bytes of the events after that one, as far as they are kept. */
  bytesAfter(n: number): number {
    let bytes = 0;
    const from = this.#start + Math.max(0, n - this.gone);
    for (let at = from; at < this.#events.length; at += 1) bytes += (this.#events[at] as Uint8Array).length;
    return bytes;
  }

  handOver(): HandedTail {
    return { run: this.run, head: this.#head, events: this.#events.slice(this.#start) };
  }
}

function newRun(): string {
  return randomBytes(6).toString('base64url');
}
