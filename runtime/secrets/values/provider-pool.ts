import type { SecretProvider, SecretRef } from '../../../providers/provider.ts';
import type { ResolvedProvider } from '../../config/resolve.ts';
import { callUser } from '../../base/user-call.ts';
import { HoldfastError } from '../../base/errors.ts';
import { builtinProviders } from '../../../providers/builtin-providers.ts';

/** Milliseconds for the providers to close: part of the 8 s in which a process stops. */
const closeDeadlineMs = 2_000;

/** `fetchMany`: one call for up to `capabilities.batch` secrets. */
export type ProviderCallKind = 'describe' | 'fetch' | 'fetchMany';

/** The number of calls to providers so far. */
export interface ProviderCalls extends Readonly<Record<ProviderCallKind, number>> {
  readonly total: number;
}

/** The providers by alias, each made at its first use. */
export interface ProviderPool {
  /** The declaration; undefined for an alias that was not declared. */
  declared(alias: string): ResolvedProvider | undefined;
  aliases(): string[];
  /** The provider, made now if it was not yet. */
  get(alias: string): SecretProvider;
  /** Counts a call that is about to be made. */
  count(call: ProviderCallKind): void;
  calls(): ProviderCalls;
  /** Tells the providers of these refs that want to know, once, which secrets the config declares. */
  prepare(refs: readonly SecretRef[]): void;
  /**
   * The reasons why built-in providers can never read these refs, one sentence each; undefined when there is nothing
   * to examine.
   */
  problems(refs: readonly SecretRef[]): Promise<string[]> | undefined;
  /** Closes the providers that were used. Never rejects, and gives up after 2 s. */
  close(): Promise<void>;
}

/**
 * Checks the declarations and makes nothing yet.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: an unknown provider name, or options it does not take
 */
export function createProviderPool(
  declarations: readonly ResolvedProvider[],
  custom: readonly SecretProvider[],
  warn: (message: string) => void = () => {},
): ProviderPool {
  const customByName = new Map(custom.map((provider) => [provider.name, provider]));
  const byAlias = new Map(declarations.map((declaration) => [declaration.alias, declaration]));
  const made = new Map<string, SecretProvider>();
  const counts = { describe: 0, fetch: 0, fetchMany: 0 };
  for (const declaration of declarations) check(declaration, customByName);

  const make = (alias: string): SecretProvider => {
    const declaration = byAlias.get(alias);
    if (declaration === undefined)
      throw new HoldfastError('CONFIG_INVALID', unknownAlias(alias, [...byAlias.keys()]));
    const provider =
      customByName.get(declaration.provider) ??
      builtinProviders.get(declaration.provider)?.create(declaration.options);
    if (provider === undefined)
      throw new HoldfastError('CONFIG_INVALID', unknownProvider(declaration, customByName));
    made.set(alias, provider);
    return provider;
  };

  return {
    declared: (alias) => byAlias.get(alias),
    aliases: () => [...byAlias.keys()],
    get: (alias) => made.get(alias) ?? make(alias),
    count(call) {
      counts[call] += 1;
    },
    calls: () => ({ ...counts, total: counts.describe + counts.fetch + counts.fetchMany }),
    prepare(refs) {
      for (const alias of new Set(refs.map(({ provider }) => provider))) {
        const provider = made.get(alias) ?? make(alias);
        const those = refs.filter((ref) => ref.provider === alias);
        callUser(
          () => provider.prepare?.(those) as unknown,
          // The thrown error is left out, because it may carry a value.
          () =>
            warn(
              `The secrets provider "${alias}" threw in prepare(), which must not throw; it is used all the same.`,
            ),
        );
      }
    },
    problems(refs) {
      const looks = [...Map.groupBy(refs, ({ provider }) => provider)].flatMap(([alias, those]) => {
        const { provider = '', options } = byAlias.get(alias) ?? {};
        const builtin = customByName.has(provider) ? undefined : builtinProviders.get(provider);
        if (builtin?.startProblems === undefined) return [];
        const ids = those.map(({ id }) => id);
        return [builtin.startProblems(options, ids).then((all) => all.map((one) => `"${alias}": ${one}`))];
      });
      return looks.length === 0 ? undefined : Promise.all(looks).then((all) => all.flat());
    },
    async close() {
      const used = new Set(made.values());
      made.clear();
      const closing = Promise.allSettled([...used].map(async (provider) => provider.close?.()));
      const limit = Promise.withResolvers<void>();
      const timer = setTimeout(limit.resolve, closeDeadlineMs);
      await Promise.race([closing, limit.promise]);
      clearTimeout(timer);
    },
  };
}

/** The message for an alias that no provider is declared under. */
export function unknownAlias(alias: string, known: readonly string[]): string {
  return (
    `No secrets provider is declared under the alias "${alias}". Declare it in externalSecrets (alias "default") or ` +
    `secrets.providers${known.length > 0 ? `, or use one of: ${known.join(', ')}` : ''}.`
  );
}

function check(declaration: ResolvedProvider, custom: ReadonlyMap<string, SecretProvider>): void {
  if (custom.has(declaration.provider)) return;
  const builtin = builtinProviders.get(declaration.provider);
  if (builtin === undefined) throw new HoldfastError('CONFIG_INVALID', unknownProvider(declaration, custom));
  const problems = builtin.optionProblems(declaration.options);
  if (problems.length === 0) return;
  throw new HoldfastError(
    'CONFIG_INVALID',
    `The secrets provider "${declaration.alias}" (${declaration.provider}) has options that are not valid:\n- ${problems.join('\n- ')}`,
  );
}

function unknownProvider(declaration: ResolvedProvider, custom: ReadonlyMap<string, SecretProvider>): string {
  const known = [...builtinProviders.keys(), ...custom.keys()].join(', ');
  return `The secrets provider "${declaration.alias}" names "${declaration.provider}", which does not exist. There are: ${known}.`;
}
