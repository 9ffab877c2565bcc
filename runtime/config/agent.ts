import type { AgentConfig } from './agent-schema.ts';

/** An agent that carries the type of its logic, so that `spawn`, `send` and snapshots are typed by it. */
export type TypedAgentConfig<TLogic, TReplies = unknown> = AgentConfig & {
  /** Type only: never present at run time. */
  logic?: TLogic;
  /** Type only: what it replies, by the type of the event. */
  replies?: TReplies;
};

/**
 * Says of which logic an agent is, and what it replies to which events. Type only: returns `config` unchanged and loads
 * nothing. Logic does not say what it replies, so nobody checks the second type; keep it beside the machine.
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
