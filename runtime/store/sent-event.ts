import type { EncodedState, MailboxRow } from './durable-store.ts';

/** The headers of a trace. */
type TraceHeaders = Readonly<Record<string, string>>;

/** An event that a durable instance sends another agent, as its thread tells it. */
export type Sent = readonly [
  to: string,
  event: EncodedState,
  headers: TraceHeaders | undefined,
  /** The recipient is started when it is not there. */
  activate: boolean,
];

/** An event that a durable instance has sent, from its turn until the recipient has it in its mailbox. */
export interface SentEvent {
  readonly row: MailboxRow;
  readonly event: object;
  /** The recipient is not durable: nothing is written, and the event goes once the turn is committed, at most once. */
  readonly isPlain: boolean;
  readonly activate: boolean;
  readonly headers: TraceHeaders | undefined;
}
