import type * as Sdk from '@aws-sdk/client-secrets-manager';
import { watchRotationQueue } from './aws-rotation-queue.ts';
import {
  ProviderError,
  ProviderOptionsError,
  type FetchResult,
  type ProviderFailure,
  type SecretProvider,
  type SecretRef,
} from './provider.ts';

/** AWS takes at most this many ids in one BatchGetSecretValue. */
const batchLimit = 20;

interface Connection {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.SecretsManagerClient;
}

/** The options of the `aws-secrets-manager` provider. Credentials are not among them: the usual AWS chain finds them. */
export interface AwsSecretsManagerOptions {
  /** The AWS region, such as `ap-east-1`. Default: what the AWS SDK finds (`AWS_REGION`, profile). */
  readonly region?: string;
  /** An http(s) URL to use instead of the region's own: a VPC endpoint, an emulator. */
  readonly endpoint?: string;
  /** Milliseconds to connect. Default 1000: the SDK itself would wait for ever. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for one attempt. Default 3000; the SDK treats it as an error, then retries. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds for one call with all its attempts. Default 8000. */
  readonly deadlineMs?: number;
  /** Attempts in all. Default 3, in `standard` mode: `adaptive` would make one throttled secret block the others. */
  readonly maxAttempts?: number;
  /** Connections at one time. Default 16. */
  readonly maxSockets?: number;
  /** The URL of an SQS queue that gets the events of Secrets Manager. Default none: rotations are noticed by polling. */
  readonly rotationQueueUrl?: string;
}

/** What only code can pass, never a config. */
export interface AwsSecretsManagerExtras {
  /** Instead of the usual chain, such as `fromTemporaryCredentials(…)` for one role a provider. */
  readonly credentials?: NonNullable<Sdk.SecretsManagerClientConfig['credentials']>;
}

/**
 * Secrets from AWS Secrets Manager, through the real SDK. The SDK is imported at the first call, so a config
 * that declares the provider and no secret neither loads it nor needs credentials.
 *
 * Every call ends within `deadlineMs` (8 s). When the host's credentials have expired they are renewed once
 * and the call is repeated once, which the SDK does not do by itself.
 *
 * @throws {ProviderOptionsError} naming every wrong option
 */
export function createAwsSecretsManagerProvider(
  options: unknown,
  extras: AwsSecretsManagerExtras = {},
): SecretProvider {
  const settings = parseAwsSecretsManagerOptions(options);
  const { deadlineMs = 8_000, rotationQueueUrl: queueUrl } = settings;
  let opening: Promise<Connection> | undefined;

  const open = (): Promise<Connection> => {
    opening ??= connect(settings, extras).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };

  async function call<T>(
    signal: AbortSignal,
    send: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
    const connection = await open();
    try {
      return await send(connection, bounded);
    } catch (error) {
      if (classifyAwsError(error) !== 'expired-credentials') throw error;
      await connection.client.config.credentials({ forceRefresh: true });
      return send(connection, bounded);
    }
  }

  return {
    name: 'aws-secrets-manager',
    capabilities: { versions: true, batch: batchLimit, ...(queueUrl !== undefined && { push: true }) },

    async describe(ref, signal) {
      const found = await call(signal, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.DescribeSecretCommand({ SecretId: ref.id }), { abortSignal }),
      );
      const versions = Object.entries(found.VersionIdsToStages ?? {});
      const carrying = (stage: string) => versions.find(([, stages]) => stages.includes(stage))?.[0];
      const current = carrying(ref.stage ?? 'AWSCURRENT');
      const previous = carrying('AWSPREVIOUS');
      if (found.DeletedDate !== undefined)
        throw new ProviderError('deleted', `The secret ${ref.id} is marked for deletion.`);
      if (current === undefined) throw noSuchStage(ref);
      return {
        current,
        ...(previous !== undefined && { previous }),
        ...(found.NextRotationDate !== undefined && { nextRotation: found.NextRotationDate.getTime() }),
      };
    },

    async fetch(ref, selector, signal) {
      const stage = selector.stage ?? (selector.versionId === undefined ? ref.stage : undefined);
      const found = await call(signal, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.GetSecretValueCommand({
            SecretId: ref.id,
            ...(selector.versionId !== undefined && { VersionId: selector.versionId }),
            ...(stage !== undefined && { VersionStage: stage }),
          }),
          { abortSignal },
        ),
      );
      return toResult(ref, found);
    },

    async fetchMany(refs, signal) {
      const results = new Map<string, FetchResult | ProviderError>();
      for (let at = 0; at < refs.length; at += batchLimit) {
        const ids = refs.slice(at, at + batchLimit).map((ref) => ref.id);
        const found = await call(signal, ({ sdk, client }, abortSignal) =>
          client.send(new sdk.BatchGetSecretValueCommand({ SecretIdList: ids }), { abortSignal }),
        );
        for (const id of ids) {
          const value = found.SecretValues?.find((entry) => entry.Name === id || entry.ARN === id);
          const error = found.Errors?.find((entry) => entry.SecretId === id);
          if (value !== undefined) results.set(id, toResult({ provider: '', id }, value));
          else results.set(id, itemError(id, error?.ErrorCode, error?.Message));
        }
      }
      return results;
    },

    ...(queueUrl !== undefined && {
      watch: (emit, signal, report) =>
        watchRotationQueue(
          {
            queueUrl,
            region: settings.region,
            connectTimeoutMs: settings.connectTimeoutMs ?? 1_000,
            requestTimeoutMs: settings.requestTimeoutMs ?? 3_000,
            credentials: extras.credentials,
            classify: classifyAwsError,
          },
          emit,
          signal,
          report,
        ),
    }),

    classify: classifyAwsError,

    async close() {
      const connection = await opening?.catch(() => undefined);
      opening = undefined;
      connection?.client.destroy();
    },
  };
}

async function connect(
  settings: AwsSecretsManagerOptions,
  extras: AwsSecretsManagerExtras,
): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-secrets-manager');
  const agent = { keepAlive: true, maxSockets: settings.maxSockets ?? 16 };
  const client = new sdk.SecretsManagerClient({
    maxAttempts: settings.maxAttempts ?? 3,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: settings.connectTimeoutMs ?? 1_000,
      requestTimeout: settings.requestTimeoutMs ?? 3_000,
      // Without it a request time out is only a warning and the call goes on waiting.
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
    ...(settings.region !== undefined && { region: settings.region }),
    ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
    ...(extras.credentials !== undefined && { credentials: extras.credentials }),
  });
  return { sdk, client };
}

interface FoundValue {
  readonly VersionId?: string | undefined;
  readonly VersionStages?: readonly string[] | undefined;
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
}

function toResult(ref: SecretRef, found: FoundValue): FetchResult {
  const bytes =
    found.SecretBinary ??
    (found.SecretString === undefined ? undefined : new TextEncoder().encode(found.SecretString));
  if (found.VersionId === undefined || bytes === undefined) {
    throw new ProviderError(
      'invalid',
      `Secrets Manager answered for ${ref.id} without a version or a value.`,
    );
  }
  return { versionId: found.VersionId, stages: found.VersionStages ?? [], bytes };
}

function itemError(id: string, code = 'UnknownError', message = 'no reason given'): ProviderError {
  return new ProviderError(
    classifyAwsError({ name: code, message }),
    `Secrets Manager has no value for ${id}: ${code}`,
  );
}

function noSuchStage(ref: SecretRef): ProviderError {
  return new ProviderError(
    'not-found',
    `The secret ${ref.id} has no version with the stage ${ref.stage ?? 'AWSCURRENT'}.`,
  );
}

type Check = (value: unknown) => string | undefined;

const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'a non-empty string');
const positiveInteger: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'an integer above 0';
const url: Check = (value) =>
  typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
    ? undefined
    : 'an http or https URL';

const queueUrl: Check = (value) =>
  url(value) === undefined && new URL(value as string).pathname.split('/').length >= 3
    ? undefined
    : 'the URL of an SQS queue, such as https://sqs.ap-east-1.amazonaws.com/111122223333/rotations';

const checks: Record<keyof AwsSecretsManagerOptions, Check> = {
  region: text,
  endpoint: url,
  connectTimeoutMs: positiveInteger,
  requestTimeoutMs: positiveInteger,
  deadlineMs: positiveInteger,
  maxAttempts: positiveInteger,
  maxSockets: positiveInteger,
  rotationQueueUrl: queueUrl,
};

/** The names of all options. */
export const awsSecretsManagerOptionNames: readonly string[] = Object.keys(checks);

/** Names of credentials: refused, with where credentials come from instead. */
export const awsSecretsManagerRefusedNames: readonly string[] = [
  'credentials',
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
];

/** What is wrong with the options, one sentence each, without any value; empty when nothing is. */
export function awsSecretsManagerOptionProblems(options: unknown): string[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    return ['expected an object'];
  const problems: string[] = [];
  for (const [key, value] of Object.entries(options)) {
    if (awsSecretsManagerRefusedNames.includes(key)) {
      problems.push(
        `"${key}" does not belong in a config: credentials come from the AWS chain (environment, profile, role)`,
      );
      continue;
    }
    if (!Object.hasOwn(checks, key)) {
      problems.push(`"${key}" is not an option; there are: ${awsSecretsManagerOptionNames.join(', ')}`);
      continue;
    }
    const expected = checks[key as keyof AwsSecretsManagerOptions](value);
    if (expected !== undefined) problems.push(`"${key}" must be ${expected}, not ${typeof value}`);
  }
  return problems;
}

/** Takes options of unknown origin. @throws {ProviderOptionsError} naming every wrong one */
export function parseAwsSecretsManagerOptions(options: unknown): AwsSecretsManagerOptions {
  const problems = awsSecretsManagerOptionProblems(options);
  if (problems.length > 0) throw new ProviderOptionsError('aws-secrets-manager', problems);
  return options as AwsSecretsManagerOptions;
}

// Matched by name: the service sends several of these without the SDK having a class for them.
const failures: Readonly<Record<string, ProviderFailure>> = {
  AccessDenied: 'denied',
  AccessDeniedException: 'denied',
  NotAuthorized: 'denied',
  UnrecognizedClientException: 'denied',
  InvalidClientTokenId: 'denied',
  InvalidSignatureException: 'denied',
  SignatureDoesNotMatch: 'denied',
  MissingAuthenticationTokenException: 'denied',
  OptInRequired: 'denied',
  CredentialsProviderError: 'expired-credentials',
  ExpiredToken: 'expired-credentials',
  ExpiredTokenException: 'expired-credentials',
  RequestExpired: 'expired-credentials',
  TokenRefreshRequired: 'expired-credentials',
  ResourceNotFoundException: 'not-found',
  DecryptionFailure: 'undecryptable',
  InvalidParameterException: 'invalid',
  InvalidNextTokenException: 'invalid',
  ValidationException: 'invalid',
  ValidationError: 'invalid',
  UnknownOperationException: 'invalid',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  ThrottledException: 'throttled',
  TooManyRequestsException: 'throttled',
  RequestLimitExceeded: 'throttled',
  LimitExceededException: 'throttled',
  SlowDown: 'throttled',
};

/** Sorts what a Secrets Manager call rejected with, or the code of one item of a batch. Unknown is `transient`. */
export function classifyAwsError(error: unknown): ProviderFailure {
  try {
    if (error instanceof ProviderError) return error.failure;
    const { name, message } = error as { name?: unknown; message?: unknown };
    if (name === 'InvalidRequestException') return invalidRequest(message);
    return typeof name === 'string' && Object.hasOwn(failures, name)
      ? (failures[name] ?? 'transient')
      : 'transient';
  } catch {
    // What cannot even be looked at.
    return 'transient';
  }
}

// One code for a deleted secret and for a request that makes no sense; only the message tells them apart.
function invalidRequest(message: unknown): ProviderFailure {
  return typeof message === 'string' &&
    /marked for deletion|marked deleted|scheduled for deletion/i.test(message)
    ? 'deleted'
    : 'invalid';
}
