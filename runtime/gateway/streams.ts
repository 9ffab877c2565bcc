import type { AgentRef } from '../runtime.ts';
import type { Scrubbing } from '../base/scrubbing.ts';
import { EventStream, type StreamRoom, type StreamSources, type StreamWishes } from './event-stream.ts';
import type { Shown } from './followed-instance.ts';
import { HttpError } from './http-error.ts';
import { plainJson } from './plain-json.ts';
import { Tails } from './tails.ts';
import { type Caller, OWNER, refusedNow, type TokenAccess } from './token-access.ts';

/** Milliseconds within which clients that hear of the same state are sent the same bytes. */
const SHARED_MS = 1000;

export interface StreamRequest extends StreamWishes {
  readonly address: string;
  readonly agent: string;
  /** Absent when the instance has ended, and the client comes for the rest of its events. */
  readonly ref: AgentRef | undefined;
  readonly caller: Caller;
  /** The most streams of a token. */
  readonly most: number;
  readonly scrubber: Pick<Scrubbing, 'scrub'>;
  /** Aborted when the client goes. */
  readonly signal: AbortSignal;
}

interface Open {
  readonly caller: Caller;
  readonly agent: string;
  readonly stream: EventStream;
}

/**
 * The open streams: a token has so many, all have so many bytes, and none belongs to a caller that may no longer
 * listen.
 */
export class Streams {
  readonly #leaving: AbortSignal;
  readonly #open = new Map<string, Set<Open>>();
  readonly #shared = new WeakMap<object, { readonly at: number; readonly bytes: Uint8Array }>();
  /** What instances have emitted lately. */
  readonly tails = new Tails();

  /** `leaving` is aborted when another process takes over. */
  constructor(leaving: AbortSignal) {
    this.#leaving = leaving;
    leaving.addEventListener('abort', () => this.#closeAll(), { once: true });
  }

  get count(): number {
    return this.#all().length;
  }

  /** @throws {HttpError} 429 when the token has as many as it may */
  open(request: StreamRequest): ReadableStream<Uint8Array> {
    const { agent, caller, most, scrubber, signal } = request;
    const ofToken = this.#open.get(caller.name) ?? new Set<Open>();
    if (ofToken.size >= most && caller.name !== OWNER) {
      const message = `this token has ${ofToken.size} streams, which is as many as gateway.limits.streams allows; close some`;
      throw new HttpError(429, 'LIMIT_REACHED', message);
    }
    let entry: Open | undefined;
    const room: StreamRoom = {
      shown: (value, part) => this.#shown(value, scrubber, part),
      leave: () => {
        if (entry !== undefined) ofToken.delete(entry);
        if (ofToken.size === 0 && this.#open.get(caller.name) === ofToken) this.#open.delete(caller.name);
      },
    };
    const sources = this.#sources(request);
    const { body, stream } = EventStream.open(sources, room, request, signal);
    if (stream.isOver) return body;
    entry = { caller, agent, stream };
    ofToken.add(entry);
    this.#open.set(caller.name, ofToken);
    if (this.#leaving.aborted) this.#closeAll();
    return body;
  }

  /** Ends the streams of callers that may no longer listen. */
  recheck(access: TokenAccess): void {
    for (const { caller, agent, stream } of this.#all()) {
      const refused = refusedNow(access, caller, 'read', agent);
      if (refused !== undefined) stream.close(refused);
    }
  }

  /** Whether the instance at that address has ended, and the client may come for the rest of its events. */
  hasRest(address: string, from: string | undefined): boolean {
    return this.tails.ended(address, from) !== undefined;
  }

  #sources({ address, ref, only, from, scrubber }: StreamRequest): StreamSources {
    if (only === 'snapshot') return { ref, followed: undefined };
    // A quarantined instance has ended for those who listen, and is still there.
    const ended = ref?.getSnapshot().status === 'active' ? undefined : this.tails.ended(address, from);
    if (ended !== undefined) return { ref: undefined, followed: ended };
    return { ref, followed: ref && this.tails.of(ref, shownBy(scrubber)) };
  }

  #all(): Open[] {
    return Array.from(this.#open.values(), (ofToken) => [...ofToken]).flat();
  }

  #closeAll(): void {
    const why = new HttpError(
      503,
      'RESTARTING',
      'another process takes over, or the gateway stops; connect again',
    );
    for (const { stream } of this.#all()) stream.close(why);
  }

  #shown(
    value: unknown,
    { scrub }: Pick<Scrubbing, 'scrub'>,
    part?: (value: Record<string, unknown>) => object,
  ): Uint8Array {
    const isObject = typeof value === 'object' && value !== null;
    const now = performance.now();
    const shared = isObject ? this.#shared.get(value) : undefined;
    if (shared !== undefined && now - shared.at < SHARED_MS) return shared.bytes;
    const shown = part === undefined ? value : part(value as Record<string, unknown>);
    const bytes = Buffer.from(JSON.stringify(plainJson(scrub(shown))) ?? 'null');
    if (isObject) this.#shared.set(value, { at: now, bytes });
    return bytes;
  }
}

export function shownBy({ scrub }: Pick<Scrubbing, 'scrub'>): Shown {
  return (value) => JSON.stringify(plainJson(scrub(value))) ?? 'null';
}
