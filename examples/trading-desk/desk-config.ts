import { readFile } from 'node:fs/promises';
import { agent, type Grant } from 'holdfast';
import type financeAgent from './agents/finance-agent.ts';
import type securityAgent from './agents/security-agent.ts';
import type tradingAgent from './agents/trading-agent.ts';

/** The owner's file, byte for byte. It also runs as it is: `createRuntime('openclaw.json')`. */
export const openclawFile: URL = new URL('./openclaw.json', import.meta.url);

/** What `openclaw.json` holds. */
export interface OpenclawConfig {
  readonly externalSecrets: { provider: string; region: string; cacheTTL: number };
  readonly agents: Readonly<
    Record<AgentName, { type: 'thread-bound'; threadId: string; maxThreads: number }>
  >;
}

export type AgentName = 'security-agent' | 'finance-agent' | 'trading-agent';

export async function readOpenclaw(): Promise<OpenclawConfig> {
  return JSON.parse(await readFile(openclawFile, 'utf8')) as OpenclawConfig;
}

/** Where the signing key is. */
export interface KeySource {
  readonly secretId: string;
  readonly region: string;
  /** Only for the emulator. */
  readonly endpoint?: string;
}

/** The name under which the agents know the key. */
export const KEY_LABEL = 'desk-key';

/**
 * How often the desk looks for a new version of its key, in seconds. The owner's 300 s would notice a rotation
 * too, but this run lasts seconds; a production config leaves it at 300.
 */
const KEY_TTL_SECONDS = 1;

/**
 * The owner's config and what the desk adds: the modules' types, grants, the finance pool's isolation, that a scan begins anew, and the
 * provider with the short `cacheTTL`. Additions only; take them away and `openclaw.json` is left.
 */
// eslint-disable-next-line typescript/explicit-module-boundary-types -- the agents' types are inferred
export function deskConfig(owner: OpenclawConfig, key: KeySource) {
  const grant = (capability: string): Grant => ({
    ref: { provider: 'desk', id: key.secretId },
    mode: 'capability',
    capabilities: [capability],
  });
  const module = (name: AgentName): URL => new URL(`./agents/${name}.ts`, import.meta.url);
  return {
    ...owner,
    secrets: {
      providers: {
        desk: {
          provider: owner.externalSecrets.provider,
          region: key.region,
          cacheTTL: KEY_TTL_SECONDS,
          ...(key.endpoint !== undefined && { endpoint: key.endpoint }),
        },
      },
    },
    agents: {
      'security-agent': agent<typeof securityAgent>({
        ...owner.agents['security-agent'],
        module: module('security-agent'),
        // A scan looks at everything anew, also where a store keeps the others.
        supervision: { state: 'fresh' },
      }),
      'finance-agent': agent<typeof financeAgent>({
        ...owner.agents['finance-agent'],
        module: module('finance-agent'),
        secrets: { [KEY_LABEL]: grant('sign-report') },
      }),
      'trading-agent': agent<typeof tradingAgent>({
        ...owner.agents['trading-agent'],
        module: module('trading-agent'),
        secrets: { [KEY_LABEL]: grant('sign-order') },
      }),
    },
    threads: {
      [owner.agents['finance-agent'].threadId]: { isolation: 'thread+permissions' as const },
    },
  };
}
