import { HoldfastError } from '../errors.ts';
import { isClonable } from '../wire/errors.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import type { Clock } from '../xstate/xstate5.ts';
import type { HostedInstance } from './hosted-instance.ts';

/** Milliseconds between two looks at whether an instance may go. */
const LOOK_MS = 20;

export interface DeparturesOptions {
  readonly clock: Clock;
  /** What it sent to others is not handled yet. */
  readonly isBusy: (instance: HostedInstance) => boolean;
  /** It handles no envelope any more. */
  readonly pause: (instance: HostedInstance) => void;
  /** It does again. */
  readonly goOn: (instance: HostedInstance) => void;
  /** It goes. */
  readonly leave: (instance: HostedInstance) => void;
}

interface Departure {
  readonly settle: (state: PersistedState | undefined) => void;
  readonly fail: (error: unknown) => void;
  timer: unknown;
}

/**
 * Lets instances go to another thread, each at the first moment at which nothing of it is lost or done twice: no child
 * is at work that would begin anew, no ask is put off, and all that it sent has been handled. Until then it handles no
 * envelope, so that nothing new begins, unless it may need one to answer what it has put off.
 */
export class Departures {
  readonly #options: DeparturesOptions;
  readonly #waiting = new Map<HostedInstance, Departure>();

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the instance has left, with what it continues from; with nothing when it ended before or stays. Rejects
   * when its state cannot be persisted, and then it stays.
   */
  depart(instance: HostedInstance): Promise<PersistedState | undefined> {
    return new Promise((settle, fail) => {
      this.#waiting.set(instance, { settle, fail, timer: undefined });
      this.#look(instance);
    });
  }

  /** It does not have to go any more. */
  stay(instance: HostedInstance): void {
    if (this.#over(instance) !== undefined) this.#options.goOn(instance);
  }

  /** It has ended. */
  left(instance: HostedInstance): void {
    this.#over(instance)?.settle(undefined);
  }

  #look(instance: HostedInstance): void {
    const departure = this.#waiting.get(instance);
    if (departure === undefined) return;
    const { clock, isBusy, pause, leave, goOn } = this.#options;
    const owesAnswers = instance.deferred.size > 0;
    if (owesAnswers) goOn(instance);
    else pause(instance);
    if (owesAnswers || instance.movable() !== true || isBusy(instance)) {
      departure.timer = clock.setTimeout(() => this.#look(instance), LOOK_MS);
      return;
    }
    this.#waiting.delete(instance);
    try {
      const state = instance.persist();
      // Once it has left it is too late.
      if (!isClonable(state)) throw unclonableState(instance.address);
      leave(instance);
      departure.settle(state);
    } catch (error) {
      goOn(instance);
      departure.fail(error);
    }
  }

  #over(instance: HostedInstance): Departure | undefined {
    const departure = this.#waiting.get(instance);
    if (departure === undefined) return undefined;
    this.#waiting.delete(instance);
    this.#options.clock.clearTimeout(departure.timer);
    // Whoever waits for it hears that it did not go.
    departure.settle(undefined);
    return departure;
  }
}

function unclonableState(address: string): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    `${address} cannot move: its context holds what cannot be cloned; keep functions, actors of elsewhere and sockets out of it`,
  );
}
