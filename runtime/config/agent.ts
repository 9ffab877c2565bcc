import type { AgentConfig } from './agent-schema.ts';

/** An agent's config that carries the type of its logic, which then types `spawn`, `send` and snapshots. */
export type TypedAgentConfig<TLogic, TReplies = unknown> = AgentConfig & {
  /** Type only: never present at run time. */
  logic?: TLogic;
  /** Type only: the replies, by the type of the event. */
  replies?: TReplies;
};

/**
 * Declares the logic of an agent, and its replies by the type of the event. Type only: returns `config` unchanged and
 * loads nothing. The type of the replies is not checked, since logic does not declare them; keep it beside the machine.
 *
 * @example
 * ```ts
 * agent<typeof import('./agents/trading.ts').default, { quote: number }>({
 *   type: 'thread-bound', threadId: 'trading-pool', maxThreads: 8,
 * })
 * ```
 */
export function agent<TLogic, TReplies = unknown>(config: AgentConfig): TypedAgentConfig<TLogic, TReplies> {
  return config;
}
