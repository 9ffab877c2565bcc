import type { ThreadEvent } from '../../actors/thread.ts';
import type { Departed } from '../wire/protocol.ts';
import { isDeparted } from '../wire/shapes.ts';
import type { Deactivations } from './deactivations.ts';
import type { Seat } from './seat.ts';
import type { Seats } from './seats.ts';
import type { Tenant } from './tenant.ts';
import type { ThreadCalls } from './thread-calls.ts';
import { threadEnded } from './thread-errors.ts';

export interface MoveOutOptions {
  /** Name of the thread. */
  readonly name: string;
  readonly seats: Pick<Seats, 'all' | 'isTaken' | 'vacate' | 'endDeferred'>;
  readonly calls: Pick<ThreadCalls, 'call' | 'answer'>;
  readonly deactivations: Pick<Deactivations, 'stop'>;
  /** Nothing is heard of the thread any more. */
  readonly gone: () => boolean;
  /** Tells the thread's actor. */
  readonly tell: (event: ThreadEvent) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** Has the instances of a thread that is replaced go elsewhere, or stops those that cannot. */
export class MoveOut {
  readonly #options: MoveOutOptions;
  /** Whether the instances are to go, and what those do meanwhile that cannot yet. */
  #wanted: 'held' | 'at-work' | undefined;
  readonly #departures = new Set<Promise<void>>();
  readonly #woundDown = new WeakSet<Tenant>();

  constructor(options: MoveOutOptions) {
    this.#options = options;
  }

  /** An instance is on its way out: its state may have come already. */
  get underWay(): boolean {
    return this.#departures.size > 0;
  }

  /** Whether the instance was stopped because the thread was to end. */
  hasWoundDown(instance: Tenant): boolean {
    return this.#woundDown.has(instance);
  }

  /** Has all instances go, as soon as they can. `hold`: who cannot yet handles no further event until then. */
  begin(hold: boolean): void {
    this.#wanted = hold ? 'held' : 'at-work';
    for (const seat of this.#begun()) this.#sendOff(seat);
  }

  /** An instance has begun to run: it goes too, if all are to go. */
  begun(seat: Seat): void {
    if (this.#wanted !== undefined) this.#sendOff(seat);
  }

  /** Those that can go do so at once; the thread is of no more use to the others. */
  async hurry(): Promise<void> {
    const { calls, tell } = this.#options;
    calls.call('hurry').catch(() => {});
    await Promise.all(this.#departures);
    tell({ type: 'worker.vacated' });
  }

  /** Those that have not gone stay. */
  stay(): void {
    this.#wanted = undefined;
    for (const { slot } of this.#begun()) this.#options.calls.call('stay', slot).catch(() => {});
  }

  /**
   * Stops those that have not gone, the last started first: they begin anew elsewhere, and what they had begun here is
   * over before. The thread is to end.
   */
  async windDown(): Promise<void> {
    const { name, tell } = this.#options;
    this.#wanted = undefined;
    const reason = threadEnded(name, 'recycled');
    await Promise.allSettled(
      this.#begun()
        .toReversed()
        .map((seat) => this.#stop(seat, reason)),
    );
    tell({ type: 'worker.emptied' });
  }

  async #stop(seat: Seat, reason: Error): Promise<void> {
    const { seats, deactivations } = this.#options;
    seats.endDeferred(seat, reason);
    await deactivations.stop(seat.slot);
    seats.vacate(seat, { failed: 'between' });
    if (!seat.instance.holds(seat)) return;
    this.#woundDown.add(seat.instance);
    seat.instance.failed(reason, 'stopped');
  }

  #begun(): Seat[] {
    return this.#options.seats.all().filter(({ begun }) => begun);
  }

  #sendOff(seat: Seat): void {
    const departure = this.#depart(seat);
    this.#departures.add(departure);
    void departure.finally(() => {
      this.#departures.delete(departure);
      this.#perhapsVacated();
    });
  }

  async #depart(seat: Seat): Promise<void> {
    const { name, seats, calls, gone, warn } = this.#options;
    const { instance, slot } = seat;
    try {
      const state = await calls.answer('depart', isDepartedOrNone, [slot, this.#wanted === 'held']);
      if (state === undefined || !seats.isTaken(seat)) return;
      const { asks = [], ...from } = state;
      // Of what it says to have put off, only what this thread was asked.
      const carried = asks.filter(({ tag }) => seat.deferred.delete(tag));
      seats.vacate(seat);
      if (instance.holds(seat)) instance.departed(from, carried);
    } catch (error) {
      if (gone()) return;
      warn(
        { thread: name, address: instance.address, error },
        'an instance cannot move to another thread, and stays on one that is to be replaced',
      );
    }
  }

  /** Nobody is on the way out, or about to run here: who is left cannot go, and those that have gone may wait for the place. */
  #perhapsVacated(): void {
    const { seats, gone, tell } = this.#options;
    if (this.#wanted === undefined || gone() || this.#departures.size > 0) return;
    const isStarting = seats.all().some(({ begun }) => !begun);
    if (!isStarting) tell({ type: 'worker.vacated' });
  }
}

function isDepartedOrNone(answer: unknown): answer is Departed | undefined {
  return answer === undefined || isDeparted(answer);
}
