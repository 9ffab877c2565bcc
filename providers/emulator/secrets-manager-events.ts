import { randomUUID } from 'node:crypto';
import { accountId } from './secrets-manager-store.ts';

/** An event of Secrets Manager as EventBridge delivers it. */
export interface SecretsManagerEventEnvelope {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type':
    | 'Secret Label Updated'
    | 'AWS API Call via CloudTrail'
    | 'AWS Service Event via CloudTrail';
  readonly source: 'aws.secretsmanager';
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What a rule lets through: for each key a list of allowed values, or a pattern of what is below. */
export interface EventPattern {
  readonly [key: string]: readonly (string | { readonly prefix: string })[] | EventPattern;
}

/** The secret an event is about. */
export interface EventSubject {
  readonly name: string;
  readonly arn: string;
}

export type RotationEventName =
  | 'RotationStarted'
  | 'RotationSucceeded'
  | 'RotationFailed'
  | 'RotationAbandoned';

/** Makes the events of an account and region. */
export interface SecretsManagerEvents {
  /** Secrets Manager's own event: a label moved to this version. */
  labelUpdated(secret: EventSubject, label: string, versionId: string): SecretsManagerEventEnvelope;
  /** What CloudTrail tells of a call. Some services wrote `aRN` for the ARN until 2024, so half of them do here. */
  apiCall(
    name: string,
    secret: EventSubject,
    request: Readonly<Record<string, unknown>>,
    versionId?: string,
  ): SecretsManagerEventEnvelope;
  /** What CloudTrail tells of a rotation. */
  rotation(name: RotationEventName, secret: EventSubject, versionId: string): SecretsManagerEventEnvelope;
}

/** Calls that were told with `aRN` and not `arn`. */
const oldSpelling = new Set(['CreateSecret', 'DeleteSecret', 'PutSecretValue', 'UpdateSecretVersionStage']);

/** @param now milliseconds since the epoch */
export function createSecretsManagerEvents(region: string, now: () => number): SecretsManagerEvents {
  const time = (): string => new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');
  const envelope = (
    type: SecretsManagerEventEnvelope['detail-type'],
    resources: readonly string[],
    detail: Readonly<Record<string, unknown>>,
  ): SecretsManagerEventEnvelope => ({
    version: '0',
    id: randomUUID(),
    'detail-type': type,
    source: 'aws.secretsmanager',
    account: accountId,
    time: time(),
    region,
    resources,
    detail,
  });
  const trail = (
    name: string,
    rest: Readonly<Record<string, unknown>>,
  ): Readonly<Record<string, unknown>> => ({
    eventVersion: '1.08',
    userIdentity: { accountId, invokedBy: 'secretsmanager.amazonaws.com' },
    eventTime: time(),
    eventSource: 'secretsmanager.amazonaws.com',
    eventName: name,
    awsRegion: region,
    sourceIPAddress: 'secretsmanager.amazonaws.com',
    userAgent: 'secretsmanager.amazonaws.com',
    requestID: randomUUID(),
    eventID: randomUUID(),
    readOnly: false,
    managementEvent: true,
    recipientAccountId: accountId,
    eventCategory: 'Management',
    ...rest,
  });
  return {
    labelUpdated: (secret, label, versionId) =>
      envelope('Secret Label Updated', [secret.arn], { name: secret.name, labelUpdated: label, versionId }),
    apiCall(name, secret, request, versionId) {
      const responseElements = {
        [oldSpelling.has(name) ? 'aRN' : 'arn']: secret.arn,
        name: secret.name,
        ...(versionId !== undefined && { versionId }),
      };
      const detail = trail(name, { requestParameters: request, responseElements, eventType: 'AwsApiCall' });
      return envelope('AWS API Call via CloudTrail', [], detail);
    },
    rotation(name, secret, versionId) {
      const detail = trail(name, {
        requestParameters: null,
        responseElements: null,
        additionalEventData: { SecretId: secret.arn },
        requestID: `Rotation-${secret.arn}-${versionId}`,
        eventType: 'AwsServiceEvent',
      });
      return envelope('AWS Service Event via CloudTrail', [], detail);
    },
  };
}

/** Whether a rule with this pattern lets the event through. */
export function matchesPattern(pattern: EventPattern, event: unknown): boolean {
  return Object.entries(pattern).every(([key, wanted]) => {
    const value = (event as Readonly<Record<string, unknown>> | undefined)?.[key];
    if (!isList(wanted)) return typeof value === 'object' && value !== null && matchesPattern(wanted, value);
    return (Array.isArray(value) ? value : [value]).some((each) => wanted.some((one) => accepts(one, each)));
  });
}

function isList(wanted: EventPattern[string]): wanted is readonly (string | { readonly prefix: string })[] {
  return Array.isArray(wanted);
}

function accepts(wanted: string | { readonly prefix: string }, value: unknown): boolean {
  if (typeof wanted === 'string') return value === wanted;
  return typeof value === 'string' && value.startsWith(wanted.prefix);
}

/** @throws {TypeError} for what {@link matchesPattern} would not understand */
export function checkPattern(pattern: EventPattern): void {
  for (const [key, wanted] of Object.entries(pattern)) {
    if (isList(wanted)) {
      const unknown = wanted.find(
        (one) =>
          typeof one !== 'string' && (Object.keys(one).join() !== 'prefix' || typeof one.prefix !== 'string'),
      );
      if (unknown !== undefined)
        throw new TypeError(
          `The emulator does not know ${JSON.stringify(unknown)} in a pattern, at "${key}".`,
        );
    } else if (key.startsWith('$') || typeof wanted !== 'object') {
      throw new TypeError(`The emulator does not know "${key}" in a pattern.`);
    } else checkPattern(wanted);
  }
}
