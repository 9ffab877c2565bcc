import type { StandingInstance } from '../config/standing-instances.ts';
import { HoldfastError } from '../base/errors.ts';
import { inTurn } from '../base/in-turn.ts';

/** One that could not be started. */
export interface FailedStart {
  readonly address: string;
  readonly error: unknown;
}

/** Starts all standing instances that are not there, and tells of each that failed; never rejects. */
export type StartStanding = (failed: (failure: FailedStart) => void) => Promise<void>;

/** `start` resolves when one runs, and finds one that runs already. */
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

/** What a runtime that has to begin with all of them rejects with. */
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
