import type { Clock } from '../base/clock.ts';
import type { StopReason } from '../base/endings.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { InstancePhase } from './life.ts';
import type { PeerSeat } from './peer.ts';

/** The facts of an instance that its runtime needs to act for it. */
export interface InstanceFacts {
  readonly agent: ResolvedAgent;
  readonly id: string;
  readonly address: string;
  readonly incarnation: number;
  readonly supervision: ResolvedAgent['supervision'];
  readonly phase: InstancePhase;
  /** The instance has ended, is about to end, or is quarantined: it accepts nothing. */
  readonly over: boolean;
}

/**
 * How an incarnation ended; `unfit`: its state can be neither committed nor restored; `damaged`: what the store has of it
 * cannot be read; `quarantined`: it did not begin, because the instance was quarantined by the process before.
 */
export type IncarnationKind = 'done' | 'failed' | 'unfit' | 'damaged' | 'quarantined';

/** The services that an instance gets from its runtime. */
export interface InstanceEffects {
  readonly clock: Clock;
  /** The number of this node, of several. */
  readonly node?: number | undefined;
  readonly waiting: Waiting;
  readonly deadLetters: DeadLetters;
  /** Finds and removes values of secrets, which no error and no saved state may carry. */
  readonly scrubber: Scrubber;
  /** Observes what is sent; absent when nobody listens. */
  readonly messages?: Pick<MessageObserver, 'begin'> | undefined;
  /** Whether instances of the agent are inspected; absent when nobody inspects. */
  readonly inspects?: ((agent: ResolvedAgent) => boolean) | undefined;
  /** Called with every event before it is queued. */
  readonly sent?: ((event: object) => void) | undefined;
  /** Returns the number of envelopes handled on this seat that other agents sent. */
  fromPeers(seat: PeerSeat): number;
  /** Asks the supervisor for a seat in the pool. */
  place(instance: InstanceFacts): void;
  /** An event is larger than the agent's `mailbox.warnBytes`. */
  large(instance: InstanceFacts, event: object, bytes: number): void;
  /** Returns the error for senders while the runtime accepts nothing more; `undefined` otherwise. */
  draining(): Error | undefined;
  /** Reports the end of an incarnation to the supervisor, which decides what follows. */
  ended(
    instance: InstanceFacts,
    kind: IncarnationKind,
    how: { readonly reason: StopReason; readonly error: unknown },
  ): void;
  /** Asks the supervisor to restart a quarantined instance. Throws when the runtime stops. */
  resume(instance: InstanceFacts): void;
  /** The instance runs in its thread. */
  running(instance: InstanceFacts): void;
  /** The instance has left thread `from` of its pool, which is being replaced, and needs another seat. */
  moving(instance: InstanceFacts, from: number): void;
  /** The instance has become passive: nothing in the runtime holds it any more but its address. */
  passive(instance: InstanceFacts): void;
  /** A passive instance is needed: it has its address again. `load`: it is to run, and so its state is loaded. */
  waking(instance: InstanceFacts, load: boolean): void;
  /** Somebody watches a passive instance. */
  watched(instance: InstanceFacts): void;
  /** Asks again for a seat, later: the instance has left its thread, and no other could be started. */
  placeLater(instance: InstanceFacts): void;
  /** The incarnation was ended with another of its group. */
  down(instance: InstanceFacts): void;
  /** The instance is quarantined. */
  quarantined(instance: InstanceFacts): void;
  /** Nothing is left of the instance; `error` is for what it was sent and will not be kept. */
  gone(instance: InstanceFacts, error: HoldfastError): void;
  /** A listener of `watch` threw. */
  watcherThrew(instance: InstanceFacts, error: unknown): void;
}
