import type { Instance } from '../instance/instance.ts';
import { leaveSystem, rejoinSystem } from '../xstate/xstate5.ts';
import type { Running } from './activate.ts';

/**
 * The passive instances that are still held by somebody outside: through their reference, or by a watch. Of the others there
 * is nothing in memory, and whoever needs one finds it in the store.
 */
export class PassiveInstances {
  readonly #known = new Map<string, Running | WeakRef<Running>>();
  /** Keeps the entry of an instance for as long as somebody holds that. */
  readonly #entries = new WeakMap<Instance, Running>();
  readonly #dropped = new FinalizationRegistry<string>((address) => {
    if (this.at(address) === undefined) this.#known.delete(address);
  });

  /** The instance is passive from now on. */
  add(running: Running): void {
    const { instance, ref } = running;
    leaveSystem(ref);
    this.#entries.set(instance, running);
    this.#keep(running, instance.watchers.any);
  }

  /** Somebody watches the instance, which must not be lost with its reference. */
  watched({ address }: { readonly address: string }): void {
    const running = this.at(address);
    if (running !== undefined) this.#keep(running, true);
  }

  #keep(running: Running, watched: boolean): void {
    const { address } = running.instance;
    this.#known.set(address, watched ? running : new WeakRef(running));
    if (!watched) this.#dropped.register(running, address, running);
  }

  at(address: string): Running | undefined {
    const known = this.#known.get(address);
    return known instanceof WeakRef ? known.deref() : known;
  }

  all(): Running[] {
    return [...this.#known.keys()].flatMap((address) => this.at(address) ?? []);
  }

  /** The instance at the address is not passive any more. */
  take(address: string): Running | undefined {
    const running = this.at(address);
    if (running === undefined) return undefined;
    this.#known.delete(address);
    this.#dropped.unregister(running);
    rejoinSystem(running.ref);
    return running;
  }
}
