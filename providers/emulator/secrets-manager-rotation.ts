import { randomBytes } from 'node:crypto';
import type { SecretsManagerEventEnvelope, SecretsManagerEvents } from './secrets-manager-events.ts';
import {
  ServiceError,
  type SecretsStore,
  type StoredSecret,
  type StoredValue,
  type StoredVersion,
} from './secrets-manager-store.ts';

/**
 * A rotation in hand, in the four steps of a rotation function, each to be taken once and in this order. Between
 * `setSecret` and `finishSecret` a database that has one user takes the new password only, while AWSCURRENT still is the
 * old one.
 */
export interface Rotation {
  readonly versionId: string;
  /** Adds the new version, labelled AWSPENDING. */
  createSecret(): void;
  /** Gives the new value to whatever the secret is for. */
  setSecret(set?: (value: Buffer) => void): void;
  /** Tries the new value there; a `test` that says false fails the rotation. */
  testSecret(test?: (value: Buffer) => boolean): void;
  /** Moves AWSCURRENT to the new version; AWSPREVIOUS follows, AWSPENDING goes. */
  finishSecret(): void;
  /** Gives up: the new version keeps AWSPENDING and nothing else changes. */
  fail(): void;
}

/** What a rotation works with. */
export interface RotationContext {
  readonly store: SecretsStore;
  readonly events: SecretsManagerEvents;
  readonly publish: (event: SecretsManagerEventEnvelope) => void;
}

const order = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

/** To a random value unless one is given. The version's id is the token. */
export function beginRotation(
  { store, events, publish }: RotationContext,
  secret: StoredSecret,
  token: string,
  value: StoredValue = { SecretString: randomBytes(24).toString('base64url') },
): Rotation {
  if (secret.versions.size === 0)
    throw new ServiceError('InvalidRequestException', "You can't rotate a secret that has no value.");
  const parameters = { secretId: secret.arn, clientRequestToken: token };
  const bytes = (): Buffer =>
    'SecretString' in value ? Buffer.from(value.SecretString) : Buffer.from(value.SecretBinary, 'base64');
  let taken = 0;
  let version: StoredVersion | undefined;

  const step = (name: (typeof order)[number]): void => {
    if (order[taken] !== name)
      throw new Error(`The next step of the rotation is ${order[taken] ?? 'none'}, not ${name}.`);
    taken += 1;
  };
  const fail = (): void => {
    taken = order.length;
    publish(events.rotation('RotationFailed', secret, token));
  };
  publish(events.rotation('RotationStarted', secret, token));

  return {
    versionId: token,
    createSecret() {
      step('createSecret');
      version = store.addVersion(secret, token, value, ['AWSPENDING']);
      publish(
        events.apiCall('PutSecretValue', secret, { ...parameters, versionStages: ['AWSPENDING'] }, token),
      );
    },
    setSecret(set) {
      step('setSecret');
      set?.(bytes());
    },
    testSecret(test) {
      step('testSecret');
      if (test?.(bytes()) === false) fail();
    },
    finishSecret() {
      step('finishSecret');
      if (version === undefined) return;
      store.label(secret, 'AWSCURRENT', version);
      version.stages.delete('AWSPENDING');
      secret.rotated = store.now() / 1000;
      publish(
        events.apiCall('UpdateSecretVersionStage', secret, {
          secretId: secret.arn,
          versionStage: 'AWSCURRENT',
          moveToVersionId: token,
        }),
      );
      publish(events.rotation('RotationSucceeded', secret, token));
    },
    fail,
  };
}

/** All four steps. */
export function rotate(
  context: RotationContext,
  secret: StoredSecret,
  token: string,
  value?: StoredValue,
): void {
  const rotation = beginRotation(context, secret, token, value);
  rotation.createSecret();
  rotation.setSecret();
  rotation.testSecret();
  rotation.finishSecret();
}
