import type { Status } from './told.ts';

/** Milliseconds that are remembered, and shown as lines. */
export const shownMs = 300_000;

/** What a thread did in the second before. */
export interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The share of the second in which its event loop was busy. */
  readonly busy: number | undefined;
  /** Bytes. */
  readonly heap: number | undefined;
  /** Turns a second; undefined in the first. */
  readonly turns: number | undefined;
}

/** The last five minutes of each thread that runs, from what the status says each second. */
export class ThreadHistory {
  readonly #threads = new Map<string, Sample[]>();
  #handled = new Map<string, number>();
  #at = 0;

  learn({ pools, instances }: Pick<Status, 'pools' | 'instances'>, at: number): void {
    const handled = new Map(instances.map((instance) => [instance.address, instance.handled]));
    const turns = new Map<number, number>();
    for (const { address, thread, handled } of instances) {
      if (thread === undefined) continue;
      // What one did before it was seen first, or before it came to this thread, was long ago, or elsewhere.
      const before = this.#handled.get(address) ?? handled;
      turns.set(thread, (turns.get(thread) ?? 0) + Math.max(0, handled - before));
    }
    const seconds = (at - this.#at) / 1000;
    const isFirst = this.#at === 0;
    const there = new Set<string>();
    for (const { name, thread, utilization, heapUsed } of pools.flatMap(({ threads }) => threads)) {
      there.add(name);
      const samples = this.#threads.get(name) ?? [];
      this.#threads.set(name, samples);
      const rate = thread === undefined ? 0 : (turns.get(thread) ?? 0) / Math.max(seconds, 0.1);
      samples.push({ at, busy: utilization, heap: heapUsed, turns: isFirst ? undefined : rate });
      while ((samples[0]?.at ?? at) < at - shownMs) samples.shift();
    }
    for (const name of this.#threads.keys()) if (!there.has(name)) this.#threads.delete(name);
    [this.#handled, this.#at] = [handled, at];
  }

  /** The oldest first. */
  of(name: string): readonly Sample[] {
    return this.#threads.get(name) ?? [];
  }
}
