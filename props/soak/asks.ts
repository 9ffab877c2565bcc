import { setTimeout as pause } from 'node:timers/promises';
import type { AgentRef } from 'holdfast';
import type { Journal } from './journal.ts';

export type Window = 'before' | 'during' | 'between';

/** Asks the pool to which nothing is done, one after the other, and keeps how long each took. */
export class Asks {
  /** Milliseconds, of the cycle that runs. */
  #took: Record<Window, number[]> = { before: [], during: [], between: [] };
  readonly all: Record<'before' | 'during', number[]> = { before: [], during: [] };
  /** p99 of each cycle: during to before. */
  readonly ratios: number[] = [];
  answered = 0;
  readonly wrong: string[] = [];
  window: Window = 'between';
  readonly #journal: Journal;
  #over = false;
  readonly #running: Promise<void>;

  constructor(ref: AgentRef, journal: Journal) {
    this.#journal = journal;
    this.#running = this.#run(ref);
  }

  async #run(ref: AgentRef): Promise<void> {
    while (!this.#over) {
      const { window } = this;
      const from = performance.now();
      const answer = await this.#journal.ask(ref).catch((error: unknown) => error);
      const ms = performance.now() - from;
      if (answer === 'full') return;
      if (typeof answer === 'number') this.answered += 1;
      else this.wrong.push(`the pool that is spared did not answer: ${String(answer)}`);
      if (window === this.window) this.#took[window].push(ms);
      await pause(1);
    }
  }

  /** A cycle is over. */
  cycle(): void {
    const { before, during } = this.#took;
    if (before.length > 0 && during.length > 0) this.ratios.push(p99(during) / p99(before));
    this.all.before.push(...before);
    this.all.during.push(...during);
    this.#took = { before: [], during: [], between: [] };
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#running;
  }
}

export function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN;
}
