import type { AnyActorLogic } from 'xstate';

/**
 * The type of an agent: its module, `typeof import('./agents/desk.ts')`, whose default export is the logic; the logic
 * itself, for another export; or the logic with its replies, by the type of the event.
 */
export type AgentType =
  | AnyActorLogic
  | { readonly default: AnyActorLogic }
  | { readonly logic: AnyActorLogic; readonly replies?: unknown };

/** The logic that is declared for an agent. */
export type LogicIn<T> = T extends { readonly logic: infer TLogic extends AnyActorLogic }
  ? TLogic
  : T extends { readonly default: infer TLogic extends AnyActorLogic }
    ? TLogic
    : T;

/** The replies that are declared for an agent, by the type of the event. */
export type RepliesIn<T> = T extends { readonly replies: infer TReplies } ? TReplies : unknown;
