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
}

/** An ask whose turn is not over. */
export interface OpenAsk {
  answered: boolean;
  value: unknown;
}

/** What `holdfast/agent` shares with the thread that hosts the agent. */
export interface ThreadState {
  /** The instance whose turn it is. */
  current: HostBridge | undefined;
  /** By the event that carried the ask: XState hands the same object to every action of the turn. */
  readonly asks: WeakMap<AnyEventObject, OpenAsk>;
  /** By the instance's actor system, which all its children share. */
  readonly bridges: WeakMap<object, HostBridge>;
}

const SLOT = Symbol.for('holdfast.thread');

/**
 * One per thread, under a global symbol: an agent's own import of `holdfast/agent` may be another copy of the
 * module than the one the thread was started from.
 */
export function threadState(): ThreadState {
  const scope = globalThis as { [SLOT]?: ThreadState };
  return (scope[SLOT] ??= { current: undefined, asks: new WeakMap(), bridges: new WeakMap() });
}
