import { inspect } from 'node:util';
import * as workerThreads from 'node:worker_threads';
import { HoldfastError } from '../../base/errors.ts';
import { privateCopy } from '../values/vault.ts';

/**
 * A secret as a capability gets it, instead of the value. It stays in the host: it cannot be posted to a thread, cloned
 * or printed.
 */
export interface Secret {
  /** The name under which the config grants the secret to the agent. */
  readonly label: string;
  /** The provider's name for this version. Stays the same for the whole call. */
  readonly versionId: string;
  /**
   * Lends the bytes to `fn`, which is the only access to them. `fn` gets its own copy, which is overwritten with zeros
   * when `fn` returns or its promise settles, so do not keep it; `value.toString()` makes a string that cannot be
   * wiped. Rejects with what `fn` throws, or with `SECRET_UNAVAILABLE` once the capability call has ended.
   */
  use<T>(fn: (value: Buffer) => T | Promise<T>): Promise<T>;
}

/** An open secret and the way to end it. */
export interface OpenSecret {
  readonly secret: Secret;
  /** Overwrites the bytes with zeros. A running `use` keeps its copy until it is done. */
  close(): void;
}

class HostSecret implements Secret {
  readonly label: string;
  readonly versionId: string;
  /** Private, and so seen by nothing that prints or copies. Undefined: the call has ended. */
  #bytes: Buffer | undefined;

  constructor(label: string, versionId: string, bytes: Buffer) {
    this.label = label;
    this.versionId = versionId;
    this.#bytes = bytes;
  }

  async use<T>(fn: (value: Buffer) => T | Promise<T>): Promise<T> {
    const copy = this.#copy();
    try {
      return await fn(copy);
    } finally {
      copy.fill(0);
    }
  }

  #copy(): Buffer {
    if (this.#bytes !== undefined) return privateCopy(this.#bytes);
    throw new HoldfastError(
      'SECRET_UNAVAILABLE',
      `The secret "${this.label}" was used after the capability call it was given to had ended. ` +
        'Use it before the capability returns, and do not keep it.',
    );
  }

  static lend<T>(secret: HostSecret, fn: (value: Buffer) => T): T {
    const copy = secret.#copy();
    try {
      return fn(copy);
    } finally {
      copy.fill(0);
    }
  }

  static close(secret: HostSecret): void {
    secret.#bytes?.fill(0);
    secret.#bytes = undefined;
  }

  toString(): string {
    return `<redacted:${this.label}>`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.toPrimitive](): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Lends the bytes to a function that returns at once; otherwise as {@link Secret.use}. */
export function lendNow<T>(secret: Secret, fn: (value: Buffer) => T): T {
  return HostSecret.lend(secret as HostSecret, fn);
}

/** Makes a secret of bytes that it takes over: `close` overwrites them. */
export function openSecret(label: string, versionId: string, bytes: Buffer): OpenSecret {
  const secret = new HostSecret(label, versionId, bytes);
  // Without this, a clone would silently be an empty object where the author believed to pass a secret.
  workerThreads.markAsUncloneable?.(secret);
  return { secret, close: () => HostSecret.close(secret) };
}
