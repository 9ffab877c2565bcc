import { agentSchema } from '../config/agent-schema.ts';
import { type ConfigPath, isRecord, property, valueAt } from '../config/finding.ts';
import { poolSchema } from '../config/pool-schema.ts';

/** Options of a provider that say where secrets are. */
const OF_PROVIDERS = new Set(['provider', 'source', 'region', 'endpoint', 'root', 'path', 'mode', 'command']);

/**
 * Whether the text at `keys` of a config is one that Holdfast reads for what it is: the name of a thread, a module, a host. A
 * value is never taken out of such a text, whatever it looks like: agents would end in one thread, or in none.
 */
export function isProtected(keys: ConfigPath, root: unknown): boolean {
  const [top, , key] = keys;
  if (top === '$schema' || top === 'inspect') return true;
  if (top === 'gateway') return isOfGateway(keys, root);
  if (top === 'threads') return key !== 'env' && Object.hasOwn(poolSchema.shape, String(key));
  if (top === 'secrets' || top === 'externalSecrets') return OF_PROVIDERS.has(String(keys.at(-1)));
  if (top !== 'agents') return false;
  const isOurs = property(valueAt(root, keys.slice(0, 2)), 'type') === 'thread-bound';
  return isOurs && Object.hasOwn(agentSchema.shape, String(key));
}

/** An old gateway may have values where ours has names of files. */
function isOfGateway([, key, inner]: ConfigPath, root: unknown): boolean {
  if (key === 'host' || key === 'options') return true;
  if (key === 'tls') return inner === 'cert' || inner === 'key';
  return key === 'tokens' && isRecord(valueAt(root, ['gateway', 'tokens']));
}
