import { encodeState } from '../wire/encoded-state.ts';
import { REPORT, type TurnOf } from '../wire/protocol.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Mirrored, Reports } from './reports.ts';

export interface TurnReportOptions {
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
 * Tells the host the encoded state of a durable instance after everything that may have changed it, once in each flush.
 * The host commits it before it lets out what comes after it.
 */
export class TurnReport implements Mirrored {
  readonly #options: TurnReportOptions;
  #changed = false;

  constructor(options: TurnReportOptions) {
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
      const state = persist();
      const due = state.timers.map(({ dueAt }) => dueAt);
      const told: TurnOf = [
        handled(),
        encodeState(state),
        state.version,
        due.length === 0 ? null : Math.min(...due),
        false,
      ];
      reports.add(REPORT.turn, slot, told);
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
    const { slot, reports, handled } = this.#options;
    const told: TurnOf = [handled() + 1, undefined, undefined, null, false];
    reports.add(REPORT.turn, slot, told);
  }
}
