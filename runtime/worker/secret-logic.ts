import { fromPromise, type PromiseActorLogic } from 'xstate';
import { checkCall, name as aName, string, type Rule, type Rules } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
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
  checkCall('capability()', { name: [name, aName] });
  return fromPromise<TResult, CapabilityInput>(async ({ input, system, signal }) => {
    const { label, args } = checkCall<CapabilityInput>(
      `capability "${name}"`,
      { input: [input, anInput] },
      input,
      ofCapability,
    );
    return (await useSecret(
      system,
      `capability "${name}"`,
      'capability',
      { name, label, args },
      signal,
    )) as TResult;
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
  checkCall('secret()', { label: [label, string] });
  return fromPromise<SecretHandle>(
    async ({ system, signal }) =>
      (await useSecret(system, `secret "${label}"`, 'handle', { label }, signal)) as SecretHandle,
  );
}

/** What {@link secretFetch} is invoked with. */
export interface SecretFetchInput {
  /** The label of a grant of the mode `inject`, or a handle of it. */
  readonly label: string | SecretHandle;
  /** Absolute. Its host, port and path must be those of the grant. */
  readonly url: string;
  /** One of the grant's `methods`. Default `GET`. */
  readonly method?: string;
  /** Not the one that carries the secret, nor those of the connection, nor `cookie` and `range`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, bytes, or what is sent as JSON; at most 1 MiB. */
  readonly body?: unknown;
  /** What the body of the answer comes as. Default `text`, read as UTF-8. */
  readonly as?: 'text' | 'bytes';
}

/** What {@link secretFetch} ends with, whatever the status. */
export interface SecretFetchOutput<TBody extends string | Uint8Array = string> {
  readonly status: number;
  /** Names in lower case. Without `set-cookie`, and with `<redacted:secret>` wherever the secret was. */
  readonly headers: Readonly<Record<string, string>>;
  /** With `<redacted:secret>` wherever the secret was. */
  readonly body: TBody;
}

/**
 * Actor logic that has the host send a request with a granted secret in its header, and ends with the answer; the secret
 * never comes here. Redirects are followed at most three times, for GET and HEAD, on the same origin and where the grant
 * allows it; another one is the answer. After a 401 it is sent once more if the secret has another version by then. Fails
 * with `SECRET_NOT_GRANTED`, `SECRET_DENIED` (the request is not one that the grant allows, or leads to an address that is
 * not public), `SECRET_RATE_LIMITED`, `MESSAGE_TOO_LARGE`, `FETCH_FAILED`, or `ASK_TIMEOUT` after 30 s.
 *
 * @example
 * ```ts
 * setup({ actors: { secretFetch } }).createMachine({
 *   invoke: {
 *     src: 'secretFetch',
 *     input: { label: 'stripe', url: 'https://api.stripe.com/v1/balance' },
 *     onDone: { actions: assign({ balance: ({ event }) => JSON.parse(event.output.body) }) },
 *   },
 * });
 * ```
 */
export const secretFetch: PromiseActorLogic<SecretFetchOutput, SecretFetchInput> = fromPromise<
  SecretFetchOutput,
  SecretFetchInput
>(async ({ input, system, signal }) => {
  checkCall('secretFetch', { input: [input, anInput] });
  return (await useSecret(system, 'secretFetch', 'fetch', input, signal)) as SecretFetchOutput;
});

/**
 * Actor logic that ends with the value of a secret, for a grant of the mode `reveal`: bytes that are this thread's alone.
 * Whatever the agent does with them is its own business; overwrite them with zeros when they are of no more use, and keep
 * them out of the context, which is mirrored and saved. Each use is audited. Fails with `SECRET_NOT_GRANTED`.
 */
export function secretValue(label: string | SecretHandle): PromiseActorLogic<Uint8Array> {
  checkCall('secretValue()', { label: [label, aLabel] });
  return fromPromise<Uint8Array>(
    async ({ system, signal }) =>
      (await useSecret(system, 'secretValue', 'value', { label }, signal)) as Uint8Array,
  );
}

const anInput: Rule = { what: 'an object', is: (value) => typeof value === 'object' && value !== null };

const aLabel: Rule = {
  what: 'the label of a grant, or a handle of it',
  is: (value) => typeof value === 'string' || anInput.is(value),
};

const ofCapability: Rules<CapabilityInput> = { label: aLabel, args: { what: 'anything', is: () => true } };

/** Asks the host of the instance that the actor system is of. */
async function useSecret(
  system: object,
  what: string,
  use: SecretUseName,
  input: object,
  signal: AbortSignal,
): Promise<unknown> {
  const bridge = threadState().bridges.get(system);
  if (bridge !== undefined) return bridge.useSecret(use, input, signal);
  throw new HoldfastError(
    'SECRET_NOT_GRANTED',
    `${what} was used outside a Holdfast thread; provide another actor for it in tests`,
  );
}
