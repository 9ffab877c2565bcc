import { randomBytes } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';

/** Says that a secret was made by this example: no other is ever written to. */
const DESCRIPTION = "The signing key of Holdfast's trading-desk example";

/** The desk's key in the service, and the versions of it that this process knows, to check signatures with. */
export interface SigningKey {
  readonly id: string;
  /** By version id. Grows with each rotation. */
  readonly versions: ReadonlyMap<string, string>;
  readonly created: boolean;
  /** Writes a new random version. Returns its id, or undefined when the secret is not the desk's to rotate. */
  rotate(): Promise<string | undefined>;
}

/** Finds the key or makes it. A secret that somebody else made is used, but never rotated. */
export async function openSigningKey(client: SecretsManagerClient, id: string): Promise<SigningKey> {
  const versions = new Map<string, string>();
  const found = await describe(client, id);
  if (found === undefined) {
    const value = newKey();
    const { VersionId } = await client.send(
      new CreateSecretCommand({
        Name: id,
        SecretString: value,
        Description: DESCRIPTION,
        ClientRequestToken: crypto.randomUUID(),
      }),
    );
    versions.set(needed(VersionId), value);
  } else {
    const { VersionId, SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id }));
    if (SecretString === undefined) throw new Error(`the secret ${id} holds bytes; the desk signs with text`);
    versions.set(needed(VersionId), SecretString);
  }

  const mine = found === undefined || found.mine;
  return {
    id,
    versions,
    created: found === undefined,
    async rotate() {
      if (!mine) return undefined;
      const value = newKey();
      const { VersionId } = await client.send(
        new PutSecretValueCommand({
          SecretId: id,
          SecretString: value,
          ClientRequestToken: crypto.randomUUID(),
        }),
      );
      versions.set(needed(VersionId), value);
      return VersionId;
    },
  };
}

async function describe(client: SecretsManagerClient, id: string): Promise<{ mine: boolean } | undefined> {
  try {
    const { Description } = await client.send(new DescribeSecretCommand({ SecretId: id }));
    return { mine: Description === DESCRIPTION };
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

const newKey = (): string => `desk-${randomBytes(32).toString('base64url')}`;

function needed(versionId: string | undefined): string {
  if (versionId === undefined) throw new Error('the service did not say which version it wrote or read');
  return versionId;
}
