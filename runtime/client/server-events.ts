import { reasonOf } from './connection.ts';
import { GatewayError } from './gateway-error.ts';

/** One server-sent event. */
export interface ServerEvent {
  /** The kind: `message` when the server named none, empty for a block that names an id and nothing else. */
  readonly event: string;
  readonly data: string;
  /** The last id that was named, by this event or before; empty when none was. */
  readonly id: string;
}

/** The most characters of one event: far more than a gateway keeps of one instance. */
const LONGEST = 64 * 1024 * 1024;

/**
 * The events of an answer, until it ends. Rejects when it breaks off, and when nothing comes for `idleMs` though it is
 * read; the caller's own pauses do not count.
 */
export async function* serverEventsOf(
  response: Response,
  signal: AbortSignal,
  idleMs: number,
): AsyncGenerator<ServerEvent, void, undefined> {
  const [events, decoder, reader] = [new ServerEvents(), new TextDecoder(), response.body?.getReader()];
  const cancel = (): void => void reader?.cancel().catch(() => {});
  let isIdle = false;
  // A `fetch` of the caller's own may not look at the signal once it has answered.
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const timer = setTimeout(() => {
        isIdle = true;
        cancel();
      }, idleMs);
      const read = await reader?.read().finally(() => clearTimeout(timer));
      signal.throwIfAborted();
      if (isIdle) {
        const message = `nothing came for ${idleMs} ms, not even a sign of life`;
        throw new GatewayError('FETCH_FAILED', message, { retryable: true });
      }
      if (read?.value === undefined) return;
      yield* events.take(decoder.decode(read.value, { stream: true }));
    }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw reasonOf(signal, cause, 'the stream broke off');
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

/**
 * Makes server-sent events of text, whatever pieces it comes in. An id counts when its block is complete, also in a
 * block without data, as the standard says.
 */
export class ServerEvents {
  #id = '';
  /** The pieces of the line that has not ended. */
  #line: string[] = [];
  /** A line has ended with a carriage return, to which a line feed may belong. */
  #isAfterReturn = false;
  #event = '';
  #data: string[] = [];
  /** The characters of the event so far. */
  #length = 0;
  #nextId: string | undefined;

  /**
   * Takes a piece of text and gives the events that are complete with it.
   *
   * @throws {GatewayError} `FETCH_FAILED` for an event that is too long
   */
  take(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    if (text === '') return events;
    const piece = this.#isAfterReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#isAfterReturn = false;
    let from = 0;
    for (const { index, 0: end } of piece.matchAll(/\r\n|\r|\n/g)) {
      this.#line.push(piece.slice(from, index));
      this.#length += index + end.length - from;
      from = index + end.length;
      this.#isAfterReturn = end === '\r' && from === piece.length;
      const event = this.#take(this.#line.join(''));
      this.#line = [];
      if (event !== undefined) events.push(event);
    }
    const rest = piece.slice(from);
    if (rest !== '') this.#line.push(rest);
    this.#length += rest.length;
    if (this.#length > LONGEST) {
      throw new GatewayError('FETCH_FAILED', `an event of the stream has more than ${LONGEST} characters`);
    }
    return events;
  }

  #take(line: string): ServerEvent | undefined {
    if (line === '') return this.#complete();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#nextId = value;
    else if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #complete(): ServerEvent | undefined {
    const [event, data, isNamed] = [this.#event, this.#data, this.#nextId !== undefined];
    this.#id = this.#nextId ?? this.#id;
    this.#nextId = undefined;
    this.#event = '';
    this.#data = [];
    this.#length = 0;
    if (data.length > 0)
      return { event: event === '' ? 'message' : event, data: data.join('\n'), id: this.#id };
    return isNamed ? { event: '', data: '', id: this.#id } : undefined;
  }
}
