import type { AnyActorLogic, EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate';
import type { LogicIn, RepliesIn } from '../base/agent-type.ts';

/** An agent that nobody has said anything of. */
type AnyAgent = object;

/** The agents that a client was typed with, by name: those of a config, or modules; any, when it was not typed. */
type AgentsIn<A> = [A] extends [never]
  ? Readonly<Record<string, AnyAgent>>
  : A extends { readonly agents: infer TAgents }
    ? TAgents
    : A;

/** An address, `agent/id`, of one of the agents. */
export type AddressIn<A> = `${keyof AgentsIn<A> & string}/${string}`;

/** What is declared for the agent of an address. A config has it in members that are never present. */
type DeclaredAt<A, TAddress extends string> = TAddress extends `${infer N}/${string}`
  ? N extends keyof AgentsIn<A>
    ? AgentsIn<A>[N] extends infer T
      ? T extends { readonly type: 'thread-bound' }
        ? Required<T>
        : T
      : never
    : never
  : never;

/** The logic that is declared for an agent, or any. */
export type LogicAt<A, TAddress extends string> =
  LogicIn<DeclaredAt<A, TAddress>> extends infer TLogic extends AnyActorLogic ? TLogic : AnyActorLogic;

/** The replies that are declared for an agent, by the type of the event. */
export type RepliesAt<A, TAddress extends string> = RepliesIn<DeclaredAt<A, TAddress>>;

type Part<TSnapshot, TKey extends string> =
  TSnapshot extends Readonly<Record<TKey, infer TPart>> ? TPart : unknown;

/** The state of an instance, as JSON shows it: a `Map` as an object, a `Set` as an array, without values of secrets. */
export interface AgentState<TLogic extends AnyActorLogic = AnyActorLogic> {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value: Part<SnapshotFrom<TLogic>, 'value'>;
  readonly context: Part<SnapshotFrom<TLogic>, 'context'>;
  readonly output?: unknown;
  readonly error?: unknown;
}

/** What a stream of an instance gives. Each item has the place after it, from which another stream can go on. */
export type StreamItem<TLogic extends AnyActorLogic = AnyActorLogic> =
  | {
      readonly type: 'snapshot';
      readonly state: AgentState<TLogic>;
      /** The number of the last event that was emitted on the way to that state; absent with `only: 'snapshot'`. */
      readonly offset: number | undefined;
      readonly id: string;
    }
  | { readonly type: 'emitted'; readonly event: EmittedFrom<TLogic>; readonly id: string }
  /** Emitted events are missing here; `dropped` says how many, where that is known. */
  | {
      readonly type: 'gap';
      readonly reason: string;
      readonly dropped: number | undefined;
      readonly id: string;
    }
  /** The instance has ended; with the error that it ended with. The stream is over. */
  | { readonly type: 'end'; readonly error: unknown; readonly id: string };

export type EventOf<TLogic extends AnyActorLogic> = EventFromLogic<TLogic>;
