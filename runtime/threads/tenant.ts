import type { Continuation } from '../instance/continuation.ts';
import type { Unhandled } from '../instance/unhandled.ts';
import type { Instance } from '../instance/instance.ts';
import type { PeerInstance } from '../instance/peer.ts';
import type { TwinLine } from '../instance/twin-line.ts';

/** An instance as its thread needs it. */
export interface Tenant
  extends
    Omit<PeerInstance, 'agent'>,
    Pick<
      Instance,
      | 'agent'
      | 'phase'
      | 'mailbox'
      // For its seat.
      | 'placed'
      | 'awaits'
      | 'holds'
      // For its start.
      | 'activation'
      | 'running'
      | 'startFailed'
      | 'unplaced'
      // For its end.
      | 'done'
      | 'failed'
      | 'unfit'
      | 'departed'
      | 'rested'
      | 'ending'
      | 'stop'
    > {
  readonly inbox: {
    readonly unhandled: Pick<
      Unhandled,
      'refuse' | 'suspect' | 'close' | 'expiredInThread' | 'invalid' | 'threw'
    >;
  };
  readonly continuation: Pick<
    Continuation,
    | 'keep'
    | 'commit'
    | 'handled'
    | 'commitDone'
    | 'commitSends'
    | 'commitStep'
    | 'endSteps'
    | 'durable'
    | 'late'
    | 'overflown'
    | 'isFenced'
    | 'cannotKeep'
    | 'keepsState'
  >;
  readonly twin: Pick<
    TwinLine,
    'mirrored' | 'mirroredAhead' | 'emitted' | 'sentToParent' | 'refusedToParent' | 'lost'
  >;
}
