import { decodeError, type WireError } from '../wire/errors.ts';
import type { AnswerHead, Chunks, HostMethod } from '../wire/protocol.ts';
import { AnswerBody } from './answer-body.ts';
import { eventLoop } from './event-loop.ts';
import { fetchError } from './fetch-error.ts';
import { parts, roomFor, type RequestBody } from './request-body.ts';

/** The answer to a request that the host has sent. */
export interface HostAnswer {
  readonly head: AnswerHead;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
}

export interface HostStreamsOptions {
  /** Calls the host, and moves what the list holds. */
  readonly call: (
    moving: readonly ArrayBuffer[],
    method: HostMethod,
    ...args: readonly unknown[]
  ) => Promise<unknown>;
  /** Calls the host without an answer. */
  readonly tell: (method: HostMethod, ...args: readonly unknown[]) => void;
}

export interface StreamedRequest {
  /** The number of the use. */
  readonly n: number;
  /** Has the host send the request. */
  readonly send: (moving: readonly ArrayBuffer[], body: object) => Promise<unknown>;
  readonly body: RequestBody | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * The bytes that a reader has taken before the host is told, when all that could be read by now was read: less than the
 * host ever lets be on their way. And those of which it is told at once.
 */
const UNTOLD = 65_536;
const MOST_UNTOLD = 262_144;

/** The requests of a thread's instances whose answers stream, by the numbers of their uses. */
export class HostStreams {
  readonly #options: HostStreamsOptions;
  readonly #bodies = new Map<number, AnswerBody>();

  constructor(options: HostStreamsOptions) {
    this.#options = options;
  }

  /** Takes what the host tells of bodies. */
  take(chunks: Chunks): void {
    for (let i = 0; i + 1 < chunks.length; i += 2) {
      const body = this.#bodies.get(chunks[i] as number);
      const what = chunks[i + 1] as Uint8Array<ArrayBuffer> | WireError | null;
      // Nobody reads that any more.
      if (body === undefined) continue;
      if (what instanceof Uint8Array) body.add(what);
      else if (what === null) body.end();
      else body.end(fetchError(decodeError(what), 'terminated'));
    }
  }

  /** Has the host send a request; resolves when its answer begins. Rejects with the host's error or the signal's reason. */
  async open({ n, send, body, signal }: StreamedRequest): Promise<HostAnswer> {
    signal?.throwIfAborted();
    const ending = Promise.withResolvers<never>();
    const answer = this.#answer(n, () => signal?.removeEventListener('abort', aborted));
    const stop = (reason: unknown): void => {
      ending.reject(reason);
      if (body !== undefined && 'rest' in body) body.rest.cancel(reason).catch(() => {});
      answer.abort(reason);
    };
    const aborted = (): void => stop(signal?.reason);
    signal?.addEventListener('abort', aborted, { once: true });
    try {
      const room = roomFor(body);
      if (room > 0) await Promise.race([this.#room(n, room, stop), ending.promise]);
      const sent = this.#send(n, send, body, stop);
      const head = (await Promise.race([sent, ending.promise])) as AnswerHead;
      if (head.hasBody) return { head, body: answer.stream() };
      answer.end();
      answer.giveUp();
      return { head, body: undefined };
    } catch (error) {
      answer.end();
      answer.giveUp();
      throw error;
    } finally {
      ending.promise.catch(() => {});
    }
  }

  #answer(n: number, over: () => void): AnswerBody {
    const { call, tell } = this.#options;
    let [untold, isDue] = [0, false];
    const credit = (): void => {
      if (untold > 0 && this.#bodies.has(n)) tell('credit', n, untold);
      untold = 0;
    };
    const answer = new AnswerBody({
      taken(bytes) {
        untold += bytes;
        if (untold >= MOST_UNTOLD) return credit();
        if (untold < UNTOLD || isDue) return;
        // What came together is mostly read together.
        isDue = true;
        eventLoop.immediate(() => {
          isDue = false;
          credit();
        });
      },
      given: () => void call([], 'giveUp', n).catch(() => {}),
      over: () => {
        this.#bodies.delete(n);
        over();
      },
    });
    this.#bodies.set(n, answer);
    return answer;
  }

  /** Waits until the host has room for a body. */
  async #room(n: number, bytes: number, stop: (reason: unknown) => void): Promise<void> {
    try {
      await this.#options.call([], 'room', n, bytes);
    } catch (error) {
      stop(error);
      throw error;
    }
  }

  #send(
    n: number,
    send: StreamedRequest['send'],
    body: RequestBody | undefined,
    stop: (reason: unknown) => void,
  ): Promise<unknown> {
    if (body === undefined) return send([], {});
    if ('whole' in body) return send([body.whole.buffer], { body: body.whole });
    const sent = send([], { uploads: true });
    this.#upload(n, body).catch(stop);
    return sent;
  }

  /** Sends a body in parts, two of which are on their way at a time, for as long as the host wants more. */
  async #upload(n: number, { first, rest }: Extract<RequestBody, { first: unknown }>): Promise<void> {
    const { call } = this.#options;
    let before: Promise<unknown> = Promise.resolve(true);
    const push = async (bytes: Uint8Array): Promise<boolean> => {
      for (const part of parts(bytes)) {
        const taken = call([part.buffer], 'upload', n, part);
        taken.catch(() => {});
        if ((await before) === false) return false;
        before = taken;
      }
      return true;
    };
    for (const bytes of first) if (!(await push(bytes))) return rest.cancel();
    for (;;) {
      const { done, value } = await rest.read();
      if (done) break;
      if (!(value instanceof Uint8Array))
        throw new TypeError('The body of a request is a stream of something that is not bytes.');
      if (!(await push(value))) return rest.cancel();
    }
    await before;
    return void (await call([], 'upload', n));
  }
}
