import { isUtf8 } from 'node:buffer';
import type * as Sdk from '@aws-sdk/client-secrets-manager';
import { batchLimit, createFetchMany } from './aws-batch.ts';
import { commonConfig, type ClientConfig, type ClientLimits } from './aws-client.ts';
import { createConnections, type Connections } from './aws-connections.ts';
import { classifyAwsError } from './aws-failures.ts';
import { reachEndpoint, type Reached } from './aws-reach.ts';
import { findRegion, isRegion, otherRegionProblem } from './aws-region.ts';
import { watchRotationQueue } from './aws-rotation-queue.ts';
import { proxyProblem } from './proxy-env.ts';
import {
  ProviderError,
  ProviderOptionsError,
  type FetchResult,
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
  /**
   * The AWS region, such as `ap-east-1`. Default: what the AWS SDK finds (`AWS_REGION`, profile, instance), else the one that
   * every secret's ARN names.
   */
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
 * Every call ends within `deadlineMs` (8 s). When the host's credentials have expired, or AWS does not know them, they are
 * looked for again where they lie, and the call is repeated once. The SDK does neither by itself.
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
  let ids: readonly string[] = [];
  /** Secrets whose value was last read as bytes: who puts another one there leaves it that. */
  const binary = new Set<string>();
  let region: Promise<string> | undefined;
  const regionFound = (): Promise<string> => {
    region ??= findRegion(settings.region, ids).catch((error: unknown) => {
      region = undefined;
      throw error;
    });
    return region;
  };
  const connections = createConnections({
    client: clientConfig(settings, regionFound, extras),
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
    if (found.SecretBinary === undefined) binary.delete(ref.id);
    else binary.add(ref.id);
    return toResult(ref.id, found);
  }

  return {
    name: 'aws-secrets-manager',
    capabilities: { versions: true, batch: batchLimit, ...(queueUrl !== undefined && { push: true }) },

    prepare(refs) {
      ids = refs.map(({ id }) => id);
    },

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
      const isText = !binary.has(id) && isUtf8(value);
      const put = await call(role, signal, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.PutSecretValueCommand({
            SecretId: id,
            ...(isText ? { SecretString: Buffer.from(value).toString('utf8') } : { SecretBinary: value }),
          }),
          { abortSignal },
        ),
      );
      return put.VersionId === undefined ? {} : { versionId: put.VersionId };
    },

    fetchMany: createFetchMany({
      call,
      fetch: (ref, ending) => fetch(ref, {}, ending),
      toResult,
      classify: classifyAwsError,
      singlesAtOnce: limitsOf(settings).maxSockets,
      now: () => performance.now(),
    }),

    ...(queueUrl !== undefined && {
      watch: (emit, signal, report) =>
        watchRotationQueue(
          {
            queueUrl,
            region: regionFound,
            ...limitsOf(settings),
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

/**
 * What keeps a provider from working whatever the service does, one sentence each: no region, a secret of another one, a
 * proxy that is none. May look at files, and ask the instance for its region; calls no service.
 */
export async function awsStartProblems(options: unknown, ids: readonly string[]): Promise<string[]> {
  const settings = parseAwsSecretsManagerOptions(options);
  const { endpoint = 'https://secretsmanager.amazonaws.com' } = settings;
  const proxy = proxyProblem(new URL(endpoint), process.env);
  const others = proxy === undefined ? [] : [proxy];
  try {
    const region = await findRegion(settings.region, ids);
    const wrong = [...new Set(ids)].flatMap((id) => {
      const problem = otherRegionProblem(id, region);
      return problem === undefined ? [] : [`${id}: ${problem}`];
    });
    return [...wrong, ...others];
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return [error.message, ...others];
  }
}

/** What is wrong with the id of a secret for a provider of these options, as a clause; calls nobody. */
export function awsRefProblem({ region }: Readonly<Record<string, unknown>>, id: string): string | undefined {
  return typeof region === 'string' && isRegion(region) ? otherRegionProblem(id, region) : undefined;
}

/**
 * Asks the endpoint that the provider would ask whether it is there.
 *
 * @throws {ProviderError} `invalid` when no region is known
 */
export async function reachAws(
  options: unknown,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Reached> {
  const settings = parseAwsSecretsManagerOptions(options);
  const region = await findRegion(settings.region, ids);
  return reachEndpoint(
    clientConfig(settings, async () => region, {}),
    signal,
  );
}

function limitsOf({
  connectTimeoutMs,
  requestTimeoutMs,
  maxSockets,
}: AwsSecretsManagerOptions): ClientLimits {
  return {
    connectTimeoutMs: connectTimeoutMs ?? 1_000,
    requestTimeoutMs: requestTimeoutMs ?? 3_000,
    maxSockets: maxSockets ?? 16,
  };
}

function clientConfig(
  settings: AwsSecretsManagerOptions,
  region: () => Promise<string>,
  { credentials }: AwsSecretsManagerExtras,
): ClientConfig {
  return {
    ...commonConfig(limitsOf(settings)),
    maxAttempts: settings.maxAttempts ?? 3,
    retryMode: 'standard',
    region,
    ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
    ...(credentials !== undefined && { credentials }),
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

const regionName: OptionCheck = (value) =>
  text(value) ?? (isRegion(value as string) ? undefined : 'a region such as ap-east-1');

const checks: Record<keyof AwsSecretsManagerOptions, OptionCheck> = {
  region: regionName,
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
