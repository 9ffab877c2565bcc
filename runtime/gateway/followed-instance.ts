import type { AgentRef } from '../runtime.ts';
import { contained } from '../base/contained.ts';
import { type HandedTail, Tail } from './tail.ts';

/** Milliseconds for which events are kept when nobody listens any more: enough for any client to come again. */
const KEPT_MS = 60_000;

/** A value as JSON, without values of secrets. */
export type Shown = (value: object) => string;

/** What an instance has emitted, for the next process. */
export interface HandedEvents extends HandedTail {
  readonly address: string;
  /** What the `end` of its streams says, when it has ended. */
  readonly end?: string | undefined;
}

/** A client that follows an instance. */
export interface Follower {
  /** There is another event. */
  readonly more: () => void;
  /** The events cannot be counted any more; whoever comes again is told that something is missing. */
  readonly broke: () => void;
}

/** Who keeps several of them. */
export interface FollowedOptions {
  readonly grew: () => void;
  /** The first follower came, or the last one went. */
  readonly followed: (isFollowed: boolean) => void;
  /** Nobody has followed the instance for a minute, or its events cannot be counted any more. */
  readonly over: () => void;
}

/** The events that one instance emits, for all who follow it: they are heard once, and kept in one tail. */
export class FollowedInstance {
  readonly address: string;
  readonly tail: Tail;
  readonly #options: FollowedOptions;
  readonly #followers = new Set<Follower>();
  #ref: AgentRef | undefined;
  #end: string | undefined;
  #outlives = false;
  #forgotten: NodeJS.Timeout | undefined;
  #stopHearing = (): void => {};

  /** With `handed`, the events go on from there. */
  constructor(address: string, options: FollowedOptions, handed?: HandedEvents) {
    this.address = address;
    this.#options = options;
    this.tail = new Tail(handed);
    this.#end = handed?.end;
    this.#wait();
  }

  /** What the `end` of its streams says, when the instance has ended. */
  get end(): string | undefined {
    return this.#end;
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  /** Whether the events of this instance are counted here. */
  counts(ref: AgentRef): boolean {
    const own = this.#ref;
    // Of an instance on another node there may be several, which hear the same.
    return own === ref || (own !== undefined && isAway(own) && isAway(ref));
  }

  hear(ref: AgentRef, shown: Shown): void {
    this.#ref = ref;
    const heard = (event: object): void => this.#add('emitted', shown(event));
    const ended = (end: object): void => {
      if (!this.#outlives) this.#end = shown(end);
      this.stop();
    };
    const safely = <A extends readonly unknown[]>(run: (...args: A) => void) =>
      contained(run, () => this.#break());
    const emitted = ref.on('*', safely(heard));
    const states = ref.subscribe({
      error: safely((error: unknown) => ended({ error })),
      complete: safely(() => ended({})),
    });
    this.#stopHearing = () => {
      emitted.unsubscribe();
      states.unsubscribe();
    };
    // It has ended already.
    if (this.#ref === undefined) this.#stopHearing();
  }

  /** So many events at most were lost with a thread. */
  miss(dropped: number): void {
    if (this.#ref !== undefined) this.#add('gap', JSON.stringify({ reason: 'crashed', dropped }));
  }

  /** Returns how to leave. */
  follow(follower: Follower): () => void {
    clearTimeout(this.#forgotten);
    this.#followers.add(follower);
    this.#options.followed(true);
    return () => {
      if (!this.#followers.delete(follower) || this.isFollowed) return;
      this.#wait();
      this.#options.followed(false);
    };
  }

  /** The end of the instance in this process is none: it goes on in the next. */
  outlives(): void {
    this.#outlives = true;
  }

  /** Counts no more events; those that are kept can still be read. */
  stop(): void {
    this.#ref = undefined;
    this.#stopHearing();
  }

  /** Keeps nothing any more. */
  forget(): void {
    this.stop();
    clearTimeout(this.#forgotten);
    this.tail.clear();
  }

  handOver(): HandedEvents {
    const { address, end, tail } = this;
    return { address, ...(end !== undefined && { end }), ...tail.handOver() };
  }

  #add(event: 'emitted' | 'gap', data: string): void {
    this.tail.add(event, data);
    this.#options.grew();
    for (const { more } of this.#followers) more();
  }

  #wait(): void {
    this.#forgotten = setTimeout(() => this.#options.over(), KEPT_MS).unref();
  }

  /** An event that cannot be shown ends these streams, and not the process: nothing above the listener catches. */
  #break(): void {
    this.#options.over();
    for (const { broke } of this.#followers) broke();
  }
}

function isAway({ incarnation }: AgentRef): boolean {
  return incarnation === 0;
}
