import { REPORT, type StateOf } from '../wire/protocol.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Mirrored, Reports } from './reports.ts';

export interface StateReportOptions {
  readonly slot: number;
  readonly reports: Reports;
  /** Throws what cannot be persisted. */
  readonly persist: () => PersistedState;
  /** Envelopes that the slot has handled, modulo 2^32. */
  readonly handled: () => number;
  readonly ended: () => boolean;
  /** No turn is under way. */
  readonly atRest: () => boolean;
}

/**
 * Tells the host the state of an instance after everything that may have changed it, once a flush: so the state that
 * the host has is never older than what it was told is handled. It is only read between turns, when every actor of the
 * instance is at rest.
 */
export class StateReport implements Mirrored {
  readonly #options: StateReportOptions;
  #changed = false;

  constructor(options: StateReportOptions) {
    this.#options = options;
  }

  /** The state may have changed. */
  touched(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.#options.reports.changed(this);
  }

  mirror(): void {
    if (!this.#changed) return;
    const { slot, reports, persist, handled, ended, atRest } = this.#options;
    if (!ended() && !atRest()) {
      // Somebody flushed from within a turn; the state between two steps of it is nobody's business.
      queueMicrotask(() => reports.changed(this));
      return;
    }
    this.#changed = false;
    if (ended()) return;
    try {
      this.#tell(persist(), handled());
    } catch (error) {
      reports.add(
        REPORT.stateless,
        slot,
        error instanceof Error ? error.message : 'it threw something that is not an Error',
      );
    }
  }

  /** The next envelope is over without having been handled: no later incarnation is to look at it again. */
  skip(): void {
    this.mirror();
    this.#tell(undefined, this.#options.handled() + 1);
  }

  #tell(...told: StateOf): void {
    this.#options.reports.add(REPORT.state, this.#options.slot, told);
  }
}
