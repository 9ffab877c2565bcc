import {
  awsSecretsManagerOptionNames,
  awsSecretsManagerOptionProblems,
  awsSecretsManagerRefusedNames,
  createAwsSecretsManagerProvider,
} from '../../providers/aws-secrets-manager.ts';
import { createEnvProvider, envOptionNames, envOptionProblems } from '../../providers/env.ts';
import { createExecProvider, execOptionNames, execOptionProblems } from '../../providers/exec.ts';
import { createFileProvider, fileOptionNames, fileOptionProblems } from '../../providers/file.ts';
import type { SecretProvider } from '../../providers/provider.ts';

/** A provider that comes with Holdfast. */
export interface BuiltinProvider {
  /** Every option it takes. */
  readonly optionNames: readonly string[];
  /** What it knows and refuses with a reason, as `optionProblems` gives it. */
  readonly refusedNames: readonly string[];
  /** What is wrong with the options, one sentence each, without any value; loads nothing and calls nobody. */
  optionProblems(options: unknown): string[];
  /** Makes it. @throws {ProviderOptionsError} when the options are wrong */
  create(options: unknown): SecretProvider;
}

/** By the name that a config's `provider` uses. */
export const builtinProviders: ReadonlyMap<string, BuiltinProvider> = new Map([
  [
    'aws-secrets-manager',
    {
      optionNames: awsSecretsManagerOptionNames,
      refusedNames: awsSecretsManagerRefusedNames,
      optionProblems: awsSecretsManagerOptionProblems,
      create: (options) => createAwsSecretsManagerProvider(options),
    },
  ],
  [
    'env',
    {
      optionNames: envOptionNames,
      refusedNames: [],
      optionProblems: envOptionProblems,
      create: (options) => createEnvProvider(options),
    },
  ],
  [
    'exec',
    {
      optionNames: execOptionNames,
      refusedNames: [],
      optionProblems: execOptionProblems,
      create: (options) => createExecProvider(options),
    },
  ],
  [
    'file',
    {
      optionNames: fileOptionNames,
      refusedNames: [],
      optionProblems: fileOptionProblems,
      create: (options) => createFileProvider(options),
    },
  ],
]);
