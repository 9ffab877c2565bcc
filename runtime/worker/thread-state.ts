import type { AsyncLocalStorage } from 'node:async_hooks';
import type { AnyEventObject } from 'xstate';
import type { Ending } from '../base/ending.ts';
import type { EncodedState, SecretUseName } from '../wire/protocol.ts';
import type { HostAnswer } from './host-streams.ts';
import type { PeerEnd } from './peer-end.ts';
import type { ReplyStream } from './reply-stream.ts';
import type { RequestBody } from './request-body.ts';
import type { RunningTrace } from './running-trace.ts';

/** Where an instance is, as it sees itself. */
export interface Self {
  /** The address, `agent/id`. */
  readonly address: string;
  /** The `threadId` of the pool. */
  readonly threadId: string;
  /** Node's id of the worker thread. */
  readonly thread: number;
  readonly incarnation: number;
}

/** Writes a line to the host's log. Never throws. */
export type WriteLog = (level: LogLevel, message: string, fields: object) => void;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The requests of an instance to its host. */
export interface HostBridge {
  readonly self: Self;
  /** The incarnation has ended. Any code of it that still runs has no effect on others. */
  readonly over: boolean;
  /** Has the host use a secret on the instance's behalf, until `ending` says that nobody waits for it any more. */
  useSecret(use: SecretUseName, input: object, ending: Ending): Promise<unknown>;
  /**
   * Has the host call a tool of an MCP server, until `signal` says that nobody waits for it any more; `args` is JSON.
   */
  callTool(server: string, tool: string, args: string, signal: AbortSignal): Promise<unknown>;
  /** Has the host send a request with a secret, until the signal aborts; resolves when its answer begins. */
  openStream(
    input: object,
    body: RequestBody | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HostAnswer>;
  /** Resolves when the state that the instance has now is committed; at once for one that is not durable. */
  committed(): Promise<void>;
  /** Commits what a step of a start has returned; only when the instance is durable. */
  readonly keepStep?: ((start: string, key: string, value: EncodedState) => Promise<void>) | undefined;
  /** Puts off an ask of this instance. */
  defer(ask: OpenAsk): void;
  /** Puts off an ask of this instance that is answered by a stream. */
  stream(ask: OpenAsk): ReplyStream;
  /** Answers an ask that was put off; `false` when nobody waits for it here any more. */
  answer(ask: number, value: unknown): boolean;
  warn(message: string): void;
  readonly log: WriteLog;
  /** Messages to other instances, wherever they run. */
  readonly peers: PeerBridge;
}

/** The instance to which running code belongs. */
export interface Origin {
  readonly bridge: HostBridge;
}

/** A promise, a callback or an observable to which running code belongs. */
export interface Invoked extends Origin {
  /** The name of its start, which no other has. */
  readonly name: string;
  /** Calls `fn`, unless what it returned is kept. */
  step<T>(key: string, fn: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T>;
}

/** The way from the agents of a thread to other agents. */
export interface PeerBridge {
  /** With `activate`, the recipient is started when it is not there. */
  send(from: Self | undefined, address: string, event: unknown, activate?: boolean): void;
  /** Resolves with the reply. */
  ask(from: Self | undefined, address: string, event: unknown, options: PeerWait): Promise<unknown>;
  /** Resolves when the event was handled. */
  deliver(from: Self | undefined, address: string, event: unknown, options: PeerWait): Promise<unknown>;
  /** Calls the listener once, when the current incarnation has ended. Returns a function that gives up the watch. */
  watch(from: Self | undefined, address: string, listener: (end: PeerEnd) => void): () => void;
}

export interface PeerWait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Start the recipient when it is not there. */
  readonly activate?: boolean | undefined;
  /** The ask that is being answered, whose deadline and depth go on. */
  readonly within?: OpenAsk | undefined;
}

/** An ask that has no answer yet. */
export interface OpenAsk {
  /** A number unique in the thread. */
  readonly id: number;
  /** The tag of the wait at the source of the ask. */
  readonly tag: number;
  /** Milliseconds of the host's clock. */
  readonly deadline: number;
  /** The type of its event. */
  readonly type: string;
  /** The number of asks that led to it. */
  readonly depth: number;
  /** Whether its sender reads a stream of chunks before the reply. */
  readonly streams: boolean;
  /** Whether the answer is kept with the state after it. */
  readonly kept: boolean;
  state: 'open' | 'answered' | 'failed' | 'deferred';
  /** The reply, or the error. */
  value: unknown;
  /** The stream with which it is answered, once there is one. */
  stream: ReplyStream | undefined;
}

/** The state that `holdfast/agent` shares with the thread that hosts the agent. */
export interface ThreadState {
  /** The instance whose turn it is. */
  current: HostBridge | undefined;
  /** The event of the turn, and the ask it came with. */
  event: AnyEventObject | undefined;
  ask: OpenAsk | undefined;
  /** The address of the instance that sent the event. */
  sender: string | undefined;
  /** The trace of the running code; made with the first traced event. */
  traces: AsyncLocalStorage<RunningTrace> | undefined;
  /** Runs a function outside of every trace, and of the work of every instance. */
  outside: ((run: () => void) => void) | undefined;
  /** Asks of earlier turns whose event is still on its way through the instance. */
  readonly asks: WeakMap<AnyEventObject, OpenAsk>;
  /** The instance whose promise, callback or observable began what runs now, outside of turns as well. */
  origin: AsyncLocalStorage<Origin | undefined> | undefined;
  /** The promise, callback or observable that does something within the turn. */
  acting: Invoked | undefined;
  /**
   * Somebody here has made a fetch that is bound to whoever calls it. From then on `origin` also knows the instance of
   * what a turn has begun, such as an action that waits for something.
   */
  isBound: boolean;
  /** The bridges of instances, by the actor system of each, which all its children share. */
  readonly bridges: WeakMap<object, HostBridge>;
  /** The thread's own way to other agents, for messages that an agent sends outside its turns. */
  peers: PeerBridge | undefined;
  /** The thread's own log, for lines that an agent writes outside its turns. */
  log: WriteLog | undefined;
  /** The bridges of all running incarnations, by address and incarnation. */
  readonly running: Map<string, HostBridge>;
}

const SLOT = Symbol.for('holdfast.thread');

/**
 * One per thread, under a global symbol: an agent's own import of `holdfast/agent` may be another copy of the
 * module than the one the thread was started from.
 */
export function threadState(): ThreadState {
  const scope = globalThis as { [SLOT]?: ThreadState };
  return (scope[SLOT] ??= {
    current: undefined,
    event: undefined,
    ask: undefined,
    sender: undefined,
    traces: undefined,
    outside: undefined,
    peers: undefined,
    log: undefined,
    origin: undefined,
    acting: undefined,
    isBound: false,
    asks: new WeakMap(),
    bridges: new WeakMap(),
    running: new Map(),
  });
}

export function runningKey({ address, incarnation }: Pick<Self, 'address' | 'incarnation'>): string {
  return `${address}#${incarnation}`;
}
