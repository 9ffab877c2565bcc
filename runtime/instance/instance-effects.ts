import type { Clock } from '../base/clock.ts';
import type { StopReason } from '../base/endings.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { InstancePhase } from './life.ts';
import type { PeerSeat } from './peer.ts';

/** An instance, as its runtime needs it to act for it. */
export interface InstanceFacts {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly incarnation: number;
  readonly supervision: ResolvedAgent['supervision'];
  readonly phase: InstancePhase;
  /** It has ended, is about to, or is quarantined: it takes nothing. */
  readonly over: boolean;
}

/** What an instance has its runtime do. */
export interface InstanceEffects {
  readonly clock: Clock;
  readonly waiting: Waiting;
  readonly deadLetters: DeadLetters;
  /** Knows what no error and no saved state may carry. */
  readonly scrubber: Scrubber;
  /** Tells of what is sent, if somebody listens. */
  readonly messages?: Pick<MessageObserver, 'begin'> | undefined;
  /** Gets every event, before it waits in the mailbox. */
  readonly sent?: ((event: object) => void) | undefined;
  /** Envelopes that other agents sent to this seat and were handled. */
  fromPeers(seat: PeerSeat): number;
  /** Ask the supervisor for a place in the pool. */
  place(instance: InstanceFacts): void;
  /** An event is larger than the agent's `mailbox.warnBytes`. */
  large(instance: InstanceFacts, event: object, bytes: number): void;
  /** Why nothing more is let in anywhere, if that is so. */
  draining(): Error | undefined;
  /** Have the supervisor decide what becomes of it. */
  ended(
    instance: InstanceFacts,
    kind: 'done' | 'failed',
    how: { readonly reason: StopReason; readonly error: unknown },
  ): void;
  /** Have the supervisor begin anew with a quarantined one. Throws when the runtime stops. */
  resume(instance: InstanceFacts): void;
  /** It runs, in its thread. */
  running(instance: InstanceFacts): void;
  /** It has left thread `from` of its pool, which is being replaced, and needs another place. */
  moving(instance: InstanceFacts, from: number): void;
  /** It has left its thread, and no other can be started: ask again for a place. */
  placeLater(instance: InstanceFacts): void;
  /** It was ended with another of its group. */
  down(instance: InstanceFacts): void;
  /** It is quarantined. */
  quarantined(instance: InstanceFacts): void;
  /** It is gone for good. */
  gone(instance: InstanceFacts): void;
  /** Somebody who watches it threw. */
  watcherThrew(instance: InstanceFacts, error: unknown): void;
}
