import type { Clock } from '../base/clock.ts';
import { LARGE_STATE } from '../base/large-state.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import { decodeError } from '../wire/errors.ts';
import type { ActivateRequest, StartOutcome } from '../wire/protocol.ts';
import { isListOf, isStartOutcome } from '../wire/shapes.ts';
import type { Seat } from './seat.ts';
import type { Seats } from './seats.ts';
import type { ThreadCalls } from './thread-calls.ts';
import { instanceNotStarted, unclonableStart } from './thread-errors.ts';
import type { ThreadInspection } from './thread-inspection.ts';

/** The most instances that one message starts, as many as the envelopes of a batch. */
const MOST = 256;

export interface ActivationOptions {
  readonly clock: Clock;
  readonly pool: Pick<ResolvedPool, 'startTimeoutMs'>;
  readonly seats: Pick<Seats, 'assignSlot' | 'isTaken' | 'vacate'>;
  readonly calls: Pick<ThreadCalls, 'callWithCare' | 'answerHeard'>;
  readonly inspection?: Pick<ThreadInspection, 'wants'> | undefined;
  /** Stops the instance in its thread. */
  readonly deactivate: (seat: Seat) => Promise<void>;
  /** Called when the thread has started the instance, which now gets what waits in its mailbox. */
  readonly begun: (seat: Seat) => void;
}

/** A start whose outcome is awaited until it is late. */
interface Start {
  readonly seat: Seat;
  /** Milliseconds of the host's clock. */
  readonly dueAt: number;
}

/**
 * Starts the instances that the pool has given a seat on a thread, as soon as the thread is up. The first leaves in the
 * same tick, and those that come while a message is under way leave with its answer. An instance whose module the thread
 * has not loaded yet is started by itself, so that one that loads slowly holds nobody.
 */
export class Activation {
  readonly #options: ActivationOptions;
  /** The seats that wait for the thread to be up; `undefined` once it is. */
  #early: Seat[] | undefined = [];
  /** The starts that the thread was not told of. */
  #queue: Start[] = [];
  /** The starts that are not late and have no outcome, in the order of their deadlines. */
  readonly #awaited = new Set<Start>();
  /** The agents whose modules the thread has loaded. */
  readonly #loaded = new Set<ResolvedAgent>();
  #timer: unknown;
  #armed = false;
  #underWay = false;

  constructor(options: ActivationOptions) {
    this.#options = options;
  }

  /** Starts the instance on a seat, now or when the thread is up. */
  add(seat: Seat): void {
    if (this.#early !== undefined) return void this.#early.push(seat);
    const { clock, pool } = this.#options;
    if (!seat.instance.awaits(seat)) return;
    const start: Start = { seat, dueAt: clock.now() + pool.startTimeoutMs };
    this.#awaited.add(start);
    if (this.#timer === undefined) this.#watch(pool.startTimeoutMs);
    if (!this.#loaded.has(seat.instance.agent)) return this.#alone(start);
    this.#queue.push(start);
    this.#sendSoon();
  }

  /** The thread has loaded the module of the agent. */
  loaded(agent: ResolvedAgent): void {
    this.#loaded.add(agent);
  }

  /** The thread is up: starts the instances that wait for it. */
  open(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const seat of early) this.add(seat);
  }

  /** The thread is gone: returns the seats that have waited for it. */
  close(): Seat[] {
    const waiting = [...(this.#early?.splice(0) ?? []), ...this.#queue.splice(0).map(({ seat }) => seat)];
    this.#awaited.clear();
    this.#unwatch();
    return waiting;
  }

  #sendSoon(): void {
    if (this.#armed || this.#underWay || this.#queue.length === 0) return;
    this.#armed = true;
    queueMicrotask(this.#send);
  }

  readonly #send = (): void => {
    this.#armed = false;
    const { calls } = this.#options;
    const starts: Start[] = [];
    const requests: ActivateRequest[] = [];
    let taken = 0;
    for (let size = 0; taken < this.#queue.length && requests.length < MOST && size < LARGE_STATE; taken++) {
      const start = this.#queue[taken] as Start;
      const request = this.#request(start);
      if (request === undefined) continue;
      starts.push(start);
      requests.push(request);
      size += sizeOf(request);
    }
    this.#queue = this.#queue.slice(taken);
    if (requests.length === 0) return this.#sendSoon();
    this.#underWay = true;
    const heard = (): void => {
      this.#underWay = false;
      this.#sendSoon();
    };
    let answer;
    try {
      answer = calls.answerHeard('activateAll', areOutcomes(requests.length), [requests], heard);
    } catch {
      // One of them cannot be cloned, and the others start.
      this.#underWay = false;
      starts.forEach((start, i) => this.#call(start, requests[i] as ActivateRequest));
      return this.#sendSoon();
    }
    answer.then(
      (outcomes) =>
        starts.forEach((start, i) => {
          const outcome = outcomes[i] as StartOutcome;
          if (outcome === 0) this.#started(start);
          else this.#failed(start, decodeError(outcome));
        }),
      (error: unknown) => {
        for (const start of starts) this.#failed(start, error);
      },
    );
  };

  #alone(start: Start): void {
    const request = this.#request(start);
    if (request !== undefined) this.#call(start, request);
  }

  #call(start: Start, request: ActivateRequest): void {
    let answer;
    try {
      answer = this.#options.calls.callWithCare('activate', [request], (error) =>
        unclonableStart(request, error),
      );
    } catch (error) {
      return this.#failed(start, error);
    }
    answer.then(
      () => {
        this.#loaded.add(start.seat.instance.agent);
        this.#started(start);
      },
      (error: unknown) => this.#failed(start, error),
    );
  }

  /** Gives the seat its slot, and returns the request for its thread; `undefined` when there is nothing to start. */
  #request(start: Start): ActivateRequest | undefined {
    const { seats, inspection } = this.#options;
    const { seat } = start;
    const { instance } = seat;
    if (!instance.awaits(seat)) {
      this.#ends(start);
      return undefined;
    }
    try {
      seats.assignSlot(seat);
    } catch (error) {
      this.#ends(start);
      instance.startFailed(error);
      return undefined;
    }
    try {
      const request = instance.activation(seat);
      return inspection?.wants(instance.agent) === true ? { ...request, inspected: true } : request;
    } catch (error) {
      this.#failed(start, error);
      return undefined;
    }
  }

  /** Returns whether the outcome of the start has come in time. */
  #ends(start: Start): boolean {
    const inTime = this.#awaited.delete(start);
    if (this.#awaited.size === 0) this.#unwatch();
    return inTime;
  }

  #started(start: Start): void {
    const { seats, deactivate, begun } = this.#options;
    const { seat } = start;
    if (!this.#ends(start)) {
      // It must not stay.
      deactivate(seat).catch(() => seats.vacate(seat));
      return;
    }
    if (!seats.isTaken(seat)) return;
    // The instance may have been stopped while it started, or ended with its group.
    if (seat.instance.awaits(seat)) begun(seat);
    else deactivate(seat).catch(() => {});
  }

  #failed(start: Start, error: unknown): void {
    const { seats } = this.#options;
    const { seat } = start;
    const inTime = this.#ends(start);
    if (!seats.isTaken(seat)) return;
    seats.vacate(seat);
    if (inTime && seat.instance.holds(seat)) seat.instance.startFailed(error);
  }

  #watch(ms: number): void {
    this.#timer = this.#options.clock.setTimeout(this.#look, ms);
  }

  #unwatch(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Fails the starts whose time is up. The slot of one that the thread was told of is taken until it has answered. */
  readonly #look = (): void => {
    const { clock, pool } = this.#options;
    const { startTimeoutMs } = pool;
    this.#timer = undefined;
    for (const start of this.#awaited) {
      const left = start.dueAt - clock.now();
      if (left > 0) return this.#watch(left);
      this.#awaited.delete(start);
      const { instance } = start.seat;
      if (!instance.holds(start.seat)) continue;
      const late =
        instance.continuation.late('it was started', startTimeoutMs) ??
        instanceNotStarted(instance.address, startTimeoutMs);
      instance.startFailed(late, 'init-timeout');
    }
  };
}

/** About how much of a state crosses with the request. One that is not encoded is not looked at, and counts as large. */
function sizeOf({ state, snapshot }: ActivateRequest): number {
  if (snapshot !== undefined) return LARGE_STATE;
  return state?.length ?? 0;
}

function areOutcomes(count: number): (answer: unknown) => answer is readonly StartOutcome[] {
  return (answer): answer is readonly StartOutcome[] =>
    Array.isArray(answer) && answer.length === count && isListOf(answer, isStartOutcome);
}
