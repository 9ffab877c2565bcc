import {
  awsSecretsManagerOptionNames,
  awsSecretsManagerOptionProblems,
  awsRefProblem,
  awsSecretsManagerRefusedNames,
  awsStartProblems,
  createAwsSecretsManagerProvider,
  reachAws,
} from './aws-secrets-manager.ts';
import { createEnvProvider, envOptionNames, envOptionProblems } from './env.ts';
import { createExecProvider, execOptionNames, execOptionProblems } from './exec.ts';
import { createFileProvider, fileOptionNames, fileOptionProblems } from './file.ts';
import type { Reached } from './aws-reach.ts';
import type { SecretProvider } from './provider.ts';

/** A provider that comes with Holdfast. */
export interface BuiltinProvider {
  /** Every option it takes. */
  readonly optionNames: readonly string[];
  /** What it knows and refuses with a reason, as `optionProblems` gives it. */
  readonly refusedNames: readonly string[];
  /** What is wrong with the options, one sentence each, without any value; loads nothing and calls nobody. */
  optionProblems(options: unknown): string[];
  /** What is wrong with the id of a secret for a provider of these options, as a clause; loads nothing and calls nobody. */
  refProblem?(options: Readonly<Record<string, unknown>>, id: string): string | undefined;
  /**
   * What keeps a provider of these options from ever reading these secrets, one sentence each, as far as it shows on this
   * machine. Ends within 5 s.
   */
  startProblems?(options: unknown, ids: readonly string[]): Promise<string[]>;
  /** Asks the service of a provider of these options whether it is there. @throws {ProviderError} when none is known */
  reach?(options: unknown, ids: readonly string[], signal: AbortSignal): Promise<Reached>;
  /** Makes it. @throws {ProviderOptionsError} when the options are wrong */
  create(options: unknown): SecretProvider;
}

const providers = {
  'aws-secrets-manager': {
    optionNames: awsSecretsManagerOptionNames,
    refusedNames: awsSecretsManagerRefusedNames,
    optionProblems: awsSecretsManagerOptionProblems,
    refProblem: awsRefProblem,
    startProblems: awsStartProblems,
    reach: reachAws,
    create: (options) => createAwsSecretsManagerProvider(options),
  },
  env: {
    optionNames: envOptionNames,
    refusedNames: [],
    optionProblems: envOptionProblems,
    create: (options) => createEnvProvider(options),
  },
  file: {
    optionNames: fileOptionNames,
    refusedNames: [],
    optionProblems: fileOptionProblems,
    create: (options) => createFileProvider(options),
  },
  exec: {
    optionNames: execOptionNames,
    refusedNames: [],
    optionProblems: execOptionProblems,
    create: (options) => createExecProvider(options),
  },
} satisfies Record<string, BuiltinProvider>;

/** The name by which a config's `provider` uses a built-in provider. */
export type BuiltinProviderName = keyof typeof providers;

/** The built-in providers by name: the one list of them. */
export const builtinProviders: ReadonlyMap<string, BuiltinProvider> = new Map<string, BuiltinProvider>(
  Object.entries(providers),
);
