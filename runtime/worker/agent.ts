import {
  fromPromise,
  type ActionFunction,
  type AnyEventObject,
  type EventObject,
  type MachineContext,
  type ParameterizedObject,
  type PromiseActorLogic,
} from 'xstate';
import { HoldfastError } from '../errors.ts';
import { threadState, type Self } from './thread-state.ts';

export type { Self } from './thread-state.ts';

/**
 * An action that answers the ask which carried this event. The event may be forwarded with `sendTo` or pass
 * through `always` and entry actions; it is another event after `raise`. A second answer is ignored, and so is
 * an answer to an event that nobody asked with. Outside a Holdfast thread it does nothing, so that a machine can
 * be tested alone.
 *
 * @example
 * ```ts
 * on: { quote: { actions: reply(({ context }) => context.price) } }
 * ```
 */
export function reply<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TParams extends ParameterizedObject['params'] | undefined,
  TEvent extends EventObject,
>(
  value: (args: { context: TContext; event: TExpressionEvent }) => unknown,
): ActionFunction<TContext, TExpressionEvent, TEvent, TParams, never, never, never, never, never> {
  return ({ context, event }) => replyTo(event, value({ context, event }));
}

/** {@link reply} for logic without actions, such as `fromTransition`: answers the ask that `event` came with. */
export function replyTo(event: AnyEventObject, value: unknown): void {
  const ask = threadState().asks.get(event);
  if (ask === undefined || ask.answered) return;
  ask.answered = true;
  ask.value = value;
}

/** What a {@link capability} actor is invoked with. */
export interface CapabilityInput {
  /** The label of a grant in this agent's config. */
  readonly label: string;
  /** Whatever the capability wants; it crosses to the host by structured clone. */
  readonly args?: unknown;
}

/**
 * Actor logic that has the host use a granted secret on this agent's behalf and ends with the result; the value
 * never comes here. Fails with `SECRET_NOT_GRANTED`, the same for an unknown and an ungranted label.
 *
 * @example
 * ```ts
 * setup({ actors: { sign: capability<string>('sign-order') } }).createMachine({
 *   invoke: { src: 'sign', input: ({ context }) => ({ label: 'orders', args: context.order }), onDone: … },
 * });
 * ```
 */
export function capability<TResult = unknown>(name: string): PromiseActorLogic<TResult, CapabilityInput> {
  return fromPromise<TResult, CapabilityInput>(async ({ input, system }) => {
    const bridge = threadState().bridges.get(system);
    if (bridge === undefined) {
      throw new HoldfastError(
        'SECRET_NOT_GRANTED',
        `capability "${name}" was used outside a Holdfast thread; provide another actor for it in tests`,
      );
    }
    return (await bridge.capability(name, { label: input.label, args: input.args })) as TResult;
  });
}

/**
 * Where this instance runs. Known during a turn, that is in actions, guards, reducers and at creation;
 * `undefined` outside a Holdfast thread and after an `await`.
 */
export function self(): Self | undefined {
  return threadState().current?.self;
}
