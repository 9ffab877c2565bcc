import type { Ending } from '../base/ending.ts';
import type { TraceHeaders } from '../mailbox/trace.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import { flatCopy, NOT_FLAT } from '../wire/flat.ts';
import { MOST_USES, USE_FIELDS, type CapabilityUses, type UsedCapabilities } from '../wire/protocol.ts';

export interface CapabilityCallsOptions {
  /** Tells the host. */
  readonly tell: (uses: CapabilityUses) => void;
  /** Tells the host that nobody waits for a use any more. */
  readonly giveUp: (n: number) => void;
  /** The next number of what the thread asks its host for. */
  readonly next: () => number;
  readonly trace: () => TraceHeaders | undefined;
  /** Runs a function when the tick is over. Default: `process.nextTick`. */
  readonly soon?: (run: () => void) => void;
}

/** A use of a capability, as its logic asks for it. */
export interface AskedCapability {
  readonly name: string;
  readonly label: unknown;
  readonly args: unknown;
}

interface User {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly ending: Ending;
  readonly end: () => void;
}

const soon = (run: () => void): void => process.nextTick(run);

/**
 * The uses of capabilities that the instances of a thread wait for. Those of one tick are asked for together, as many as
 * a message has, and none comes later than the ack of the turn that asked for it.
 */
export class CapabilityCalls {
  readonly #options: CapabilityCallsOptions;
  /** By the number of the use. */
  readonly #users = new Map<number, User>();
  #asked: unknown[] = [];

  constructor(options: CapabilityCallsOptions) {
    this.#options = options;
  }

  /** Asks for a use; undefined when its arguments may not wait for others, and it has to be asked for alone. */
  call(
    slot: number,
    incarnation: number,
    { name, label, args }: AskedCapability,
    ending: Ending,
  ): Promise<unknown> | undefined {
    const [ownLabel, ownArgs] = [flatCopy(label), flatCopy(args)];
    if (ownLabel === NOT_FLAT || ownArgs === NOT_FLAT) return undefined;
    const n = this.#options.next();
    if (this.#asked.length === 0) (this.#options.soon ?? soon)(this.flush);
    this.#asked.push(slot, incarnation, name, ownLabel, ownArgs, n, this.#options.trace());
    const answer = new Promise((resolve, reject) => {
      const end = (): void => this.#giveUp(n);
      ending.onEnd(end);
      this.#users.set(n, { resolve, reject, ending, end });
    });
    if (this.#asked.length === MOST_USES * USE_FIELDS) this.flush();
    return answer;
  }

  /** What the host tells of uses; one that nobody waits for any more is ignored. */
  take(answers: UsedCapabilities): void {
    for (let i = 0; i < answers.length; i += 3) {
      const n = answers[i] as number;
      const user = this.#users.get(n);
      if (user === undefined) continue;
      this.#users.delete(n);
      user.ending.offEnd(user.end);
      if (answers[i + 1] === 1) user.resolve(answers[i + 2]);
      else user.reject(decodeError(answers[i + 2] as WireError));
    }
  }

  /** Asks the host for what waits for the end of the tick. */
  readonly flush = (): void => {
    if (this.#asked.length === 0) return;
    const asked = this.#asked;
    this.#asked = [];
    this.#options.tell(asked);
  };

  #giveUp(n: number): void {
    const user = this.#users.get(n);
    this.#users.delete(n);
    // It is asked for all the same, so that the audit trail has it.
    this.flush();
    this.#options.giveUp(n);
    user?.reject(user.ending.reason);
  }
}
