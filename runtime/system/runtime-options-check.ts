import type { SecretProvider } from '../../providers/provider.ts';
import {
  arrayOf,
  flag,
  isObject,
  listener,
  name,
  objectWith,
  optionInvalid,
  readCall,
  type Rules,
} from '../base/call-check.ts';
import { inspectOptions, inspectProblems, type InspectOptions } from '../inspect/inspect-options.ts';
import { storeUseProblems } from '../store/store-options.ts';
import { isCluster, type JoiningCluster } from './cluster.ts';
import type { RuntimeOptions } from './runtime-options.ts';

/** The options of `createRuntime`, each read once. */
export type CheckedOptions = Omit<RuntimeOptions, 'inspect' | 'cluster'> & {
  readonly inspect?: InspectOptions;
  readonly cluster?: JoiningCluster;
};

const provider = objectWith(
  'an array of secret providers',
  ['describe', 'fetch', 'classify'],
  ['prepare', 'fetchMany', 'put', 'watch', 'close'],
);

const snapshots = objectWith('a store with load, save and delete', ['load', 'save', 'delete']);
const transactions = objectWith('a store under every turn', ['open', 'commit', 'load', 'rows', 'close']);

export const runtimeOptionRules: Rules<RuntimeOptions> = {
  capabilities: arrayOf('an array of what defineCapability() returns', isCapability),
  providers: arrayOf(
    'an array of secret providers, each with a name, capabilities, describe, fetch and classify',
    isProvider,
  ),
  logger: objectWith('a logger with debug, info, warn and error', ['debug', 'info', 'warn', 'error']),
  store: {
    what: 'a store with load, save and delete, or one under every turn, as sqliteStore() returns it',
    is: (value) =>
      snapshots.is(value) || (transactions.is(value) && storeUseProblems(value as object).length === 0),
    advice: storeAdvice,
  },
  cluster: {
    what: 'what cluster() of holdfast/cluster returns',
    is: (value) => isObject(value) && isCluster(value),
  },
  audit: {
    what: 'the path or file: URL of a file, or a function',
    is: (value) => name.is(value) || value instanceof URL || listener.is(value),
  },
  inspect: {
    what: 'what shows the actors',
    is: (value) => inspectProblems(value).length === 0,
    advice: (value) => inspectProblems(value).join('; '),
  },
  strict: flag,
  signals: flag,
};

/**
 * Checks the options of a runtime before anything of it is created.
 *
 * @throws {HoldfastError} `OPTION_INVALID` with all that is wrong; `CONFIG_INVALID` when `inspect` alone is
 */
export function checkRuntimeOptions(options: unknown): CheckedOptions {
  const { read, problems } = readCall<RuntimeOptions>({}, options, runtimeOptionRules);
  const { inspect, ...given } = read;
  const inspectAlone = problems.size === 1 && problems.has('inspect');
  if (problems.size > 0 && !inspectAlone) throw optionInvalid('createRuntime()', problems);
  const checked = given as CheckedOptions;
  return inspect === undefined ? checked : { ...checked, inspect: inspectOptions(inspect) };
}

function storeAdvice(value: unknown): string | undefined {
  if (!isObject(value) || !('commit' in value)) return snapshots.advice?.(value);
  return transactions.is(value) ? storeUseProblems(value).join('; ') : transactions.advice?.(value);
}

function hasName(value: object): boolean {
  return name.is((value as { readonly name?: unknown }).name);
}

function isCapability(value: unknown): boolean {
  return isObject(value) && hasName(value) && listener.is((value as { readonly run?: unknown }).run);
}

function isProvider(value: unknown): value is SecretProvider {
  return provider.is(value) && hasName(value as object) && isObject((value as SecretProvider).capabilities);
}
