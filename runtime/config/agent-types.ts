import type { AgentType, LogicIn, RepliesIn } from '../base/agent-type.ts';
import type { TypedAgentConfig } from './agent.ts';
import type { RuntimeConfig } from './schema.ts';

/** The agents of a config file, by name, as a type; TypeScript cannot read them from the file. */
export type AgentTypes<A> = { readonly [N in keyof A]: AgentType };

/** A config that has these agents and no others. */
export type ConfigOf<A extends object> = Omit<RuntimeConfig, 'agents'> & {
  readonly agents: { readonly [N in keyof A & string]: TypedAgentConfig<LogicIn<A[N]>, RepliesIn<A[N]>> };
};

/** The type that the compiler shows for agents whose types are not valid; `N` are their names. */
export interface NotAgentTypes<N> {
  readonly 'has no default export, or one that is not actor logic': N;
}

/**
 * A config file, for a caller that declares its agents; `never` for one that does not. Not a bound of `A`: of two
 * signatures the compiler explains the last one, which is for configs in code.
 */
export type ConfigFileOf<A extends object> = [A] extends [never]
  ? never
  : A extends AgentTypes<A>
    ? string | URL
    : NotAgentTypes<{ [N in keyof A]: A[N] extends AgentType ? never : N }[keyof A]>;
