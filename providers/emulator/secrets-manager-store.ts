import { randomBytes, randomUUID } from 'node:crypto';

/** The account that everything belongs to. */
export const accountId = '000000000000';

/** A refusal, with the service's own name for it. */
export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
  }
}

/** A value as the wire has it: text, or base64 of bytes. */
export type StoredValue = { readonly SecretString: string } | { readonly SecretBinary: string };

export interface StoredVersion {
  readonly id: string;
  readonly value: StoredValue;
  readonly stages: Set<string>;
  /** Seconds since the epoch, as everywhere on the wire. */
  readonly created: number;
}

export interface StoredSecret {
  readonly name: string;
  readonly arn: string;
  readonly created: number;
  description: string | undefined;
  changed: number;
  deletion: number | undefined;
  rotated: number | undefined;
  /** A key of one's own, by ARN; without one the service's. */
  kmsKey: string | undefined;
  readonly versions: Map<string, StoredVersion>;
}

/** The secrets of one emulated account and region, and the rules for versions and staging labels. */
export interface SecretsStore {
  readonly region: string;
  /** Milliseconds since the epoch. */
  now(): number;
  /** KMS keys with which nothing can be decrypted. */
  readonly disabledKeys: Set<string>;
  all(): StoredSecret[];
  /** By name, ARN or ARN without its random end. @throws {ServiceError} when there is none */
  find(id: string): StoredSecret;
  /** The same, but not one that is marked for deletion. */
  findLive(id: string): StoredSecret;
  /** The ARN of an existing secret. */
  arnOf(id: string): string | undefined;
  /** An ARN for a secret of this name, with a random end. */
  newArn(name: string): string;
  create(name: string, description: string | undefined, kmsKey?: string): StoredSecret;
  remove(secret: StoredSecret): void;
  /** Adds a version, or finds the same one again by its token (idempotency). */
  addVersion(
    secret: StoredSecret,
    token: string | undefined,
    value: StoredValue,
    stages: readonly string[],
  ): StoredVersion;
  /** Puts a label on a version and takes it from every other; AWSPREVIOUS follows AWSCURRENT. */
  label(secret: StoredSecret, stage: string, version: StoredVersion): void;
  clear(): void;
}

/** What a store needs of the world. */
export interface SecretsStoreOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Called when a label has moved to a version. */
  readonly labelled: (secret: StoredSecret, label: string, version: StoredVersion) => void;
}

export function createSecretsStore(region: string, { now, labelled }: SecretsStoreOptions): SecretsStore {
  const secrets = new Map<string, StoredSecret>();
  const disabledKeys = new Set<string>();
  const nowSeconds = (): number => now() / 1000;

  const existing = (id: string): StoredSecret | undefined =>
    secrets.get(id) ?? [...secrets.values()].find(({ arn }) => arn === id || arn.slice(0, -7) === id);
  const newArn = (name: string): string =>
    `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-${randomBytes(3).toString('hex')}`;
  const find = (id: string): StoredSecret => {
    const found = existing(id);
    if (found === undefined) {
      throw new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    }
    return found;
  };
  const label = (secret: StoredSecret, stage: string, version: StoredVersion): void => {
    const holder = [...secret.versions.values()].find(({ stages }) => stages.has(stage));
    if (holder === version) return;
    holder?.stages.delete(stage);
    version.stages.add(stage);
    secret.changed = nowSeconds();
    if (stage === 'AWSCURRENT' && holder !== undefined) {
      version.stages.delete('AWSPREVIOUS');
      label(secret, 'AWSPREVIOUS', holder);
    }
    labelled(secret, stage, version);
  };

  return {
    region,
    now,
    disabledKeys,
    all: () => [...secrets.values()],
    find,
    findLive(id) {
      const secret = find(id);
      if (secret.deletion === undefined) return secret;
      throw new ServiceError(
        'InvalidRequestException',
        "You can't perform this operation on the secret because it was marked for deletion.",
      );
    },
    arnOf: (id) => existing(id)?.arn,
    newArn,
    create(name, description, kmsKey) {
      const arn = newArn(name);
      const created = nowSeconds();
      const secret: StoredSecret = {
        name,
        arn,
        created,
        description,
        changed: created,
        deletion: undefined,
        rotated: undefined,
        kmsKey,
        versions: new Map(),
      };
      secrets.set(name, secret);
      return secret;
    },
    remove(secret) {
      secrets.delete(secret.name);
    },
    addVersion(secret, token = randomUUID(), value, stages) {
      const existing = secret.versions.get(token);
      if (existing !== undefined) {
        if (JSON.stringify(existing.value) === JSON.stringify(value)) return existing;
        throw new ServiceError(
          'ResourceExistsException',
          `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${secret.arn}.`,
        );
      }
      const version = { id: token, value, stages: new Set<string>(), created: nowSeconds() };
      const first = secret.versions.size === 0;
      secret.versions.set(token, version);
      secret.changed = version.created;
      for (const stage of first ? new Set([...stages, 'AWSCURRENT']) : stages) label(secret, stage, version);
      return version;
    },
    label,
    clear() {
      secrets.clear();
      disabledKeys.clear();
    },
  };
}
