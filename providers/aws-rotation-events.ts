import type { RotationHint } from './provider.ts';

/** What a message of the rotation queue turned out to be. */
export type QueueMessage =
  /** An event of Secrets Manager; those that say nothing about a value have no hints. */
  | { readonly kind: 'event'; readonly hints: readonly RotationHint[] }
  /** It comes from Secrets Manager, but does not look like any event that is documented. */
  | { readonly kind: 'malformed' }
  /** Anything else. */
  | { readonly kind: 'foreign' };

/** SQS takes no more in one message. */
const largestBody = 256 * 1024;

/** Calls after which a secret may have another value, or none: what CloudTrail names of them. */
const changes = new Set([
  'CreateSecret',
  'PutSecretValue',
  'UpdateSecret',
  'UpdateSecretVersionStage',
  'DeleteSecret',
  'RestoreSecret',
  'RotationSucceeded',
]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads one message: an event as EventBridge puts it into a queue, also from behind SNS. Hints come of "Secret Label
 * Updated", and of what CloudTrail tells of calls that change a secret and of rotations that succeeded.
 */
export function readQueueMessage(body: string): QueueMessage {
  if (body.length > largestBody) return { kind: 'foreign' };
  const outer = parse(body);
  const inner = outer?.['Type'] === 'Notification' ? outer['Message'] : undefined;
  const event = typeof inner === 'string' ? parse(inner) : outer;
  if (event?.['source'] !== 'aws.secretsmanager') return { kind: 'foreign' };
  const { 'detail-type': type, resources } = event;
  const detail = fields(event['detail']);
  if (detail === undefined) return { kind: 'malformed' };
  if (type === 'Secret Label Updated') return labelUpdated(detail, resources);
  if (type === 'AWS API Call via CloudTrail' || type === 'AWS Service Event via CloudTrail')
    return fromTrail(detail);
  return { kind: 'event', hints: [] };
}

function labelUpdated(detail: Fields, resources: unknown): QueueMessage {
  const { name, labelUpdated: stage, versionId } = detail;
  const arn: unknown = Array.isArray(resources) ? resources[0] : undefined;
  if (!isName(name) || !isLabel(stage) || !isVersion(versionId) || !isArn(arn)) return { kind: 'malformed' };
  const aliases = [arn, withoutEnd(arn)];
  return { kind: 'event', hints: [{ id: name, aliases, versionId, stage, source: 'Secret Label Updated' }] };
}

function fromTrail(detail: Fields): QueueMessage {
  const { eventName: name, eventSource: source, errorCode: failed } = detail;
  if (typeof name !== 'string' || source !== 'secretsmanager.amazonaws.com') return { kind: 'malformed' };
  if (failed !== undefined || !changes.has(name)) return { kind: 'event', hints: [] };
  const request = fields(detail['requestParameters']) ?? {};
  const result = fields(detail['responseElements']) ?? {};
  const names = namesOf([
    result['arn'],
    // What several calls wrote until 2024.
    result['aRN'],
    result['ARN'],
    result['name'],
    fields(detail['additionalEventData'])?.['SecretId'],
    fields(detail['serviceEventDetails'])?.['secretId'],
    request['secretId'],
  ]);
  const [id, ...aliases] = names;
  if (id === undefined) return { kind: 'malformed' };
  const version = request['moveToVersionId'] ?? result['versionId'];
  const versionId = isVersion(version) ? version : undefined;
  const hint = (stage?: string): RotationHint => ({
    id,
    aliases,
    ...(versionId !== undefined && { versionId }),
    ...(stage !== undefined && { stage }),
    source: name,
  });
  const stages = stagesOf(name, request, versionId);
  return { kind: 'event', hints: stages.length === 0 ? [hint()] : stages.map((stage) => hint(stage)) };
}

/** The labels that the call moved, where it says so. */
function stagesOf(name: string, request: Fields, versionId: string | undefined): string[] {
  const { versionStage, versionStages } = request;
  if (isLabel(versionStage)) return [versionStage];
  if (Array.isArray(versionStages) && versionStages.length <= 20) return versionStages.filter(isLabel);
  return name === 'PutSecretValue' || (name === 'UpdateSecret' && versionId !== undefined)
    ? ['AWSCURRENT']
    : [];
}

/** All that a ref may call the secret, the plain name first. */
function namesOf(found: readonly unknown[]): string[] {
  const ids = [...new Set(found)];
  const arns = ids.filter(isArn);
  // Whether an ARN has its random end does not show for sure: too many names cost one look more, too few a rotation.
  const fromArns = arns.flatMap((arn) => {
    const name = arn.split(':').slice(6).join(':');
    return [withoutEnd(name), name];
  });
  const plain = ids.filter(isName);
  return [...new Set([...plain, ...fromArns, ...arns, ...arns.map(withoutEnd)])];
}

function withoutEnd(arnOrName: string): string {
  return arnOrName.replace(/-[A-Za-z0-9]{6}$/, '');
}

function parse(text: string): Fields | undefined {
  try {
    return fields(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

// The lengths and letters that the service's own reference gives.
const isName = (value: unknown): value is string =>
  typeof value === 'string' && /^[\w/+=.@!-]{1,512}$/.test(value);
const isLabel = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 256;
const isVersion = (value: unknown): value is string =>
  typeof value === 'string' && /^[\w-]{1,64}$/.test(value);
const isArn = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.length <= 2048 &&
  /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+$/.test(value);
