import type { AnyActorRef } from 'xstate';

/** An inspection event of XState. */
export interface Inspected {
  readonly type: string;
  readonly actorRef: AnyActorRef;
  readonly sourceRef?: AnyActorRef | undefined;
  /** Present in place of the source: an actor of another system. */
  readonly sourceId?: string | undefined;
  readonly event?: { readonly type: string };
  readonly snapshot?: unknown;
  /** Milliseconds from its being sent to its turn, of an event where that is known. */
  readonly waitedMs?: number | undefined;
  /** The id of the trace that the event belongs to, if there is one. */
  readonly traceId?: string | undefined;
  /** Milliseconds that the turn took that led to the snapshot, where that is known. */
  readonly tookMs?: number;
}
