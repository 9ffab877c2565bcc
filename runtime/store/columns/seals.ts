import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import type { EncodedState } from '../durable-store.ts';
import { corrupt } from './corrupt.ts';

/** Encrypts what is kept, or leaves it as it is. */
export interface Seals {
  /** The number of the key with which things are sealed; null without one. */
  readonly keyId: number | null;
  /** `of`: what it is and whose, which is bound to it. */
  seal(value: EncodedState, of: string): EncodedState;
  /** Gives back what was sealed under the key of that number. */
  open(value: EncodedState, keyId: number | null, of: string): EncodedState;
}

const NONCE_BYTES = 12;
/** Node 22 binds an empty array that came from another thread as NULL, and this one as it is. */
const NO_BYTES = new Uint8Array(0);
const TAG_BYTES = 16;
/** What is before the text: what kind of value it is, the nonce and the tag. */
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

export interface KeysOptions {
  /** The key of this opening, which no other has used; undefined: nothing is sealed. */
  readonly current: { readonly id: number; readonly key: KeyObject } | undefined;
  readonly keyOf: (id: number) => KeyObject | undefined;
  /** Whether nothing that is not sealed is to be believed. */
  readonly isAll: boolean;
}

/** Seals by AES-256-GCM. A nonce is the number of the sealing under its key, so none comes twice. */
export function sealsWith({ current, keyOf, isAll }: KeysOptions): Seals {
  let sealed = 0;
  return {
    keyId: current?.id ?? null,
    seal(value, of) {
      if (current === undefined) return value.length > 0 || typeof value === 'string' ? value : NO_BYTES;
      const head = Buffer.alloc(HEAD_BYTES);
      const isText = typeof value === 'string';
      head[0] = Number(isText);
      head.writeUIntBE(++sealed, 1 + NONCE_BYTES - 6, 6);
      const cipher = createCipheriv('aes-256-gcm', current.key, head.subarray(1, 1 + NONCE_BYTES));
      cipher.setAAD(Buffer.from(bound(current.id, isText, of)));
      const text = isText ? cipher.update(value, 'utf8') : cipher.update(value);
      cipher.final();
      cipher.getAuthTag().copy(head, 1 + NONCE_BYTES);
      return Buffer.concat([head, text]);
    },
    open(value, keyId, of) {
      if (keyId === null) {
        if (isAll) throw corrupt(`${of} is not encrypted, as all of this store is`);
        return value;
      }
      const key = keyOf(keyId);
      if (key === undefined || typeof value === 'string' || value.length < HEAD_BYTES)
        throw corrupt(`${of} cannot be decrypted`);
      const isText = value[0] === 1;
      const cipher = createDecipheriv('aes-256-gcm', key, value.subarray(1, 1 + NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      cipher.setAAD(Buffer.from(bound(keyId, isText, of)));
      cipher.setAuthTag(value.subarray(1 + NONCE_BYTES, HEAD_BYTES));
      try {
        const bytes = Buffer.concat([cipher.update(value.subarray(HEAD_BYTES)), cipher.final()]);
        return isText ? bytes.toString() : new Uint8Array(bytes);
      } catch (error) {
        throw corrupt(`${of} cannot be decrypted: it was changed, or put there from elsewhere`, error);
      }
    },
  };
}

function bound(keyId: number, isText: boolean, of: string): string {
  return `${keyId} ${isText ? 'text' : 'bytes'} ${of}`;
}
