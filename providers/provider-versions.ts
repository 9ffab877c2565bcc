import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Versions for a provider that has none of its own. */
export interface ProviderVersions {
  /** The version of these bytes: the one before when they are the same as before, else a new one. */
  of(id: string, bytes: Uint8Array): string;
}

interface Last {
  readonly digest: Buffer;
  readonly version: number;
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
  return {
    of(id, bytes) {
      const digest = createHmac('sha256', key).update(bytes).digest();
      const before = last.get(id);
      const isSame = before !== undefined && timingSafeEqual(before.digest, digest);
      const version = isSame ? before.version : (before?.version ?? 0) + 1;
      if (!isSame) last.set(id, { digest, version });
      return `${prefix}-${run}-${version}`;
    },
  };
}
