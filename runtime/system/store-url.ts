import { secretRef } from '../config/secret-ref.ts';
import type { SecretsBroker } from '../secrets/broker.ts';
import type { DeclaredGrants } from '../secrets/declared-secrets.ts';
import type { SecretRef } from '../secrets/host-keys.ts';
import { urlGrant } from '../secrets/host-url.ts';
import type { StoreKeyRef } from '../store/store-keys.ts';

/** The url of the database of a store, where it is the value of a secret. */
export class StoreUrl {
  readonly #ref: SecretRef;
  readonly #secrets: () => Pick<SecretsBroker, 'hostUrl'>;

  constructor(ref: StoreKeyRef, secrets: () => Pick<SecretsBroker, 'hostUrl'>) {
    this.#ref = secretRef(ref);
    this.#secrets = secrets;
  }

  /** What the runtime does not start without. */
  get declared(): DeclaredGrants {
    return { name: 'store', what: 'store', grants: [urlGrant(this.#ref)] };
  }

  readonly read = (isRefused: boolean): Promise<Uint8Array> => this.#secrets().hostUrl(this.#ref, isRefused);
}
