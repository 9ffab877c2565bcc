import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Versions for a provider that has none of its own. */
export interface ProviderVersions {
  /** The version of these bytes: the one before when they are the same as before, else a new one. */
  of(id: string, bytes: Uint8Array): string;
  /**
   * Begins to read a secret. What it returns takes the bytes and gives their version; undefined when a reading that
   * began later has found another value since: then these bytes may be old, and are to be read again.
   */
  reading(id: string): (bytes: Uint8Array) => string | undefined;
}

interface Last {
  readonly digest: Buffer;
  readonly version: number;
  /** The newest reading that found it. */
  readonly reading: number;
}

/**
 * Versions such as `file-9c41d2aa-3`: counted for each secret, never derived from the value. The middle is chance, so
 * that a version that was kept, in a snapshot for example, does not name another value in the next process.
 *
 * To tell whether bytes have changed no copy of them is kept, but a digest under a key that never leaves this function.
 */
export function createProviderVersions(prefix: string): ProviderVersions {
  const key = randomBytes(32);
  const run = randomBytes(4).toString('hex');
  const last = new Map<string, Last>();
  let readings = 0;

  const take = (id: string, bytes: Uint8Array, reading: number): string | undefined => {
    const digest = createHmac('sha256', key).update(bytes).digest();
    const before = last.get(id);
    const isSame = before !== undefined && timingSafeEqual(before.digest, digest);
    if (before !== undefined && !isSame && before.reading > reading) return undefined;
    const version = isSame ? before.version : (before?.version ?? 0) + 1;
    last.set(id, { digest, version, reading: Math.max(reading, before?.reading ?? 0) });
    return `${prefix}-${run}-${version}`;
  };

  return {
    of(id, bytes) {
      readings += 1;
      return take(id, bytes, readings) as string;
    },
    reading(id) {
      readings += 1;
      const reading = readings;
      return (bytes) => take(id, bytes, reading);
    },
  };
}
