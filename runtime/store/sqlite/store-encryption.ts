import { createSecretKey } from 'node:crypto';
import type { Rule } from '../../base/call-check.ts';
import type { WrappingKeys } from './key-ring.ts';

export interface StoreEncryption {
  /** The key, at least 32 bytes, in which at least 256 bits are random. It wraps the keys that the store makes for itself. */
  readonly key: Uint8Array;
  /**
   * Keys that were `key` before. What they wrap is wrapped with `key` at the opening, and no record is rewritten: afterwards
   * they are not needed any more.
   */
  readonly previous?: readonly Uint8Array[] | undefined;
}

const isKey = (value: unknown): boolean => value instanceof Uint8Array && value.byteLength >= 32;

export const anEncryption: Rule = {
  what: 'an object with a key of at least 32 bytes, and keys from before it in a list `previous`',
  is(value) {
    const { key, previous } = value as Partial<StoreEncryption>;
    return isKey(key) && (previous === undefined || (Array.isArray(previous) && previous.every(isKey)));
  },
};

/** The keys in a form that shows none of them when it is looked at. */
export function wrappingKeys({ key, previous = [] }: StoreEncryption): WrappingKeys {
  return { key: createSecretKey(key), previous: previous.map((one) => createSecretKey(one)) };
}
