import type { StandingInstance } from '../config/standing-instances.ts';
import { HoldfastError } from '../base/errors.ts';
import { inTurn } from '../base/in-turn.ts';

/** A standing instance that could not be started. */
export interface FailedStart {
  readonly address: string;
  readonly error: unknown;
}

/** Starts all standing instances that do not run, and calls `failed` for each that could not be started; never rejects. */
export type StartStanding = (failed: (failure: FailedStart) => void) => Promise<void>;

/** Returns what starts the instances; `start` resolves when one runs, at once for one that runs already. */
export function startAll(
  standing: readonly StandingInstance[],
  start: (instance: StandingInstance) => Promise<unknown>,
): StartStanding {
  return (failed) =>
    inTurn(standing, async (instance) => {
      try {
        await start(instance);
      } catch (error) {
        failed({ address: instance.address, error });
      }
    });
}

/** The error for a runtime that must begin with all of its standing instances. */
export function notStarted(
  failures: readonly FailedStart[],
  scrubText: (text: string) => string,
): HoldfastError {
  const lines = failures.map(({ address, error }) => `\n  ${address}: ${reasonOf(error)}`);
  const message = `of the instances that the config lists could not be started; fix them, or take them out of "instances":${lines.join('')}`;
  const cause = new AggregateError(failures.map(({ error }) => error));
  return new HoldfastError('AGENT_START_FAILED', scrubText(`${failures.length} ${message}`), { cause });
}

function reasonOf(error: unknown): string {
  if (error instanceof HoldfastError) return `${error.code}: ${error.message}`;
  return error instanceof Error
    ? `${error.name}: ${error.message}`
    : 'it threw something that is not an Error';
}
