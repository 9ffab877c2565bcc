import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ActorLogic, AnyActorLogic, AnyActorRef, EmittedFrom, InputFrom, SnapshotFrom } from 'xstate';

/**
 * The type of an agent: its module, `typeof import('./agents/desk.ts')`, whose default export is the logic, and whose
 * `accepts` and `replies` say what it is sent and what it replies, where it exports them; the logic itself, for another
 * export; or the logic with its replies, by the type of the event.
 */
export type AgentType =
  | AnyActorLogic
  | { readonly default: AnyActorLogic }
  | { readonly logic: AnyActorLogic; readonly replies?: unknown };

/** Schemas by the type of the event, as a module exports them. */
type Schemas = Readonly<Record<string, StandardSchemaV1>>;

/** zod says of an object without fields that it may have none, not even a type. */
type Fields<I> = [I] extends [Record<string, never>] ? unknown : I;

/** The events that schemas accept, as they are sent: before defaults and transforms. */
type EventsOf<S extends Schemas> = {
  [K in keyof S & string]: Fields<StandardSchemaV1.InferInput<S[K]>> & { type: K };
}[keyof S & string];

/** A logic that is sent the events that schemas accept, and is otherwise what it is. */
type Accepting<TLogic extends AnyActorLogic, S extends Schemas> = ActorLogic<
  SnapshotFrom<TLogic>,
  EventsOf<S>,
  InputFrom<TLogic>,
  AnyActorRef['system'],
  EmittedFrom<TLogic>
>;

/** The logic of an agent that is declared by its module, by its logic, or by the logic and its replies. */
export type LogicIn<T> = T extends { readonly logic: infer TLogic extends AnyActorLogic }
  ? TLogic
  : T extends { readonly default: infer TLogic extends AnyActorLogic }
    ? T extends { readonly accepts: infer S extends Schemas }
      ? Accepting<TLogic, S>
      : TLogic
    : T;

/** Its replies, by the type of the event: as they are declared, or as the schemas of its module give them. */
export type RepliesIn<T> = T extends { readonly replies: infer TReplies }
  ? TReplies extends Schemas
    ? { [K in keyof TReplies]: StandardSchemaV1.InferOutput<TReplies[K]> }
    : TReplies
  : unknown;
