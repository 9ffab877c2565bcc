import type { AnyEventObject } from 'xstate';

/** Where an instance is, as it sees itself. */
export interface Self {
  /** `agent/id`. */
  readonly address: string;
  /** The pool. */
  readonly threadId: string;
  /** Node's id of the worker thread. */
  readonly thread: number;
  readonly incarnation: number;
}

/** What an instance may ask of its host. */
export interface HostBridge {
  readonly self: Self;
  capability(name: string, input: { label: string; args: unknown }): Promise<unknown>;
  /** An ask of this instance will be answered later. */
  defer(ask: number): void;
  /** Answers an ask that was put off; `false` when nobody waits for it here any more. */
  answer(ask: number, value: unknown): boolean;
  warn(message: string): void;
}

/** An ask that has no answer yet. */
export interface OpenAsk {
  /** Finds the one who waits. */
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
  /** Asks of earlier turns whose event is still on its way through the instance. */
  readonly asks: WeakMap<AnyEventObject, OpenAsk>;
  /** By the instance's actor system, which all its children share. */
  readonly bridges: WeakMap<object, HostBridge>;
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
    asks: new WeakMap(),
    bridges: new WeakMap(),
    running: new Map(),
  });
}

export function runningKey({ address, incarnation }: Pick<Self, 'address' | 'incarnation'>): string {
  return `${address}#${incarnation}`;
}
