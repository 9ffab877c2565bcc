/// <reference types="node" preserve="true" />
import type {
  ActionFunction,
  AnyEventObject,
  EventObject,
  MachineContext,
  ParameterizedObject,
} from 'xstate';
import { kindOf } from '../base/call-check.ts';
import { runningKey, threadState, type OpenAsk, type Self } from './thread-state.ts';

export { transfer, type Movable } from '../wire/transfer.ts';
export { agentRef, sender, type PeerOptions, type PeerRef, type PeerWaitFor } from './peer-ref.ts';
export type { PeerEnd } from './peer-end.ts';
export {
  capability,
  secret,
  secretFetch,
  secretValue,
  type CapabilityInput,
  type SecretFetchInput,
  type SecretFetchOutput,
  type SecretHandle,
} from './secret-logic.ts';
export type { SignHmacArgs } from '../secrets/capabilities/sign-hmac.ts';
export type { SignJwtArgs } from '../secrets/capabilities/sign-jwt.ts';
export { log, type Log } from './log.ts';
export type { Self } from './thread-state.ts';

/**
 * An action that answers the ask which carried this event, with a value or with what a function gives. The event may be forwarded with `sendTo` or pass
 * through `always` and entry actions; it is another event after `raise`. A second answer is ignored, and so is
 * an answer to an event that nobody asked with. Outside a Holdfast thread it does nothing, so that a machine can
 * be tested alone.
 *
 * @example
 * ```ts
 * on: { quote: { actions: reply(({ context }) => context.price) }, stop: { actions: reply({ ok: true }) } }
 * ```
 */
export function reply<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends ParameterizedObject['params'] | undefined,
  TEvent extends EventObject,
>(
  value: Cloneable | ((args: { context: TContext; event: TExpressionEvent }) => unknown),
): ActionFunction<TContext, TExpressionEvent, TEvent, TParams, never, never, never, never, never> {
  return ({ context, event }) =>
    replyTo(event, typeof value === 'function' ? value({ context, event }) : value);
}

/** {@link reply} for logic without actions, such as `fromTransition`: answers the ask that `event` came with. */
export function replyTo(event: AnyEventObject, value: unknown): void {
  const ask = openAsk(event);
  if (ask?.state !== 'open') return;
  ask.state = 'answered';
  ask.value = value;
}

function openAsk(event: AnyEventObject): OpenAsk | undefined {
  const state = threadState();
  return state.event === event ? state.ask : state.asks.get(event);
}

/** An ask that will be answered later. Plain data: it may live in context, and be persisted with it. */
export interface ReplyToken {
  readonly type: 'holdfast.reply';
  readonly address: string;
  readonly incarnation: number;
  /** 0 when nobody asked. */
  readonly ask: number;
}

/**
 * Puts off the answer to the ask that `event` came with: the turn may end without one, and {@link answer} gives it
 * later, until the asker’s time is up. Only the incarnation that put it off can answer, in whatever thread it is, and the one
 * that goes on for it after a restart of the gateway.
 *
 * @example
 * ```ts
 * on: { quote: { actions: assign({ pending: ({ event }) => deferReply(event) }) } },
 * invoke: { src: 'price', onDone: { actions: answer(({ context }) => context.pending, ({ event }) => event.output) } },
 * ```
 */
export function deferReply(event: AnyEventObject): ReplyToken {
  const ask = openAsk(event);
  const { current } = threadState();
  const { address, incarnation } = current?.self ?? { address: '', incarnation: 0 };
  if (ask?.state !== 'open') return { type: 'holdfast.reply', address, incarnation, ask: 0 };
  ask.state = 'deferred';
  current?.defer(ask);
  return { type: 'holdfast.reply', address, incarnation, ask: ask.id };
}

/** A value, or how to get it where the action stands. */
export type Expression<TContext, TEvent, T> = T | ((args: { context: TContext; event: TEvent }) => T);

/** What may cross to the asker. Not `unknown`, beside which a function's arguments would be of no known type. */
export type Cloneable = object | string | number | bigint | boolean | null | undefined;

/**
 * An action that answers an ask which {@link deferReply} has put off. A token of another incarnation, or of an ask
 * that was answered or is over, is ignored and logged. Outside a Holdfast thread it does nothing.
 */
export function answer<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends ParameterizedObject['params'] | undefined,
  TEvent extends EventObject,
>(
  token: Expression<TContext, TExpressionEvent, ReplyToken | undefined>,
  value: Cloneable | ((args: { context: TContext; event: TExpressionEvent }) => unknown),
): ActionFunction<TContext, TExpressionEvent, TEvent, TParams, never, never, never, never, never> {
  return ({ context, event }) => {
    const given = typeof token === 'function' ? token({ context, event }) : token;
    if (given === undefined || given === null) return;
    answerTo(given, typeof value === 'function' ? value({ context, event }) : value);
  };
}

/** {@link answer} for logic without actions. */
export function answerTo(token: ReplyToken, value: unknown): void {
  const { running, current } = threadState();
  if (!isToken(token))
    return current?.warn(`an answer was ignored: it was given ${kindOf(token)}, not a token of deferReply()`);
  if (token.ask === 0) return;
  const key = runningKey(token);
  // Threads of several runtimes in one process, in tests, may host instances of the same address.
  const own = current !== undefined && runningKey(current.self) === key;
  const bridge = own ? current : running.get(key);
  if (bridge?.answer(token.ask, value) === true) return;
  const why = bridge === undefined ? 'is of another incarnation' : 'was answered already, or is over';
  (bridge ?? current)?.warn(`an answer was ignored: the ask ${why}`);
}

/** It may come from a context that went through a store. */
function isToken(token: unknown): token is ReplyToken {
  try {
    const { type, address, ask } = token as ReplyToken;
    return type === 'holdfast.reply' && typeof address === 'string' && typeof ask === 'number';
  } catch {
    return false;
  }
}

/**
 * Where this instance runs. Known during a turn, that is in actions, guards, reducers and at creation;
 * `undefined` outside a Holdfast thread and after an `await`.
 */
export function self(): Self | undefined {
  return threadState().current?.self;
}
