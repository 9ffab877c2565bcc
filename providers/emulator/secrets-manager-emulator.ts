import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer, answerXml, hungUp, isGone, jsonObject, readBody, serve } from './aws-protocols.ts';
import { createAccess, type EmulatedCredentials, type IamPolicy } from './iam-access.ts';
import {
  checkPattern,
  createSecretsManagerEvents,
  matchesPattern,
  type EventPattern,
  type SecretsManagerEventEnvelope,
  type SecretsManagerEvents,
} from './secrets-manager-events.ts';
import { createFaults, type Fault, type PlannedFault } from './secrets-manager-faults.ts';
import { operations } from './secrets-manager-operations.ts';
import { createQuotaGuard, type Quotas } from './secrets-manager-quotas.ts';
import { createRequestLog, type RecordedRequest } from './secrets-manager-requests.ts';
import { beginRotation, rotate, type Rotation } from './secrets-manager-rotation.ts';
import { accountId, createSecretsStore, ServiceError, type StoredValue } from './secrets-manager-store.ts';
import { queueOperations } from './sqs-operations.ts';
import { createQueue, type EmulatedQueue, type QueueStore } from './sqs-queue.ts';
import { isQuery, queryOperation, runQuery } from './sts-operations.ts';

export interface SecretsManagerEmulatorOptions {
  /** Stands in ARNs. Default `ap-east-1`. */
  readonly region?: string;
  /** The port on 127.0.0.1. Default 0: any free one. */
  readonly port?: number;
  /** Milliseconds since the epoch: dates, quotas, visibility time outs, ends of sessions. Default `Date.now`. */
  readonly now?: () => number;
}

/** A Secrets Manager of one's own on loopback, with the STS, SQS and EventBridge around it, for tests and examples. */
export interface SecretsManagerEmulator extends AsyncDisposable {
  /** The endpoint for the SDK. */
  readonly url: string;
  readonly region: string;
  /**
   * Made up at the start; they may do everything. Requests with an access key that the emulator did not make are
   * refused. Signatures are not checked.
   */
  readonly credentials: EmulatedCredentials;
  /** Requests by operation, those that failed included. */
  readonly calls: Readonly<Record<string, number>>;
  /** The requests in the order of their answers, without values. The last 10,000. */
  readonly requests: readonly RecordedRequest[];
  /** Makes the events of this region, as those of other secrets, to be sent to a queue by hand. */
  readonly events: SecretsManagerEvents;
  /** Makes the secret, or gives it a new current version. `kmsKey` is the ARN of a key. Returns the version id. */
  put(name: string, value: string | Uint8Array, options?: { readonly kmsKey?: string }): string;
  /** Runs the four steps of a rotation, to a random value unless one is given. Returns the version id. */
  rotate(name: string, value?: string | Uint8Array): string;
  /** A rotation whose steps are taken one by one. */
  beginRotation(name: string, value?: string | Uint8Array): Rotation;
  /** Moves AWSCURRENT to another version; by default back to AWSPREVIOUS. Returns the version id. */
  rollBack(name: string, versionId?: string): string;
  /** Marks it for deletion; reads say so until it is restored. */
  delete(name: string): void;
  restore(name: string): void;
  /** Has nothing decrypted with this key until it is enabled: `DecryptionFailure`. */
  disableKey(kmsKey: string): void;
  enableKey(kmsKey: string): void;
  /** Credentials that may do what the policy allows, and nothing else. @throws {TypeError} for what is not emulated */
  createUser(policy: IamPolicy): EmulatedCredentials;
  /**
   * A role for `sts:AssumeRole`, which {@link url} answers too; made again, its policy changes at once, for sessions that
   * exist as well. Returns its ARN.
   */
  createRole(name: string, policy: IamPolicy): string;
  /** Ends the credentials of all roles: `ExpiredTokenException`. Roles can be assumed again. */
  expireSessions(): void;
  /**
   * An SQS queue that gets the events of Secrets Manager that match the pattern of a rule; by default all. What happened
   * before is not in it.
   */
  createQueue(name: string, rule?: EventPattern): EmulatedQueue;
  /** Limits calls a second from now on: `ThrottlingException` above. */
  limit(quotas: Quotas): void;
  /**
   * Answers BatchGetSecretValue page by page from now on: the first ones are about that many secrets each, the next one about
   * the rest.
   */
  pageBatches(sizes: readonly number[]): void;
  /** Makes the next requests of an operation (`'*'`: of any) fail. */
  fail(operation: string, fault: Fault): PlannedFault;
  /** Forgets secrets, keys, users, roles, queues, limits, faults, counts and requests. */
  reset(): void;
  /** Cuts every connection. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts an emulator of AWS Secrets Manager that speaks awsJson1.1 over HTTP on 127.0.0.1: CreateSecret,
 * GetSecretValue, PutSecretValue, UpdateSecret, UpdateSecretVersionStage, DescribeSecret, ListSecretVersionIds,
 * BatchGetSecretValue (without filters), ListSecrets, DeleteSecret, RestoreSecret and RotateSecret, with the service's
 * rules for versions, staging labels and idempotency tokens, and its errors. Beside it are AssumeRole of STS, and
 * standard queues of SQS with the events that EventBridge would deliver. Every operation is subject to the IAM policy of
 * its caller.
 */
export async function startSecretsManagerEmulator(
  options: SecretsManagerEmulatorOptions = {},
): Promise<SecretsManagerEmulator> {
  const { region = 'ap-east-1', port = 0, now = Date.now } = options;
  const queues = new Map<string, QueueStore>();
  const rules = new Map<string, EventPattern>();
  const events = createSecretsManagerEvents(region, now);
  const publish = (event: SecretsManagerEventEnvelope): void => {
    for (const queue of queues.values())
      if (matchesPattern(rules.get(queue.name) ?? {}, event)) queue.deliver(event);
  };
  const store = createSecretsStore(region, {
    now,
    labelled(secret, label, { id }) {
      if (label !== 'AWSPENDING' && label !== 'AWSPREVIOUS') publish(events.labelUpdated(secret, label, id));
    },
  });
  const faults = createFaults();
  let batchPages: readonly number[] = [];
  const quotas = createQuotaGuard(now);
  const log = createRequestLog();
  const stopping = new AbortController();
  const access = createAccess(now);
  const { credentials } = access;
  const rotation = { store, events, publish };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = isQuery(request.headers['content-type']);
    const text = await readBody(request);
    // What was given up while it came in does nothing any more: it is from before a reset, most of the time.
    if (await isGone(response)) return;
    const [service = '', operation = 'Unknown'] = query
      ? ['STS', queryOperation(text)]
      : String(request.headers['x-amz-target']).split('.');
    const known = query || service === 'secretsmanager' || service === 'AmazonSQS';
    const record = log.begin(known ? operation : 'Unknown');
    try {
      // A body that is no object is refused later: a fault comes first.
      const body = query ? undefined : jsonObject(text);
      record.describe(body);
      const fault = faults.take(operation, record.secret);
      if (fault !== undefined && 'hang' in fault) return;
      if (fault !== undefined && 'reset' in fault) return void request.socket.resetAndDestroy();
      if (fault !== undefined && 'garbage' in fault) return void response.end('<html>not JSON</html>');
      if (fault !== undefined && 'error' in fault)
        throw new ServiceError(fault.error, 'Injected.', fault.status);
      if (fault !== undefined) await sleep(fault.latencyMs, undefined, { signal: stopping.signal });
      const caller = access.authenticate(request.headers);
      record.by(caller.arn);
      if (query) return answerXml(response, runQuery(access, caller, text));
      if (body === undefined)
        throw new ServiceError('SerializationException', 'The request is not a JSON object.');
      if (!quotas.admits(operation)) throw new ServiceError('ThrottlingException', 'Rate exceeded');
      const queueOperation = service === 'AmazonSQS' ? queueOperations.get(operation) : undefined;
      const secretOperation = service === 'secretsmanager' ? operations.get(operation) : undefined;
      if (queueOperation !== undefined) {
        const signal = AbortSignal.any([stopping.signal, hungUp(response)]);
        return answer(response, 200, await queueOperation({ queues, caller, signal }, body));
      }
      if (secretOperation === undefined)
        throw new ServiceError('UnknownOperationException', `${operation} is not emulated.`);
      const result = secretOperation({ ...rotation, caller, itemFault: faults.takeItem, batchPages }, body);
      publishCall(operation, body, result);
      answer(response, 200, result);
    } catch (error) {
      record.failed(error instanceof ServiceError ? error.code : 'InternalServiceError');
      throw error;
    } finally {
      record.end();
    }
  }

  /** What CloudTrail would tell of it. */
  function publishCall(
    operation: string,
    body: Readonly<Record<string, unknown>>,
    result: Readonly<Record<string, unknown>>,
  ): void {
    const { ARN: arn, Name: name, VersionId: version } = result;
    if (/^(?:Get|Batch|Describe|List)/.test(operation) || typeof arn !== 'string') return;
    const { SecretString: _, SecretBinary: __, ...told } = body;
    const parameters = Object.fromEntries(
      Object.entries(told).map(([key, value]) => [key.charAt(0).toLowerCase() + key.slice(1), value]),
    );
    const versionId = typeof version === 'string' ? version : undefined;
    publish(events.apiCall(operation, { name: String(name), arn }, parameters, versionId));
  }

  const { url, stop } = await serve(port, handle, stopping);

  return {
    url,
    region,
    credentials,
    calls: log.calls,
    requests: log.requests,
    events,
    put(name, value, { kmsKey } = {}) {
      const secret = store.all().find((each) => each.name === name) ?? store.create(name, undefined, kmsKey);
      const { id } = store.addVersion(secret, randomUUID(), storedValue(value), ['AWSCURRENT']);
      publish(events.apiCall('PutSecretValue', secret, { secretId: secret.arn, clientRequestToken: id }, id));
      return id;
    },
    rotate(name, value) {
      const token = randomUUID();
      rotate(rotation, store.findLive(name), token, value === undefined ? undefined : storedValue(value));
      return token;
    },
    beginRotation: (name, value) =>
      beginRotation(
        rotation,
        store.findLive(name),
        randomUUID(),
        value === undefined ? undefined : storedValue(value),
      ),
    rollBack(name, versionId) {
      const secret = store.findLive(name);
      const back = [...secret.versions.values()].find(({ id, stages }) =>
        versionId === undefined ? stages.has('AWSPREVIOUS') : id === versionId,
      );
      if (back === undefined) throw new Error(`${name} has no version to go back to.`);
      store.label(secret, 'AWSCURRENT', back);
      return back.id;
    },
    delete(name) {
      store.findLive(name).deletion = now() / 1000;
    },
    restore(name) {
      store.find(name).deletion = undefined;
    },
    disableKey: (kmsKey) => void store.disabledKeys.add(kmsKey),
    enableKey: (kmsKey) => void store.disabledKeys.delete(kmsKey),
    createUser: (policy) => access.createUser(policy),
    createRole: (name, policy) => access.createRole(name, policy),
    expireSessions: () => access.expireSessions(),
    createQueue(name, rule = {}) {
      checkPattern(rule);
      const queue = createQueue(name, { origin: url, region, accountId }, now);
      queues.set(name, queue);
      rules.set(name, rule);
      return queue;
    },
    limit: (limits) => quotas.limit(limits),
    pageBatches(sizes) {
      batchPages = sizes;
    },
    fail: (operation, fault) => faults.plan(operation, fault),
    reset() {
      store.clear();
      access.clear();
      queues.clear();
      rules.clear();
      quotas.limit({});
      batchPages = [];
      faults.clear();
      log.clear();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function storedValue(value: string | Uint8Array): StoredValue {
  return typeof value === 'string'
    ? { SecretString: value }
    : { SecretBinary: Buffer.from(value).toString('base64') };
}
