import type { Ack } from '../mailbox/outbox.ts';
import type { AckPace } from './ack-pace.ts';
import type { Acks } from './acks.ts';
import type { HostedInstance } from './hosted-instance.ts';
import type { AckSink } from './held-acks.ts';

/** A sender of envelopes to this thread: its host, or another thread. */
export interface Source {
  /** The acks that it has not been sent yet. */
  readonly acks: Acks;
  /** Its inflow to the instance with the slot; `undefined` once that instance has ended. */
  inflowOf(slot: number): Inflow | undefined;
  /** Present when it counts its batches: how soon it is sent its acks. */
  readonly pace?: AckPace | undefined;
  /** Sends it an ack of what was handled and answered before its batch is complete. */
  acknowledge(ack: Ack): void;
}

/** The envelopes that one source sends to one instance, as they are counted. */
export interface Inflow {
  /** The number by which the source knows the instance. */
  readonly key: number;
  /** The index in the shared progress that counts what was handled. */
  readonly slot: number;
  readonly instance: HostedInstance;
  readonly source: Source;
  /** Takes what is acknowledged and answered: the source, unless that waits for a commit. */
  readonly asker: { readonly acks: AckSink };
  /** The address of the instance that sends; `undefined` for the host. */
  readonly from: string | undefined;
  /** Envelopes delivered and not handled. */
  queued: number;
  /** Envelopes handled and not acknowledged yet. */
  unacked: number;
  /** Called once, when nothing is queued any more. */
  idle: (() => void) | undefined;
}

export function createInflow(
  inflow: Pick<Inflow, 'key' | 'slot' | 'instance' | 'source' | 'from'>,
  asker: Inflow['asker'] = inflow.source,
): Inflow {
  return { ...inflow, asker, queued: 0, unacked: 0, idle: undefined };
}
