import type { PeerEnd } from './peer-end.ts';
import type { Self } from './thread-state.ts';

interface Watch {
  readonly from: Self | undefined;
  readonly listener: (end: PeerEnd) => void;
}

/**
 * The watches of this thread for the ends of other instances. The host is asked once for an address, however many
 * instances watch it, and nothing is kept for watchers that have ended.
 */
export class PeerWatches {
  readonly #ended: (address: string) => Promise<PeerEnd>;
  readonly #watches = new Map<string, Set<Watch>>();

  /** `ended` resolves when the current incarnation has ended. */
  constructor(ended: (address: string) => Promise<PeerEnd>) {
    this.#ended = ended;
  }

  get size(): number {
    let size = 0;
    for (const watches of this.#watches.values()) size += watches.size;
    return size;
  }

  /** Returns a function that gives up the watch. */
  watch(from: Self | undefined, address: string, listener: Watch['listener']): () => void {
    const watch = { from, listener };
    const watches = this.#watches.get(address) ?? this.#ask(address);
    watches.add(watch);
    return () => void watches.delete(watch);
  }

  #ask(address: string): Set<Watch> {
    const watches = new Set<Watch>();
    this.#watches.set(address, watches);
    const told = (end: PeerEnd): void => {
      this.#watches.delete(address);
      // Each listener runs by itself, so that one that throws does not affect the others.
      for (const watch of watches) queueMicrotask(() => watches.has(watch) && watch.listener(end));
    };
    this.#ended(address).then(told, () => this.#watches.delete(address));
    return watches;
  }

  /** Drops the watches of an instance of this thread that has ended. */
  left(self: Self): void {
    for (const watches of this.#watches.values())
      for (const watch of watches) if (watch.from === self) watches.delete(watch);
  }
}
