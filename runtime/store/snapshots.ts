import { callUser } from '../base/user-call.ts';
import { Keeper, type KeeperOptions } from './keeper.ts';

/** The keepers of a runtime: one for each instance, one after the other for an address. */
export class Snapshots {
  readonly #options: Pick<KeeperOptions, 'store' | 'clock' | 'warn' | 'secretIn'>;
  readonly #keepers = new Map<string, Keeper>();
  /** The keepers whose instances are gone. */
  readonly #closed = new WeakSet<Keeper>();

  constructor(options: Pick<KeeperOptions, 'store' | 'clock' | 'warn' | 'secretIn'>) {
    this.#options = options;
  }

  /** The `supervision.state` of an agent whose config does not set it: `snapshot` with a durable store. */
  get defaultState(): 'fresh' | 'snapshot' {
    const { store } = this.#options;
    return callUser(
      () => store?.durable,
      () => {},
    ) === true
      ? 'snapshot'
      : 'fresh';
  }

  /** Opens a keeper. `stored`: the state outlives the instance, and a later one at the address can continue from it. */
  open(address: string, stored: boolean, fenced: KeeperOptions['fenced']): Keeper {
    if (!stored) {
      return new Keeper({
        ...this.#options,
        address,
        store: undefined,
        fenced,
        after: Promise.resolve(false),
      });
    }
    const before = this.#keepers.get(address);
    const keeper: Keeper = new Keeper({
      ...this.#options,
      address,
      fenced,
      after: before?.handOver() ?? Promise.resolve(false),
      idle: () => this.#drop(address, keeper),
    });
    this.#keepers.set(address, keeper);
    return keeper;
  }

  /** The instance is gone; its keeper still finishes its calls to the store. */
  closed(address: string): void {
    const keeper = this.#keepers.get(address);
    if (keeper === undefined) return;
    this.#closed.add(keeper);
    if (!keeper.busy) this.#drop(address, keeper);
  }

  #drop(address: string, keeper: Keeper): void {
    if (this.#closed.has(keeper) && this.#keepers.get(address) === keeper) this.#keepers.delete(address);
  }

  /** The number of addresses whose keepers call the store, or still may. */
  get size(): number {
    return this.#keepers.size;
  }

  /** Resolves when the store has everything, or has refused it once more. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.flushed()));
  }
}
