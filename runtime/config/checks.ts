import { builtinProviders } from '../../providers/builtin-providers.ts';
import { type ConfigPath, entriesOf, type Finding, isRecord, property, valueAt } from './finding.ts';
import { clusterFindings } from './cluster-checks.ts';
import { gatewayFindings } from './gateway-schema.ts';
import { grantFindings } from './grant-checks.ts';
import { instanceFindings } from './instance-checks.ts';
import { optionFindings } from './provider-options.ts';
import { mcpFindings } from './mcp-checks.ts';
import { printName } from './received.ts';
import { DEFAULT_PROVIDER_ALIAS } from './secrets-schema.ts';
import { storeFindings } from './store-checks.ts';
import { didYouMean } from './suggest.ts';

/**
 * What the parts of a config must agree on. Looks at the config as written, so that these problems are found
 * along with those of the schema; whatever has the wrong type is left to the schema.
 */
export function crossFindings(root: unknown, customProviders: readonly string[]): Finding[] {
  return [
    ...maxThreadsConflicts(root),
    ...poolFindings(root),
    ...orderFindings(root, ['supervision', 'backoff'], ['minMs', 200], ['maxMs', 10_000]),
    ...orderFindings(root, ['mailbox'], ['warnBytes', 65_536], ['maxBytes', 1_048_576]),
    ...instanceFindings(root),
    ...passivationFindings(root),
    ...providerFindings(root, customProviders),
    ...declaredProviders(root).flatMap(([path, config]) => optionFindings(path, config, customProviders)),
    ...grantFindings(root, customProviders),
    ...mcpFindings(root),
    ...gatewayFindings(root),
    ...storeFindings(root, customProviders),
    ...clusterFindings(root),
  ];
}

interface Claim {
  readonly agent: string;
  readonly maxThreads: number;
}

/** Per threadId, the first agent that says how many threads it may have. */
function claims(root: unknown): Map<string, Claim> {
  const first = new Map<string, Claim>();
  for (const [agent, config] of entriesOf(property(root, 'agents'))) {
    const claim = claimOf(agent, config);
    if (claim && !first.has(claim.threadId)) first.set(claim.threadId, claim);
  }
  return first;
}

function claimOf(agent: string, config: unknown): (Claim & { threadId: string }) | undefined {
  const threadId = property(config, 'threadId');
  const maxThreads = property(config, 'maxThreads');
  if (typeof threadId !== 'string' || typeof maxThreads !== 'number') return undefined;
  return Number.isInteger(maxThreads) && maxThreads >= 1 ? { agent, threadId, maxThreads } : undefined;
}

function maxThreadsConflicts(root: unknown): Finding[] {
  const first = claims(root);
  return entriesOf(property(root, 'agents')).flatMap(([agent, config]) => {
    const claim = claimOf(agent, config);
    const other = claim && first.get(claim.threadId);
    if (!claim || !other || other.maxThreads === claim.maxThreads) return [];
    const message =
      `agent ${printName(agent)} gives threadId ${printName(claim.threadId)} maxThreads ${claim.maxThreads}, ` +
      `but agent ${printName(other.agent)} gives it ${other.maxThreads}; write the same number in both`;
    const related: ConfigPath = ['agents', other.agent, 'maxThreads'];
    return [
      { code: 'max-threads-conflict', path: ['agents', agent, 'maxThreads'], at: 'value', message, related },
    ];
  });
}

function poolFindings(root: unknown): Finding[] {
  const first = claims(root);
  const agents = entriesOf(property(root, 'agents'));
  const used = agents.map(([, agent]) => property(agent, 'threadId'));
  // An agent whose threadId is missing or wrong may well be the one that a pool waits for.
  const usedIds = used.filter((id) => typeof id === 'string');
  const allKnown = isRecord(property(root, 'agents')) && usedIds.length === used.length;
  return entriesOf(property(root, 'threads')).flatMap(([threadId, pool]): Finding[] => {
    if (allKnown && !usedIds.includes(threadId)) {
      const message = `no agent has the threadId ${printName(threadId)}${didYouMean(threadId, usedIds)}`;
      return [{ code: 'unknown-pool', path: ['threads', threadId], at: 'key', message }];
    }
    const minThreads = property(pool, 'minThreads');
    const claim = first.get(threadId);
    if (!claim || typeof minThreads !== 'number' || !(minThreads > claim.maxThreads)) return [];
    const message =
      `minThreads ${minThreads} is more than the maxThreads ${claim.maxThreads} that agent ` +
      `${printName(claim.agent)} gives this pool`;
    const related: ConfigPath = ['agents', claim.agent, 'maxThreads'];
    return [
      {
        code: 'min-over-max-threads',
        path: ['threads', threadId, 'minThreads'],
        at: 'value',
        message,
        related,
      },
    ];
  });
}

type WithDefault = readonly [key: string, fallback: number];

/** Of two keys of a part of each agent, the first is at most the second. */
function orderFindings(
  root: unknown,
  part: ConfigPath,
  [low, lowest]: WithDefault,
  [high, highest]: WithDefault,
): Finding[] {
  return entriesOf(property(root, 'agents')).flatMap(([agent, config]): Finding[] => {
    const written = valueAt(config, part);
    const less = property(written, low) ?? lowest;
    const more = property(written, high) ?? highest;
    if (typeof less !== 'number' || typeof more !== 'number' || less <= more) return [];
    const path = ['agents', agent, ...part, property(written, high) === undefined ? low : high];
    return [
      { code: 'out-of-range', path, at: 'value', message: `${low} ${less} is more than ${high} ${more}` },
    ];
  });
}

/** Agents whose instances are to be passive, and never would be. */
function passivationFindings(root: unknown): Finding[] {
  return entriesOf(property(root, 'agents')).flatMap(([agent, config]): Finding[] => {
    const ms = property(config, 'passivateAfterMs');
    const supervision = property(config, 'supervision');
    const written = property(supervision, 'strategy');
    const strategy = typeof written === 'string' ? written : 'one-for-one';
    const isFresh = property(supervision, 'state') === 'fresh';
    if (typeof ms !== 'number' || ms <= 0 || (strategy === 'one-for-one' && !isFresh)) return [];
    const why = isFresh
      ? 'its state is "fresh", so that nothing of them would be left'
      : `its strategy is ${printName(strategy)}, for which all of them have to be there`;
    const message = `instances of agent ${printName(agent)} cannot be passive: ${why}`;
    const path = ['agents', agent, 'passivateAfterMs'];
    return [{ code: 'out-of-range', path, at: 'value', message }];
  });
}

function providerFindings(root: unknown, customProviders: readonly string[]): Finding[] {
  const known = [...builtinProviders.keys(), ...customProviders];
  const findings = declaredProviders(root).flatMap(([path, config]): Finding[] => {
    const name = property(config, 'provider');
    if (typeof name !== 'string' || name === '' || known.includes(name)) return [];
    const message =
      `unknown secret provider; known are ${known.map((name) => printName(name)).join(', ')}` +
      didYouMean(name, known);
    return [{ code: 'unknown-provider', path: [...path, 'provider'], at: 'value', message }];
  });
  const twice: ConfigPath = ['secrets', 'providers', DEFAULT_PROVIDER_ALIAS];
  if (
    isRecord(property(root, 'externalSecrets')) &&
    property(property(property(root, 'secrets'), 'providers'), 'default')
  ) {
    const message = 'externalSecrets already declares the alias "default"; give this provider another alias';
    findings.push({
      code: 'duplicate-provider',
      path: twice,
      at: 'key',
      message,
      related: ['externalSecrets'],
    });
  }
  return findings;
}

function declaredProviders(root: unknown): [ConfigPath, unknown][] {
  const more = entriesOf(property(property(root, 'secrets'), 'providers'));
  return [
    [['externalSecrets'], property(root, 'externalSecrets')],
    ...more.map(([alias, config]): [ConfigPath, unknown] => [['secrets', 'providers', alias], config]),
  ];
}
