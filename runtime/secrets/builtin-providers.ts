import {
  awsSecretsManagerOptionProblems,
  createAwsSecretsManagerProvider,
} from '../../providers/aws-secrets-manager.ts';
import { createEnvProvider, envOptionProblems } from '../../providers/env.ts';
import type { SecretProvider } from '../../providers/provider.ts';

/** A provider that comes with Holdfast. */
export interface BuiltinProvider {
  /** What is wrong with the options, one sentence each; loads nothing and calls nobody. */
  optionProblems(options: unknown): string[];
  /** Makes it. @throws {ProviderOptionsError} when the options are wrong */
  create(options: unknown): SecretProvider;
}

/** By the name that a config's `provider` uses. */
export const builtinProviders: ReadonlyMap<string, BuiltinProvider> = new Map([
  [
    'aws-secrets-manager',
    {
      optionProblems: awsSecretsManagerOptionProblems,
      create: (options) => createAwsSecretsManagerProvider(options),
    },
  ],
  ['env', { optionProblems: envOptionProblems, create: (options) => createEnvProvider(options) }],
]);
