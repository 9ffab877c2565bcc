import { hash, randomBytes } from 'node:crypto';
import { systemClock, within } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { AskedStream, type AskedStreamOf, type HandedAskedStream } from './asked-stream.ts';
import { errorBody, HttpError } from './http-error.ts';
import { keyReused } from './idempotency.ts';
import type { HandedTail } from './tail.ts';
import { type Caller, OWNER, refusedNow, type TokenAccess } from './token-access.ts';

/** The most bytes that are kept of all streams together. */
const MOST_BYTES = 64 * 1024 * 1024;
/** The bytes that go to the next process, because requests wait for them. */
const HANDED_BYTES = 16 * 1024 * 1024;
/** The most streams that are kept after their end; beyond it those go that ended first. */
const MOST_ENDED = 10_000;
/** The bytes of one stream that may wait for its client: a quarter of what is kept of it, the rest of which it was sent. */
const AHEAD_BYTES = 2 * 1024 * 1024;
/** The same, while all together have more than half of what they may. */
const AHEAD_SHORT_BYTES = 64 * 1024;
/** The part of what was sent by which the stream shrinks that has most, so that room is made for many events at a time. */
const SHRINKS_BY = 1 / 8;

export interface AskedStreamRequest extends Pick<AskedStreamOf, 'address' | 'agent'> {
  readonly caller: Caller;
  /** The most streams of a token that are not over. */
  readonly most: number;
  /** The `Idempotency-Key` of the request, and all of the request. */
  readonly keyed?: StreamKey | undefined;
}

export interface StreamKey {
  readonly key: string;
  readonly whole: string;
}

/** The answers that agents write to clients of the gateway, by an id that is part of their address. */
export class AskedStreams {
  /** Oldest first. */
  readonly #streams = new Map<string, AskedStream>();
  /** Those that were opened with an `Idempotency-Key`. */
  readonly #byKey = new Map<string, AskedStream>();
  /** Those that are over, in the order of their ends. */
  readonly #ended = new Set<AskedStream>();
  /** The bytes that each was counted with. */
  readonly #counted = new Map<AskedStream, number>();
  #bytes = 0;

  /**
   * Makes room for a stream.
   *
   * @throws {HttpError} 429 when the token has as many as it may
   */
  open({ address, agent, caller, most, keyed }: AskedStreamRequest): AskedStream {
    let count = 0;
    for (const stream of this.#running()) if (stream.of.caller.name === caller.name) count += 1;
    if (count >= most && caller.name !== OWNER) {
      const message = `this token has ${count} streams of answers, which is as many as gateway.limits.streams allows; read them to the end, or cancel some`;
      throw new HttpError(429, 'LIMIT_REACHED', message);
    }
    const asked = keyed && { key: keyed.key, fingerprint: hash('sha256', keyed.whole, 'base64url') };
    return this.#add({ id: randomBytes(16).toString('base64url'), address, agent, caller, asked });
  }

  /**
   * The stream that was opened with that key, for as long as it is kept, which may be longer than the key.
   *
   * @throws {HttpError} 422 when it was opened by another request
   */
  withKey({ name, digest }: Caller, key: string, whole: string): AskedStream | undefined {
    const stream = this.#byKey.get(keyOf(name, key));
    if (stream?.of.caller.digest.equals(digest) !== true) return undefined;
    if (stream.of.asked?.fingerprint === hash('sha256', whole, 'base64url')) return stream;
    throw keyReused();
  }

  /**
   * The stream that this caller has opened for that instance.
   *
   * @throws {HttpError} 410 when it is not kept any more
   */
  find(id: string, address: string, { name, digest }: Caller): AskedStream {
    const stream = this.#streams.get(id);
    const of = stream?.of;
    if (stream !== undefined && of?.address === address && of.caller.name === name) {
      if (of.caller.digest.equals(digest)) return stream;
    }
    throw gone('it is not kept any more, or was never there');
  }

  /** Forgets a stream, and ends what the agent does for it. */
  cancel(id: string, address: string, caller: Caller): void {
    this.#forget(this.find(id, address, caller));
  }

  /**
   * The number of the event after which a client goes on.
   *
   * @throws {HttpError} 410 when events are missing there
   */
  placeIn({ tail }: AskedStream, from: string | undefined): number {
    if (from === undefined) {
      if (tail.gone === 0) return 0;
      throw gone('its beginning is not kept any more');
    }
    const { after, gap } = tail.resume(from);
    if (gap === undefined) return after;
    throw gone(gap.dropped === undefined ? 'it has no such event' : 'what follows is not kept any more');
  }

  /** Ends the streams of callers that may no longer read them. */
  recheck(access: TokenAccess): void {
    for (const stream of this.#running()) {
      const { caller, agent } = stream.of;
      const refused = refusedNow(access, caller, 'send', agent);
      if (refused !== undefined) interrupt(stream, refused);
    }
  }

  /** Resolves when the streams are over that run now, or after `ms`. */
  async finished(ms: number): Promise<void> {
    const over = Promise.all(Array.from(this.#running(), (stream) => stream.over));
    await within(systemClock, ms, over, () => new Error('they take longer')).catch(() => {});
  }

  /** Ends all that still run: their instances go on in another process, or not at all. */
  interrupt(): void {
    const message = 'the gateway was restarted or stopped before the agent had written everything; ask again';
    for (const stream of this.#running())
      interrupt(stream, new HttpError(503, 'STREAM_INTERRUPTED', message));
  }

  /** What clients come for in the next process: the newest first, so far as there is room. */
  handOver(): HandedAskedStream[] {
    const handed: HandedAskedStream[] = [];
    let bytes = 0;
    for (const stream of [...this.#streams.values()].toReversed()) {
      bytes += stream.tail.bytes;
      if (bytes > HANDED_BYTES) break;
      handed.push(stream.handOver());
    }
    return handed;
  }

  adopt(handed: readonly HandedAskedStream[]): void {
    for (const { id, address, owner, ownerDigest, asked, ...tail } of handed.toReversed()) {
      const caller = { name: owner, digest: Buffer.from(ownerDigest, 'hex') };
      const agent = decodeURIComponent(address.slice(0, address.indexOf('/')));
      const stream = this.#add({ id, address, agent, caller, asked }, tail);
      this.#ended.add(stream);
      this.#count(stream);
    }
  }

  #add(of: AskedStreamOf, handed?: HandedTail): AskedStream {
    const stream: AskedStream = new AskedStream(
      of,
      {
        ahead: () => (this.#bytes > MOST_BYTES / 2 ? AHEAD_SHORT_BYTES : AHEAD_BYTES),
        changed: () => {
          this.#count(stream);
          if (this.#bytes > MOST_BYTES) this.#makeRoom();
        },
        over: () => this.#over(stream),
        forget: () => this.#forget(stream),
      },
      handed,
    );
    this.#streams.set(of.id, stream);
    if (of.asked !== undefined) this.#byKey.set(keyOf(of.caller.name, of.asked.key), stream);
    this.#counted.set(stream, 0);
    return stream;
  }

  *#running(): Iterable<AskedStream> {
    for (const stream of this.#streams.values()) if (!stream.isOver) yield stream;
  }

  #over(stream: AskedStream): void {
    this.#ended.add(stream);
    const [first] = this.#ended;
    if (this.#ended.size > MOST_ENDED && first !== undefined) this.#forget(first);
  }

  #count(stream: AskedStream): void {
    const counted = this.#counted.get(stream);
    if (counted === undefined) return;
    const { bytes } = stream.tail;
    this.#bytes += bytes - counted;
    this.#counted.set(stream, bytes);
  }

  /** Those go that are over; then the streams that have most lose what their clients were sent. */
  #makeRoom(): void {
    for (const stream of this.#ended) {
      if (this.#bytes <= MOST_BYTES) return;
      this.#forget(stream);
    }
    const byBytes = [...this.#counted.keys()].toSorted((a, b) => b.tail.bytes - a.tail.bytes);
    for (const stream of byBytes) {
      if (this.#bytes <= MOST_BYTES) return;
      const enough = stream.tail.bytes * (1 - SHRINKS_BY);
      while (stream.tail.bytes > enough && stream.dropGiven());
      this.#count(stream);
    }
  }

  #forget(stream: AskedStream): void {
    stream.forget();
    this.#count(stream);
    this.#counted.delete(stream);
    this.#ended.delete(stream);
    this.#streams.delete(stream.of.id);
    const { asked, caller } = stream.of;
    const key = asked && keyOf(caller.name, asked.key);
    if (key !== undefined && this.#byKey.get(key) === stream) this.#byKey.delete(key);
  }
}

function interrupt(stream: AskedStream, why: HttpError): void {
  const reason = new HoldfastError('STREAM_INTERRUPTED', why.message);
  stream.interrupt(reason, errorBody(why).error);
}

/** Names of tokens have no line break. */
function keyOf(token: string, key: string): string {
  return `${token}\n${key}`;
}

export function gone(why: string): HttpError {
  return new HttpError(410, 'STREAM_GONE', `this stream cannot be gone on with: ${why}; ask again`);
}
