import { fromPromise, type PromiseActorLogic } from 'xstate';
import { HoldfastError } from '../errors.ts';
import type { SecretHandle } from '../secrets/secret-handle.ts';
import type { SecretUseName } from '../wire/protocol.ts';
import { threadState } from './thread-state.ts';

export type { SecretHandle } from '../secrets/secret-handle.ts';

/** What a {@link capability} actor is invoked with. */
export interface CapabilityInput {
  /** The label of a grant in this agent's config, or a handle that {@link secret} gave. */
  readonly label: string | SecretHandle;
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
    const { label, args } = input;
    return (await useSecret(system, `capability "${name}"`, 'capability', { name, label, args })) as TResult;
  });
}

/**
 * Actor logic that ends with the handle of a granted secret: plain data that says which version is current, and stands for
 * the label wherever one is expected. A later version comes as the event `secret.rotated`, with the same `handle` and a
 * higher `epoch`. Fails with `SECRET_NOT_GRANTED`.
 *
 * @example
 * ```ts
 * setup({ actors: { key: secret('desk-key') } }).createMachine({
 *   invoke: { src: 'key', onDone: { actions: assign({ key: ({ event }) => event.output }) } },
 * });
 * ```
 */
export function secret(label: string): PromiseActorLogic<SecretHandle> {
  return fromPromise<SecretHandle>(
    async ({ system }) => (await useSecret(system, `secret "${label}"`, 'handle', { label })) as SecretHandle,
  );
}

/** Asks the host of the instance that the actor system is of. */
async function useSecret(system: object, what: string, use: SecretUseName, input: object): Promise<unknown> {
  const bridge = threadState().bridges.get(system);
  if (bridge !== undefined) return bridge.useSecret(use, input);
  throw new HoldfastError(
    'SECRET_NOT_GRANTED',
    `${what} was used outside a Holdfast thread; provide another actor for it in tests`,
  );
}
