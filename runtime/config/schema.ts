import { z } from 'zod';
import { agentSchema, type AgentConfig } from './agent-schema.ts';
import { anyText, namedMap, meaning } from './fields.ts';
import { gatewaySchema, type GatewayConfig } from './gateway-schema.ts';
import { clusterSchema, type ClusterConfig } from './cluster-schema.ts';
import { inspectSchema, type InspectConfig } from './inspect-schema.ts';
import { threadsSchema, type PoolConfig } from './pool-schema.ts';
import { storeSchema, type StoreConfig } from './store-schema.ts';
import {
  providerSchema,
  secretsSchema,
  type ExternalSecrets,
  type ProviderConfig,
} from './secrets-schema.ts';

/**
 * The whole config. Strict: a key that is not in the schema is a problem, except for the options of a secret
 * provider, of which a built-in provider knows its own (`optionFindings`).
 */
export const configSchema = z
  .strictObject({
    $schema: anyText()
      .optional()
      .register(...meaning('The JSON Schema of this file, for editors. Ignored.')),
    externalSecrets: providerSchema
      .optional()
      .register(
        ...meaning(
          'The secret provider with the alias default. Other options are those of the provider. Default: none.',
        ),
      ),
    secrets: secretsSchema.optional(),
    agents: namedMap(agentSchema).register(...meaning('The agents by name. May be empty.')),
    threads: threadsSchema.optional(),
    gateway: gatewaySchema.optional(),
    inspect: inspectSchema.optional(),
    store: storeSchema.optional(),
    cluster: clusterSchema.optional(),
  })
  .register(...meaning('Agents, the thread pools they are pinned to, and the secrets they may use.'));

/** The config as parsed: every default filled in, except where it depends on other parts. */
export type ParsedConfig = z.output<typeof configSchema>;

/**
 * A config, as `createRuntime` takes it and a config file holds it.
 *
 * @example
 * ```ts
 * const config: RuntimeConfig = {
 *   agents: { 'trading-agent': { type: 'thread-bound', threadId: 'trading-pool', maxThreads: 8 } },
 * };
 * ```
 */
export interface RuntimeConfig {
  /** The JSON Schema of the file, for editors; ignored. */
  $schema?: string | undefined;
  /** The secret provider with the alias `default`. */
  externalSecrets?: ExternalSecrets | undefined;
  /** More secret providers, by alias. */
  secrets?: { providers?: Readonly<Record<string, ProviderConfig>> | undefined } | undefined;
  /** The agents by name; may be empty. */
  agents: Readonly<Record<string, AgentConfig>>;
  /** The settings of the pools, by `threadId`. */
  threads?: Readonly<Record<string, PoolConfig>> | undefined;
  /** The gateway: how `holdfast gateway` serves the agents over HTTP. */
  gateway?: GatewayConfig | undefined;
  /** The page that shows all actors. `RuntimeOptions.inspect` takes precedence. */
  inspect?: InspectConfig | undefined;
  /** The store under every turn, so that agents outlive the process. `RuntimeOptions.store` takes precedence. */
  store?: StoreConfig | undefined;
  /** The nodes that share the store, of which this process is one. `RuntimeOptions.cluster` takes precedence. */
  cluster?: ClusterConfig | undefined;
}
