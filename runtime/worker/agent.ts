/// <reference types="node" preserve="true" />
import type {
  ActionFunction,
  AnyEventObject,
  EventObject,
  MachineContext,
  ParameterizedObject,
} from 'xstate';
import { kindOf } from '../base/call-check.ts';
import { unread, type ReplyStream } from './reply-stream.ts';
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
export { mcpTool, type McpContent } from './mcp-tool.ts';
export { boundFetch, type BoundFetchOptions } from './bound-fetch.ts';
export { log, type Log } from './log.ts';
export { invocation, step } from './step.ts';
export type { ReplyStream } from './reply-stream.ts';
export type { Self } from './thread-state.ts';

/**
 * An action that replies to the ask that carried this event, with a value or with the result of a function. The event
 * may be forwarded with `sendTo`, or pass through `always` and entry actions; after `raise` it is another event. A
 * second reply is ignored, and so is a reply to an event that was not asked. Outside a Holdfast thread the action does
 * nothing, so that a machine can be tested alone.
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
  // Viewers of the machine are told the name of an action.
  return function reply({ context, event }) {
    replyTo(event, typeof value === 'function' ? value({ context, event }) : value);
  };
}

/** {@link reply} for logic without actions, such as `fromTransition`: replies to the ask that carried `event`. */
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

/**
 * A token for an ask that will be answered later. It is plain data: it may live in the context, and be persisted with
 * it.
 */
export interface ReplyToken {
  readonly type: 'holdfast.reply';
  readonly address: string;
  readonly incarnation: number;
  /** 0 when the event was not asked. */
  readonly ask: number;
}

/**
 * Defers the reply to the ask that carried `event`: the turn may end without one, and {@link answer} gives it later,
 * before the deadline of the ask. Only the incarnation that deferred it can answer, in whichever thread it runs, and
 * the incarnation that continues it after a restart of the gateway.
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

/**
 * Puts off the reply to the ask that carried `event`, and opens a stream of what comes before it, for `ref.askStream()` to
 * read: `write` chunks, then `end` with the reply. Call it within the turn of the event: in an action, or at the beginning of
 * an invoked promise or callback that is given the event; a second call gives the same stream. It is of this incarnation: it
 * cannot be persisted, and does not move to another thread. Outside a Holdfast thread nobody reads it.
 *
 * @example
 * ```ts
 * const model = fromPromise(async ({ input }: { input: { event: AnyEventObject; prompt: string } }) => {
 *   const out = replyStream(input.event);
 *   for await (const token of answerTo(input.prompt, out.signal)) await out.write(token);
 *   out.end({ finished: true });
 * });
 * ```
 */
export function replyStream(event: AnyEventObject): ReplyStream {
  const ask = openAsk(event);
  if (ask?.stream !== undefined) return ask.stream;
  const { current } = threadState();
  if (ask?.state !== 'open' || current === undefined) return unread();
  return current.stream(ask);
}

/** A value, or a function of the action's arguments that returns it. */
export type Expression<TContext, TEvent, T> = T | ((args: { context: TContext; event: TEvent }) => T);

/**
 * A value that may cross to the asker. Not `unknown`, since the arguments of a function beside it would then have no
 * known type.
 */
export type Cloneable = object | string | number | bigint | boolean | null | undefined;

/**
 * An action that answers an ask that {@link deferReply} has deferred. A token of another incarnation, or of an ask that
 * was answered or is over, is ignored and logged. Outside a Holdfast thread the action does nothing.
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
  return function answer({ context, event }) {
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

/** The token may come from a context that went through a store. */
function isToken(token: unknown): token is ReplyToken {
  try {
    const { type, address, ask } = token as ReplyToken;
    return type === 'holdfast.reply' && typeof address === 'string' && typeof ask === 'number';
  } catch {
    return false;
  }
}

/**
 * Returns the address, thread and pool of this instance. Known during a turn, that is in actions, guards, reducers and
 * at creation; `undefined` outside a Holdfast thread and after an `await`.
 */
export function self(): Self | undefined {
  return threadState().current?.self;
}

/**
 * Resolves when the state that this instance is in now is committed, so that an effect outside follows a state that lasts:
 * await it before a request that the runtime does not make for the agent. Resolves at once for an agent that is not durable,
 * and outside a Holdfast thread. Secrets, `boundFetch` and `mcpTool` wait by themselves.
 *
 * @example
 * ```ts
 * const charge = fromPromise(async ({ input }: { input: { order: string } }) => {
 *   await committed();
 *   return fetch(`https://pay.example/orders/${input.order}`, { method: 'POST' });
 * });
 * ```
 */
export function committed(): Promise<void> {
  const state = threadState();
  const bridge = state.current ?? state.origin?.getStore()?.bridge;
  return bridge === undefined ? Promise.resolve() : bridge.committed();
}
