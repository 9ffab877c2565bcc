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
  /** The name of the thread. */
  readonly name: string;
  readonly seats: Pick<Seats, 'all' | 'isTaken' | 'vacate' | 'endDeferred'>;
  readonly calls: Pick<ThreadCalls, 'call' | 'answer'>;
  readonly deactivations: Pick<Deactivations, 'stop'>;
  /** Whether the host hears nothing more of the thread. */
  readonly gone: () => boolean;
  /** Tells the thread's actor how far the move is. */
  readonly tell: (event: ThreadEvent) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** Moves the instances away from a thread that is replaced, or stops those that cannot move. */
export class MoveOut {
  readonly #options: MoveOutOptions;
  /** Set when the instances are to move: whether one that cannot yet move is held, or works on. */
  #wanted: 'held' | 'at-work' | undefined;
  readonly #departures = new Set<Promise<void>>();
  readonly #woundDown = new WeakSet<Tenant>();

  constructor(options: MoveOutOptions) {
    this.#options = options;
  }

  /** Whether an instance is on its way out; its state may have come already. */
  get underWay(): boolean {
    return this.#departures.size > 0;
  }

  /** Whether the instance was stopped because the thread was to end. */
  hasWoundDown(instance: Tenant): boolean {
    return this.#woundDown.has(instance);
  }

  /** Moves all instances as soon as they can. `hold`: one that cannot yet move handles no further event until it can. */
  begin(hold: boolean): void {
    this.#wanted = hold ? 'held' : 'at-work';
    for (const seat of this.#begun()) this.#sendOff(seat);
  }

  /** Moves an instance that has begun to run, if all are to move. */
  begun(seat: Seat): void {
    if (this.#wanted !== undefined) this.#sendOff(seat);
  }

  /** Moves the instances that can move at once; the others get no more time. */
  async hurry(): Promise<void> {
    const { calls, tell } = this.#options;
    calls.call('hurry').catch(() => {});
    await Promise.all(this.#departures);
    tell({ type: 'worker.vacated' });
  }

  /** Keeps the instances that have not moved. */
  stay(): void {
    this.#wanted = undefined;
    for (const { slot } of this.#begun()) this.#options.calls.call('stay', slot).catch(() => {});
  }

  /**
   * Stops the instances that have not moved, last started first, because the thread is to end. They restart elsewhere,
   * after what they had begun here is over.
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
      // The thread's word counts only for asks that it was given and has put off.
      const carried = asks.filter(({ tag }) => seat.deferred?.delete(tag) === true);
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

  /** Tells when no instance leaves or starts here: the rest cannot move, and those that left may wait for the room. */
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
