import type { PlacementListener } from '../placement.ts';

export interface HeldPartitionsOptions {
  readonly listener: Pick<PlacementListener, 'take' | 'lost'>;
  /** What is held has changed. */
  readonly changed: () => void;
  /** Partitions could not be taken; they are tried again at the next `settle`. */
  readonly failed: (error: unknown) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/**
 * The partitions that a node holds, brought to what an engine gives it: taken in groups, one after the other, and lost at once.
 */
export class HeldPartitions {
  readonly #options: HeldPartitionsOptions;
  readonly #given = new Set<number>();
  readonly #held = new Map<number, number>();
  /** Those that the engine has taken back without giving them to anybody, and until when they are held all the same. */
  readonly #kept = new Map<number, number>();
  /** Those that another node has taken: they are not taken from it before the next `settle`. */
  readonly #elsewhere = new Set<number>();
  #taking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: HeldPartitionsOptions) {
    this.#options = options;
  }

  /** Those that this node runs. */
  has(partition: number): boolean {
    return this.#held.has(partition);
  }

  /** Those that are held since before `at`. */
  since(at: number): readonly number[] {
    return [...this.#held].filter(([, since]) => since < at).map(([partition]) => partition);
  }

  /** The engine has given the partition to this node. */
  give(partition: number): void {
    this.#given.add(partition);
    this.#kept.delete(partition);
    this.#bring();
  }

  /**
   * The engine takes the partition back. Settles when nothing of it is under way here. `keepMs`: nobody else is known to get it, and
   * it is held that long, for the case that it comes back.
   */
  async takeBack(partition: number, keepMs: number): Promise<void> {
    this.#given.delete(partition);
    if (keepMs > 0 && this.#held.has(partition)) this.#kept.set(partition, this.#options.now() + keepMs);
    this.#bring();
    await this.#taking;
  }

  /** Other nodes have taken these. */
  taken(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#elsewhere.add(partition);
      this.#kept.delete(partition);
    }
    this.#bring();
  }

  /** Lets go what was kept long enough, and takes what could not be taken, or what others took from the one it was given to. */
  settle(): void {
    this.#elsewhere.clear();
    this.#bring();
  }

  /** Lets all go, and takes nothing any more. Settles when nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#bring();
    await this.#taking;
  }

  #wants(partition: number): boolean {
    if (this.#isClosed || this.#elsewhere.has(partition)) return false;
    return this.#given.has(partition) || (this.#kept.get(partition) ?? 0) > this.#options.now();
  }

  #bring(): void {
    const { listener, changed } = this.#options;
    const lost = [...this.#held.keys()].filter((partition) => !this.#wants(partition));
    for (const partition of lost) {
      this.#held.delete(partition);
      this.#kept.delete(partition);
    }
    if (lost.length > 0) {
      listener.lost(lost);
      changed();
    }
    if (this.#missing().length > 0) this.#taking ??= this.#take();
  }

  #missing(): number[] {
    return [...this.#given].filter((partition) => this.#wants(partition) && !this.#held.has(partition));
  }

  async #take(): Promise<void> {
    const { listener, changed, failed, now } = this.#options;
    try {
      // Those that are given together are taken together.
      await Promise.resolve();
      for (let parts = this.#missing(); parts.length > 0; parts = this.#missing()) {
        await listener.take(parts);
        for (const partition of parts) this.#held.set(partition, now());
        // Some may have been taken back meanwhile.
        this.#bring();
        changed();
      }
    } catch (error) {
      failed(error);
    } finally {
      this.#taking = undefined;
    }
  }
}
