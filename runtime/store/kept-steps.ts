import type { KeptStep } from './durable-store.ts';

/** The most bytes of one instance: they come to a thread with its state, and no state has more. */
const MOST_BYTES = 16 * 1024 * 1024;

/** What the steps of one instance have returned, as long as the work that made them goes on. */
export class KeptSteps {
  #steps: Map<string, Map<string, KeptStep>> | undefined;
  #bytes = 0;

  /** Undefined when there are none. */
  get all(): readonly KeptStep[] | undefined {
    return this.#steps && [...this.#steps.values()].flatMap((steps) => Array.from(steps.values()));
  }

  /** As the store has them. */
  loaded(steps: readonly KeptStep[]): void {
    for (const step of steps) this.#put(step);
  }

  /** Takes a step; `false` when there is no room for it. */
  add(step: KeptStep): boolean {
    if (this.#bytes + bytesOf(step) > MOST_BYTES) return false;
    this.#put(step);
    return true;
  }

  #put(step: KeptStep): void {
    const { start, key } = step;
    this.#steps ??= new Map();
    const steps = this.#steps.get(start) ?? new Map<string, KeptStep>();
    this.#steps.set(start, steps);
    const before = steps.get(key);
    this.#bytes += bytesOf(step) - (before === undefined ? 0 : bytesOf(before));
    steps.set(key, step);
  }

  /** The starts have ended. Returns those of them that had steps. */
  end(starts: readonly string[]): string[] {
    return starts.filter((start) => {
      const steps = this.#steps?.get(start);
      if (steps === undefined) return false;
      for (const step of steps.values()) this.#bytes -= bytesOf(step);
      this.#steps?.delete(start);
      if (this.#steps?.size === 0) this.#steps = undefined;
      return true;
    });
  }

  /** Everything has ended. Returns the starts that had steps. */
  clear(): string[] {
    return this.#steps === undefined ? [] : this.end([...this.#steps.keys()]);
  }
}

/** Its bytes in the store, and some for what there is beside them. */
function bytesOf({ start, key, value }: KeptStep): number {
  return Buffer.byteLength(value) + Buffer.byteLength(key) + start.length + 64;
}
