/// <reference types="node" preserve="true" />
export { ConfigError, type ConfigProblem } from '../base/errors.ts';
export { agent, type TypedAgentConfig } from './agent.ts';
export type { AgentConfig, Supervision } from './agent-schema.ts';
export { defineConfig } from './define-config.ts';
export { configJsonSchema } from './json-schema.ts';
export { loadConfig, validateConfig, type LoadOptions } from './load.ts';
export type { PoolConfig } from './pool-schema.ts';
export type {
  LoadedConfig,
  ResolvedAgent,
  ResolvedGrant,
  ResolvedPool,
  ResolvedProvider,
  ResolvedResourceLimits,
} from './resolve.ts';
export type { Grant } from './grant-schema.ts';
export { configSchema, type RuntimeConfig } from './schema.ts';
export type { ExternalSecrets, ProviderConfig } from './secrets-schema.ts';
