import type { EventObject } from 'xstate';

/** What an agent replies to the events of a type: what was declared for it, else nobody knows. */
export type ReplyTo<TReplies, TType extends string> = TType extends keyof TReplies
  ? TReplies[TType]
  : unknown;

/**
 * What an ask gives: what the caller says it does, else what was declared for the event. Never what the place wants where it
 * stands, which would make a wrong type of a right one.
 */
export type Answer<TReply, TReplies, TType extends string> = [TReply] extends [never]
  ? ReplyTo<TReplies, TType>
  : NoInfer<TReply>;

/** Events of that type alone, which is found out by what is given. */
export type EventOfType<TEvent extends EventObject, TType extends TEvent['type']> = TEvent & {
  readonly type: TType;
};
