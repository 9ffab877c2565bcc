import type { z } from 'zod';
import type { PoolIntensity } from '../../actors/pool-health.ts';
import type { RestartPolicy } from '../../actors/restart-policy.ts';
import type { TimersPolicy } from '../xstate/persisted-timer.ts';
import type { agentSchema } from './agent-schema.ts';
import { resolve } from 'node:path';
import { originOf } from './grant-hosts.ts';
import { gatewaySchema, type ResolvedGateway } from './gateway-schema.ts';
import type { grantSchema } from './grant-schema.ts';
import type { mcpServerSchema } from './mcp-schema.ts';
import { once } from './parse-once.ts';
import { poolSchema } from './pool-schema.ts';
import { secretRef } from './secret-ref.ts';
import type { ClusterConfig } from './cluster-schema.ts';
import type { ResolvedInspect } from './inspect-schema.ts';
import type { ParsedConfig } from './schema.ts';
import type { StoreConfig } from './store-schema.ts';
import { DEFAULT_PROVIDER_ALIAS, type providerSchema } from './secrets-schema.ts';

/** A grant with every default applied. */
export interface ResolvedGrant {
  /** The agent's own name for the secret. */
  readonly label: string;
  /** The alias of the provider. */
  readonly provider: string;
  readonly id: string;
  readonly jsonKey?: string;
  /** Default `AWSCURRENT`. */
  readonly stage?: string;
  /** The identity to read the secret with; default: the host's own. */
  readonly role?: string;
  /** Whether the previous version works until the next rotation; default `single-user`: it does not. */
  readonly rotation?: 'single-user' | 'alternating-users';
  /** Whether the runtime refuses to start without the secret. */
  readonly required?: boolean;
  readonly mode: 'inject' | 'capability' | 'reveal';
  /** The functions that may use the secret on the agent's behalf; none unless the mode is `capability`. */
  readonly capabilities: readonly string[];
  /** Only with the mode `inject`. */
  readonly inject?: InjectRules;
}

/** The requests of an agent that get a secret, and the place of the secret in them. */
export interface InjectRules {
  /** The allowed origins, as in `new URL(…).origin`. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** The allowed paths: exact, or with `/*` at the end for all below. */
  readonly paths: readonly string[];
  readonly header: string;
  /** The value of the header, with `{}` once for the secret. */
  readonly format: string;
  /** The rate limit for the requests of all instances of the agent together; absent: no limit. */
  readonly rate?: ResolvedRate;
  /** Addresses and networks that are not public and may nevertheless be reached. */
  readonly privateAddresses: readonly string[];
  /** The largest body of an answer to `secretFetch`, in bytes. */
  readonly maxResponseBytes: number;
  /** The largest body of a request of `boundFetch`, in bytes. */
  readonly maxRequestBytes: number;
  /** The largest body of an answer to `boundFetch`, in bytes. */
  readonly maxStreamBytes: number;
  /** Milliseconds for which a service may be silent to `boundFetch`; 0: for ever. */
  readonly idleTimeoutMs: number;
  /** Whether spans have what models are asked and answer; absent: they do not. */
  readonly capture?: true;
}

/** How many of something may begin within a span of time. */
export interface ResolvedRate {
  readonly requests: number;
  readonly withinMs: number;
}

/** An MCP server that the host runs. */
export interface McpProgram {
  /** A path, absolute; or a name, which is looked for in the `PATH` of `env`. */
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** An absolute path. */
  readonly cwd: string;
}

/** An MCP server that is reached over HTTP. */
export interface McpService {
  readonly url: string;
  /** The label of the grant by which requests are sent; absent: they are sent without a secret. */
  readonly secret?: string;
}

/** An MCP server of an agent, with every default applied. */
export interface ResolvedMcpServer {
  /** The agent's own name for the server. */
  readonly name: string;
  readonly at: McpProgram | McpService;
  /** Patterns of the names of tools, with `*` for any characters; `deny` precedes. */
  readonly tools: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  /** The rate limit for the calls of all instances of the agent together; absent: no limit. */
  readonly rate?: ResolvedRate;
  readonly maxConcurrent: number;
  readonly timeoutMs: number;
  readonly startTimeoutMs: number;
  readonly maxArgumentBytes: number;
  readonly maxResultBytes: number;
}

/** An agent with every default applied. */
export interface ResolvedAgent {
  readonly name: string;
  readonly threadId: string;
  /** The `file:` URL of a module that exists. */
  readonly moduleUrl: string;
  readonly exportName: string;
  /** The number of events that may wait or be unacknowledged for one instance. */
  readonly capacity: number;
  /** The rule for an event that finds the mailbox full. */
  readonly overflow: 'reject' | 'drop-oldest' | 'drop-newest';
  /** The rule for events that still wait when the runtime drains. */
  readonly drain: 'finish' | 'discard';
  /** The size in bytes above which an event is warned about, as estimated. */
  readonly warnBytes: number;
  /** The size in bytes above which an event is refused, as estimated; at least `warnBytes`. */
  readonly maxBytes: number;
  readonly supervision: RestartPolicy;
  /** The state that a restarted instance begins with; absent: the store decides. */
  readonly state?: 'fresh' | 'snapshot';
  /** Whether each turn is committed before it is told, with a store under every turn; absent: it is. */
  readonly durable?: boolean;
  readonly timers: TimersPolicy;
  /** Work that the end of an incarnation has interrupted fails; absent: it begins anew. */
  readonly invoked?: 'fail';
  /** Milliseconds without anything to do after which a durable instance becomes passive; absent or 0: never. */
  readonly passivateAfterMs?: number;
  readonly placement: 'fewest' | 'exclusive' | { readonly key: true };
  readonly mirror: 'latest' | 'all';
  readonly maxIterations: number;
  readonly grants: readonly ResolvedGrant[];
  /** The MCP servers whose tools the agent may call. Default: none. */
  readonly mcp?: readonly ResolvedMcpServer[];
  /** The instances that start with the runtime. Default: none. */
  readonly instances?: readonly { readonly id: string; readonly input?: unknown }[];
}

/** A pool with every default applied; there is one for each threadId that an agent uses. */
export interface ResolvedPool {
  readonly threadId: string;
  readonly maxThreads: number;
  readonly minThreads: number;
  readonly idleTimeoutMs: number;
  readonly isolation: 'thread' | 'thread+permissions';
  /** Paths are absolute, except `*`. */
  readonly permissions: {
    readonly read: readonly string[];
    readonly write: readonly string[];
    readonly net: boolean;
  };
  readonly env: Readonly<Record<string, string>>;
  readonly resourceLimits?: ResolvedResourceLimits;
  /** The heap in MiB above which a thread is replaced. */
  readonly heapBudgetMb?: number;
  /** The largest number of existing instances that agents of the pool have started. */
  readonly activatedInstances: number;
  /** The number of instances that are held in memory, as far as others may leave it; absent: no bound. */
  readonly maxResident?: number;
  /** Whether messages to and from the pool may carry a SharedArrayBuffer. */
  readonly sharedMemory: boolean;
  /**
   * The time of one turn, in milliseconds, after which the runtime warns, and after which it ends the thread; 0: never.
   */
  readonly watchdog: { readonly warnMs: number; readonly killMs: number };
  readonly startTimeoutMs: number;
  /**
   * The number of failed starts and quarantined instances within the window after which the pool starts no more
   * threads.
   */
  readonly intensity: PoolIntensity;
}

/** Memory limits of the threads of a pool, in MiB. */
export interface ResolvedResourceLimits {
  maxOldGenerationSizeMb?: number;
  maxYoungGenerationSizeMb?: number;
  stackSizeMb?: number;
}

/** A declared secret provider. */
export interface ResolvedProvider {
  /** The alias; `default` for `externalSecrets`. */
  readonly alias: string;
  /** The name of a built-in or custom provider. */
  readonly provider: string;
  readonly cacheTtlMs: number;
  /**
   * The time in milliseconds for which a value is used, after it was last found current, while the provider fails.
   * Default: 900 000.
   */
  readonly maxStaleMs?: number;
  /** All other keys: region, endpoint, and the provider's own options. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A checked config with every default applied. */
export interface LoadedConfig {
  readonly agents: readonly ResolvedAgent[];
  readonly pools: readonly ResolvedPool[];
  readonly providers: readonly ResolvedProvider[];
  /** The number of secrets that the host holds at one time. Default: 1000. */
  readonly maxSecrets?: number;
  /** The gateway; absent from a config made by hand. */
  readonly gateway?: ResolvedGateway;
  /** The page of the inspector, if there is to be one. */
  readonly inspect?: ResolvedInspect;
  /** The store under every turn, with absolute paths, if there is to be one. */
  readonly store?: StoreConfig;
  /** The nodes that share the store, with absolute paths, if it is one of several. */
  readonly cluster?: ClusterConfig;
  /** The absolute path of the file that the config came from. */
  readonly file?: string;
  /** All files that the config was read from, that one first. */
  readonly files?: readonly string[];
}

/** Of the heap that a thread may have: room for what its instances need while they move. */
const BUDGET_OF_LIMIT = 0.8;

type ParsedAgent = z.output<typeof agentSchema>;

/** Applies the defaults that depend on other parts, and gives every part its own list. */
export function resolveConfig(
  config: ParsedConfig,
  modules: ReadonlyMap<string, string>,
  folder: string,
): Omit<LoadedConfig, 'file' | 'files'> {
  const agents = Object.entries(config.agents).map(([name, agent]) =>
    resolveAgent(name, agent, modules, folder),
  );
  const maxThreads = new Map(Object.values(config.agents).map((agent) => [agent.threadId, agent.maxThreads]));
  const pools = [...maxThreads].map(([threadId, most]) =>
    resolvePool(config, agents, threadId, most, folder),
  );
  const declared = Object.entries(config.secrets?.providers ?? {});
  if (config.externalSecrets) declared.unshift([DEFAULT_PROVIDER_ALIAS, config.externalSecrets]);
  const providers = declared.map(([alias, provider]) => resolveProvider(alias, provider));
  const maxSecrets = config.secrets?.maxEntries;
  const { inspect, store, cluster } = config;
  return {
    agents,
    pools,
    providers,
    ...(maxSecrets !== undefined && { maxSecrets }),
    gateway: config.gateway ?? gatewaySchema.parse({}, once),
    ...(inspect !== undefined && { inspect }),
    ...(store !== undefined && { store: resolveStore(store, folder) }),
    ...(cluster !== undefined && { cluster: resolveCluster(cluster, folder) }),
  };
}

/** Leaves out the defaults of the other type. */
function resolveStore(store: NonNullable<ParsedConfig['store']>, folder: string): StoreConfig {
  const { type, path = '', fsync, maxBytes, encryption, url = '', schema, tls, ...use } = store;
  if (type === 'sqlite') return { type, path: resolve(folder, path), fsync, maxBytes, encryption, ...use };
  const files = Object.entries(tls ?? {}).flatMap(([name, file]) =>
    file === undefined ? [] : [[name, resolve(folder, file)]],
  );
  return { type, url, schema, ...(tls && { tls: Object.fromEntries(files) }), ...use };
}

/** The checks have seen that the keys are those of one of the two ways. */
function resolveCluster(
  { tls, ...cluster }: NonNullable<ParsedConfig['cluster']>,
  folder: string,
): ClusterConfig {
  const files = tls && {
    ca: resolve(folder, tls.ca),
    cert: resolve(folder, tls.cert),
    key: resolve(folder, tls.key),
  };
  return { ...cluster, ...(files && { tls: files }) } as ClusterConfig;
}

function resolveAgent(
  name: string,
  agent: ParsedAgent,
  modules: ReadonlyMap<string, string>,
  folder: string,
): ResolvedAgent {
  const moduleUrl = modules.get(name);
  if (moduleUrl === undefined) throw new TypeError(`the module of agent ${name} was not looked for`);
  const { threadId, placement, mirror, maxIterations, passivateAfterMs } = agent;
  const { state, timers, invoked, ...supervision } = agent.supervision;
  return {
    name,
    threadId,
    moduleUrl,
    exportName: agent.export,
    ...agent.mailbox,
    supervision,
    ...(state && { state }),
    durable: agent.durable,
    timers,
    ...(invoked === 'fail' && { invoked }),
    ...(passivateAfterMs > 0 && { passivateAfterMs }),
    placement,
    mirror,
    maxIterations,
    grants: Object.entries(agent.secrets ?? {}).map(([label, grant]) => resolveGrant(label, grant)),
    ...(agent.mcp && {
      mcp: Object.entries(agent.mcp).map(([server, config]) => resolveMcpServer(server, config, folder)),
    }),
    ...(agent.instances && {
      instances: agent.instances.map((one) => (typeof one === 'string' ? { id: one } : one)),
    }),
  };
}

type ParsedGrant = z.output<typeof grantSchema>;

function resolveGrant(label: string, grant: ParsedGrant): ResolvedGrant {
  const { ref, mode, required, capabilities = [] } = grant;
  const rest = {
    mode,
    capabilities,
    ...(required && { required }),
    ...(mode === 'inject' && { inject: injectRules(grant) }),
  };
  const rotation = typeof ref === 'string' ? undefined : ref.rotation;
  return {
    label,
    ...secretRef(ref),
    ...(rotation === 'alternating-users' && { rotation }),
    ...rest,
  };
}

function resolveMcpServer(
  name: string,
  { rate, command, args, env, cwd, url = '', secret, ...rest }: z.output<typeof mcpServerSchema>,
  folder: string,
): ResolvedMcpServer {
  const at =
    command === undefined
      ? { url, ...(secret !== undefined && { secret }) }
      : { command: programOf(command, folder), args, env, cwd: resolve(folder, cwd) };
  return { name, at, ...rateOf(rate), ...rest };
}

/** A name without a slash is looked for, as by a shell; everything else is a path. */
function programOf(command: string, folder: string): string {
  return /[/\\]/.test(command) ? resolve(folder, command) : command;
}

const WINDOW_MS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

function rateOf(rate: string | undefined): { rate?: ResolvedRate } {
  const [requests, unit] = (rate?.split('/') ?? []) as [string, keyof typeof WINDOW_MS] | [];
  return unit === undefined ? {} : { rate: { requests: Number(requests), withinMs: WINDOW_MS[unit] } };
}

function injectRules(grant: ParsedGrant): InjectRules {
  const { hosts = [], methods, paths, header, format, rate, privateAddresses } = grant;
  const { maxResponseBytes, maxRequestBytes, maxStreamBytes, idleTimeoutMs } = grant;
  return {
    origins: hosts.flatMap((host) => originOf(host) ?? []),
    methods,
    paths,
    header,
    format,
    ...rateOf(rate),
    privateAddresses,
    maxResponseBytes,
    maxRequestBytes,
    maxStreamBytes,
    idleTimeoutMs,
    ...(grant.capture && { capture: true as const }),
  };
}

function resolvePool(
  config: ParsedConfig,
  agents: readonly ResolvedAgent[],
  threadId: string,
  maxThreads: number,
  folder: string,
): ResolvedPool {
  const written = Object.hasOwn(config.threads ?? {}, threadId) ? config.threads?.[threadId] : undefined;
  const { minThreads, idleTimeoutMs, isolation, permissions, env, resourceLimits, ...rest } =
    written ?? poolSchema.parse({}, once);
  const { activatedInstances, maxResident, sharedMemory, watchdog, startTimeoutMs, intensity } = rest;
  const limit = resourceLimits?.maxOldGenerationSizeMb;
  const budget = rest.heapBudgetMb ?? (limit === undefined ? undefined : limit * BUDGET_OF_LIMIT);
  // One agent with a grant closes off its whole pool: agents of one thread share everything.
  const granted = agents.some((agent) => agent.threadId === threadId && agent.grants.length > 0);
  const absolute = (path: string) => (path === '*' ? path : resolve(folder, path));
  return {
    threadId,
    maxThreads,
    minThreads,
    idleTimeoutMs,
    isolation: isolation ?? (granted ? 'thread+permissions' : 'thread'),
    permissions: {
      read: permissions.read.map(absolute),
      write: permissions.write.map(absolute),
      net: permissions.net,
    },
    env,
    ...(budget !== undefined && { heapBudgetMb: budget }),
    ...(resourceLimits && { resourceLimits: onlyDefined(resourceLimits) }),
    activatedInstances,
    ...(maxResident !== undefined && { maxResident }),
    sharedMemory,
    watchdog,
    startTimeoutMs,
    intensity,
  };
}

function onlyDefined(limits: {
  readonly [K in keyof ResolvedResourceLimits]: number | undefined;
}): ResolvedResourceLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

function resolveProvider(alias: string, config: z.output<typeof providerSchema>): ResolvedProvider {
  const { provider, cacheTTL, maxStaleMs, ...options } = config;
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    alias,
    provider,
    cacheTtlMs: Math.round(cacheTTL * 1000),
    maxStaleMs,
    options: given,
  };
}
