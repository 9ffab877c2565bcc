import {
  failureOf,
  ProviderError,
  ProviderOptionsError,
  type FetchResult,
  type SecretProvider,
  type SecretRef,
} from './provider.ts';
import { listOf, optionProblems, type OptionCheck } from './provider-options.ts';
import { createProviderVersions, type ProviderVersions } from './provider-versions.ts';

/** The options of the `env` provider. */
export interface EnvProviderOptions {
  /** Variables to move out of the environment besides those that grants name, as soon as the provider is made. */
  readonly variables?: readonly string[];
}

type Environment = Record<string, string | undefined>;
interface Moved {
  readonly bytes: Uint8Array;
  readonly versionId: string;
}
interface Variables {
  readonly moved: Map<string, Moved>;
  readonly versions: ProviderVersions;
}

// Once for each environment object, not for each provider: after the first provider has moved a variable,
// a second alias or a second runtime of the process must still find it.
const variablesOf = new WeakMap<Environment, Variables>();

const checks: Record<keyof EnvProviderOptions, OptionCheck> = {
  variables: listOf('environment variable names'),
};

/** The names of all options. */
export const envOptionNames: readonly string[] = Object.keys(checks);

/** What is wrong with the options, one sentence each; empty when nothing is. */
export function envOptionProblems(options: unknown): string[] {
  return optionProblems(options, checks);
}

/**
 * Secrets from the host's environment: a ref's `id` is the variable's name.
 *
 * A variable is *moved*: its value is kept here as bytes and deleted from the environment, so that child processes
 * and dumps of the environment do not show it. Those that grants name are moved when the runtime starts
 * (`prepare`), those of the option `variables` when the provider is made, any other at its first read.
 * Setting it to another value is a rotation: the next read takes it, under the next version.
 * What the process was started with stays readable in `/proc/self/environ`.
 *
 * @throws {ProviderOptionsError} naming every wrong option
 */
export function createEnvProvider(options?: unknown, environment: Environment = process.env): SecretProvider {
  const problems = envOptionProblems(options);
  if (problems.length > 0) throw new ProviderOptionsError('env', problems);
  const variables = variablesOf.get(environment) ?? {
    moved: new Map(),
    versions: createProviderVersions('env'),
  };
  variablesOf.set(environment, variables);
  const { moved, versions } = variables;

  const take = (name: string): Moved | undefined => {
    const value = environment[name];
    const held = moved.get(name);
    if (value === undefined) return held;
    delete environment[name];
    held?.bytes.fill(0);
    const bytes = new TextEncoder().encode(value);
    const next = { bytes, versionId: versions.of(name, bytes) };
    moved.set(name, next);
    return next;
  };
  const need = (ref: SecretRef): Moved => {
    const found = take(ref.id);
    if (found !== undefined) return found;
    throw new ProviderError('not-found', `The environment variable ${ref.id} is not set.`);
  };

  for (const name of (options as EnvProviderOptions | undefined)?.variables ?? []) take(name);

  return {
    name: 'env',
    capabilities: { versions: true },
    prepare(refs) {
      for (const { id } of refs) take(id);
    },
    async describe(ref, signal) {
      signal.throwIfAborted();
      return { current: need(ref).versionId };
    },
    async fetch(ref, selector, signal): Promise<FetchResult> {
      signal.throwIfAborted();
      const { versionId, bytes } = need(ref);
      if (selector.versionId !== undefined && selector.versionId !== versionId) {
        throw new ProviderError(
          'not-found',
          `The environment variable ${ref.id} has no version ${selector.versionId}.`,
        );
      }
      return { versionId, stages: [], bytes: bytes.slice() };
    },
    classify: failureOf,
  };
}
