/** Versions kept for one secret: the current one and the one before it. */
const versionsKept = 2;

/**
 * The only place where values stay: bytes by secret and version, each copied into memory of its own (never
 * Node's shared pool) and overwritten with zeros when it goes. Keys name provider, id and stage.
 *
 * Nobody gets these bytes themselves: `read` hands out a copy, which its user overwrites. So an eviction takes
 * effect here at once, while a call that is running keeps the copy it has.
 */
export interface Vault {
  /** Takes the bytes over: they are zeros afterwards. Beyond two versions the one used longest ago goes. */
  put(key: string, versionId: string, bytes: Uint8Array): void;
  /** A copy, for the caller to overwrite; undefined when this version is not here. */
  read(key: string, versionId: string): Buffer | undefined;
  /** Whether the version is here; it then counts as just used. */
  touch(key: string, versionId: string): boolean;
  /** Drops every version of the secret. */
  evict(key: string): void;
  /** Drops everything. */
  clear(): void;
  /** The versions held, the one used longest ago first. */
  versions(key: string): string[];
}

export function createVault(): Vault {
  const secrets = new Map<string, Map<string, Buffer>>();

  const touch = (key: string, versionId: string): boolean => {
    const versions = secrets.get(key);
    const bytes = versions?.get(versionId);
    if (versions === undefined || bytes === undefined) return false;
    versions.delete(versionId);
    versions.set(versionId, bytes);
    return true;
  };
  const evict = (key: string): void => {
    for (const bytes of secrets.get(key)?.values() ?? []) bytes.fill(0);
    secrets.delete(key);
  };

  return {
    put(key, versionId, bytes) {
      const versions = secrets.get(key) ?? new Map<string, Buffer>();
      secrets.set(key, versions);
      versions.get(versionId)?.fill(0);
      versions.delete(versionId);
      versions.set(versionId, privateCopy(bytes));
      bytes.fill(0);
      for (const [oldest, held] of versions) {
        if (versions.size <= versionsKept) break;
        held.fill(0);
        versions.delete(oldest);
      }
    },
    read(key, versionId) {
      const bytes = secrets.get(key)?.get(versionId);
      return bytes && privateCopy(bytes);
    },
    touch,
    evict,
    clear() {
      for (const key of secrets.keys()) evict(key);
    },
    versions(key) {
      return [...(secrets.get(key)?.keys() ?? [])];
    },
  };
}

/** A copy in memory of its own, outside Node's shared pool, so that zeros really replace it. */
export function privateCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
