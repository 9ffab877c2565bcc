import type { Clock } from './clock.ts';
import type { Progress } from './wire/progress.ts';

/** Looks in the time of a warning. */
const LOOKS = 4;
/** Milliseconds between two looks at most: a thread is ended no later than that after its time. */
const LONGEST_LOOK_MS = 250;
/** The share of time from which an event loop is busy: a thread that hangs has 1, less what reading it misses. */
const BUSY = 0.98;

export interface WatchdogOptions {
  readonly clock: Clock;
  /** Milliseconds of one turn after which `slow` is told; 0 never. */
  readonly warnMs: number;
  /** Milliseconds after which `hung` is told; 0 never. */
  readonly killMs: number;
  readonly progress: Pick<Progress, 'inHand' | 'turns' | 'look'>;
  /**
   * The share of the time since it was last asked in which the thread's event loop was busy; `undefined` where it
   * cannot be known, and then the thread is looked at only while the host waits for it.
   */
  readonly utilization: () => number | undefined;
  /** Resolves when the thread's event loop has come round. */
  readonly ping: () => Promise<unknown>;
  /** Something that was asked of the thread has no answer yet. */
  readonly awaited: () => boolean;
  /** A debugger may hold the thread: such time does not count towards its end. */
  readonly debugged: () => boolean;
  /** One turn, that of `slot`, or what runs outside of turns (-1), has taken `ms` so far. Told once. */
  readonly slow: (slot: number, ms: number) => void;
  /** The thread has done nothing else for `ms`. Told once; the watch is over. */
  readonly hung: (slot: number, ms: number) => void;
}

/**
 * Sees without asking the thread that a turn does not end: the turn in shared memory is the same at each look. What
 * runs outside of turns, a timer or the import of a module, shows in that a ping has no answer while the event loop
 * is busy all the time. Time in which the host itself was late does not count.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #everyMs: number;
  #timer: unknown;
  #over = false;
  #lookedAt = 0;
  #turn = 0;
  #slot = -1;
  #ms = 0;
  /** Of that, what no debugger can have taken. */
  #counted = 0;
  #warned = false;
  #pinging = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    const least = Math.min(options.warnMs || Infinity, options.killMs || Infinity);
    this.#everyMs = Math.max(1, Math.min(LONGEST_LOOK_MS, least / LOOKS));
    this.#over = least === Infinity;
  }

  /** Looks from now on, as long as there may be something to see. */
  watch(): void {
    if (this.#timer !== undefined || this.#over) return;
    const { clock } = this.#options;
    this.#lookedAt = clock.now();
    this.#timer = clock.setTimeout(this.#look, this.#everyMs);
    clock.unref?.(this.#timer);
  }

  /** Milliseconds for which the thread has done nothing else, as of the last look; 0 when it has got on since. */
  get ms(): number {
    const { progress } = this.#options;
    return progress.turns() === this.#turn && progress.inHand() === this.#slot ? this.#ms : 0;
  }

  end(): void {
    this.#over = true;
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const { clock, progress, utilization, awaited } = this.#options;
    const now = clock.now();
    const passed = now - this.#lookedAt;
    progress.look();
    const share = utilization();
    const slot = progress.inHand();
    const turn = progress.turns();
    if (slot === this.#slot && turn === this.#turn && (slot !== -1 || this.#isSilent(share))) {
      // Whoever looks too late has not seen what was in between, and was late with everything else.
      if (passed <= 2 * this.#everyMs) this.#count(passed);
    } else {
      this.#begin(slot, turn);
    }
    this.#judge();
    if (share !== undefined || awaited()) this.watch();
  };

  #count(ms: number): void {
    this.#ms += ms;
    if (!this.#options.debugged()) this.#counted += ms;
  }

  #begin(slot: number, turn: number): void {
    this.#slot = slot;
    this.#turn = turn;
    this.#ms = this.#counted = 0;
    this.#warned = false;
  }

  /** Outside of a turn: whether a ping is still without an answer, and the thread too busy to have an excuse. */
  #isSilent(share: number | undefined): boolean {
    const busy = share === undefined ? this.#options.awaited() : share >= BUSY;
    if (!busy) return false;
    if (this.#pinging) return true;
    this.#pinging = true;
    const answered = (): void => {
      this.#pinging = false;
    };
    this.#options.ping().then(answered, answered);
    return false;
  }

  #judge(): void {
    const { warnMs, killMs, slow, hung } = this.#options;
    if (warnMs > 0 && this.#ms >= warnMs && !this.#warned) {
      this.#warned = true;
      slow(this.#slot, this.#ms);
    }
    if (killMs === 0 || this.#counted < killMs) return;
    this.end();
    hung(this.#slot, this.#ms);
  }
}
