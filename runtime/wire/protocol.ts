import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import type { EventIssue } from '../base/event-issue.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { TraceHeaders } from '../mailbox/trace.ts';
import type { StopReason } from '../base/endings.ts';
import type { InvokedPolicy } from '../xstate/interrupted-work.ts';
import type { PersistedState, PersistedTimer, StartOf, TimersPolicy } from '../xstate/persisted-timer.ts';
import type { WireError } from './errors.ts';
import type { ErrorsWithin } from './errors-within.ts';
import type { NewTexts } from '../base/marked-text.ts';
import type { WireSnapshot } from './snapshot.ts';

/** The data that a thread is started with. */
export interface ThreadData {
  readonly port: unknown;
  readonly progress: SharedArrayBuffer;
  /** The `threadId` of the pool. */
  readonly threadId: string;
  /** Whether its agents may share memory with others. Default: false. */
  readonly sharedMemory?: boolean;
  /** How far the thread closes itself off before it loads an agent. Default: `thread`, not at all. */
  readonly isolation?: 'thread' | 'thread+permissions';
  /** Whether the thread has `NODE_COMPILE_CACHE` of the host, and not of its config: no agent sees it. Default: false. */
  readonly hasHostsCompileCache?: boolean;
  /** The time of `process.hrtime`, in milliseconds, at the zero of the host's clock, to which deadlines refer. */
  readonly clockOrigin: number;
}

/** The host's request to a thread to run an instance. */
export interface ActivateRequest {
  readonly slot: number;
  readonly address: string;
  readonly id: string;
  readonly incarnation: number;
  readonly moduleUrl: string;
  readonly exportName: string;
  readonly input?: unknown;
  readonly snapshot?: unknown;
  /** The timers that were persisted with the snapshot. */
  readonly timers?: readonly PersistedTimer[];
  readonly version?: string;
  /** Default `deadline`. */
  readonly timersPolicy?: TimersPolicy;
  /** The state as a thread has encoded it, instead of `snapshot`, `timers` and `version`. */
  readonly state?: EncodedState;
  /** What becomes of work that was under way in the snapshot. Default `restart`. */
  readonly invoked?: InvokedPolicy;
  /** The work that was under way in the snapshot, by the names of its starts. */
  readonly starts?: readonly StartOf[];
  /** What steps of that work have returned. Default: none. */
  readonly steps?: readonly StepOf[];
  /** Whether the thread tells the host the state of the instance. */
  readonly tellsState?: boolean;
  /** Whether the instance is durable: the thread encodes its state, for a store. */
  readonly durable?: boolean;
  /** Whether nothing that it lets out waits for its state to be stored. */
  readonly behind?: boolean;
  /** Whether the state is the one that was told last, of this incarnation. */
  readonly recorded?: boolean;
  /** Whether the instance is inspected. */
  readonly inspected?: boolean;
  readonly mirror: 'latest' | 'all';
  readonly watched: boolean;
  readonly maxIterations: number;
  /** Asks put off in another process that this incarnation answers. */
  readonly asks?: readonly CarriedAsk[];
}

/** What has become of one of several starts: 0, or the error with which it failed. */
export type StartOutcome = 0 | WireError;

/** The state from which an instance that has left its thread goes on, with the asks that it has put off. */
export interface Departed extends PersistedState {
  readonly asks?: readonly CarriedAsk[];
}

/** An ask that an instance has put off, and answers in another thread or process. */
export interface CarriedAsk {
  /** The incarnation that the token of the ask names. */
  readonly incarnation: number;
  readonly ask: number;
  /** The type of its event, where the reply is checked. */
  readonly type?: string;
  /** The tag of the wait in this process. */
  readonly tag: Tag;
  /** Milliseconds of the host's clock. */
  readonly deadline: number;
  /** Whether its answer is kept with the state after it. Default: false. */
  readonly kept?: boolean;
}

/**
 * The kinds of report from a thread to the host, sent as flat triples `kind, slot, payload` in the order of events. An
 * instance's end is told before the batch in which it ended is acknowledged.
 */
export const REPORT = {
  snapshot: 1,
  emitted: 2,
  parentEvent: 3,
  done: 4,
  error: 5,
  warning: 6,
  /** An ask that expired before its turn; the payload is its event. */
  expired: 7,
  /** A message from one agent to another became a dead letter: {@link LetterReport}. */
  letter: 8,
  /** `[kind, event, errors]`: an emitted event, or one for the parent, that contains errors. */
  withErrors: 9,
  /** An ask that expired, with only the type of its event. */
  expiredInPart: 10,
  /** The state from which the next incarnation can go on: {@link StateOf}. */
  state: 11,
  /** There is no such state; the payload says why. */
  stateless: 12,
  /** A line for the log: {@link LogReport}. */
  log: 13,
  /** A traced envelope was handled: {@link TraceReport}. */
  traced: 14,
  /**
   * The state that comes with the next event and is not shown to observers yet; then `snapshot` brings none. Or the
   * state in which a start has failed.
   */
  ahead: 15,
  /** The error that the thread is about to end with, encoded by the thread, which knows it best. */
  uncaught: 16,
  /** An event that does not fit what the agent accepts: {@link InvalidReport}. */
  invalid: 17,
  /** Chunks of the stream before an answer: {@link ChunksReport}. */
  chunks: 18,
  /** `[tag, bytes, chunk, errors]`: one chunk, which contains errors. */
  chunkWithErrors: 19,
  /** The encoded state of a durable instance, which is committed before anything after it is told: {@link TurnOf}. */
  turn: 20,
} as const;

/** Whether the report holds an event that was emitted, or is for the parent. */
export function tellsEvent(kind: number): boolean {
  return kind === REPORT.emitted || kind === REPORT.parentEvent || kind === REPORT.withErrors;
}

/** The end of an envelope; times are milliseconds of the host's clock. */
export interface TraceReport {
  readonly address: string;
  /** The address of the agent that sent the envelope, empty when it is not known; undefined for the host. */
  readonly from: string | undefined;
  readonly headers: TraceHeaders | null;
  readonly sentAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The failure of the instance in that turn. */
  readonly error?: WireError | undefined;
}

/** Chunks for the one who reads the answer to an ask, in order, and their bytes as the thread has counted them. */
export type ChunksReport = [tag: Tag, bytes: number, ...chunks: unknown[]];

/** A log line of an agent; `errors` stand in the fields. */
export type LogReport = readonly [
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: object,
  errors?: ErrorsWithin,
];

/** How many envelopes the slot had handled before it, modulo 2^32, and what does not fit. */
export type InvalidReport = readonly [handled: number, issues: readonly EventIssue[]];

export interface DoneReport {
  readonly output: unknown;
  readonly snapshot: WireSnapshot;
}

/**
 * The state of an instance, or `undefined` when it is unchanged since it was last told, and how many envelopes its
 * slot had handled by then, modulo 2^32.
 */
export type StateOf = readonly [state: PersistedState | undefined, handled: number];

/** A state as its thread has encoded it: JSON text, or bytes of `node:v8`. */
export type EncodedState = string | Uint8Array;

/**
 * What the sender of an event waits for: an answer (its tag is above 0), or that the event was handled; until when, in
 * milliseconds of the host's clock; and how many asks led to it.
 */
export type WaitOf = readonly [tag: Tag, deadline: number, depth: number];

/**
 * An event that a durable instance has sent another agent, whether the recipient is started when it is not there, and
 * what its sender waits for, if it does.
 */
export type SendOf = readonly [
  to: string,
  event: EncodedState,
  headers: TraceHeaders | undefined,
  activate: boolean,
  wait?: WaitOf,
];

/** What a step returned: the name of the start that it belongs to, its key, and the value. */
export type StepOf = readonly [start: string, key: string, value: EncodedState];

/** The most characters of the name of a start. */
export const START_LENGTH = 64;

/**
 * What became of the events with a {@link WaitOf}, flat: the tag, whether it went well, the answer or the error, and the
 * errors that stand in the answer.
 */
export type Outcomes = readonly unknown[];

/**
 * How many envelopes the slot of a durable instance had handled, modulo 2^32; its state, or `undefined` when that is
 * as it was last told; the version of its machine, when its first timer is due (milliseconds since the epoch, null for
 * none), whether it wakes after a crash; what it has sent since it was last told, in order; the answers since then that
 * are kept; if there are any, the starts with kept steps that have ended; the long texts that its state has marks for and
 * that were not told before; and, where that has changed, `link, handled` pairs of what it has handled of the events of other
 * agents, as its own. Where only envelopes of the host were handled, a report is their number alone.
 */
export type TurnOf = readonly [
  handled: number,
  state: EncodedState | undefined,
  version: string | undefined,
  dueAt: number | null,
  wakes: boolean,
  sends: readonly SendOf[] | undefined,
  answers: readonly AnswerOf[] | undefined,
  endedStarts?: readonly string[] | undefined,
  texts?: NewTexts | undefined,
  links?: readonly number[],
];

/**
 * What became of an ask whose answer is kept: the answer, encoded, or null for one that cannot be kept; the error; or the
 * number that the token of one that was put off names.
 */
export type AnswerOf =
  | readonly [tag: Tag, outcome: 'done', value: EncodedState | null]
  | readonly [tag: Tag, outcome: 'failed', error: WireError]
  | readonly [tag: Tag, outcome: 'put-off', ask: number];

export interface LetterReport {
  readonly address: string;
  readonly reason: DeadLetterReason;
  readonly event: unknown;
  /** Only the type of the event is included. */
  readonly inPart?: boolean;
  /** With `unclonable`: what of the event cannot cross. Otherwise: why the recipient could not be started. */
  readonly why?: string | undefined;
  /** Only with `poison`. */
  readonly evidence?: WireEvidence | undefined;
}

/** The evidence against a suspect envelope, as it crosses. */
export interface WireEvidence {
  readonly cause: StopReason;
  readonly thread: string;
  readonly error: WireError;
}

/** A link from one instance to another, as the host has opened it. */
export interface PeerLine {
  /** The number of the link, never used again. */
  readonly link: number;
  /** The thread at its other end; 0 for this one. */
  readonly peer: number;
  /** The most envelopes that may be queued or unacknowledged. */
  readonly capacity: number;
  readonly maxBytes: number;
  /** Whether the recipient's pool accepts memory that threads share. */
  readonly sharedMemory: boolean;
}

/** The reason why there is no link. */
export interface NoPeerLine {
  readonly refused: 'unknown-address' | 'stopped';
  /** The reason why the recipient could not be started, where a start was asked for. */
  readonly error?: WireError;
}

/** The host's word to the recipient's thread about a new link. */
export interface Admission {
  readonly link: number;
  readonly peer: number;
  /** The index in the shared progress that counts handled envelopes. */
  readonly counted: number;
  /** The slot of the recipient. */
  readonly slot: number;
  readonly from: string | undefined;
}

/** A link has ended with the incarnation at its other end. */
export interface Severance {
  readonly link: number;
  /** The number of envelopes that were handled there. */
  readonly handled: number;
  /** How many after those were handled there and are handled again, because no kept state has them. Default: none. */
  readonly again?: number;
  /** The error with which the instance failed in the turn of the last of those; that one is not handled again. */
  readonly threw?: WireError | undefined;
  /** Present when the first of the others was in hand at that moment. */
  readonly suspect: WireEvidence | undefined;
  /** The reason for the thread's death, if it died; or the reason why its answers did not come. */
  readonly error: WireError | undefined;
  /** Part of what was sent could not be read there: unhandled envelopes are not sent again. */
  readonly unread?: boolean;
}

export interface ErrorReport {
  readonly error: WireError;
  readonly snapshot: WireSnapshot;
  /** The instance failed while it handled an envelope from the host. */
  readonly inTurn?: boolean;
  /** It was the first turn of a state of another version: the two do not fit, and the event was not handled. */
  readonly unfit?: boolean;
  /** The link by which the envelope came that it failed with. */
  readonly link?: number | undefined;
}

/**
 * The messages of a link that hold values of several instances, for {@link LinkOptions.lists}: the items of a report,
 * the answers in an ack, and what instances start from. Events were measured when their mailbox took them.
 */
export const LISTS = {
  deliver: { call: 'measured', answer: 2 },
  acknowledge: { call: 2 },
  report: { call: 1 },
  activateAll: { call: 1, answer: 1 },
} as const;

/** Names of the methods a thread offers to its host. */
export type ThreadMethod =
  | 'hello'
  | 'deliver'
  | 'load'
  | 'schemas'
  | 'activate'
  | 'activateAll'
  | 'deactivate'
  | 'depart'
  | 'passivate'
  | 'stay'
  | 'hurry'
  | 'quiet'
  | 'watch'
  | 'snapshot'
  | 'persist'
  | 'can'
  | 'putOff'
  | 'credit'
  | 'join'
  | 'admit'
  | 'dismiss'
  | 'severed'
  | 'chunks'
  | 'used'
  | 'outcomes'
  | 'heard';

/** Names of the methods that the host offers to a thread; nothing else of the host can be reached. */
export type HostMethod =
  | 'report'
  | 'acknowledge'
  | 'secret'
  | 'uses'
  | 'tool'
  | 'giveUp'
  | 'credit'
  | 'room'
  | 'upload'
  | 'connect'
  | 'disconnect'
  | 'ended'
  | 'unread'
  | 'committed'
  | 'step'
  | 'inspected';

/** The uses of a secret that an instance may ask its host for. */
export type SecretUseName = 'capability' | 'fetch' | 'stream' | 'value' | 'handle';

/** A use of a capability that an instance asks for, as it stands in {@link CapabilityUses}. */
export type CapabilityUse = readonly [
  slot: number,
  incarnation: number,
  capability: string,
  /** The label or the handle of the secret. */
  label: unknown,
  args: unknown,
  /** The number of the use in its thread. */
  n: number,
  trace: unknown,
];

/** Uses of capabilities that a thread asks for at one time, flat: the fields of one after those of the other. */
export type CapabilityUses = readonly unknown[];

/** The fields of one use in {@link CapabilityUses}. */
export const USE_FIELDS = 7;

/**
 * The most uses in one message. The host makes them while the thread asks for the next: with all of a tick in one, either
 * would do nothing while the other works. With so many the message itself costs little beside them.
 */
export const MOST_USES = 8;

/** What became of uses, flat: the number of the use, whether it went well, and its result or a `WireError`. */
export type UsedCapabilities = readonly unknown[];

/** The answer to a request of `boundFetch`, before its body. */
export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case; several values of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The URL that answered, without a fragment. */
  readonly url: string;
  readonly redirected: boolean;
  /** Whether a body follows in {@link Chunks}. */
  readonly hasBody: boolean;
}

/**
 * Parts of the bodies of answers, flat: the number of the use, and its bytes, or `null` when that body is whole, or the
 * error with which it has ended. The host tells them to the thread in the order in which they came.
 */
export type Chunks = readonly (number | Uint8Array | null | WireError)[];
