import type { AsyncLocalStorage } from 'node:async_hooks';
import type { AnyEventObject } from 'xstate';
import type { SecretUseName } from '../wire/protocol.ts';
import type { PeerEnd } from './peer-end.ts';
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

/** What an instance may ask of its host. */
export interface HostBridge {
  readonly self: Self;
  /** The incarnation has ended. Whatever of its code still runs has no effect on others. */
  readonly over: boolean;
  /** Has the host use a secret on its behalf, until `signal` says that nobody waits for it any more. */
  useSecret(use: SecretUseName, input: object, signal: AbortSignal): Promise<unknown>;
  /** An ask of this instance will be answered later. */
  defer(ask: OpenAsk): void;
  /** Answers an ask that was put off; `false` when nobody waits for it here any more. */
  answer(ask: number, value: unknown): boolean;
  warn(message: string): void;
  readonly log: WriteLog;
  /** Messages to other instances, wherever they run. */
  readonly peers: PeerBridge;
}

/** How the agents of a thread reach those of others. */
export interface PeerBridge {
  /** With `activate`, who is sent to is started when it is not there. */
  send(from: Self | undefined, address: string, event: unknown, activate?: boolean): void;
  /** Resolves with the reply. */
  ask(from: Self | undefined, address: string, event: unknown, options: PeerWait): Promise<unknown>;
  /** Resolves when the event was handled. */
  deliver(from: Self | undefined, address: string, event: unknown, options: PeerWait): Promise<unknown>;
  /** Tells once, when the incarnation that runs now has ended. Returns how to give it up. */
  watch(from: Self | undefined, address: string, listener: (end: PeerEnd) => void): () => void;
}

export interface PeerWait {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Who is sent to is started when it is not there. */
  readonly activate?: boolean | undefined;
  /** The ask that is being answered: its deadline and depth go on. */
  readonly within?: OpenAsk | undefined;
}

/** An ask that has no answer yet. */
export interface OpenAsk {
  /** Unique in the thread. */
  readonly id: number;
  /** Finds the one who waits, at the source it came from. */
  readonly tag: number;
  /** Milliseconds of the host's clock. */
  readonly deadline: number;
  /** Asks that led to it. */
  readonly depth: number;
  state: 'open' | 'answered' | 'deferred';
  value: unknown;
}

/** What `holdfast/agent` shares with the thread that hosts the agent. */
export interface ThreadState {
  /** The instance whose turn it is. */
  current: HostBridge | undefined;
  /** The event of the turn, and the ask it came with. */
  event: AnyEventObject | undefined;
  ask: OpenAsk | undefined;
  /** Address of the instance that sent it. */
  sender: string | undefined;
  /** The trace that what runs is a part of; made with the first traced event. */
  traces: AsyncLocalStorage<RunningTrace> | undefined;
  /** Runs what is of none of them. */
  outside: ((run: () => void) => void) | undefined;
  /** Asks of earlier turns whose event is still on its way through the instance. */
  readonly asks: WeakMap<AnyEventObject, OpenAsk>;
  /** The instance whose promise, callback or observable began what runs now, outside of turns as well. */
  origin: AsyncLocalStorage<HostBridge> | undefined;
  /** By the instance's actor system, which all its children share. */
  readonly bridges: WeakMap<object, HostBridge>;
  /** Of the thread, for what an agent sends outside its turns. */
  peers: PeerBridge | undefined;
  /** Of the thread, for what an agent logs outside its turns. */
  log: WriteLog | undefined;
  /** By address and incarnation, of all that run here. */
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
    asks: new WeakMap(),
    bridges: new WeakMap(),
    running: new Map(),
  });
}

export function runningKey({ address, incarnation }: Pick<Self, 'address' | 'incarnation'>): string {
  return `${address}#${incarnation}`;
}
