import { randomUUID } from 'node:crypto';
import type { Principal } from './iam-access.ts';
import { rotate, type RotationContext } from './secrets-manager-rotation.ts';
import {
  ServiceError,
  type SecretsStore,
  type StoredSecret,
  type StoredValue,
  type StoredVersion,
} from './secrets-manager-store.ts';

type Request = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;
/** What an operation works with: the secrets, whoever asks, and what is to go wrong. */
export interface OperationContext extends RotationContext {
  readonly caller: Principal;
  /** The error that one secret of a batch is to have. */
  readonly itemFault: (operation: string, secret: string) => { readonly error: string } | undefined;
  /** How many secrets the first pages of a batch are about; the next one has the rest. */
  readonly batchPages: readonly number[];
}
/** One operation of the service: request in, answer out, or a {@link ServiceError}. */
export type Operation = (context: OperationContext, request: Request) => Answer;

const batchLimit = 20;
const daySeconds = 86_400;

/** The operations by name, as they stand after the dot of `X-Amz-Target`. */
export const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['CreateSecret', createSecret],
  ['GetSecretValue', getSecretValue],
  ['PutSecretValue', putSecretValue],
  ['UpdateSecretVersionStage', updateSecretVersionStage],
  ['DescribeSecret', describeSecret],
  ['BatchGetSecretValue', batchGetSecretValue],
  ['ListSecrets', listSecrets],
  ['DeleteSecret', deleteSecret],
  ['RestoreSecret', restoreSecret],
  ['RotateSecret', rotateSecret],
  ['UpdateSecret', updateSecret],
  ['ListSecretVersionIds', listSecretVersionIds],
]);

function createSecret({ store, caller }: OperationContext, request: Request): Answer {
  const name = text(request, 'Name');
  caller.require('secretsmanager:CreateSecret', resourceOf(store, name));
  const token = optionalText(request, 'ClientRequestToken');
  const value = optionalValue(request);
  const existing = store.all().find((secret) => secret.name === name);
  if (existing?.deletion !== undefined) {
    throw new ServiceError(
      'InvalidRequestException',
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  }
  if (
    existing !== undefined &&
    (token === undefined || value === undefined || !existing.versions.has(token))
  ) {
    throw new ServiceError(
      'ResourceExistsException',
      `The operation failed because the secret ${name} already exists.`,
    );
  }
  const secret =
    existing ?? store.create(name, optionalText(request, 'Description'), optionalText(request, 'KmsKeyId'));
  const version = value && store.addVersion(secret, token, value, ['AWSCURRENT']);
  return { ARN: secret.arn, Name: name, ...(version && { VersionId: version.id }) };
}

function putSecretValue(context: OperationContext, request: Request): Answer {
  const secret = live(context, 'PutSecretValue', request);
  const value = optionalValue(request);
  if (value === undefined) throw invalid('You must provide either SecretString or SecretBinary.');
  const stages = optionalTexts(request, 'VersionStages') ?? ['AWSCURRENT'];
  const version = context.store.addVersion(
    secret,
    optionalText(request, 'ClientRequestToken'),
    value,
    stages,
  );
  return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: [...version.stages] };
}

function getSecretValue(context: OperationContext, request: Request): Answer {
  const secret = live(context, 'GetSecretValue', request);
  const version = selected(secret, optionalText(request, 'VersionId'), optionalText(request, 'VersionStage'));
  decrypt(context, secret);
  return {
    ARN: secret.arn,
    Name: secret.name,
    VersionId: version.id,
    VersionStages: [...version.stages],
    CreatedDate: version.created,
    ...version.value,
  };
}

/** Reading takes a right to the key as well, if the key is not the service's own. */
function decrypt({ store, caller }: OperationContext, { kmsKey }: StoredSecret): void {
  if (kmsKey === undefined) return;
  const via = { 'kms:ViaService': `secretsmanager.${store.region}.amazonaws.com` };
  if (!caller.allows('kms:Decrypt', kmsKey, via))
    throw new ServiceError('AccessDeniedException', 'Access to KMS is not allowed');
  if (store.disabledKeys.has(kmsKey)) {
    throw new ServiceError(
      'DecryptionFailure',
      "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
    );
  }
}

function selected(secret: StoredSecret, id: string | undefined, stage: string | undefined): StoredVersion {
  const wantedStage = stage ?? 'AWSCURRENT';
  const found =
    id === undefined
      ? [...secret.versions.values()].find(({ stages }) => stages.has(wantedStage))
      : secret.versions.get(id);
  if (found === undefined) {
    const which = id === undefined ? `staging label: ${wantedStage}` : `VersionId: ${id}`;
    throw new ServiceError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret value for ${which}`,
    );
  }
  if (id !== undefined && stage !== undefined && !found.stages.has(stage)) {
    throw new ServiceError(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    );
  }
  return found;
}

function updateSecretVersionStage(context: OperationContext, request: Request): Answer {
  const secret = live(context, 'UpdateSecretVersionStage', request);
  const stage = text(request, 'VersionStage');
  const moveTo = optionalText(request, 'MoveToVersionId');
  const removeFrom = optionalText(request, 'RemoveFromVersionId');
  const holder = [...secret.versions.values()].find(({ stages }) => stages.has(stage));
  if (holder !== undefined && holder.id !== moveTo && holder.id !== removeFrom) {
    throw invalid(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ` +
        `${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  }
  if (removeFrom !== undefined && holder?.id !== removeFrom) {
    throw invalid(`Staging label ${stage} is not attached to version ${removeFrom}.`);
  }
  if (moveTo === undefined) {
    if (stage === 'AWSCURRENT') throw invalid("You can't remove the staging label AWSCURRENT, only move it.");
    holder?.stages.delete(stage);
  } else {
    context.store.label(secret, stage, selected(secret, moveTo, undefined));
  }
  return { ARN: secret.arn, Name: secret.name };
}

function updateSecret(context: OperationContext, request: Request): Answer {
  const secret = live(context, 'UpdateSecret', request);
  const value = optionalValue(request);
  secret.description = optionalText(request, 'Description') ?? secret.description;
  secret.kmsKey = optionalText(request, 'KmsKeyId') ?? secret.kmsKey;
  secret.changed = context.store.now() / 1000;
  const token = optionalText(request, 'ClientRequestToken');
  const version = value && context.store.addVersion(secret, token, value, ['AWSCURRENT']);
  return { ARN: secret.arn, Name: secret.name, ...(version && { VersionId: version.id }) };
}

function listSecretVersionIds(context: OperationContext, request: Request): Answer {
  const secret = permitted(context, 'ListSecretVersionIds', request);
  const listed = [...secret.versions.values()]
    .filter(({ stages }) => stages.size > 0 || request['IncludeDeprecated'] === true)
    .map(({ id, stages, created }) => ({ VersionId: id, VersionStages: [...stages], CreatedDate: created }));
  return { ARN: secret.arn, Name: secret.name, Versions: listed };
}

function describeSecret(context: OperationContext, request: Request): Answer {
  return description(permitted(context, 'DescribeSecret', request), 'VersionIdsToStages');
}

function description(
  secret: StoredSecret,
  versionsKey: 'VersionIdsToStages' | 'SecretVersionsToStages',
): Answer {
  const labelled = [...secret.versions.values()].filter(({ stages }) => stages.size > 0);
  return {
    ARN: secret.arn,
    Name: secret.name,
    CreatedDate: secret.created,
    LastChangedDate: secret.changed,
    ...(secret.description !== undefined && { Description: secret.description }),
    ...(secret.kmsKey !== undefined && { KmsKeyId: secret.kmsKey }),
    ...(secret.deletion !== undefined && { DeletedDate: secret.deletion }),
    ...(secret.rotated !== undefined && { RotationEnabled: true, LastRotatedDate: secret.rotated }),
    [versionsKey]: Object.fromEntries(labelled.map(({ id, stages }) => [id, [...stages]])),
  };
}

function batchGetSecretValue(context: OperationContext, request: Request): Answer {
  context.caller.require('secretsmanager:BatchGetSecretValue', '*');
  const ids = optionalTexts(request, 'SecretIdList');
  if (ids === undefined || ids.length === 0)
    throw invalid('You must provide SecretIdList; Filters are not emulated.');
  if (ids.length > batchLimit) {
    throw invalid(`Member must have length less than or equal to ${batchLimit} at 'secretIdList'.`);
  }
  const page = Number(optionalText(request, 'NextToken') ?? 0);
  if (!Number.isSafeInteger(page) || page < 0 || page > context.batchPages.length)
    throw new ServiceError('InvalidNextTokenException', 'The NextToken value is invalid.');
  const from = context.batchPages.slice(0, page).reduce((sum, size) => sum + size, 0);
  const to = from + (context.batchPages[page] ?? ids.length);
  const values: Answer[] = [];
  const errors: Answer[] = [];
  for (const id of ids.slice(from, to)) {
    try {
      const fault = context.itemFault('GetSecretValue', id);
      if (fault !== undefined) throw new ServiceError(fault.error, 'Injected.');
      values.push(getSecretValue(context, { SecretId: id }));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      errors.push({ SecretId: id, ErrorCode: error.code, Message: error.message });
    }
  }
  return { SecretValues: values, Errors: errors, ...(to < ids.length && { NextToken: String(page + 1) }) };
}

function listSecrets({ store, caller }: OperationContext, request: Request): Answer {
  caller.require('secretsmanager:ListSecrets', '*');
  const { MaxResults: size = 100, NextToken: token = '0', IncludePlannedDeletion: deleted = false } = request;
  if (typeof size !== 'number' || size < 1 || size > 100) throw invalid('MaxResults must be from 1 to 100.');
  const from = Number(token);
  const listed = store.all().filter(({ deletion }) => deletion === undefined || deleted === true);
  if (!Number.isSafeInteger(from) || from < 0 || from > listed.length) {
    throw new ServiceError('InvalidNextTokenException', 'The NextToken value is invalid.');
  }
  const page = listed.slice(from, from + size);
  const next = from + size < listed.length ? { NextToken: String(from + size) } : undefined;
  return { SecretList: page.map((secret) => description(secret, 'SecretVersionsToStages')), ...next };
}

function deleteSecret(context: OperationContext, request: Request): Answer {
  const { RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force } = request;
  if (force === true && days !== undefined) {
    throw invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  if (days !== undefined && (typeof days !== 'number' || days < 7 || days > 30)) {
    throw invalid('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
  }
  const secret = live(context, 'DeleteSecret', request);
  secret.deletion = context.store.now() / 1000 + (force === true ? 0 : (days ?? 30) * daySeconds);
  if (force === true) context.store.remove(secret);
  return { ARN: secret.arn, Name: secret.name, DeletionDate: secret.deletion };
}

function restoreSecret(context: OperationContext, request: Request): Answer {
  const secret = permitted(context, 'RestoreSecret', request);
  secret.deletion = undefined;
  return { ARN: secret.arn, Name: secret.name };
}

function rotateSecret(context: OperationContext, request: Request): Answer {
  const secret = live(context, 'RotateSecret', request);
  const token = optionalText(request, 'ClientRequestToken') ?? randomUUID();
  rotate(context, secret, token);
  return { ARN: secret.arn, Name: secret.name, VersionId: token };
}

/** The secret of a request, when the caller may do this with it; whether it exists is told to nobody else. */
function permitted({ store, caller }: OperationContext, operation: string, request: Request): StoredSecret {
  const id = text(request, 'SecretId');
  caller.require(`secretsmanager:${operation}`, resourceOf(store, id));
  return store.find(id);
}

/** The same, but not one that is marked for deletion. */
function live(context: OperationContext, operation: string, request: Request): StoredSecret {
  permitted(context, operation, request);
  return context.store.findLive(text(request, 'SecretId'));
}

/** The ARN of a secret; of one that does not exist, as a policy could name it. */
function resourceOf(store: SecretsStore, id: string): string {
  return store.arnOf(id) ?? (id.startsWith('arn:') ? id : store.newArn(id));
}

function invalid(message: string): ServiceError {
  return new ServiceError('InvalidParameterException', message);
}

function optionalText(request: Request, key: string): string | undefined {
  const value = request[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || value === '') throw invalid(`${key} must be a non-empty string.`);
  return value;
}

function text(request: Request, key: string): string {
  const value = optionalText(request, key);
  if (value === undefined) throw invalid(`${key} is required.`);
  return value;
}

function optionalTexts(request: Request, key: string): string[] | undefined {
  const value = request[key];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw invalid(`${key} must be a list of strings.`);
}

function optionalValue(request: Request): StoredValue | undefined {
  const { SecretString: string, SecretBinary: binary } = request;
  if (string !== undefined && binary !== undefined) {
    throw invalid("You can't specify both a SecretBinary value and a SecretString value.");
  }
  if (typeof string === 'string') return { SecretString: string };
  if (typeof binary === 'string') return { SecretBinary: binary };
  return undefined;
}
