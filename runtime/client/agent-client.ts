import type { AnyActorLogic } from 'xstate';
import { partsOf } from '../base/address.ts';
import { abortSignal, checkCall, listener, milliseconds, name, oneOf, string } from '../base/call-check.ts';
import type { Answer, EventOfType } from '../base/replies.ts';
import { AskReader, type AskStream, type AskStreamOptions } from './ask-stream.ts';
import type { Call, Connection } from './connection.ts';
import { instanceStream, type StreamOptions } from './instance-stream.ts';
import type { AgentState, EventOf, StreamItem } from './types.ts';

/** Milliseconds that `ask` and `snapshot` wait, as those of a reference in the host do: OTP's default for a call. */
const ASK_MS = 5000;
/** The longest silence of `askStream`: a model may think for most of a minute before its first token. */
const STREAM_MS = 60_000;
/** Milliseconds that `send` waits, as `deliver` of a reference in the host does. */
const SEND_MS = 30_000;

/** How long to wait, and when to give up earlier. */
export interface RequestOptions {
  /** Milliseconds in all, further attempts included. */
  readonly timeoutMs?: number;
  /** A signal whose abort rejects the promise with its reason; the event may still be handled. */
  readonly signal?: AbortSignal;
}

/** A request that is done once, however often it is sent. */
export interface EventOptions extends RequestOptions {
  /** The key under which the gateway does it once, of 1 to 255 characters. Default: a new one for each call. */
  readonly idempotencyKey?: string;
}

/** How to send. */
export interface SendOptions extends EventOptions {
  /** `handled`: resolves when the event was handled. Default: when it is in the mailbox. */
  readonly wait?: 'handled';
}

/** An instance of an agent behind a gateway. Nothing is known of it before it is called. */
export interface AgentClient<TLogic extends AnyActorLogic = AnyActorLogic, TReplies = unknown> {
  /** The address, `agent/id`, with the id percent-encoded. */
  readonly address: string;
  /**
   * Sends an event once, and resolves when it is in the mailbox, or was handled; tries again on the way as long as that may
   * help. `timeoutMs` defaults to 30 s. Rejects with a {@link GatewayError}.
   */
  send(this: void, event: EventOf<TLogic>, options?: SendOptions): Promise<void>;
  /**
   * Sends an event once, and resolves with the reply; tries again on the way as long as that may help. `timeoutMs` defaults to
   * 5 s. Rejects with a {@link GatewayError}. The type of the reply is the one that is declared for the event, or the one that
   * the call names; it is not checked at run time.
   */
  ask<TReply = never, TType extends EventOf<TLogic>['type'] = EventOf<TLogic>['type']>(
    this: void,
    event: EventOfType<EventOf<TLogic>, TType>,
    options?: EventOptions,
  ): Promise<Answer<TReply, TReplies, TType>>;
  /**
   * Sends an event once, and reads what the instance writes for it until it ends that, in order and each chunk once, over
   * lost connections. To stop iterating, or the abort of `signal`, cancels: the agent is told. `timeoutMs`, 60 s by default,
   * is the longest silence. Iterating throws, and `result` rejects, after what came, with a {@link GatewayError}: an answer that was
   * cut never looks like one that has ended.
   *
   * @example
   * ```ts
   * const answer = writer.askStream<string>({ type: 'write', prompt });
   * for await (const token of answer) show(token);
   * console.log(await answer.result);
   * ```
   */
  askStream<
    TChunk = unknown,
    TReply = never,
    TType extends EventOf<TLogic>['type'] = EventOf<TLogic>['type'],
  >(
    this: void,
    event: EventOfType<EventOf<TLogic>, TType>,
    options?: AskStreamOptions,
  ): AskStream<TChunk, Answer<TReply, TReplies, TType>>;
  /** Resolves with the state, after everything that was sent before was handled. `timeoutMs` defaults to 5 s. */
  snapshot(this: void, options?: RequestOptions): Promise<AgentState<TLogic>>;
  /**
   * Follows the instance: its states, and what it emits, once each and in order, over lost connections and restarts of the
   * gateway. Where events are missing, a `gap` says so. Begins with the iteration, and ends after `end`. Rejects with a
   * {@link GatewayError} when the connection cannot be had again, or the token is not good for it any more.
   */
  stream(this: void, options?: StreamOptions): AsyncGenerator<StreamItem<TLogic>, void, undefined>;
}

/** How to reach an instance. */
export interface AgentOptions {
  /** Starts the instance with what is sent to it, when it is not there. Default: false. */
  readonly activate?: boolean;
}

const ofRequest = { timeoutMs: milliseconds, signal: abortSignal };
const ofEvent = { ...ofRequest, idempotencyKey: name };

export function agentClient(
  connection: Connection,
  address: string,
  { activate = false }: AgentOptions,
): AgentClient {
  const query = activate ? { activate: 'true' } : {};
  const at = `/v1/agents/${address}`;
  const post = (what: string, event: unknown, key: string | undefined, more: Call['query']): Call => ({
    method: 'POST',
    path: `${at}/${what}`,
    query: { ...query, ...more },
    headers: { 'idempotency-key': key ?? newKey() },
    body: event,
  });
  return {
    address,
    async send(event, options) {
      const given = checkCall<SendOptions>('agent.send()', {}, options, {
        ...ofEvent,
        wait: oneOf(['handled']),
      });
      const { timeoutMs = SEND_MS, signal, idempotencyKey, wait } = given;
      await connection.json(post('events', event, idempotencyKey, { wait }), timeoutMs, signal);
    },
    async ask(event, options) {
      const given = checkCall<EventOptions>('agent.ask()', {}, options, ofEvent);
      const { timeoutMs = ASK_MS, signal, idempotencyKey } = given;
      const call = post('ask', event, idempotencyKey, { timeoutMs: wholeMs(timeoutMs) });
      const { reply } = (await connection.json(call, timeoutMs, signal)) as { reply: never };
      return reply;
    },
    askStream(event, options) {
      const given = checkCall<AskStreamOptions>('agent.askStream()', {}, options, ofEvent);
      const { timeoutMs = STREAM_MS, signal, idempotencyKey } = given;
      const { headers, ...call } = post('ask', event, idempotencyKey, { timeoutMs: wholeMs(timeoutMs) });
      const streamed = { ...call, headers: { ...headers, accept: 'text/event-stream' } };
      const stream: AskStream = new AskReader(connection, address, streamed, signal);
      return stream as AskStream<never, never>;
    },
    async snapshot(options) {
      const { timeoutMs = ASK_MS, signal } = checkCall<RequestOptions>(
        'agent.snapshot()',
        {},
        options,
        ofRequest,
      );
      const call: Call = { method: 'GET', path: `${at}/snapshot` };
      const { status, value, context, output, error } = (await connection.json(
        call,
        timeoutMs,
        signal,
      )) as AgentState;
      return {
        status,
        value,
        context,
        ...(output !== undefined && { output }),
        ...(error !== undefined && { error }),
      };
    },
    stream(options) {
      const given = checkCall<StreamOptions>('agent.stream()', {}, options, {
        from: string,
        only: oneOf(['snapshot', 'emitted']),
        everyMs: milliseconds,
        reconnectMs: milliseconds,
        signal: abortSignal,
        onStatus: listener,
      });
      return instanceStream(connection, address, query, given);
    },
  };
}

/** The longest wait that a gateway takes. */
const LONGEST_MS = 2 ** 31 - 1;

function wholeMs(ms: number): string {
  return String(Math.min(LONGEST_MS, Math.max(1, Math.ceil(ms))));
}

/** Not `randomUUID`, which pages without https do not have. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}

/** Whether it is an address. */
export function isAddress(value: unknown): boolean {
  return typeof value === 'string' && partsOf(value) !== undefined;
}
