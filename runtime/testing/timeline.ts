import { AssertionError } from 'node:assert';
import type { Stage } from './stage.ts';
import type { TestThread } from './test-thread.ts';
import type { Time, Timers } from './timers.ts';

export interface TimelineOptions {
  readonly time: Time;
  /** Those of the host and of the test. */
  readonly timers: () => readonly Timers[];
  readonly stage: Stage;
  /** Real milliseconds within which everything has to come to rest. */
  readonly deadlineMs: number;
  /** What a failure ends with. */
  readonly hint: string;
}

/** The one time of the host and all its threads. */
export class Timeline {
  readonly #options: TimelineOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** Resolves when nothing is under way any more, and everything that does happen needs time to pass. */
  async settled(): Promise<void> {
    const { stage, deadlineMs, hint } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const names = stage.threads().map(({ name, state }) => `${name} (${state})`);
        const message =
          `nothing came to rest within ${deadlineMs} ms; threads: ${names.join(', ') || 'none'}. ` +
          `Does an agent keep its thread busy, or send to itself without end? ${hint}`;
        reject(new AssertionError({ message }));
      }, deadlineMs);
    });
    try {
      await Promise.race([stage.quiet(), deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets time pass, timer by timer, each after everything that the ones before led to. One call after the other. */
  advance(ms: number): Promise<void> {
    const advanced = this.#last.then(() => this.#advance(ms));
    this.#last = advanced.catch(() => {});
    return advanced;
  }

  /** Lets time pass until the next timer that is due by `to` has run, or else until `to`, and `false`. */
  advanceToNext(to: number): Promise<boolean> {
    const advanced = this.#last.then(async () => {
      const ran = await this.#runNext(to);
      if (!ran) await this.#move(Math.max(to, this.#options.time.now));
      await this.settled();
      return ran;
    });
    this.#last = advanced.catch(() => {});
    return advanced;
  }

  async #advance(ms: number): Promise<void> {
    const to = this.#options.time.now + ms;
    while (await this.#runNext(to));
    await this.#move(to);
    await this.settled();
  }

  /** Runs the next timer of all that are due until `to`; of those due at once the host's, then the oldest thread's. */
  async #runNext(to: number): Promise<boolean> {
    await this.settled();
    const { stage } = this.#options;
    const threads = stage.threads();
    const dues = await Promise.all(threads.map((thread) => thread.nextTimer()));
    const host = this.#firstOfHost();
    let due = host?.next ?? Infinity;
    let first: TestThread | undefined;
    dues.forEach((next, i) => {
      if (next !== undefined && next < due) [due, first] = [next, threads[i]];
    });
    if (due > to) return false;
    await this.#move(due);
    if (first === undefined) host?.runNext();
    else await first.runTimer();
    return true;
  }

  /** Those of the host of which the next one is due first. */
  #firstOfHost(): Timers | undefined {
    const { timers } = this.#options;
    const due = (of: Timers | undefined): number => of?.next ?? Infinity;
    let first: Timers | undefined;
    for (const one of timers()) if (due(one) < due(first)) first = one;
    return first;
  }

  async #move(to: number): Promise<void> {
    const { time, stage } = this.#options;
    if (to === time.now) return;
    time.now = to;
    await Promise.all(stage.threads().map((thread) => thread.moved(to)));
  }

  /** Lets time pass for the host alone, until `work` is over. */
  async until(work: Promise<unknown>, patienceMs: number): Promise<void> {
    const { time, stage } = this.#options;
    const ended = work.then(
      () => true,
      () => true,
    );
    for (;;) {
      await Promise.race([stage.quiet(), real(20 * patienceMs)]);
      // What the clock knows nothing of, such as a provider that closes, gets some real time.
      if (await Promise.race([ended, real(patienceMs)])) return;
      const first = this.#firstOfHost();
      if (first?.next === undefined) continue;
      time.now = Math.max(time.now, first.next);
      first.runNext();
    }
  }
}

function real(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}
