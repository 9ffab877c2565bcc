import type { SecretAnswer, SecretEntrySpec } from '../../actors/secret-entry.ts';
import type { ResolvedGrant } from '../config/resolve.ts';
import { HoldfastError } from '../errors.ts';
import type { SecretsCache } from './cache.ts';
import { jsonField } from './json-field.ts';
import { failureError } from './provider-failure.ts';

/** A grant of a live instance and the entry that serves it. */
export interface LiveGrant {
  readonly grant: ResolvedGrant;
  readonly spec: SecretEntrySpec;
}

/** Ties grants to the entries that serve them. @throws {HoldfastError} `CONFIG_INVALID` for an undeclared alias */
export function liveGrants(
  grants: readonly ResolvedGrant[],
  cache: Pick<SecretsCache, 'entry'>,
): Map<string, LiveGrant> {
  return new Map(grants.map((grant) => [grant.label, { grant, spec: cache.entry(grant) }]));
}

/** The version and the bytes that a grant stands for; the bytes are the caller's to overwrite. */
export interface GrantedValue {
  readonly versionId: string;
  readonly bytes: Buffer;
}

/**
 * Turns an entry's answer into the granted value, its JSON field taken out.
 *
 * @throws {HoldfastError} `SECRET_NOT_FOUND`, `SECRET_DENIED` or `SECRET_UNAVAILABLE`, never with any of the value
 */
export function takeGranted(
  { grant, spec }: LiveGrant,
  answer: SecretAnswer,
  cache: Pick<SecretsCache, 'read'>,
): GrantedValue {
  if (!answer.ok) throw failureError(answer.failure, grant.label, grant.provider);
  const { versionId } = answer;
  const whole = cache.read(spec, versionId);
  if (whole === undefined) throw failureError('transient', grant.label, grant.provider);
  if (grant.jsonKey === undefined) return { versionId, bytes: whole };
  const bytes = jsonField(whole, grant.jsonKey);
  whole.fill(0);
  if (bytes !== undefined) return { versionId, bytes };
  throw new HoldfastError(
    'SECRET_NOT_FOUND',
    `The secret "${grant.label}" is not a JSON object with the field "${grant.jsonKey}". Correct the grant's ref.`,
  );
}

/** How long a name from an agent's thread may be in an error. */
const quotedLength = 100;

/**
 * The one answer to everything that is not granted. It is the same for a label that does not exist, one that is
 * not granted, a capability that is not listed and one that is not registered: an agent must not learn which.
 */
export function notGranted(instance: string, capability: string, label: string): HoldfastError {
  return new HoldfastError(
    'SECRET_NOT_GRANTED',
    `"${instance}" may not use the secret "${quoted(label)}" through the capability "${quoted(capability)}". Grant it ` +
      "in the agent's `secrets` with that capability listed, and pass the capability to createRuntime.",
  );
}

function quoted(name: unknown): string {
  return String(name).slice(0, quotedLength);
}
