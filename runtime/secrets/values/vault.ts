/** Versions kept for one secret: the current one, the one before it, and one that is on its way (DEFAULTS). */
const versionsKept = 3;

/**
 * The vault, the only place where values stay: bytes by secret and version, each copied into memory of its own (never
 * Node's shared pool) and overwritten with zeros when it goes. Keys name provider, id and stage.
 *
 * Nobody gets these bytes themselves: `read` hands out a copy, which its user overwrites. So an eviction takes effect
 * here at once, while a running call keeps the copy it has.
 */
export interface Vault {
  /** Takes the bytes over: they are zeros afterwards. Beyond three versions the least recently used one goes. */
  put(key: string, versionId: string, bytes: Uint8Array): void;
  /** A copy, for the caller to overwrite; undefined when this version is not here. */
  read(key: string, versionId: string): Buffer | undefined;
  /** Whether the version is here. This does not count as a use, and so does not keep a secret from being dropped. */
  has(key: string, versionId: string): boolean;
  /** Drops every version of the secret. */
  evict(key: string): void;
  /** Drops everything. */
  clear(): void;
  /** The versions held, the least recently used one first. */
  versions(key: string): string[];
  /** The number of secrets held. */
  size(): number;
}

export interface VaultOptions {
  /**
   * The most secrets held at one time; beyond it the least recently used one goes. Default 1000 (AWS' own caches:
   * 1024).
   */
  readonly maxEntries?: number;
  /** Secrets that are dropped last. Default: none. */
  readonly isGranted?: (key: string) => boolean;
  /** Called for a secret that was dropped to make room. */
  readonly onDropped?: (key: string) => void;
}

export function createVault(options: VaultOptions = {}): Vault {
  const { maxEntries = 1000, isGranted = () => false, onDropped } = options;
  // Both are in the order of use, since a Map keeps the order in which its keys were put.
  const secrets = new Map<string, Map<string, Buffer>>();

  const evict = (key: string): void => {
    for (const bytes of secrets.get(key)?.values() ?? []) bytes.fill(0);
    secrets.delete(key);
  };
  /** Marks `key` as used last, so that it is the last to go. */
  const markUsed = (key: string, versions: Map<string, Buffer>): void => {
    secrets.delete(key);
    secrets.set(key, versions);
  };
  const makeRoom = (latest: string): void => {
    if (secrets.size <= maxEntries) return;
    const others = [...secrets.keys()].filter((key) => key !== latest);
    const dropped = others.find((key) => !isGranted(key)) ?? others[0] ?? latest;
    evict(dropped);
    onDropped?.(dropped);
  };

  return {
    put(key, versionId, bytes) {
      const versions = secrets.get(key) ?? new Map<string, Buffer>();
      versions.get(versionId)?.fill(0);
      versions.delete(versionId);
      versions.set(versionId, privateCopy(bytes));
      bytes.fill(0);
      for (const [oldest, held] of versions) {
        if (versions.size <= versionsKept) break;
        held.fill(0);
        versions.delete(oldest);
      }
      markUsed(key, versions);
      makeRoom(key);
    },
    read(key, versionId) {
      const versions = secrets.get(key);
      const bytes = versions?.get(versionId);
      if (versions === undefined || bytes === undefined) return undefined;
      versions.delete(versionId);
      versions.set(versionId, bytes);
      markUsed(key, versions);
      return privateCopy(bytes);
    },
    has: (key, versionId) => secrets.get(key)?.has(versionId) === true,
    evict,
    clear() {
      for (const key of secrets.keys()) evict(key);
    },
    versions(key) {
      return [...(secrets.get(key)?.keys() ?? [])];
    },
    size: () => secrets.size,
  };
}

/** A copy in memory of its own, outside Node's shared pool, so that zeros really replace it. */
export function privateCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
