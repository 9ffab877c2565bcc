import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { Mailbox } from '../mailbox/mailbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Attachment } from '../mailbox/outbox.ts';
import type { Foreign } from '../mailbox/own-memory.ts';
import { measure } from '../mailbox/size.ts';
import { hasMoved } from '../mailbox/transfer.ts';
import { isReserved } from '../base/reserved-types.ts';
import type { Peer } from './peer-ports.ts';
import type { Self } from './thread-state.ts';

/** What one instance of this thread sends to another, wherever that one runs. */
export interface Line {
  /** Unique in the thread. */
  readonly id: number;
  /** What it is found by, as long as its sender runs. */
  key: string;
  readonly from: Self | undefined;
  readonly address: string;
  /** Keeps what was sent until it was handled, over incarnations of the other. */
  readonly mailbox: Mailbox;
  /** What the mailbox has taken and not discarded, ever; shared with the host, which reads it when this thread died. */
  readonly taken: Int32Array;
  /** Asks that were handled and will be answered later. */
  readonly deferred: Set<Tag>;
  /** Bytes of an event at most. Not known before the other was found. */
  maxBytes: number;
  /** Whether both ends may share memory. Not known before the other was found. */
  sharedMemory: boolean;
  /** The threads that it has led to: they may answer. */
  readonly peers: Set<number>;
  /** `undefined` until the host has opened it, and between two incarnations of the other. */
  open: { readonly link: number; readonly peer: Peer; readonly attachment: Attachment } | undefined;
  connecting: boolean;
  /** Something was sent over it for which the other is to be started. */
  activate: boolean;
  /** The sender had ended before: nothing goes. */
  over: boolean;
}

/** What a mailbox takes before the host has said how much it is: as much as that of an agent by default. */
const CAPACITY = 1000;

let lastId = 0;

export function createLine(from: Self | undefined, address: string, sharedMemory: boolean): Line {
  lastId += 1;
  return {
    id: lastId,
    key: keyOf(from, address),
    from,
    address,
    mailbox: new Mailbox(CAPACITY),
    taken: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    deferred: new Set(),
    maxBytes: Infinity,
    sharedMemory,
    peers: new Set(),
    open: undefined,
    connecting: false,
    activate: false,
    over: false,
  };
}

/** One for each incarnation of the sender. */
export function keyOf(from: Self | undefined, address: string): string {
  return `${from === undefined ? '' : `${from.address}#${from.incarnation}`}\n${address}`;
}

/** Why an event cannot be sent, if it cannot; or what of it does not leave, if there is such. */
export function unfit(
  event: unknown,
  { maxBytes, sharedMemory }: Pick<Line, 'maxBytes' | 'sharedMemory'>,
): DeadLetterReason | 'too-deep' | Foreign | undefined {
  try {
    const { type } = event as { type?: unknown };
    if (typeof type !== 'string' || hasMoved(event)) return 'unclonable';
    if (isReserved(type)) return 'reserved';
    const size = measure(event, maxBytes, sharedMemory);
    if (size === 'shared') return 'unclonable';
    return typeof size === 'number' ? undefined : size;
  } catch {
    return 'unclonable';
  }
}
