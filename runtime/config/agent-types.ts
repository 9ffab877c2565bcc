import type { AnyActorLogic } from 'xstate';
import type { TypedAgentConfig } from './agent.ts';
import type { RuntimeConfig } from './schema.ts';

/**
 * What a type says of an agent: its module, `typeof import('./agents/desk.ts')`, whose default export is its logic; the
 * logic itself, which has another export; or the logic with what it replies, by the type of the event.
 */
export type AgentType =
  | AnyActorLogic
  | { readonly default: AnyActorLogic }
  | { readonly logic: AnyActorLogic; readonly replies?: unknown };

/** The agents of a config file, by name, as a type: the file itself says nothing to TypeScript. */
export type AgentTypes<A> = { readonly [N in keyof A]: AgentType };

type LogicIn<T> = T extends { readonly logic: infer TLogic extends AnyActorLogic }
  ? TLogic
  : T extends { readonly default: infer TLogic extends AnyActorLogic }
    ? TLogic
    : T;

type RepliesIn<T> = T extends { readonly replies: infer TReplies } ? TReplies : unknown;

/** A config that has these agents and no others. */
export type ConfigOf<A extends object> = Omit<RuntimeConfig, 'agents'> & {
  readonly agents: { readonly [N in keyof A & string]: TypedAgentConfig<LogicIn<A[N]>, RepliesIn<A[N]>> };
};

/** What the compiler shows of agents whose types are none: `N` are their names. */
export interface NotAgentTypes<N> {
  readonly 'has no default export, or one that is not actor logic': N;
}

/**
 * A config file for those who say what agents it has, and nothing for those who do not. Not a bound of `A`: of two signatures
 * the compiler explains the last one, which is for configs in code.
 */
export type ConfigFileOf<A extends object> = [A] extends [never]
  ? never
  : A extends AgentTypes<A>
    ? string | URL
    : NotAgentTypes<{ [N in keyof A]: A[N] extends AgentType ? never : N }[keyof A]>;
