import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { TraceHeaders } from '../mailbox/trace.ts';
import type { StopReason } from '../base/endings.ts';
import type { PersistedState, PersistedTimer, TimersPolicy } from '../xstate/persisted-timer.ts';
import type { WireError } from './errors.ts';
import type { ErrorsWithin } from './errors-within.ts';
import type { WireSnapshot } from './snapshot.ts';

/** What a thread is born with. */
export interface ThreadData {
  readonly port: unknown;
  readonly progress: SharedArrayBuffer;
  /** The pool. */
  readonly threadId: string;
  /** Whether its agents may share memory with others. Default: they may not. */
  readonly sharedMemory?: boolean;
  /** How far it is to close itself off before it loads an agent. Default: `thread`, not at all. */
  readonly isolation?: 'thread' | 'thread+permissions';
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
  /** What was persisted with the snapshot. */
  readonly timers?: readonly PersistedTimer[];
  readonly version?: string;
  /** Default `deadline`. */
  readonly timersPolicy?: TimersPolicy;
  /** Whether the host wants to be told its state. */
  readonly tellsState?: boolean;
  /** Whether somebody inspects it. */
  readonly inspected?: boolean;
  readonly mirror: 'latest' | 'all';
  readonly watched: boolean;
  readonly maxIterations: number;
  /** Asks that another process had it put off, which it answers here. */
  readonly asks?: readonly CarriedAsk[];
}

/** What an instance that has left its thread goes on from, with the asks that it has put off. */
export interface Departed extends PersistedState {
  readonly asks?: readonly CarriedAsk[];
}

/** An ask that an instance has put off, and answers in another thread or process. */
export interface CarriedAsk {
  /** As the token of the ask names them. */
  readonly incarnation: number;
  readonly ask: number;
  /** Finds the one who waits here. */
  readonly tag: Tag;
  /** Milliseconds of the host's clock. */
  readonly deadline: number;
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
  /** What one agent sent another came to nothing: {@link LetterReport}. */
  letter: 8,
  /** `[kind, event, errors]`: an emitted event, or one for the parent, that errors stand in. */
  withErrors: 9,
  /** The same; of its event only the type comes back. */
  expiredInPart: 10,
  /** What the next incarnation can go on from: {@link StateOf}. */
  state: 11,
  /** There is no such state; the payload says why. */
  stateless: 12,
  /** A line for the log: {@link LogReport}. */
  log: 13,
  /** A traced envelope was handled: {@link TraceReport}. */
  traced: 14,
  /**
   * The state that comes with the next event, of which observers are not told yet; then `snapshot` brings none. Or the one
   * in which a start has failed.
   */
  ahead: 15,
  /** What the thread is about to end with, as the thrower's own thread can still tell it: an error as it crosses. */
  uncaught: 16,
} as const;

/** An event that was emitted, or is for the parent. */
export function tellsEvent(kind: number): boolean {
  return kind === REPORT.emitted || kind === REPORT.parentEvent || kind === REPORT.withErrors;
}

/** How an envelope came to its end; times are milliseconds of the host's clock. */
export interface TraceReport {
  readonly address: string;
  /** Address of the agent that sent it, empty when that is not known; undefined for the host. */
  readonly from: string | undefined;
  readonly headers: TraceHeaders | null;
  readonly sentAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** What its instance failed with in the turn. */
  readonly error?: WireError | undefined;
}

/** What an agent logs; `errors` stand in the fields. */
export type LogReport = readonly [
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: object,
  errors?: ErrorsWithin,
];

export interface DoneReport {
  readonly output: unknown;
  readonly snapshot: WireSnapshot;
}

/**
 * The state of an instance, or `undefined` when it is still the one that was told before, and how many envelopes its slot
 * had handled by then, modulo 2^32.
 */
export type StateOf = readonly [state: PersistedState | undefined, handled: number];

export interface LetterReport {
  readonly address: string;
  readonly reason: DeadLetterReason;
  readonly event: unknown;
  /** Of its event only the type comes. */
  readonly inPart?: boolean;
  /** With `unclonable`: what of the event cannot cross; else why who was sent to could not be started. */
  readonly why?: string | undefined;
  /** With `poison`. */
  readonly evidence?: WireEvidence | undefined;
}

/** What an envelope is suspected of, as it crosses. */
export interface WireEvidence {
  readonly cause: StopReason;
  readonly thread: string;
  readonly error: WireError;
}

/** The way from an instance to another, as the host has opened it. */
export interface PeerLine {
  /** Names the link, among all that there ever are. */
  readonly link: number;
  /** The thread at its other end; 0 for this one. */
  readonly peer: number;
  /** Envelopes that may be queued or unacknowledged. */
  readonly capacity: number;
  readonly maxBytes: number;
  /** Whether its pool may be sent memory that threads share. */
  readonly sharedMemory: boolean;
}

/** Why there is none. */
export interface NoPeerLine {
  readonly refused: 'unknown-address' | 'stopped';
  /** Why who was sent to could not be started, where that was asked for. */
  readonly error?: WireError;
}

/** What the host tells the thread of the one who is sent to. */
export interface Admission {
  readonly link: number;
  readonly peer: number;
  /** Where what is handled is counted. */
  readonly counted: number;
  /** The slot of the instance. */
  readonly slot: number;
  readonly from: string | undefined;
}

/** A link has ended with the incarnation at its other end. */
export interface Severance {
  readonly link: number;
  /** Envelopes that were handled there. */
  readonly handled: number;
  /** The first of the others was in hand when that happened. */
  readonly suspect: WireEvidence | undefined;
  /** Why the thread died, when it did; or why what it answered did not come. */
  readonly error: WireError | undefined;
  /** Some of what was sent there could not be read: what was not handled is not sent again. */
  readonly unread?: boolean;
}

export interface ErrorReport {
  readonly error: WireError;
  readonly snapshot: WireSnapshot;
  /** It failed while it handled an envelope that the host had sent it. */
  readonly inTurn?: boolean;
}

/**
 * What of a link holds values of several instances, for {@link LinkOptions.lists}: the items of a report, and the answers in
 * an ack. Events were measured when their mailbox took them.
 */
export const LISTS = {
  deliver: { call: 'measured', answer: 2 },
  acknowledge: { call: 2 },
  report: { call: 1 },
} as const;

/** Names of the methods a thread offers to its host. */
export type ThreadMethod =
  | 'hello'
  | 'deliver'
  | 'load'
  | 'activate'
  | 'deactivate'
  | 'depart'
  | 'stay'
  | 'hurry'
  | 'quiet'
  | 'watch'
  | 'snapshot'
  | 'persist'
  | 'can'
  | 'putOff'
  | 'join'
  | 'admit'
  | 'dismiss'
  | 'severed';

/** Names of the methods the host offers to a thread, and nothing else of it can be reached. */
export type HostMethod =
  | 'report'
  | 'acknowledge'
  | 'secret'
  | 'giveUp'
  | 'connect'
  | 'disconnect'
  | 'ended'
  | 'unread'
  | 'inspected';

/** What an instance may ask its host to do with a secret. */
export type SecretUseName = 'capability' | 'fetch' | 'value' | 'handle';
