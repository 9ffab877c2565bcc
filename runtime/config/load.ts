import { arrayOf, checkCall, isObject, string, type Rules } from '../base/call-check.ts';
import { crossFindings } from './checks.ts';
import { type ConfigError, HoldfastError } from '../base/errors.ts';
import type { Finding } from './finding.ts';
import { gatewayFiles, providersOfOptions } from './gateway-files.ts';
import { findingsOf } from './issues.ts';
import { findModules } from './modules.ts';
import { once } from './parse-once.ts';
import { readSource, type Source } from './read-source.ts';
import { configError } from './report.ts';
import { type LoadedConfig, resolveConfig } from './resolve.ts';
import { configSchema, type ParsedConfig, type RuntimeConfig } from './schema.ts';
import { withTypedVariables } from './typed-variables.ts';

/** Options for checking a config. */
export interface LoadOptions {
  /** The names of the custom providers in `RuntimeOptions.providers`. Default: none. */
  readonly customProviders?: readonly string[];
  /** The variables that `${NAME}` in a config file refers to. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a config, checks all of it, and applies every default. A string or URL is the path of a JSON5 file, at most 1
 * MiB of UTF-8, with `$include` and `${NAME}`. Relative modules are resolved against the folder of the file, or for an
 * object against the working directory; they must exist on disk but are never loaded. No provider is called.
 *
 * @throws {ConfigError} `CONFIG_INVALID` with every problem at once; `AGENT_MODULE_NOT_FOUND` when missing modules are
 *   the only problem.
 */
export async function loadConfig(
  source: object | string | URL,
  options?: LoadOptions,
): Promise<LoadedConfig> {
  const given = checkCall<LoadOptions>('loadConfig()', {}, options, rules);
  return readable(source, () => load(source, given));
}

async function load(source: unknown, { customProviders, env }: LoadOptions): Promise<LoadedConfig> {
  const read = await readSource(source, env);
  const { parsed, findings } = check(read, customProviders);
  const modules = await findModules(read.root, read.folder);
  const all = [...findings, ...modules.findings];
  if (parsed === undefined || all.length > 0) throw configError(read, all);
  return loaded(read, parsed, modules.urls);
}

function loaded(read: Source, parsed: ParsedConfig, modules: ReadonlyMap<string, string>): LoadedConfig {
  const resolved = resolveConfig(parsed, modules, read.folder);
  const files = read.parts?.map(({ file }) => file);
  return { ...resolved, ...(read.file && { file: read.file }), ...(files && { files }) };
}

/** A config as a gateway reads it. */
export type GatewayRead = {
  /** The files whose change may make another config of it, absolute and as they were named: also when it is invalid. */
  readonly looked: readonly string[];
} & (
  | { readonly config: LoadedConfig; readonly error?: never }
  | { readonly config?: never; readonly error: ConfigError }
);

/**
 * Reads the file of a config for a gateway: with the files that `gateway` itself names, which must be there, too. What the module of
 * `gateway.options` brings is not known here: a provider that is not built in may be one of its own.
 */
export async function readForGateway(file: string): Promise<GatewayRead> {
  const read = await readSource(file);
  const { parsed, findings } = check(read, providersOfOptions(read.root));
  const modules = await findModules(read.root, read.folder);
  const own = await gatewayFiles(read.root, read.folder);
  const looked = [...(read.looked ?? [file]), ...modules.missing, ...own.looked];
  const all = [...findings, ...modules.findings, ...own.findings];
  if (parsed === undefined || all.length > 0) return { looked, error: configError(read, all) };
  return { looked, config: loaded(read, parsed, modules.urls) };
}

/**
 * The same, for whoever needs the config alone.
 *
 * @throws {ConfigError} as {@link loadConfig} does
 */
export async function loadForGateway(file: string): Promise<LoadedConfig> {
  const { config, error } = await readForGateway(file);
  if (error !== undefined) throw error;
  return config;
}

/**
 * Checks a config as {@link loadConfig} does, but without looking for modules, so that a config can be checked where
 * its agents are not present. Returns the config as it was written, with its includes and variables filled in.
 *
 * @throws {ConfigError} `CONFIG_INVALID` with every problem at once.
 */
export async function validateConfig(
  source: object | string | URL,
  options?: LoadOptions,
): Promise<RuntimeConfig> {
  const { customProviders, env } = checkCall<LoadOptions>('validateConfig()', {}, options, rules);
  return readable(source, async () => {
    const read = await readSource(source, env);
    const { root, parsed, findings } = check(read, customProviders);
    if (parsed === undefined || findings.length > 0) throw configError(read, findings);
    return root as RuntimeConfig;
  });
}

/** An object may be one whose getters throw, a proxy for example. What a file says is read without any. */
async function readable<T>(source: unknown, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof HoldfastError || typeof source === 'string') throw error;
    const message = 'the config object cannot be read: a getter or a proxy of it throws; give plain data';
    const finding: Finding = { code: 'wrong-type', path: [], at: 'value', message };
    throw configError({ root: undefined, findings: [], folder: process.cwd() }, [finding]);
  }
}

interface Checked {
  /** With the types that its variables stand for. */
  readonly root?: unknown;
  readonly parsed?: ParsedConfig;
  readonly findings: readonly Finding[];
}

const rules: Rules<LoadOptions> = {
  customProviders: arrayOf('an array of names', string.is),
  env: { what: 'an object', is: isObject },
};

function check(read: Source, customProviders: readonly string[] = []): Checked {
  // Without a value there is nothing more to say than why.
  if (read.root === undefined) return { findings: read.findings };
  let [root, result] = [read.root, configSchema.safeParse(read.root, once)];
  const typed = withTypedVariables(root, read.alone ?? [], result.error?.issues ?? []);
  if (typed !== undefined) [root, result] = [typed, configSchema.safeParse(typed, once)];
  const findings = [
    ...read.findings,
    ...findingsOf(result.error?.issues ?? [], root),
    ...crossFindings(root, customProviders),
  ];
  return { root, findings, ...(result.success && { parsed: result.data }) };
}
