import { REPORT, type StateOf } from '../wire/protocol.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Mirrored, Reports } from './reports.ts';

export interface StateReportOptions {
  readonly slot: number;
  readonly reports: Reports;
  /** Throws when a part cannot be persisted. */
  readonly persist: () => PersistedState;
  /** The number of envelopes that the slot has handled, modulo 2^32. */
  readonly handled: () => number;
  readonly ended: () => boolean;
  /** Whether no turn is under way. */
  readonly atRest: () => boolean;
}

/**
 * Tells the host the state of an instance after everything that may have changed it, once in each flush, so that the
 * host's state is never older than what counts as handled. The state is read only between turns, when every actor of
 * the instance is at rest.
 */
export class StateReport implements Mirrored {
  readonly #options: StateReportOptions;
  #changed = false;

  constructor(options: StateReportOptions) {
    this.#options = options;
  }

  /** Notes that the state may have changed. */
  touched(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.#options.reports.changed(this);
  }

  mirror(): void {
    if (!this.#changed) return;
    const { slot, reports, persist, handled, ended, atRest } = this.#options;
    if (!ended() && !atRest()) {
      // The flush came from within a turn, and a state in the middle of one is not for the host.
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

  /** Skips an envelope that is over without having been handled: no later incarnation is to see it again. */
  skip(): void {
    this.mirror();
    this.#tell(undefined, this.#options.handled() + 1);
  }

  #tell(...told: StateOf): void {
    this.#options.reports.add(REPORT.state, this.#options.slot, told);
  }
}
