import { callUser } from '../base/user-call.ts';
import { Keeper, type KeeperOptions } from './keeper.ts';

/** The states that a runtime keeps: a keeper for each instance, one after the other for an address. */
export class Snapshots {
  readonly #options: Pick<KeeperOptions, 'store' | 'clock' | 'warn' | 'secretIn'>;
  readonly #keepers = new Map<string, Keeper>();
  /** Those whose instances are gone. */
  readonly #closed = new WeakSet<Keeper>();

  constructor(options: Pick<KeeperOptions, 'store' | 'clock' | 'warn' | 'secretIn'>) {
    this.#options = options;
  }

  /** What an agent does whose config does not say. */
  get defaultState(): 'fresh' | 'snapshot' {
    const { store } = this.#options;
    return callUser(
      () => store?.durable,
      () => {},
    ) === true
      ? 'snapshot'
      : 'fresh';
  }

  /** `stored`: the state outlives the instance, so that a later one at the address can go on from it. */
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

  /** The instance is gone; what its keeper still has to say to the store it says. */
  closed(address: string): void {
    const keeper = this.#keepers.get(address);
    if (keeper === undefined) return;
    this.#closed.add(keeper);
    if (!keeper.busy) this.#drop(address, keeper);
  }

  #drop(address: string, keeper: Keeper): void {
    if (this.#closed.has(keeper) && this.#keepers.get(address) === keeper) this.#keepers.delete(address);
  }

  /** Addresses with something to say to the store, or that may have. */
  get size(): number {
    return this.#keepers.size;
  }

  /** Resolves when the store has everything, or has refused it once more. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.flushed()));
  }
}
