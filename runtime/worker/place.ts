import type { Ack } from '../mailbox/outbox.ts';
import type { Acks } from './acks.ts';
import type { HostedInstance } from './hosted-instance.ts';

/** Who brings envelopes to this thread: its host, or another thread. */
export interface Source {
  /** What it has not been told yet. */
  readonly acks: Acks;
  /** Whom its envelopes for `slot` are for; nobody, once that instance has ended. */
  placeOf(slot: number): Place | undefined;
  /** Tells it what was handled and answered before a batch of it is complete. */
  acknowledge(ack: Ack): void;
}

/** An instance, as one source sends to it. */
export interface Place {
  /** What the source calls it. */
  readonly key: number;
  /** Where the shared progress counts what was handled. */
  readonly slot: number;
  readonly instance: HostedInstance;
  readonly source: Source;
  /** Address of the instance that sends; undefined for the host. */
  readonly from: string | undefined;
  /** Delivered and not handled. */
  queued: number;
  /** Handled, and the source was not told yet. */
  unacked: number;
  /** Called once, when nothing is queued any more. */
  idle: (() => void) | undefined;
}

export function createPlace(place: Pick<Place, 'key' | 'slot' | 'instance' | 'source' | 'from'>): Place {
  return { ...place, queued: 0, unacked: 0, idle: undefined };
}
