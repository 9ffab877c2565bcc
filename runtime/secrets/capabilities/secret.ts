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

interface Held {
  bytes: Buffer | undefined;
}

const held = new WeakMap<object, Held>();

class HostSecret implements Secret {
  readonly label: string;
  readonly versionId: string;

  constructor(label: string, versionId: string) {
    this.label = label;
    this.versionId = versionId;
  }

  async use<T>(fn: (value: Buffer) => T | Promise<T>): Promise<T> {
    const bytes = held.get(this)?.bytes;
    if (bytes === undefined) {
      throw new HoldfastError(
        'SECRET_UNAVAILABLE',
        `The secret "${this.label}" was used after the capability call it was given to had ended. ` +
          'Use it before the capability returns, and do not keep it.',
      );
    }
    const copy = privateCopy(bytes);
    try {
      return await fn(copy);
    } finally {
      copy.fill(0);
    }
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

/** Makes a secret of bytes that it takes over: `close` overwrites them. */
export function openSecret(label: string, versionId: string, bytes: Buffer): OpenSecret {
  const secret = new HostSecret(label, versionId);
  const entry: Held = { bytes };
  held.set(secret, entry);
  // Without this, a clone would silently be an empty object where the author believed to pass a secret.
  workerThreads.markAsUncloneable?.(secret);
  return {
    secret,
    close() {
      entry.bytes?.fill(0);
      entry.bytes = undefined;
    },
  };
}
