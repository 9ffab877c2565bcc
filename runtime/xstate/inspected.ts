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
  /** Milliseconds that the turn took that led to the snapshot, where that is known. */
  readonly tookMs?: number;
}
