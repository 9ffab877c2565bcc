import type { CommitResult, EncodedState, MailboxRow } from './durable-store.ts';

/** The headers of a trace. */
type TraceHeaders = Readonly<Record<string, string>>;

/** An event that a durable instance sends another agent, as its thread tells it. */
export type Sent = readonly [
  to: string,
  event: EncodedState,
  headers: TraceHeaders | undefined,
  /** The recipient is started when it is not there. */
  activate: boolean,
  /** What its sender waits for: an answer (its tag is above 0), or that it was handled. */
  wait?: readonly [tag: number, deadline: number, depth: number],
];

/** Tells an instance what became of the events whose outcome it waits for. */
export interface TellOutcomes {
  answered(tag: number, value: unknown): void;
  failed(tag: number, error: unknown): void;
}

/** The wait of an instance for the outcome of an event that it has sent. */
export interface AwaitedOutcome {
  readonly kind: 'ask' | 'delivery';
  /** Milliseconds of the runtime's clock. */
  readonly deadline: number;
  /** The number of asks that led to it. */
  readonly depth: number;
  readonly answered: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** An event that a durable instance has sent, from its turn until the recipient has it in its mailbox. */
export interface SentEvent {
  readonly row: MailboxRow;
  readonly event: object;
  /**
   * Nothing is written, and the event goes once the turn is committed, at most once: its recipient is not durable, or its
   * sender waits for its outcome.
   */
  readonly isPlain: boolean;
  readonly activate: boolean;
  /** The store has made a letter of the row: its recipient had no record. */
  readonly isLetter?: true;
  readonly headers: TraceHeaders | undefined;
  readonly awaited: AwaitedOutcome | undefined;
}

/** What there is for an event that was sent. */
export type Place =
  /** A place in the mailbox of its recipient, if that has one. */
  | 'any'
  /** None: rows that wait in the store are before it. */
  | 'none'
  /** Its recipient is not there, and the store keeps the letter that it has made of the row. */
  | 'letter'
  /** As many events wait for its recipient as may, and the store keeps the letter that it has made of the row. */
  | 'full';

/** Why the store has made a letter of a row: its recipient is not there, or has as many rows as it may. */
export type LetterOfRow = 'unknown-address' | 'mailbox-full';

/** Says why the store has made a letter of a row that a turn has sent; undefined: it has not. */
export function lettersIn({
  unknown,
  full,
}: Pick<CommitResult, 'unknown' | 'full'>): (n: number) => LetterOfRow | undefined {
  const [gone, beyond] = [new Set(unknown), new Set(full)];
  return (n) => (gone.has(n) ? 'unknown-address' : beyond.has(n) ? 'mailbox-full' : undefined);
}

export function awaitedOf(
  [tag, deadline, depth]: readonly [tag: number, deadline: number, depth: number],
  tell: TellOutcomes,
): AwaitedOutcome {
  return {
    kind: tag > 0 ? 'ask' : 'delivery',
    deadline,
    depth,
    answered: (value) => tell.answered(tag, value),
    failed: (error) => tell.failed(tag, error),
  };
}
