import type { WireError } from './errors.ts';
import type { WireSnapshot } from './snapshot.ts';

/** What a thread is born with. */
export interface ThreadData {
  readonly port: unknown;
  readonly progress: SharedArrayBuffer;
  /** The pool. */
  readonly threadId: string;
  /** `process.hrtime` in milliseconds when the host's clock was at zero: deadlines are of that clock. */
  readonly clockOrigin: number;
}

/** What the host asks of a thread to run an instance. */
export interface ActivateRequest {
  readonly slot: number;
  readonly address: string;
  readonly id: string;
  readonly incarnation: number;
  readonly moduleUrl: string;
  readonly exportName: string;
  readonly input?: unknown;
  readonly snapshot?: unknown;
  readonly mirror: 'latest' | 'all';
  readonly watched: boolean;
  readonly maxIterations: number;
}

/**
 * What a thread tells the host, as flat triples `kind, slot, payload` in the order it happened. An instance's
 * end is told before the batch in which it ended is acknowledged.
 */
export const REPORT = {
  snapshot: 1,
  emitted: 2,
  parentEvent: 3,
  done: 4,
  error: 5,
  warning: 6,
  /** An ask whose time was up before its turn came; the payload is its event. */
  expired: 7,
} as const;

export interface DoneReport {
  readonly output: unknown;
  readonly snapshot: WireSnapshot;
}

export interface ErrorReport {
  readonly error: WireError;
}

/** Names of the methods a thread offers to its host. */
export type ThreadMethod =
  | 'hello'
  | 'deliver'
  | 'activate'
  | 'deactivate'
  | 'watch'
  | 'snapshot'
  | 'persist'
  | 'can';

/** Names of the methods the host offers to a thread, and nothing else of it can be reached. */
export type HostMethod = 'report' | 'acknowledge' | 'capability';
