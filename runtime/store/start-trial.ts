import { type Clock, later } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { Ticket } from '../base/ticket.ts';
import { type CarefulStart, LIVED_MS, MOST_STARTS } from './careful-start.ts';
import type { DurableRecord } from './durable-store.ts';
import type { RecordMeta, Starts } from './record-meta.ts';

export interface StartTrialOptions {
  readonly address: string;
  readonly clock: Clock;
  /** The last state; undefined: there is none. */
  readonly last: () => Pick<DurableRecord, 'dueAt' | 'wakes'> | undefined;
  /** Whether nothing more of the instance is to be written down: it is gone, or fenced. */
  readonly isGone: () => boolean;
  /** The starts that are written down. */
  readonly starts: () => Starts | undefined;
  /** Writes them down with the last state; the ticket settles when that is committed. */
  readonly note: (meta: Pick<RecordMeta, 'starts'>) => Ticket;
  /** Whether events wait for the instance. */
  readonly hasEvents: () => boolean;
  /** The instance has survived its start, and may have its events. */
  readonly lived: () => void;
}

/** The start of one instance that may end the process, from before it happens until the instance has survived it. */
export class StartTrial {
  readonly #options: StartTrialOptions;
  /** Settles when the instance has survived its start, or has ended. */
  #ended: Ticket | undefined;
  /** Says that it is not under suspicion any more. */
  #over: (() => void) | undefined;

  constructor(options: StartTrialOptions) {
    this.#options = options;
  }

  /**
   * Writes down that the instance is about to start. Resolves when that is committed, and it may; rejects with
   * `PROCESS_CRASHED` when the process has ended with so many starts of it that there is none any more.
   */
  async start(careful: Pick<CarefulStart, 'alone'>): Promise<void> {
    const { address, isGone, last, note } = this.#options;
    const starts = this.#options.starts();
    if (starts !== undefined && starts.count >= MOST_STARTS) throw killsProcess(address, starts);
    this.#ended = new Ticket();
    if (starts !== undefined) this.#over = await careful.alone();
    if (last() === undefined || isGone()) return this.end();
    await note({ starts: { count: (starts?.count ?? 0) + 1, why: this.#why() } }).wait();
  }

  /** What the instance has to do when it starts. */
  #why(): Starts['why'] {
    const { clock, hasEvents, last } = this.#options;
    const { wakes = false, dueAt = Infinity } = last() ?? {};
    if (wakes) return 'child';
    return dueAt <= clock.date() ? 'timer' : hasEvents() ? 'row' : 'call';
  }

  /** The instance runs: it has survived its start, unless there is something at work from then on. */
  began(): void {
    const { clock, last } = this.#options;
    const { wakes = false, dueAt = Infinity } = last() ?? {};
    if (!wakes && dueAt > clock.date() + LIVED_MS) this.#survived();
    else later(clock, () => this.#survived(), LIVED_MS);
  }

  #survived(): void {
    const { isGone, last, lived, note, starts } = this.#options;
    this.end();
    if (isGone()) return;
    if (starts() !== undefined && last() !== undefined) note({ starts: undefined });
    lived();
  }

  /** Resolves when the instance has survived its start, or has ended; `undefined` when there is nothing to wait for. */
  get survived(): Promise<void> | undefined {
    return this.#ended?.wait();
  }

  /** The instance is not under suspicion any more. */
  end(): void {
    this.#over?.();
    this.#over = undefined;
    this.#ended?.settle();
    this.#ended = undefined;
  }
}

const ENDED_WITH = {
  child: 'its children began anew',
  timer: 'a timer of it was due',
  row: 'an event waited for it',
  call: 'somebody called it',
} as const;

function killsProcess(address: string, { count, why }: Starts): HoldfastError {
  return new HoldfastError(
    'PROCESS_CRASHED',
    `the process has ended with each of the last ${count} starts of ${address}, at the last of which ${ENDED_WITH[why]}; it is not started any more`,
  );
}
