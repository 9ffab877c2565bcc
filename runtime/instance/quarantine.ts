import type { DeadLetter } from '../dead-letters/dead-letters.ts';
import { HoldfastError } from '../base/errors.ts';
import type { StopReason } from '../base/endings.ts';

export interface PastFailure {
  readonly address: string;
  readonly cause: StopReason;
  readonly at: number;
}

/** The part of an error that may be shown. JSON-safe; `message` is cut after 500 characters. */
export interface ShownError {
  readonly name: string;
  readonly code?: string;
  readonly message: string;
}

/** The last failure of an instance that goes on, as long as it counts towards a quarantine. */
export interface RecentFailure {
  readonly cause: StopReason;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Absent when it ended without one. */
  readonly error?: ShownError;
}

/** Why an instance is quarantined. JSON-safe; never an event, a context or a secret. */
export interface QuarantineEvidence {
  /** The error of the last failure. */
  readonly error: ShownError;
  /**
   * The failures that led to the quarantine, oldest first, of the whole group if there is one; at most the last 20.
   * `at` is in milliseconds since the epoch.
   */
  readonly failures: readonly PastFailure[];
  /** The restarts within the window, after which the instance failed again. */
  readonly restarts: number;
  /** The window in milliseconds, `supervision.intensity.withinMs`. */
  readonly withinMs: number;
  /** The id of the dead letter with the event that was in hand at the last failure, if there was one. */
  readonly deadLetter?: string;
  /**
   * Set when the state of the instance can be neither committed nor restored, or ends the process, so that no restart was
   * tried; `error` says why.
   */
  readonly unfit?: true;
  /** The address of the instance of its group that failed too often; only when this instance did not fail itself. */
  readonly because?: string;
}

/** The error `AGENT_QUARANTINED`, with the evidence. `cause` is the last failure. */
export class QuarantineError extends HoldfastError {
  readonly evidence: QuarantineEvidence;

  constructor(address: string, evidence: QuarantineEvidence, cause: unknown) {
    const what = whatOf(address, evidence);
    super(
      'AGENT_QUARANTINED',
      `${what}; see the cause and the evidence, then resume() it (a gateway: POST …/resume, holdfast agents resume) or stop() it`,
      cause === undefined ? {} : { cause },
    );
    this.evidence = evidence;
  }
}

function whatOf(address: string, { restarts, withinMs, because, unfit, error }: QuarantineEvidence): string {
  if (because !== undefined)
    return `${address} is quarantined with ${because} of its group, which failed too often`;
  if (unfit === true) return `${address} is quarantined, and its record stays as it was: ${error.message}`;
  return `${address} failed again after ${restarts} restarts within ${withinMs} ms and is quarantined`;
}

/** The most failures that are kept of one instance or group. */
const KEPT = 20;
/** The most characters that are kept of an error's message. */
const MESSAGE_LENGTH = 500;

const NO_FAILURES: readonly PastFailure[] = [];

/** The failures of one instance, or of a group, as the evidence for a quarantine. */
export class FailureLog {
  readonly #most: number;
  #failures = NO_FAILURES;

  /** `restarts`: the number allowed within the window; earlier failures are no evidence. */
  constructor(restarts: number) {
    this.#most = Math.min(KEPT, restarts + 1);
  }

  add(address: string, cause: StopReason, at: number): void {
    this.#failures = [...this.#failures, { address, cause, at }].slice(-this.#most);
  }

  /** Whether there was a failure since then. */
  since(at: number): boolean {
    return this.#failures.some((failure) => failure.at > at);
  }

  /** The last failure of one of them, if it was after `at`. */
  last(address: string, at: number): PastFailure | undefined {
    const last = this.#failures.findLast((failure) => failure.address === address);
    return last !== undefined && last.at > at ? last : undefined;
  }

  clear(): void {
    this.#failures = NO_FAILURES;
  }

  evidence(
    error: unknown,
    { intensity }: { readonly intensity: { readonly restarts: number; readonly withinMs: number } },
    suspect: DeadLetter | undefined,
    { because, unfit }: { readonly because?: string | undefined; readonly unfit: boolean },
  ): QuarantineEvidence {
    return {
      error: shownError(error),
      failures: this.#failures,
      ...intensity,
      ...(suspect && { deadLetter: suspect.id }),
      ...(unfit && { unfit }),
      ...(because !== undefined && { because }),
    };
  }
}

/** The part of an error that may be shown; any thrown value is accepted. */
export function shownError(error: unknown): ShownError {
  if (!(error instanceof Error)) {
    const message =
      error === undefined ? 'it ended without an error' : 'it threw something that is not an Error';
    return { name: typeof error, message };
  }
  const { name, message } = error;
  const { code } = error as { code?: unknown };
  return {
    name,
    ...(typeof code === 'string' && { code }),
    message: message.length > MESSAGE_LENGTH ? `${message.slice(0, MESSAGE_LENGTH)}…` : message,
  };
}
