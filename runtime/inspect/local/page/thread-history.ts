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
  #turns: Readonly<Record<string, number>> = {};
  #at = 0;

  learn({ pools, counts }: Pick<Status, 'pools' | 'counts'>, at: number): void {
    const seconds = (at - this.#at) / 1000;
    const isFirst = this.#at === 0;
    const there = new Set<string>();
    for (const { name, thread, utilization, heapUsed } of pools.flatMap(({ threads }) => threads)) {
      there.add(name);
      const samples = this.#threads.get(name) ?? [];
      this.#threads.set(name, samples);
      const turns = counts.turns[thread ?? -1] ?? 0;
      const rate = Math.max(0, turns - (this.#turns[thread ?? -1] ?? 0)) / Math.max(seconds, 0.1);
      samples.push({ at, busy: utilization, heap: heapUsed, turns: isFirst ? undefined : rate });
      while ((samples[0]?.at ?? at) < at - shownMs) samples.shift();
    }
    for (const name of this.#threads.keys()) if (!there.has(name)) this.#threads.delete(name);
    [this.#turns, this.#at] = [counts.turns, at];
  }

  /** The oldest first. */
  of(name: string): readonly Sample[] {
    return this.#threads.get(name) ?? [];
  }
}
