import type { SecretAnswer } from '../../actors/secret-entry.ts';
import type { ResolvedGrant } from '../config/resolve.ts';
import { HoldfastError } from '../base/errors.ts';
import type { GrantedValue } from './capabilities/granted-value.ts';
import { placeholderReason } from './values/placeholders.ts';
import type { SecretsCache } from './values/cache.ts';
import { jsonField, missingField } from './values/json-field.ts';
import { failureError } from './values/provider-failure.ts';
import type { RejectedEntry } from './values/rejections.ts';

/** A grant of a live instance and the entry that serves it. */
export interface LiveGrant {
  readonly grant: ResolvedGrant;
  readonly spec: RejectedEntry;
}

/** Ties grants to the entries that serve them. @throws {HoldfastError} `CONFIG_INVALID` for an undeclared alias */
export function liveGrants(
  grants: readonly ResolvedGrant[],
  cache: Pick<SecretsCache, 'entry'>,
): Map<string, LiveGrant> {
  return new Map(grants.map((grant) => [grant.label, { grant, spec: cache.entry(grant) }]));
}

/**
 * Turns an entry's answer into the granted value, its JSON field taken out.
 *
 * @throws {HoldfastError} `SECRET_NOT_FOUND`, `SECRET_DENIED` or `SECRET_UNAVAILABLE`, never with any of the value
 */
export function grantedValue(
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
  const missing = bytes === undefined ? missingField(whole, grant.jsonKey) : '';
  whole.fill(0);
  const why = bytes && placeholderReason(bytes);
  if (why !== undefined) {
    throw new HoldfastError(
      'SECRET_UNAVAILABLE',
      `The field "${grant.jsonKey}" of the secret "${grant.label}" is a placeholder: ${why}. Store the real value there.`,
    );
  }
  if (bytes !== undefined) return { versionId, bytes };
  throw new HoldfastError(
    'SECRET_NOT_FOUND',
    `The secret "${grant.label}" cannot be used: ${missing}. Correct the grant's ref, or the secret.`,
  );
}

/** The use of a secret that an instance asks for. */
export interface AskedUse {
  readonly mode: 'capability' | 'inject' | 'reveal' | 'handle';
  readonly label: string;
  /** Only with `capability`: its name. */
  readonly capability?: string;
}

/** Whether a grant allows the use; every grant allows a handle. */
export function isGranted({ grant }: LiveGrant, { mode, capability }: AskedUse): boolean {
  if (mode === 'handle') return true;
  if (grant.mode !== mode) return false;
  return mode !== 'capability' || grant.capabilities.includes(capability ?? '');
}

/** The most characters of a name from an agent's thread in an error. */
const quotedLength = 100;

/**
 * The one answer to everything that is not granted: a label that does not exist or is another's, a grant of another
 * mode, a capability that is not listed or not registered, an incarnation that has ended. It depends on the request
 * alone, to the last byte and without a stack, because an agent must not learn which it was.
 */
export function notGranted({ mode, label, capability = '' }: AskedUse): HoldfastError {
  const through = {
    capability: ` for the capability "${quoted(capability)}"`,
    inject: ' for secretFetch',
    reveal: ' for secretValue',
    handle: '',
  };
  const error = new HoldfastError(
    'SECRET_NOT_GRANTED',
    `The secret "${quoted(label)}" is not granted to this agent${through[mode]}. Grant it in the agent's \`secrets\`, in the ` +
      'mode of this use; a capability must also be listed there and passed to createRuntime.',
  );
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

function quoted(name: string): string {
  return name.slice(0, quotedLength);
}
