import type { AnyActorLogic, EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate';
import type { ConfigOf } from '../config/agent-types.ts';

/** The agents that a client was typed with: by name as a config has them; any, when it was not typed. */
type AgentsIn<A> = [A] extends [never]
  ? Readonly<Record<string, object>>
  : A extends { readonly agents: infer TAgents }
    ? TAgents
    : A extends object
      ? ConfigOf<A>['agents']
      : never;

/** An address, `agent/id`, of one of the agents. */
export type AddressIn<A> = `${keyof AgentsIn<A> & string}/${string}`;

/** The agent of an address. */
export type AgentAt<A, TAddress extends string> = TAddress extends `${infer N}/${string}`
  ? N extends keyof AgentsIn<A>
    ? AgentsIn<A>[N]
    : never
  : never;

/** The logic that is declared for an agent, or any. */
export type LogicAt<A, TAddress extends string> =
  AgentAt<A, TAddress> extends { readonly logic?: infer TLogic }
    ? TLogic extends AnyActorLogic
      ? TLogic
      : AnyActorLogic
    : AnyActorLogic;

/** The replies that are declared for an agent, by the type of the event. */
export type RepliesAt<A, TAddress extends string> =
  AgentAt<A, TAddress> extends { readonly replies?: infer TReplies } ? TReplies : unknown;

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
