import type { AnyActorLogic } from 'xstate';
import type { AgentClient } from './agent-client.ts';
import type { StreamOptions } from './instance-stream.ts';
import type { AgentState, StreamItem } from './types.ts';

/**
 * How a followed instance is heard: `ended` when it has ended, `failed` when it cannot be followed any more; the error says
 * why.
 */
export type FollowStatus = 'connecting' | 'open' | 'reconnecting' | 'ended' | 'failed';

/** An instance as it was last heard of. */
export interface Followed<TLogic extends AnyActorLogic = AnyActorLogic> {
  readonly status: FollowStatus;
  /** The latest state; undefined before the first has come. */
  readonly state: AgentState<TLogic> | undefined;
  /** The error that the instance ended with, or why it cannot be followed. */
  readonly error: unknown;
}

/** What is told besides the state. */
export interface FollowHandlers<TLogic extends AnyActorLogic = AnyActorLogic> {
  readonly onEmitted?:
    | ((event: Extract<StreamItem<TLogic>, { type: 'emitted' }>['event']) => void)
    | undefined;
  /** Emitted events are missing here; `undefined`: nobody knows how many. */
  readonly onGap?: ((dropped: number | undefined) => void) | undefined;
}

/** Follows an instance as long as somebody looks, for user interfaces: what it returns changes as a whole, or not at all. */
export class FollowedAgent<TLogic extends AnyActorLogic> {
  handlers: FollowHandlers<TLogic> = {};
  readonly #agent: AgentClient<TLogic>;
  readonly #options: StreamOptions;
  readonly #listeners = new Set<() => void>();
  #followed: Followed<TLogic>;
  #from: string | undefined;
  #left: AbortController | undefined;

  constructor(agent: AgentClient<TLogic>, options: StreamOptions, state?: AgentState<TLogic>) {
    this.#agent = agent;
    this.#options = options;
    this.#followed = { status: 'connecting', state, error: undefined };
  }

  readonly current = (): Followed<TLogic> => this.#followed;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#left === undefined) void this.#follow();
    return () => {
      this.#listeners.delete(listener);
      // Who looks away and at once looks again, as components in development do, keeps the connection.
      setTimeout(() => this.#leave(), 0);
    };
  };

  #leave(): void {
    if (this.#listeners.size > 0) return;
    this.#left?.abort();
    this.#left = undefined;
  }

  async #follow(): Promise<void> {
    const left = (this.#left = new AbortController());
    try {
      const items = this.#agent.stream({
        ...this.#options,
        ...(this.#from !== undefined && { from: this.#from }),
        signal: left.signal,
        onStatus: (status) => this.#change(left, { status }),
      });
      for await (const item of items) {
        if (left.signal.aborted) return;
        this.#take(left, item);
      }
    } catch (error) {
      this.#change(left, { status: 'failed', error });
    }
  }

  #take(left: AbortController, item: StreamItem<TLogic>): void {
    if (item.id !== '') this.#from = item.id;
    if (item.type === 'snapshot') this.#change(left, { state: item.state });
    else if (item.type === 'emitted') told(this.handlers.onEmitted, item.event);
    else if (item.type === 'gap') told(this.handlers.onGap, item.dropped);
    else this.#change(left, { status: 'ended', error: item.error });
  }

  /** What a connection that was left still says is of no interest. */
  #change(left: AbortController, change: Partial<Followed<TLogic>>): void {
    if (left.signal.aborted) return;
    this.#followed = { ...this.#followed, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Calls a listener of the user: what it throws is uncaught, as in any listener of a page, and costs the stream nothing. */
function told<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    setTimeout(() => {
      throw error;
    }, 0);
  }
}
