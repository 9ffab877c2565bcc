import type { RuntimeConfig } from './schema.ts';

/**
 * Types a config that is written in a module of its own, and returns it unchanged. Literal types are kept, so that
 * `createRuntime` knows the names of the agents. {@link loadConfig} checks the config, not this function.
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
