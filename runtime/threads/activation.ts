import { within, type Clock } from '../base/clock.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { ResolvedPool } from '../config/resolve.ts';
import type { Seat } from './seat.ts';
import type { Seats } from './seats.ts';
import type { ThreadCalls } from './thread-calls.ts';
import { instanceNotStarted, unclonableStart } from './thread-errors.ts';
import type { ThreadInspection } from './thread-inspection.ts';

export interface ActivationOptions {
  readonly clock: Clock;
  readonly pool: Pick<ResolvedPool, 'startTimeoutMs'>;
  readonly seats: Pick<Seats, 'assignSlot' | 'isTaken' | 'vacate'>;
  readonly calls: Pick<ThreadCalls, 'callWithCare'>;
  readonly inspection?: Pick<ThreadInspection, 'wants'> | undefined;
  /** Stops the instance in its thread. */
  readonly deactivate: (seat: Seat) => Promise<void>;
  /** Called when the thread has started the instance, which now gets what waits in its mailbox. */
  readonly begun: (seat: Seat) => void;
}

/** Starts the instances that the pool has given a seat on a thread, as soon as the thread is up. */
export class Activation {
  readonly #options: ActivationOptions;
  /** The seats that wait for the thread to be up; `undefined` once it is. */
  #queue: Seat[] | undefined = [];

  constructor(options: ActivationOptions) {
    this.#options = options;
  }

  /** Starts the instance on a seat, now or when the thread is up. */
  add(seat: Seat): void {
    if (this.#queue === undefined) void this.#start(seat);
    else this.#queue.push(seat);
  }

  /** The thread is up: starts the instances that wait for it. */
  open(): void {
    const queue = this.#queue ?? [];
    this.#queue = undefined;
    for (const seat of queue) void this.#start(seat);
  }

  /** The thread is gone: returns the seats that have waited for it. */
  close(): Seat[] {
    return this.#queue?.splice(0) ?? [];
  }

  async #start(seat: Seat): Promise<void> {
    const { seats, deactivate, begun } = this.#options;
    const { instance } = seat;
    if (!instance.awaits(seat)) return;
    try {
      seats.assignSlot(seat);
    } catch (error) {
      return instance.startFailed(error);
    }
    try {
      await this.#activate(seat);
    } catch (error) {
      if (error instanceof NotStarted) {
        if (instance.holds(seat)) instance.startFailed(error.reason, 'init-timeout');
        // The instance must not stay whenever it does start; until then its slot is taken.
        await error.activated.then(() => deactivate(seat)).catch(() => seats.vacate(seat));
        return;
      }
      if (!seats.isTaken(seat)) return;
      seats.vacate(seat);
      if (instance.holds(seat)) instance.startFailed(error);
      return;
    }
    if (!seats.isTaken(seat)) return;
    // The instance may have been stopped while it started, or ended with its group.
    if (instance.awaits(seat)) begun(seat);
    else await deactivate(seat).catch(() => {});
  }

  #activate(seat: Seat): Promise<unknown> {
    const { clock, pool, calls, inspection } = this.#options;
    const { instance } = seat;
    const inspected = inspection?.wants(instance.agent) === true;
    const request = instance.activation(seat);
    const activated = calls.callWithCare(
      'activate',
      [inspected ? { ...request, inspected } : request],
      (error) => unclonableStart(request, error),
    );
    const { startTimeoutMs } = pool;
    const late = (): Error =>
      new NotStarted(
        instance.continuation.late('it was started', startTimeoutMs) ??
          instanceNotStarted(instance.address, startTimeoutMs),
        activated,
      );
    return within(clock, pool.startTimeoutMs, activated, late);
  }
}

/** The error for an instance that is still starting when its time is up; `activated` settles when the thread is through. */
class NotStarted extends Error {
  readonly reason: HoldfastError;
  readonly activated: Promise<unknown>;

  constructor(reason: HoldfastError, activated: Promise<unknown>) {
    super(reason.message);
    this.reason = reason;
    this.activated = activated;
  }
}
