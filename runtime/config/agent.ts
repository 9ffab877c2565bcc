import type { LogicIn, RepliesIn } from '../base/agent-type.ts';
import type { AgentConfig } from './agent-schema.ts';

/** An agent's config that carries the type of its logic, which then types `spawn`, `send` and snapshots. */
export type TypedAgentConfig<TLogic, TReplies = unknown> = AgentConfig & {
  /** Type only: never present at run time. */
  logic?: TLogic;
  /** Type only: the replies, by the type of the event. */
  replies?: TReplies;
};

/**
 * Declares the logic of an agent, and its replies by the type of the event: `typeof` the logic, or of the module that
 * exports it, whose `accepts` and `replies` then say what it is sent and what it replies. Type only: returns `config`
 * unchanged and loads nothing. Replies that no schema gives are not checked; keep their type beside the machine.
 *
 * @example
 * ```ts
 * agent<typeof import('./agents/trading.ts').default, { quote: number }>({
 *   type: 'thread-bound', threadId: 'trading-pool', maxThreads: 8,
 * })
 * ```
 */
export function agent<T, TReplies = RepliesIn<T>>(
  config: AgentConfig,
): TypedAgentConfig<LogicIn<T>, TReplies> {
  return config;
}
