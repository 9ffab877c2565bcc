import type { Clock } from '../base/clock.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { Logger } from '../base/logger.ts';

/** The number of letters that are logged before the log pauses: Pekko's number. */
const LOGGED = 10;
/** Milliseconds without a logged letter after which the log resumes: Pekko's 5 min. */
const PAUSE_MS = 5 * 60 * 1000;

export interface DeadLetterLogOptions {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'now'>;
  /** Whether the config asks for such a letter, which is then not worth a line. */
  readonly expected: (letter: DeadLetter) => boolean;
}

/**
 * Warns of dead letters with address, reason and type of the event, never with its content. After ten letters the log
 * pauses, so that a flood of letters makes no flood of lines; before the first one after 5 min it logs how many it left out.
 */
export class DeadLetterLog {
  readonly #options: DeadLetterLogOptions;
  #logged = 0;
  #loggedAt = -Infinity;
  #leftOut = 0;

  constructor(options: DeadLetterLogOptions) {
    this.#options = options;
  }

  /** Logs a letter, unless the log pauses. `type` is that of the event, if it is fit to be shown. */
  add(letter: DeadLetter, type: string | undefined): void {
    const { clock, expected } = this.#options;
    if (expected(letter)) return;
    const now = clock.now();
    if (now - this.#loggedAt >= PAUSE_MS) {
      this.end();
      this.#logged = 0;
    }
    if (this.#logged >= LOGGED) {
      this.#leftOut += 1;
      return;
    }
    this.#logged += 1;
    this.#loggedAt = now;
    const { address, reason, why, id, replays } = letter;
    const more = this.#logged === LOGGED ? '; further ones are not logged for 5 minutes' : '';
    const fields = {
      address,
      reason,
      ...(why !== undefined && { why }),
      type,
      id,
      ...(replays > 0 && { replays }),
    };
    this.#warn(fields, `an event became a dead letter${more}`);
  }

  /** Logs how many letters were left out, if any were. */
  end(): void {
    const notLogged = this.#leftOut;
    this.#leftOut = 0;
    if (notLogged > 0) this.#warn({ notLogged }, 'more events became dead letters than were logged');
  }

  /** A logger that throws must not make `send` throw. */
  #warn(fields: object, message: string): void {
    try {
      this.#options.logger.warn(fields, message);
    } catch {
      // No other log is left to tell.
    }
  }
}
