import type { Instance } from '../instance/instance.ts';
import type { PeerInstance } from '../instance/peer.ts';
import type { Inbox } from '../instance/inbox.ts';

/** The inbox of an instance, as the thread needs it on which the instance sits. */
export type TenantInbox = Pick<Inbox, 'refuse' | 'suspect' | 'close' | 'expiredInThread'>;

/** An instance, as the thread needs it on which it sits. */
export interface Tenant
  extends
    Omit<PeerInstance, 'agent'>,
    Pick<
      Instance,
      | 'agent'
      | 'phase'
      | 'mailbox'
      | 'keepsState'
      // Its seat.
      | 'placed'
      | 'awaits'
      | 'holds'
      // Its start.
      | 'activation'
      | 'running'
      | 'startFailed'
      | 'unplaced'
      // What its thread tells of it.
      | 'mirrored'
      | 'mirroredAhead'
      | 'emitted'
      | 'sentToParent'
      | 'refusedToParent'
      | 'keep'
      | 'cannotKeep'
      | 'lost'
      // Its end.
      | 'done'
      | 'failed'
      | 'departed'
      | 'ending'
      | 'stop'
    > {
  readonly inbox: TenantInbox;
}
