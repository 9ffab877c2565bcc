import { Mailbox } from '../mailbox/mailbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { SentTimes } from '../mailbox/trace.ts';
import type { Attachment } from '../mailbox/outbox.ts';
import type { Peer } from './peer-ports.ts';
import type { Self } from './thread-state.ts';

/** The messages from one instance of this thread to another instance, on whichever thread that runs. */
export interface Line {
  /** A number unique in the thread. */
  readonly id: number;
  readonly from: Self | undefined;
  readonly address: string;
  /** Keeps each message until it was handled, over incarnations of the recipient. */
  readonly mailbox: Mailbox;
  /**
   * Counts the envelopes that the mailbox has ever taken and not discarded; shared with the host, which reads it when
   * this thread has died.
   */
  readonly taken: Int32Array;
  /** Asks that were handled and put off. */
  readonly deferred: Set<Tag>;
  /** The most bytes of an event. Not known before the recipient was found. */
  maxBytes: number;
  /** Whether both ends may share memory. Not known before the recipient was found. */
  sharedMemory: boolean;
  /** The threads that the line has led to, which may answer. */
  readonly peers: Set<number>;
  /** `undefined` until the host has opened the line, and between two incarnations of the recipient. */
  open: { readonly link: number; readonly peer: Peer; readonly attachment: Attachment } | undefined;
  connecting: boolean;
  /** A message was sent for which the recipient is to be started. */
  activate: boolean;
  /** The sender had ended before, so nothing goes out. */
  over: boolean;
  /** Present once somebody inspects what the thread sends. */
  times?: SentTimes;
}

/** The capacity of the mailbox until the host has named one: the default of an agent. */
const CAPACITY = 1000;

let lastId = 0;

export function createLine(from: Self | undefined, address: string, sharedMemory: boolean): Line {
  lastId += 1;
  return {
    id: lastId,
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
