import { secretRef } from '../config/secret-ref.ts';
import type { SecretsBroker, SecretRotation } from '../secrets/broker.ts';
import type { DeclaredGrants } from '../secrets/declared-secrets.ts';
import { keyGrants, type HostKeyRefs, type HostKeys } from '../secrets/host-keys.ts';
import type { DurableStore } from '../store/durable-store.ts';
import type { StoreKeyRefs } from '../store/store-keys.ts';

export interface StoreKeyringOptions {
  readonly store: Pick<DurableStore, 'rekey'>;
  readonly keyRefs: StoreKeyRefs;
  readonly secrets: () => Pick<SecretsBroker, 'hostKeys'>;
  readonly isRunning: () => boolean;
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** The keys of a store under every turn, where they are the values of secrets. */
export class StoreKeyring {
  readonly #options: StoreKeyringOptions;
  readonly #refs: HostKeyRefs;
  #isOpen = false;
  /** The last wrapping anew. */
  #rekeyed: Promise<void> = Promise.resolve();

  constructor(options: StoreKeyringOptions) {
    this.#options = options;
    this.#refs = hostKeyRefs(options.keyRefs);
  }

  /** What the runtime does not start without. */
  get declared(): DeclaredGrants {
    return { name: 'store', what: 'store', grants: keyGrants(this.#refs) };
  }

  /** Opens the store with its keys. */
  async open<T>(open: (keys: HostKeys) => Promise<T>): Promise<T> {
    const opened = await this.#with(open);
    this.#isOpen = true;
    return opened;
  }

  /** A secret has another version: a store that is open goes on with it, if it is its key. */
  rotated({ provider, id }: Pick<SecretRotation, 'provider' | 'id'>): void {
    const { key } = this.#refs;
    if (!this.#isOpen || provider !== key.provider || id !== key.id) return;
    this.#rekeyed = this.#rekeyed.then(() => this.#rekey());
  }

  async #rekey(): Promise<void> {
    const { store, isRunning, info, warn } = this.#options;
    if (!isRunning()) return;
    try {
      await this.#with(async (keys) => store.rekey?.(keys));
      info({}, 'the store goes on with the next version of its key');
    } catch (error) {
      if (!isRunning()) return;
      const message =
        'the key of the store has another version, and the store could not be given it: it stays with the one before, which the next opening needs';
      warn({ error }, message);
    }
  }

  async #with<T>(use: (keys: HostKeys) => Promise<T>): Promise<T> {
    const keys = await this.#options.secrets().hostKeys(this.#refs);
    try {
      return await use(keys);
    } finally {
      for (const bytes of [keys.key, ...keys.previous]) bytes.fill(0);
    }
  }
}

/** The secrets as they are written, with defaults. */
export function hostKeyRefs({ key, previous = [] }: StoreKeyRefs): HostKeyRefs {
  return { key: secretRef(key), previous: previous.map(secretRef) };
}
