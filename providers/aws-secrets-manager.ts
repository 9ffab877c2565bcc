import { isUtf8 } from 'node:buffer';
import type * as Sdk from '@aws-sdk/client-secrets-manager';
import { batchLimit, fetchMany } from './aws-batch.ts';
import { createConnections, type Connections } from './aws-connections.ts';
import { watchRotationQueue } from './aws-rotation-queue.ts';
import {
  ProviderError,
  ProviderOptionsError,
  type FetchResult,
  type ProviderFailure,
  type SecretProvider,
  type SecretRef,
  type SecretSelector,
} from './provider.ts';
import {
  milliseconds,
  optionProblems,
  positiveInteger,
  text,
  url,
  type OptionCheck,
} from './provider-options.ts';

/** The options of the `aws-secrets-manager` provider. Credentials are not among them: the usual AWS chain finds them. */
export interface AwsSecretsManagerOptions {
  /** The AWS region, such as `ap-east-1`. Default: what the AWS SDK finds (`AWS_REGION`, profile). */
  readonly region?: string;
  /** An http(s) URL to use instead of the region's own: a VPC endpoint, an emulator. */
  readonly endpoint?: string;
  /** An http(s) URL to use for STS, which gives the credentials of roles. Default: the region's own. */
  readonly stsEndpoint?: string;
  /** Milliseconds to connect. Default 1000: the SDK itself would wait for ever. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for one attempt. Default 3000; the SDK treats it as an error, then retries. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds for one call with all its attempts. Default 8000. */
  readonly deadlineMs?: number;
  /** Attempts in all. Default 3, in `standard` mode: `adaptive` would make one throttled secret block the others. */
  readonly maxAttempts?: number;
  /** Connections at one time, for the host and for each role. Default 16. */
  readonly maxSockets?: number;
  /** The URL of an SQS queue that gets the events of Secrets Manager. Default none: rotations are noticed by polling. */
  readonly rotationQueueUrl?: string;
}

/** What only code can pass, never a config. */
export interface AwsSecretsManagerExtras {
  /** The host's credentials, instead of those that the usual chain finds. */
  readonly credentials?: NonNullable<Sdk.SecretsManagerClientConfig['credentials']>;
}

/**
 * Secrets from AWS Secrets Manager, through the real SDK. The SDK is imported at the first call, so a config
 * that declares the provider and no secret neither loads it nor needs credentials.
 *
 * Every call ends within `deadlineMs` (8 s). When credentials have expired they are renewed once and the call is repeated
 * once, which the SDK does not do by itself.
 *
 * A ref with a `role` is read as that IAM role, which the host must be allowed to assume; each role has a client of its
 * own, at most 20 at one time.
 *
 * @throws {ProviderOptionsError} naming every wrong option
 */
export function createAwsSecretsManagerProvider(
  options: unknown,
  extras: AwsSecretsManagerExtras = {},
): SecretProvider {
  const settings = parseAwsSecretsManagerOptions(options);
  const { deadlineMs = 8_000, rotationQueueUrl: queueUrl } = settings;
  const connections = createConnections({
    client: clientConfig(settings, extras),
    stsEndpoint: settings.stsEndpoint,
    classify: classifyAwsError,
  });
  const call: Connections['call'] = (role, signal, send) =>
    connections.call(role, AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]), send);

  async function fetch(ref: SecretRef, selector: SecretSelector, signal: AbortSignal): Promise<FetchResult> {
    const stage = selector.stage ?? (selector.versionId === undefined ? ref.stage : undefined);
    const found = await call(ref.role, signal, ({ sdk, client }, abortSignal) =>
      client.send(
        new sdk.GetSecretValueCommand({
          SecretId: ref.id,
          ...(selector.versionId !== undefined && { VersionId: selector.versionId }),
          ...(stage !== undefined && { VersionStage: stage }),
        }),
        { abortSignal },
      ),
    );
    return toResult(ref.id, found);
  }

  return {
    name: 'aws-secrets-manager',
    capabilities: { versions: true, batch: batchLimit, ...(queueUrl !== undefined && { push: true }) },

    async describe(ref, signal) {
      const found = await call(ref.role, signal, ({ sdk, client }, abortSignal) =>
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

    fetch,

    async put({ id, role }, value, signal) {
      const text = isUtf8(value);
      const put = await call(role, signal, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.PutSecretValueCommand({
            SecretId: id,
            ...(text ? { SecretString: Buffer.from(value).toString('utf8') } : { SecretBinary: value }),
          }),
          { abortSignal },
        ),
      );
      return put.VersionId === undefined ? {} : { versionId: put.VersionId };
    },

    fetchMany: (refs, signal) =>
      fetchMany(refs, signal, {
        call,
        fetch: (ref, ending) => fetch(ref, {}, ending),
        toResult,
        classify: classifyAwsError,
      }),

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

    close: () => connections.close(),
  };
}

function clientConfig(
  settings: AwsSecretsManagerOptions,
  extras: AwsSecretsManagerExtras,
): Sdk.SecretsManagerClientConfig {
  const agent = { keepAlive: true, maxSockets: settings.maxSockets ?? 16 };
  return {
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
  };
}

interface FoundValue {
  readonly VersionId?: string | undefined;
  readonly VersionStages?: readonly string[] | undefined;
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
}

function toResult(id: string, found: FoundValue): FetchResult {
  const bytes =
    found.SecretBinary ??
    (found.SecretString === undefined ? undefined : new TextEncoder().encode(found.SecretString));
  if (found.VersionId === undefined || bytes === undefined) {
    throw new ProviderError('invalid', `Secrets Manager answered for ${id} without a version or a value.`);
  }
  return { versionId: found.VersionId, stages: found.VersionStages ?? [], bytes };
}

function noSuchStage(ref: SecretRef): ProviderError {
  return new ProviderError(
    'not-found',
    `The secret ${ref.id} has no version with the stage ${ref.stage ?? 'AWSCURRENT'}.`,
  );
}

const queueUrl: OptionCheck = (value) =>
  url(value) === undefined && new URL(value as string).pathname.split('/').length >= 3
    ? undefined
    : 'the URL of an SQS queue, such as https://sqs.ap-east-1.amazonaws.com/111122223333/rotations';

const checks: Record<keyof AwsSecretsManagerOptions, OptionCheck> = {
  region: text,
  endpoint: url,
  stsEndpoint: url,
  connectTimeoutMs: milliseconds,
  requestTimeoutMs: milliseconds,
  deadlineMs: milliseconds,
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
  const given = Object.entries(typeof options === 'object' && options !== null ? options : {});
  const isRefused = ([key]: readonly [string, unknown]): boolean =>
    awsSecretsManagerRefusedNames.includes(key);
  if (!given.some(isRefused)) return optionProblems(options, checks);
  return [
    ...given
      .filter(isRefused)
      .map(
        ([key]) =>
          `"${key}" does not belong in a config: credentials come from the AWS chain (environment, profile, role)`,
      ),
    ...optionProblems(Object.fromEntries(given.filter((each) => !isRefused(each))), checks),
  ];
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
