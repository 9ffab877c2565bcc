import type { RuntimeConfig } from './schema.ts';

/**
 * Types a config that is written in its own module; returns it unchanged. Literal types are kept, so that
 * `createRuntime` knows the names of the agents. Nothing is checked before {@link loadConfig}.
 *
 * @example
 * ```ts
 * export default defineConfig({
 *   agents: { desk: { type: 'thread-bound', threadId: 'desks', maxThreads: 2 } },
 * });
 * ```
 */
export function defineConfig<const C extends RuntimeConfig>(config: C): C {
  return config;
}
