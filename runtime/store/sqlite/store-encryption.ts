import { createSecretKey } from 'node:crypto';
import type { Rule } from '../../base/call-check.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { StoreKeyRef, StoreKeyRefs, StoreKeys } from '../store-keys.ts';
import type { WrappingKeys } from './key-ring.ts';

/** What encrypts a store: secrets that the runtime fetches, or keys of your own. */
export type StoreEncryption = StoreKeyRefs | StoreKeys;

const LEAST_BYTES = 32;

const isKey = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array && value.byteLength >= LEAST_BYTES;

const isRef = (value: unknown): value is StoreKeyRef =>
  typeof value === 'string'
    ? value !== ''
    : typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string';

export const anEncryption: Rule = {
  what: 'an object with the secret that is the key, or a key of at least 32 bytes, and what was it before in a list `previous`',
  is(value) {
    const { key, previous } = value as Partial<StoreEncryption>;
    const isOne = isKey(key) ? isKey : isRef;
    return isOne(key) && (previous === undefined || (Array.isArray(previous) && previous.every(isOne)));
  },
};

/** The secrets of an encryption that has its keys in secrets. */
export function keyRefsOf(encryption: StoreEncryption | undefined): StoreKeyRefs | undefined {
  return encryption === undefined || isKey(encryption.key) ? undefined : (encryption as StoreKeyRefs);
}

/**
 * The keys in a form that shows none of them when it is looked at.
 *
 * @throws {HoldfastError} `OPTION_INVALID` for a key that is too short, or was not fetched
 */
export function wrappingKeys(encryption: StoreKeys | StoreEncryption): WrappingKeys {
  const { key, previous = [] } = encryption;
  if (!isKey(key)) throw noKey(key instanceof Uint8Array);
  return {
    key: createSecretKey(key),
    // A shorter one was never a key.
    previous: previous.filter(isKey).map((one) => createSecretKey(one)),
  };
}

function noKey(isShort: boolean): HoldfastError {
  const message = isShort
    ? `the secret that is to be the key has fewer than ${LEAST_BYTES} bytes; store one with 32 random bytes, such as openssl rand -base64 32 prints`
    : 'the key is in a secret, which a runtime fetches; where there is none, give the key itself';
  return new HoldfastError('OPTION_INVALID', `encryption: ${message}`);
}
