import type { DeadLetter } from '../dead-letters/dead-letters.ts';
import { HoldfastError } from '../base/errors.ts';
import type { StopReason } from '../base/endings.ts';

export interface PastFailure {
  readonly address: string;
  readonly cause: StopReason;
  readonly at: number;
}

/** Why an instance is quarantined. JSON-safe; never an event, a context or a secret. */
export interface QuarantineEvidence {
  /** What it failed with last; `message` is cut after 500 characters. */
  readonly error: { readonly name: string; readonly code?: string; readonly message: string };
  /**
   * The failures that were too many, oldest first, of all its group if it has one; the last 20 of them at most. `at` is in
   * milliseconds since the epoch.
   */
  readonly failures: readonly PastFailure[];
  /** Restarts within the window, after which it failed again. */
  readonly restarts: number;
  /** Milliseconds: the window, `supervision.intensity.withinMs`. */
  readonly withinMs: number;
  /** Id of the dead letter with the event that it or its thread had in hand when it failed last, if there was one. */
  readonly deadLetter?: string;
  /** It did not fail itself: it cannot live without this one of its group, which failed too often. */
  readonly because?: string;
}

/** `AGENT_QUARANTINED`, with the evidence. `cause` is the last failure. */
export class QuarantineError extends HoldfastError {
  readonly evidence: QuarantineEvidence;

  constructor(address: string, evidence: QuarantineEvidence, cause: unknown) {
    const { restarts, withinMs, because } = evidence;
    const what =
      because === undefined
        ? `${address} failed again after ${restarts} restarts within ${withinMs} ms and is quarantined`
        : `${address} is quarantined with ${because} of its group, which failed too often`;
    super(
      'AGENT_QUARANTINED',
      `${what}; see the cause and the evidence, then resume() it (a gateway: POST …/resume, holdfast agents resume) or stop() it`,
      cause === undefined ? {} : { cause },
    );
    this.evidence = evidence;
  }
}

/** Failures that are remembered of one instance. */
const KEPT = 20;
/** Characters of an error's message that are kept. */
const MESSAGE_LENGTH = 500;

/** What is remembered of the failures of one instance, or of a group, in case that it is quarantined. */
export class FailureLog {
  readonly #most: number;
  #failures: PastFailure[] = [];

  /** `restarts`: as many as are allowed within the window; those before are not to blame. */
  constructor(restarts: number) {
    this.#most = Math.min(KEPT, restarts + 1);
  }

  add(address: string, cause: StopReason, at: number): void {
    this.#failures = [...this.#failures, { address, cause, at }].slice(-this.#most);
  }

  clear(): void {
    this.#failures = [];
  }

  evidence(
    error: unknown,
    { intensity }: { readonly intensity: { readonly restarts: number; readonly withinMs: number } },
    suspect: DeadLetter | undefined,
    because?: string,
  ): QuarantineEvidence {
    return {
      error: shown(error),
      failures: this.#failures,
      ...intensity,
      ...(suspect && { deadLetter: suspect.id }),
      ...(because !== undefined && { because }),
    };
  }
}

/** What may be shown of an error; whatever was thrown comes here. */
function shown(error: unknown): QuarantineEvidence['error'] {
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

/** The letter with the event that was in hand when an incarnation failed: it may have made it fail. */
export function suspectOf(
  letters: readonly DeadLetter[],
  address: string,
  incarnation: number,
): DeadLetter | undefined {
  return letters.findLast(
    (letter) =>
      letter.address === address &&
      letter.incarnation === incarnation &&
      letter.lost === undefined &&
      (letter.reason === 'poison' || letter.reason === 'crashed'),
  );
}
