import type { EncodedState } from '../durable-store.ts';
import { corrupt } from './sqlite-error.ts';

/** Encrypts what is kept, or leaves it as it is. */
export interface Seals {
  /** The number of the key with which things are sealed; null without one. */
  readonly keyId: number | null;
  /** `of`: what it is and whose, which is bound to it. */
  seal(value: EncodedState, of: string): EncodedState;
  /** Gives back what was sealed under the key of that number. */
  open(value: EncodedState, keyId: number | null, of: string): EncodedState;
}

/** Of a store that is not encrypted. */
export const plain: Seals = {
  keyId: null,
  seal: (value) => value,
  open(value, keyId, of) {
    if (keyId !== null) throw corrupt(`${of} is encrypted, and the store has no such key`);
    return value;
  },
};
