import type { Ticket } from '../base/ticket.ts';

interface Held {
  readonly run: () => void;
  /** The estimate of what it holds. */
  readonly bytes: number;
  readonly ticket: Ticket | undefined;
  /** Whether code that awaits goes on with it, and is to come before what follows. */
  readonly awaited: boolean;
}

/**
 * Holds what a thread lets out until the states that it rests on are committed: reports, acknowledgements, answers and
 * the end of the thread, in their order. While nothing waits for a commit, all of it passes at once.
 */
export class HeldOutputs {
  #queue: Held[] = [];
  #at = 0;
  /** What the next output waits for. */
  #ticket: Ticket | undefined;
  #listening: Ticket | undefined;
  #paused = false;
  #bytes = 0;

  /** Whether an output passes at once. */
  get idle(): boolean {
    return this.#at === this.#queue.length && !this.#paused && (this.#ticket?.settled ?? true);
  }

  /** Whatever comes from now on waits for the ticket as well as for those before it, in whatever order they settle. */
  hold(ticket: Ticket): void {
    const before = this.#ticket;
    if (before === ticket) return;
    if (before?.settled === false && this.#queue.at(-1)?.ticket !== before) this.let(nothing);
    this.#ticket = ticket;
  }

  /** The estimate of all that is held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Runs when everything that was held for before is committed; at once when that is so. */
  let(run: () => void, awaited = false, bytes = 0): void {
    if (this.idle) return run();
    this.#bytes += bytes;
    this.#queue.push({ run, ticket: this.#ticket, awaited, bytes });
    this.#listen();
  }

  /** Resolves when everything that was held for before is committed. */
  pass(): Promise<void> {
    return new Promise((resolve) => this.let(resolve, true));
  }

  #listen(): void {
    const ticket = this.#queue[this.#at]?.ticket;
    if (ticket === undefined || ticket === this.#listening || this.#paused) return;
    this.#listening = ticket;
    ticket.whenSettled(this.#drain);
  }

  readonly #drain = (): void => {
    this.#listening = undefined;
    if (this.#paused) return;
    while (this.#at < this.#queue.length) {
      const { run, ticket, awaited, bytes } = this.#queue[this.#at] as Held;
      if (ticket?.settled === false) return this.#listen();
      this.#at += 1;
      this.#bytes -= bytes;
      run();
      if (!awaited) continue;
      this.#paused = true;
      setImmediate(() => {
        this.#paused = false;
        this.#drain();
      });
      return;
    }
    this.#queue = [];
    this.#at = 0;
  };
}

function nothing(): void {}
