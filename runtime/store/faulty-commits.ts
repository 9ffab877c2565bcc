import type { CommitFault } from './sqlite/store-call.ts';

/** A store whose next commit can be made to fail, and that can be ended as its process would be. For tests. */
export interface FaultyCommits {
  failNextCommit(fault: CommitFault): void;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}
