import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { builtinProviders } from '../../providers/builtin-providers.ts';
import type { ConfigError } from '../base/errors.ts';
import { entriesOf, type Finding, property, valueAt } from './finding.ts';
import { readSource } from './read-source.ts';
import { plainText } from './received.ts';
import { configError } from './report.ts';

/** What names a file, and is read at a start. */
const FILES = [
  ['gateway', 'options'],
  ['gateway', 'tls', 'cert'],
  ['gateway', 'tls', 'key'],
  ['store', 'tls', 'ca'],
  ['store', 'tls', 'cert'],
  ['store', 'tls', 'key'],
  ['cluster', 'tls', 'ca'],
  ['cluster', 'tls', 'cert'],
  ['cluster', 'tls', 'key'],
] as const;

export interface GatewayFiles {
  /** Those that cannot be read. */
  readonly findings: readonly Finding[];
  /** Files whose change matters while the gateway runs: of the certificate, and what is not there yet. */
  readonly looked: readonly string[];
}

/** The files that a gateway needs at its start, beside those that every runtime does. Nothing is loaded. */
export async function gatewayFiles(root: unknown, folder: string): Promise<GatewayFiles> {
  const [findings, looked]: [Finding[], string[]] = [[], []];
  for (const keys of FILES) {
    const written = valueAt(root, keys);
    if (typeof written !== 'string' || written === '') continue;
    const file = resolve(folder, written);
    const why = await whyUnread(file);
    if (why !== undefined || (keys[0] === 'gateway' && keys[1] === 'tls')) looked.push(file);
    if (why === undefined) continue;
    const key = keys.at(-1) ?? '';
    findings.push(fileFinding(keys, `${plainText(file)} ${why}; create it, or correct "${key}"`));
  }
  return { findings, looked };
}

/**
 * Names of providers that a gateway may get from the module of `gateway.options`, which is loaded by the process that serves and
 * nowhere else; none without that.
 */
export function providersOfOptions(root: unknown): string[] {
  if (typeof valueAt(root, ['gateway', 'options']) !== 'string') return [];
  const declared = [property(root, 'externalSecrets')].concat(
    entriesOf(valueAt(root, ['secrets', 'providers'])).map(([, provider]) => provider),
  );
  const names = declared.map((one) => property(one, 'provider'));
  return names.filter((name): name is string => typeof name === 'string' && !isBuiltIn(name));
}

function isBuiltIn(name: string): boolean {
  return builtinProviders.has(name);
}

/** What is found about one of the files of a gateway when it is used, with its place in the config. */
export async function gatewayProblem(
  file: string,
  keys: readonly string[],
  message: string,
): Promise<ConfigError> {
  return configError(await readSource(file), [fileFinding(['gateway', ...keys], message)]);
}

function fileFinding(path: readonly string[], message: string): Finding {
  return { code: 'gateway-file', path, at: 'value', message };
}

async function whyUnread(file: string): Promise<string | undefined> {
  try {
    if (!(await stat(file)).isFile()) return 'is not a file';
    await access(file, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'is not there' : `cannot be read (${code ?? String(error)})`;
  }
}
