import { type ConfigPath, entriesOf, isRecord, property } from '../config/finding.ts';
import { optionFindings } from '../config/provider-options.ts';
import { DEFAULT_PROVIDER_ALIAS, providerSchema } from '../config/secrets-schema.ts';
import { builtinProviders } from '../../providers/builtin-providers.ts';

/** The secret providers of an old config, as far as they are ones that we have. */
export interface OldProviders {
  /** As we write them, by their aliases; those that are ours already too. */
  readonly taken: ReadonlyMap<string, object>;
  /** Those that we have nothing for, and why. */
  readonly left: readonly { readonly path: ConfigPath; readonly why: string }[];
  /** The options that a provider of ours does not have. */
  readonly dropped: readonly ConfigPath[];
  /** The alias of what a SecretRef names; undefined for a provider that is left, or not there. */
  aliasOf(source: string, provider: unknown): string | undefined;
  /** The alias under which variables are read. */
  readonly env: string;
}

/** The declarations of `secrets.providers`: a `source` of OpenClaw's is a `provider` of ours, and the options have the same names. */
export function oldProviders(root: unknown): OldProviders {
  const secrets = property(root, 'secrets');
  const declared = property(secrets, 'providers');
  const taken = new Map<string, object>();
  const left: { path: ConfigPath; why: string }[] = [];
  const dropped: ConfigPath[] = [];
  for (const [alias, config] of entriesOf(declared)) {
    const path: ConfigPath = ['secrets', 'providers', alias];
    if (isRecord(config) && property(config, 'provider') !== undefined) taken.set(alias, config);
    else {
      const translation = translated(path, config);
      if (typeof translation === 'string') left.push({ path, why: translation });
      else {
        taken.set(alias, translation.config);
        dropped.push(...translation.dropped);
      }
    }
  }
  const isEnv = (alias: string): boolean => property(taken.get(alias), 'provider') === 'env';
  const env = freeAlias('env', (alias) => property(declared, alias) === undefined || isEnv(alias));
  return {
    taken,
    left,
    dropped,
    env,
    aliasOf: (source, provider) => {
      if (typeof provider === 'string' && property(declared, provider) !== undefined) {
        return taken.has(provider) ? provider : undefined;
      }
      const isExternal = provider === DEFAULT_PROVIDER_ALIAS && isRecord(property(root, 'externalSecrets'));
      if (isExternal) return DEFAULT_PROVIDER_ALIAS;
      const usual = property(property(secrets, 'defaults'), source);
      if (typeof usual === 'string' && taken.has(usual)) return usual;
      // Without a declaration, the environment is what there is.
      return source === 'env' ? env : undefined;
    },
  };
}

/** The first of `wanted`, `wanted-2`, `wanted-3` and so on that is free. */
export function freeAlias(wanted: string, isFree: (alias: string) => boolean): string {
  let alias = wanted;
  for (let n = 2; !isFree(alias); n += 1) alias = `${wanted}-${n}`;
  return alias;
}

/** Or why there is none. */
function translated(
  path: ConfigPath,
  config: unknown,
): string | { readonly config: object; readonly dropped: readonly ConfigPath[] } {
  const source = property(config, 'source');
  if (typeof source !== 'string') return 'it does not say what kind it is';
  const builtin = builtinProviders.get(source);
  if (builtin === undefined) return 'Holdfast has no provider of this kind';
  const options = entriesOf(config).filter(([key]) => key !== 'source');
  const allowed = property(config, 'allowlist');
  const variables = source === 'env' && Array.isArray(allowed) ? { variables: allowed as unknown } : {};
  const known = options.filter(([key]) => builtin.optionNames.includes(key));
  const result = { provider: source, ...Object.fromEntries(known), ...variables };
  const problems = [
    ...optionFindings(path, result, []).map(({ message }) => message),
    ...(providerSchema.safeParse(result).success ? [] : ['an option of it has a value of another type']),
  ];
  if (property(config, 'pluginIntegration') !== undefined) return 'it is a plug-in of OpenClaw';
  if (problems.length > 0) return problems.join('; ');
  const dropped = options
    .filter(([key]) => !builtin.optionNames.includes(key) && !(key === 'allowlist' && source === 'env'))
    .map(([key]) => path.concat(key));
  return { config: result, dropped };
}
