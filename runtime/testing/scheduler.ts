import type { Random } from './random.ts';

/** Where something waits for its turn: messages on their way one way, or what a thread does next by itself. */
export interface Lane {
  /** Whether the first that waits may run now. */
  readonly ready: boolean;
  /** Runs it, and says what it was. */
  run(): string;
}

/** How long the import of a module may keep everything waiting, in real milliseconds. */
const HOLD_MS = 2000;
/** Lines of the trace that are kept. */
const TRACE_LINES = 10_000;

/**
 * Decides what happens next among threads that share one: after each turn of the event loop one of the lanes in which
 * something waits, drawn by lot. Each lane keeps its order, as a port does; the same seed gives the same run.
 */
export class Scheduler {
  readonly #random: Random;
  readonly #now: () => number;
  readonly #lanes: Lane[] = [];
  readonly #idle: (() => void)[] = [];
  readonly trace: string[] = [];
  #held = 0;
  #armed = false;
  #quiet = 0;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
  }

  add(lane: Lane): void {
    this.#lanes.push(lane);
  }

  remove(lane: Lane): void {
    const at = this.#lanes.indexOf(lane);
    if (at !== -1) this.#lanes.splice(at, 1);
  }

  /** Something may have become ready. */
  wake(): void {
    this.#quiet = 0;
    this.#arm();
  }

  /** Nothing happens until `work` is over: how long it takes must not decide what comes next. */
  hold<T>(work: Promise<T>): Promise<T> {
    this.#held += 1;
    let open = true;
    const release = (): void => {
      if (!open) return;
      open = false;
      clearTimeout(patience);
      this.#held -= 1;
      this.wake();
    };
    const patience = setTimeout(release, HOLD_MS);
    work.then(release, release);
    return work;
  }

  /** Resolves when nothing waits any more. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.wake();
    });
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(this.#step);
  }

  readonly #step = (): void => {
    this.#armed = false;
    if (this.#held > 0) return;
    const ready = this.#lanes.filter((lane) => lane.ready);
    const lane = ready.length > 1 ? ready[Math.floor(this.#random() * ready.length)] : ready[0];
    if (lane !== undefined) {
      this.#quiet = 0;
      this.#note(lane.run());
    } else if (++this.#quiet >= 2) {
      // Whoever waits for promises had a turn of the event loop to go on in.
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#arm();
  };

  #note(what: string): void {
    this.trace.push(`${this.#now()} ${what}`);
    if (this.trace.length > TRACE_LINES) this.trace.shift();
  }
}
