import { type BuiltinProvider, builtinProviders } from '../../providers/builtin-providers.ts';
import { type ConfigPath, entriesOf, type Finding, property } from './finding.ts';
import { once } from './parse-once.ts';
import { plainText, printName } from './received.ts';
import { providerSchema } from './secrets-schema.ts';
import { didYouMean } from './suggest.ts';

/** What a declaration says to the runtime; everything else is an option of the provider. */
const DECLARATION_KEYS: readonly string[] = ['provider', 'cacheTTL', 'maxStaleMs'];

/**
 * What a built-in provider has against its options, as `externalSecrets` or an alias declares them at `path`.
 * A custom provider takes the place of a built-in one of the same name, and its options are its own.
 */
export function optionFindings(
  path: ConfigPath,
  config: unknown,
  customProviders: readonly string[],
): Finding[] {
  const name = property(config, 'provider');
  if (typeof name !== 'string' || customProviders.includes(name)) return [];
  const builtin = builtinProviders.get(name);
  if (builtin === undefined) return [];
  const options = entriesOf(config).filter(
    ([key, value]) => !DECLARATION_KEYS.includes(key) && value !== undefined,
  );
  const unknown = options.filter(([key]) => !isKnown(builtin, key));
  const known = options.filter(([key]) => isKnown(builtin, key));
  return [
    ...unknown.map(([key]) => unknownOption([...path, key], key, name, builtin)),
    ...wrongOptions(path, known, builtin),
  ];
}

function isKnown({ optionNames, refusedNames }: BuiltinProvider, key: string): boolean {
  return optionNames.includes(key) || refusedNames.includes(key);
}

function unknownOption(
  path: ConfigPath,
  key: string,
  name: string,
  { optionNames }: BuiltinProvider,
): Finding {
  const advice =
    didYouMean(key, [...optionNames, ...DECLARATION_KEYS]) ||
    `; the options of "${name}" are: ${optionNames.join(', ')}`;
  return { code: 'unknown-key', path, at: 'key', message: `unknown key ${printName(key)}${advice}` };
}

function wrongOptions(
  path: ConfigPath,
  options: readonly (readonly [string, unknown])[],
  builtin: BuiltinProvider,
): Finding[] {
  // A problem that an option has on its own stands at that option; any other, such as one that is missing, at the
  // whole declaration.
  const missing = new Set(builtin.optionProblems({}));
  const keyOf = new Map(
    options.flatMap(([key, value]) =>
      builtin
        .optionProblems({ [key]: value })
        .filter((problem) => !missing.has(problem))
        .map((problem) => [problem, key] as const),
    ),
  );
  return builtin.optionProblems(Object.fromEntries(options)).flatMap((problem): Finding[] => {
    const key = keyOf.get(problem);
    if (key !== undefined && isRefusedBySchema(key, options)) return [];
    // A refused option is wrong whatever its value.
    const at = key !== undefined && builtin.refusedNames.includes(key) ? 'key' : 'value';
    const where = key === undefined ? path : [...path, key];
    return [{ code: 'provider-option', path: where, at, message: plainText(problem) }];
  });
}

/** Whether the schema already has something to say about an option that all providers share. */
function isRefusedBySchema(key: string, options: readonly (readonly [string, unknown])[]): boolean {
  if (!Object.hasOwn(providerSchema.shape, key)) return false;
  const schema = providerSchema.shape[key as keyof typeof providerSchema.shape];
  return !schema.safeParse(options.find(([name]) => name === key)?.[1], once).success;
}
