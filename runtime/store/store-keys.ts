/** A secret that is a key of a store: `'name'`, `'name#field'` or an object, as the `ref` of a grant. */
export type StoreKeyRef = string | StoreKeyObject;

export interface StoreKeyObject {
  /** The alias of the provider. Default: `default`, which is `externalSecrets`. */
  readonly provider?: string | undefined;
  /** The provider's name of the secret. */
  readonly id: string;
  /** The field of a secret that is JSON. Default: the whole secret. */
  readonly jsonKey?: string | undefined;
  /** The version stage. Default: the current version. */
  readonly stage?: string | undefined;
  /** The identity to read it with. Default: the host's own. */
  readonly role?: string | undefined;
}

/** The secrets whose values are the keys of a store. The runtime fetches them before it opens the store. */
export interface StoreKeyRefs {
  /**
   * The secret that is the key: at least 32 bytes, in which at least 256 bits are random. When it has another version, that
   * becomes the key; the version before is needed once more if the runtime is not running then.
   */
  readonly key: StoreKeyRef;
  /** Secrets that were the key before, for a provider that keeps no version but the current one. Default: none. */
  readonly previous?: readonly StoreKeyRef[] | undefined;
}

/** The keys of a store. */
export interface StoreKeys {
  /** The key, at least 32 bytes, in which at least 256 bits are random. It wraps the keys that the store makes for itself. */
  readonly key: Uint8Array;
  /**
   * Keys that were `key` before. What they wrap is wrapped with `key` at the opening, and no record is rewritten: afterwards
   * they are not needed any more.
   */
  readonly previous?: readonly Uint8Array[] | undefined;
}
