import type { ElkNode, Kernel } from './chart-layout.ts';

/** Levels that are kept, those that were asked for last: of some charts with 200 states, in both directions. */
const mostLevels = 1000;

/** Lays out each level once, however many charts have it: one that is closed or opened lays out those anew that it is in. */
export class LevelCache {
  readonly #kernel: Kernel;
  readonly #levels = new Map<string, Promise<ElkNode>>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  readonly kernel = (level: ElkNode): Promise<ElkNode> => {
    const key = JSON.stringify(level);
    const known = this.#levels.get(key);
    const made = known ?? this.#kernel(level);
    // The one that was asked for last stands last.
    this.#levels.delete(key);
    this.#levels.set(key, made);
    const [oldest] = this.#levels.keys();
    if (this.#levels.size > mostLevels && oldest !== undefined) this.#levels.delete(oldest);
    // Whoever looks again tries again.
    if (known === undefined) made.catch(() => this.#levels.delete(key));
    return made;
  };
}
