import { LONGEST_TIMER_MS, type Clock } from '../base/clock.ts';
import type { DuePlace, DurableStore } from '../store/durable-store.ts';

export interface WakesOptions {
  readonly store: Pick<DurableStore, 'due'>;
  readonly clock: Clock;
  /** The most instances that are woken in a second. */
  readonly perSecond: number;
  /** Returns how many instances may be on their way at once. */
  readonly atOnce: () => number;
  /** Whether the instance is in memory, where it sees by itself to what it has to do. */
  readonly isResident: (address: string) => boolean;
  /**
   * Starts the instance at an address, and resolves when it is not to be waited for any more: with whether it was started, or
   * is not to be. Never rejects.
   */
  readonly wake: (address: string) => Promise<boolean>;
  readonly warn: (fields: object, message: string) => void;
  /** Others write what is due here too: then it is looked for at least as often, in milliseconds. Default: nobody does. */
  readonly everyMs?: number | undefined;
  /** An instance in memory has had something to do since before the last look. */
  readonly overdue?: ((address: string) => void) | undefined;
}

/** The addresses that are read at a time; as many may wait for their turn. */
const PAGE = 1000;
/** Milliseconds between two looks at what is due, at least: timers of instances in memory are due all the time. */
const LOOK_MS = 100;
/** Milliseconds between two groups of instances that are woken together. */
const STEP_MS = 50;
/** How many times its share a group may have, so that what late ones have missed is made up within the second. */
const CATCHING_UP = 1.2;
const SECOND_MS = 1000;
/** Milliseconds before a store that failed is asked again; twice as many each time, up to {@link MOST_RETRY_MS}. */
const RETRY_MS = 1000;
const MOST_RETRY_MS = 60_000;
/** The most instances that could not be started of which it is known when to try again. */
const MOST_FAILED = 10_000;
const DAMAGED =
  'what is due cannot be read from the store in its order, because it is damaged: each instance is looked at by itself every few seconds; see `holdfast store check`, and restore a backup';

/**
 * Wakes the instances that have something to do and are not in memory: at the start, and whenever the time of a timer or
 * a row comes. Oldest first, and at a bounded rate.
 */
export class Wakes {
  readonly #options: WakesOptions;
  readonly #waiting = new Set<string>();
  /** Those that could not be started: when they are tried again, and how long they have waited for that. */
  readonly #failed = new Map<string, { readonly at: number; readonly ms: number }>();
  #timer: unknown;
  #timerAt = Infinity;
  #stepping: unknown;
  /** The groups of the last second. */
  readonly #steps: { readonly at: number; readonly count: number }[] = [];
  /** How many instances are on their way. */
  #underWay = 0;
  /** Whether all that was due at the start has been read. */
  #hasLooked = false;
  #isLooking = false;
  /** The instances in memory that had something to do at the last look, and since when. */
  #residents = new Map<string, number>();
  #looksAgain = false;
  #retryMs = RETRY_MS;
  /** The list is not read again before that time: to look at each instance by itself costs more. */
  #notBefore = 0;
  /** The damage of the store was told. */
  #isDamageTold = false;
  #drained: (() => void) | undefined;
  #state: 'paused' | 'running' | 'stopped' = 'paused';

  constructor(options: WakesOptions) {
    this.#options = options;
  }

  /** Whether whoever had something to do at the start is awake, or nobody is woken. */
  get isThrough(): boolean {
    if (this.#state !== 'running') return true;
    return this.#hasLooked && this.#waiting.size === 0 && this.#underWay === 0;
  }

  /** Wakes from now on. */
  start(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    void this.#look();
  }

  /** Wakes nobody any more. */
  stop(): void {
    const { clock } = this.#options;
    this.#state = 'stopped';
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#stepping);
    this.#waiting.clear();
    this.#drained?.();
  }

  /** An instance that is not in memory has something to do at that time, in milliseconds since the epoch. */
  due(address: string, at: number): void {
    if (this.#state !== 'running') return;
    if (at > this.#options.clock.date()) return this.#arm(at);
    if (this.#waiting.size < PAGE) this.#add(address);
    else this.#arm(at);
  }

  /** An instance has left memory, and its timers with it. */
  left(): void {
    if (this.#state === 'running') this.#arm(this.#options.clock.date());
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return void (this.#looksAgain = true);
    const { store, clock, isResident, warn, everyMs, overdue } = this.#options;
    const residents = new Map<string, number>();
    this.#isLooking = true;
    this.#looksAgain = false;
    try {
      let after: DuePlace | undefined;
      let nextAt: number | undefined;
      for (let isLast = false; !isLast && this.#state === 'running';) {
        const list = await store.due(clock.date(), PAGE, after);
        isLast = list.due.length < PAGE;
        after = list.due.at(-1);
        ({ nextAt } = list);
        this.#notBefore = (list.damaged !== undefined && nextAt) || 0;
        if (list.damaged !== undefined) this.#tellDamage(list.damaged);
        for (const { address, since } of list.due)
          if (!isResident(address)) this.#add(address);
          else if (overdue !== undefined) {
            if (this.#residents.get(address) === since) overdue(address);
            residents.set(address, since);
          }
        if (!isLast) await this.#untilDrained();
      }
      this.#hasLooked = true;
      this.#residents = residents;
      if (everyMs !== undefined) this.#arm(clock.date() + everyMs);
      this.#retryMs = RETRY_MS;
      if (nextAt !== undefined) this.#arm(nextAt);
    } catch (error) {
      warn({ error }, 'what is due could not be read from the store, which is tried again');
      this.#arm(clock.date() + this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, MOST_RETRY_MS);
    } finally {
      this.#isLooking = false;
    }
    if (this.#looksAgain) this.#arm(clock.date());
  }

  #tellDamage(damage: string): void {
    if (this.#isDamageTold) return;
    this.#isDamageTold = true;
    this.#options.warn({ damage }, DAMAGED);
  }

  /** Looks at that time at the latest. */
  #arm(at: number): void {
    const { clock } = this.#options;
    const when = Math.max(at, clock.date() + LOOK_MS, this.#notBefore);
    if (when >= this.#timerAt || this.#state !== 'running') return;
    clock.clearTimeout(this.#timer);
    this.#timerAt = when;
    this.#timer = clock.setTimeout(
      () => {
        this.#timerAt = Infinity;
        void this.#look();
      },
      Math.min(when - clock.date(), LONGEST_TIMER_MS),
    );
    clock.unref?.(this.#timer);
  }

  #add(address: string): void {
    if (this.#state !== 'running') return;
    const { at = 0 } = this.#failed.get(address) ?? {};
    if (at > this.#options.clock.date()) return this.#arm(at);
    this.#waiting.add(address);
    if (this.#stepping === undefined) this.#step();
  }

  #step(): void {
    const { clock, perSecond, atOnce, isResident, wake } = this.#options;
    const stepMs = Math.max(STEP_MS, SECOND_MS / perSecond);
    const now = clock.now();
    const room = this.#room(now);
    const share = Math.max(1, Math.floor((CATCHING_UP * perSecond * stepMs) / SECOND_MS));
    const allowed = Math.min(share, room);
    let left = allowed;
    const most = atOnce();
    for (const address of this.#waiting) {
      if (left === 0 || this.#underWay >= most) break;
      this.#waiting.delete(address);
      if (isResident(address)) continue;
      left -= 1;
      this.#underWay += 1;
      void wake(address).then((isDone) => {
        this.#underWay -= 1;
        if (isDone) this.#failed.delete(address);
        else this.#tryLater(address);
      });
    }
    if (left < allowed) this.#steps.push({ at: now, count: allowed - left });
    if (this.#waiting.size === 0) this.#drained?.();
    const [first] = this.#steps;
    // Whoever comes within the step waits for the next one.
    this.#stepping = clock.setTimeout(
      () => {
        this.#stepping = undefined;
        if (this.#waiting.size > 0) this.#step();
      },
      room > allowed - left || first === undefined ? stepMs : first.at + SECOND_MS - now,
    );
    clock.unref?.(this.#stepping);
  }

  /** How many more may be woken now, so that no second has too many. */
  #room(now: number): number {
    const steps = this.#steps;
    while (steps[0] !== undefined && steps[0].at <= now - SECOND_MS) steps.shift();
    return steps.reduce((room, { count }) => room - count, this.#options.perSecond);
  }

  /** Whoever could not be started has its pause: what stands in the way may stay there, and in the way of many. */
  #tryLater(address: string): void {
    const { clock } = this.#options;
    const { ms: before = RETRY_MS / 2 } = this.#failed.get(address) ?? {};
    const ms = Math.min(2 * before, MOST_RETRY_MS);
    if (this.#failed.size >= MOST_FAILED) this.#failed.clear();
    this.#failed.set(address, { at: clock.date() + ms, ms });
    this.#arm(clock.date() + ms);
  }

  #untilDrained(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = () => {
        this.#drained = undefined;
        resolve();
      };
    });
  }
}
