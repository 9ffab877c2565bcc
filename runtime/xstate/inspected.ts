import type { AnyActorRef } from 'xstate';

/** What XState tells of an actor. */
export interface Inspected {
  readonly type: string;
  readonly actorRef: AnyActorRef;
  readonly sourceRef?: AnyActorRef | undefined;
  /** In place of the source: an actor of elsewhere. */
  readonly sourceId?: string | undefined;
  readonly event?: { readonly type: string };
  readonly snapshot?: unknown;
}
