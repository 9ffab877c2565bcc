import { encodeState } from '../wire/encoded-state.ts';
import { REPORT, type TurnOf } from '../wire/protocol.ts';
import { dueAtOf } from '../xstate/persisted-timer.ts';
import type { HostedActor } from '../xstate/xstate5.ts';
import type { Outlet } from './outlet.ts';
import type { Mirrored, Reports } from './reports.ts';

export interface TurnReportOptions {
  readonly slot: number;
  readonly reports: Reports;
  readonly actor: () => Pick<HostedActor, 'persist' | 'told' | 'isAsTold' | 'hasWork'>;
  /** The number of envelopes that the slot has handled, modulo 2^32. */
  readonly handled: () => number;
  readonly ended: () => boolean;
  /** Whether no turn is under way. */
  readonly atRest: () => boolean;
  /** What the instance has let out since its state was last told. */
  readonly outlet: Pick<Outlet, 'take' | 'letOut' | 'drop' | 'isEmpty'> | undefined;
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
    const { slot, reports, handled, ended, atRest, outlet } = this.#options;
    if (!ended() && !atRest()) {
      // The flush came from within a turn, and a state in the middle of one is not for the host.
      queueMicrotask(() => reports.changed(this));
      return;
    }
    this.#changed = false;
    if (ended()) return;
    try {
      const actor = this.#options.actor();
      // Nothing is written for a turn that left everything as it was.
      if (actor.isAsTold) return this.#unchanged(handled());
      const state = actor.persist();
      const told: TurnOf = [
        handled(),
        encodeState(state),
        state.version,
        dueAtOf(state) ?? null,
        actor.hasWork,
        outlet?.take(),
      ];
      actor.told();
      reports.add(REPORT.turn, slot, told);
      this.#letOut();
    } catch (error) {
      outlet?.drop();
      reports.add(
        REPORT.stateless,
        slot,
        error instanceof Error ? error.message : 'it threw something that is not an Error',
      );
    }
  }

  /** Whether the state may have changed since it was told. */
  get changed(): boolean {
    return this.#changed;
  }

  /** Skips an envelope that is over without having been handled: no later incarnation is to see it again. */
  skip(): void {
    this.mirror();
    this.#unchanged(this.#options.handled() + 1);
  }

  /** Tells what the instance has let out in its end. */
  last(): void {
    const { outlet, handled } = this.#options;
    if (outlet?.isEmpty === false) this.#unchanged(handled());
  }

  #unchanged(handled: number): void {
    const { reports, slot, outlet } = this.#options;
    const told: TurnOf = [handled, undefined, undefined, null, false, outlet?.take()];
    reports.add(REPORT.turn, slot, told);
    this.#letOut();
  }

  #letOut(): void {
    const { reports, slot, outlet } = this.#options;
    outlet?.letOut((kind, payload) => reports.add(kind, slot, payload));
  }
}
