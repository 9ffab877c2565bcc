import type { Clock } from '../base/clock.ts';
import type { Progress } from '../wire/progress.ts';

/** The number of looks within `warnMs`. */
const LOOKS = 4;
/** The most milliseconds between two looks: a thread is ended no later than that after its time. */
const LONGEST_LOOK_MS = 250;
/** The share of time from which an event loop counts as busy: a thread that hangs has 1, less what reading it misses. */
const BUSY = 0.98;

export interface WatchdogOptions {
  readonly clock: Clock;
  /** Milliseconds of one turn after which `slow` is called; 0 for never. */
  readonly warnMs: number;
  /** Milliseconds after which `hung` is called; 0 for never. */
  readonly killMs: number;
  readonly progress: Pick<Progress, 'inHand' | 'turns' | 'look'>;
  /**
   * Returns the share of the time since the last call in which the thread's event loop was busy, 0 to 1; `undefined`
   * where it cannot be known, and then the watchdog looks only while the host waits for the thread.
   */
  readonly utilization: () => number | undefined;
  /** Resolves when the thread's event loop has come round. */
  readonly ping: () => Promise<unknown>;
  /** Whether a call to the thread has no answer yet. */
  readonly awaited: () => boolean;
  /** Whether a debugger may hold the thread; such time does not count towards its end. */
  readonly debugged: () => boolean;
  /** Called once when one turn, that of `slot`, or what runs outside of turns (-1), has taken `ms` so far. */
  readonly slow: (slot: number, ms: number) => void;
  /** Called once, at the end of the watch, when the thread has done nothing else for `ms`. */
  readonly hung: (slot: number, ms: number) => void;
}

/** Milliseconds without progress, and how many of those no debugger can have taken. */
interface Stretch {
  readonly ms: number;
  readonly counted: number;
}

const NONE: Stretch = { ms: 0, counted: 0 };

function longer({ ms, counted }: Stretch, moreMs: number, moreCounted: number): Stretch {
  return { ms: ms + moreMs, counted: counted + moreCounted };
}

/**
 * Finds a thread that makes no progress, in two ways. The turn in shared memory is the same at each look: this finds a turn
 * that does not end, with its instance. A ping has no answer while the event loop is busy, or while the host awaits
 * something: this finds work outside of turns, a thread that writes at will into the shared memory, and one that receives
 * nothing any more. Time in which the host itself was late does not count.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #everyMs: number;
  #timer: unknown;
  #over = false;
  #lookedAt = 0;
  #turn = 0;
  #slot = -1;
  #inTurn: Stretch = NONE;
  #silent: Stretch = NONE;
  #warned = false;
  #pinging = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    const least = Math.min(options.warnMs || Infinity, options.killMs || Infinity);
    this.#everyMs = Math.max(1, Math.min(LONGEST_LOOK_MS, least / LOOKS));
    this.#over = least === Infinity;
  }

  /** Begins to look, for as long as there may be something to find. */
  watch(): void {
    if (this.#timer !== undefined || this.#over) return;
    const { clock } = this.#options;
    this.#lookedAt = clock.now();
    this.#timer = clock.setTimeout(this.#look, this.#everyMs);
    clock.unref?.(this.#timer);
  }

  /** Milliseconds for which the thread has done nothing else, as of the last look; 0 when it has made progress since. */
  get ms(): number {
    const { progress } = this.#options;
    const isSame = progress.turns() === this.#turn && progress.inHand() === this.#slot;
    return Math.max(isSame ? this.#inTurn.ms : 0, this.#pinging ? this.#silent.ms : 0);
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
    const isSame = slot !== -1 && slot === this.#slot && turn === this.#turn;
    const isSilent = this.#isSilent(share);
    [this.#slot, this.#turn] = [slot, turn];
    // A late look has missed what was in between, and the host was late with everything else, too.
    const ms = passed <= 2 * this.#everyMs ? passed : 0;
    const counted = (isSame || isSilent) && !this.#options.debugged() ? ms : 0;
    this.#inTurn = isSame ? longer(this.#inTurn, ms, counted) : NONE;
    this.#silent = isSilent ? longer(this.#silent, ms, counted) : NONE;
    if (!isSame && !isSilent) this.#warned = false;
    this.#judge();
    if (share !== undefined || awaited()) this.watch();
  };

  /** Whether a ping is still unanswered; sends one where there may be something to find. */
  #isSilent(share: number | undefined): boolean {
    if ((share === undefined || share < BUSY) && !this.#options.awaited()) return false;
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
    const ms = Math.max(this.#inTurn.ms, this.#silent.ms);
    if (warnMs > 0 && ms >= warnMs && !this.#warned) {
      this.#warned = true;
      slow(this.#slot, ms);
    }
    if (killMs === 0 || Math.max(this.#inTurn.counted, this.#silent.counted) < killMs) return;
    this.end();
    hung(this.#slot, ms);
  }
}
