import type { OsThread } from '../threads/os-thread.ts';

/** The way in which a test ends a thread. */
export type KillCause = 'exit' | 'error' | 'oom';

/** A thread, and what only a test does to it. */
export interface TestThread extends OsThread {
  /** `holdfast:<threadId>:<n>` */
  readonly name: string;
  /** The pool. */
  readonly pool: string;
  /** Whether it still takes part. */
  readonly state: 'alive' | 'hung' | 'ended';
  /** When its next timer is due. */
  nextTimer(): Promise<number | undefined>;
  /** Tells it that time has moved to `now`. */
  moved(now: number): Promise<void>;
  /** Runs its next timer if it is due. */
  runTimer(): Promise<void>;
  /** Ends it; `done` is called when its host has seen that. */
  kill(cause: KillCause, done: () => void): void;
  /**
   * Ends it with the process: nothing comes any more of what is on the way to it or from it. Resolves when it has ended,
   * of which its host hears.
   */
  cut(): Promise<void>;
  /** Has it do nothing any more until it is ended; `done` is called when that is so. */
  hang(done: () => void): void;
  /** Loses the next batch to it; `done` is called when that has happened. */
  dropBatch(done: () => void): void;
}

/** The error that a thread killed for `cause` ends with. */
export function killError(name: string, cause: Exclude<KillCause, 'exit'>): Error {
  const error = new Error(`${name} was killed by the test`);
  return cause === 'oom' ? Object.assign(error, { code: 'ERR_WORKER_OUT_OF_MEMORY' }) : error;
}
