import type { Ending } from '../base/ending.ts';
import { HoldfastError } from '../base/errors.ts';
import { NobodyReads } from '../base/nobody-reads.ts';
import type { Audit, AuditRecord } from './audit.ts';
import type { SecretsClock } from './values/secrets-clock.ts';
import type { Deadlines, Due } from './deadlines.ts';
import type { AskedUse } from './grants.ts';

/** The user of a secret: one incarnation of an instance, in its pool. */
export interface Caller {
  /** `agent/id` */
  readonly address: string;
  readonly incarnation: number;
  /** The `threadId` of the pool. */
  readonly pool: string;
}

/** A use of a secret, from the request until it is over. */
export interface SecretUse {
  /** Ends the use; its reason is the caller's error. */
  readonly ending: Ending;
  /** The version that is used, for the audit trail. */
  versionId: string | undefined;
  /** The capability or request by which it is used, for the audit trail. */
  through: string | undefined;
  /** The status of a service's answer, for the audit trail. */
  status: number | undefined;
  /** The bytes of that answer which the agent was given, for the audit trail. */
  bytes: number | undefined;
  /** The use goes on for as long as it takes: its time has no end from now on. */
  goesOn(): void;
  /** The answer has begun: the audit trail has it now, and its body when that is over. */
  begun(): void;
}

export interface UseOptions {
  readonly caller: Caller;
  readonly asked: AskedUse;
  readonly clock: SecretsClock;
  readonly deadlines: Deadlines;
  /** Undefined: the use is not recorded. */
  readonly audit: Pick<Audit, 'record'> | undefined;
  /** The most milliseconds that the use may take. */
  readonly deadlineMs: number;
  /** Ends the use: the caller gives up, or the host ends it. */
  readonly ending: Ending;
  /** The uses that run, of which this is one while it does. */
  readonly among: Set<Ending> | undefined;
}

/**
 * Runs a use of a secret within its time, and records it, however it ends. One that is answered at once takes no timer
 * and no promise.
 */
export function useSecret<T>(options: UseOptions, run: (use: SecretUse) => T | Promise<T>): T | Promise<T> {
  const use = new RunningUse(options);
  let result: T | Promise<T>;
  try {
    result = run(use);
  } catch (error) {
    use.over(outcomeOf(error));
    throw error;
  }
  if (!(result instanceof Promise)) {
    use.over('ok');
    return result;
  }
  use.wait();
  return result.then(
    (value) => {
      use.over('ok');
      return value;
    },
    (error: unknown) => {
      use.over(outcomeOf(error));
      throw error;
    },
  );
}

class RunningUse implements SecretUse {
  readonly ending: Ending;
  versionId: string | undefined = undefined;
  through: string | undefined;
  status: number | undefined = undefined;
  bytes: number | undefined = undefined;
  readonly #options: UseOptions;
  readonly #startedAt: number;
  #part: AuditRecord['part'] = undefined;
  #due: Due | undefined = undefined;
  #isEndless = false;

  constructor(options: UseOptions) {
    this.#options = options;
    this.ending = options.ending;
    this.through = options.asked.capability;
    this.#startedAt = options.clock.now();
    options.among?.add(options.ending);
  }

  /** It is not over at once: from now on its time counts. */
  wait(): void {
    const { deadlines, deadlineMs, asked, ending } = this.#options;
    if (this.#isEndless) return;
    const late = (): void => ending.end(timedOut(asked, deadlineMs));
    this.#due = deadlines.add(deadlineMs, this.#startedAt, late);
  }

  goesOn(): void {
    this.#isEndless = true;
    this.#timeless();
  }

  begun(): void {
    this.#part = 'head';
    this.#record('ok');
    this.#part = 'body';
  }

  over(outcome: AuditRecord['outcome']): void {
    this.#timeless();
    this.#options.among?.delete(this.ending);
    this.#record(outcome);
  }

  #timeless(): void {
    const { deadlines, deadlineMs } = this.#options;
    if (this.#due !== undefined) deadlines.remove(deadlineMs, this.#due);
    this.#due = undefined;
  }

  #record(outcome: AuditRecord['outcome']): void {
    const { audit, caller, asked, clock } = this.#options;
    if (audit === undefined) return;
    const { versionId, through, status, bytes } = this;
    const part = this.#part;
    audit.record({
      at: new Date(this.#startedAt).toISOString(),
      ...caller,
      label: asked.label,
      mode: asked.mode,
      ...(through !== undefined && { through }),
      ...(versionId !== undefined && { versionId }),
      outcome,
      ms: Math.max(0, Math.round(clock.now() - this.#startedAt)),
      ...(part !== undefined && { part }),
      ...(status !== undefined && { status }),
      ...(bytes !== undefined && { bytes }),
    });
  }
}

function outcomeOf(error: unknown): AuditRecord['outcome'] {
  if (error instanceof NobodyReads) return 'cancelled';
  return error instanceof HoldfastError ? error.code : 'ERROR';
}

function timedOut({ mode, capability }: AskedUse, deadlineMs: number): HoldfastError {
  const seconds = deadlineMs / 1000;
  if (mode !== 'capability') {
    return new HoldfastError(
      'ASK_TIMEOUT',
      `The use of the secret did not end within ${seconds} s. Try again.`,
    );
  }
  return new HoldfastError(
    'ASK_TIMEOUT',
    `The capability "${capability}" did not end within ${seconds} s. Make it heed its signal, or split the work.`,
  );
}
