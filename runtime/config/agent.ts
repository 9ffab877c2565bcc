import type { AgentConfig } from './agent-schema.ts';

/** An agent that carries the type of its logic, so that `spawn`, `send` and snapshots are typed by it. */
export type TypedAgentConfig<TLogic> = AgentConfig & {
  /** Type only: never present at run time. */
  logic?: TLogic;
};

/**
 * Says of which logic an agent is. Type only: returns `config` unchanged and loads nothing.
 *
 * @example
 * ```ts
 * agent<typeof import('./agents/trading.ts').default>({
 *   type: 'thread-bound', threadId: 'trading-pool', maxThreads: 8,
 * })
 * ```
 */
export function agent<TLogic>(config: AgentConfig): TypedAgentConfig<TLogic> {
  return config;
}
