import type { PromiseActorLogic } from 'xstate';
import type { Ending } from '../base/ending.ts';
import { checkCall, name as aName, string, type Rule, type Rules } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { SecretHandle } from '../secrets/secret-handle.ts';
import type { SecretUseName } from '../wire/protocol.ts';
import { promised } from '../xstate/promised.ts';
import { threadState } from './thread-state.ts';

export type { SecretHandle } from '../secrets/secret-handle.ts';

/** The input of a {@link capability} actor. */
export interface CapabilityInput {
  /** The label of a grant in this agent's config, or a handle from {@link secret}. */
  readonly label: string | SecretHandle;
  /** The arguments of the capability; they cross to the host by structured clone. */
  readonly args?: unknown;
}

/**
 * Actor logic that has the host use a granted secret on this agent's behalf, and outputs the result; the value never
 * enters the thread. Fails with `SECRET_NOT_GRANTED`, the same for an unknown and an ungranted label.
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
  const what = `capability "${name}"`;
  return promised<TResult, CapabilityInput>(({ input, system, ending }) => {
    const { label, args } = checkCall<CapabilityInput>(
      what,
      { input: [input, anInput] },
      input,
      ofCapability,
    );
    return useSecret(system, what, 'capability', { name, label, args }, ending) as Promise<TResult>;
  });
}

/**
 * Actor logic that outputs the handle of a granted secret: plain data that names the current version, and is accepted
 * wherever a label is. A later version comes as the event `secret.rotated`, with the same `handle` and a higher
 * `epoch`. Fails with `SECRET_NOT_GRANTED`.
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
  const what = `secret "${label}"`;
  return promised<SecretHandle>(
    ({ system, ending }) => useSecret(system, what, 'handle', { label }, ending) as Promise<SecretHandle>,
  );
}

/** The input of {@link secretFetch}. */
export interface SecretFetchInput {
  /** The label of a grant of the mode `inject`, or a handle of it. */
  readonly label: string | SecretHandle;
  /** The absolute URL. The grant must allow its host, port and path. */
  readonly url: string;
  /** One of the grant's `methods`. Default: `GET`. */
  readonly method?: string;
  /** The headers; not the one that carries the secret, nor those of the connection, nor `cookie` and `range`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body: text, bytes, or a value that is sent as JSON; at most 1 MiB. */
  readonly body?: unknown;
  /** The form of the answer's body. Default: `text`, read as UTF-8. */
  readonly as?: 'text' | 'bytes';
}

/** The output of {@link secretFetch}, whatever the status. */
export interface SecretFetchOutput<TBody extends string | Uint8Array = string> {
  readonly status: number;
  /**
   * The headers, with names in lower case, without `set-cookie` and those called by the secret, and with `<redacted:secret>` in place of the secret.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, with `<redacted:secret>` in place of the secret. */
  readonly body: TBody;
}

/**
 * Actor logic that has the host send a request with a granted secret in its header, and outputs the answer; the secret
 * never enters the thread. Redirects are followed at most three times, for GET and HEAD, on the same origin and where
 * the grant allows it; any other redirect is the answer. After a 401 the request is sent once more if the secret has
 * another version by then. Fails with `SECRET_NOT_GRANTED`, `SECRET_DENIED` (the request is not one that the grant
 * allows, or leads to an address that is not public), `SECRET_RATE_LIMITED`, `MESSAGE_TOO_LARGE`, `FETCH_FAILED`, or
 * `ASK_TIMEOUT` after 30 s.
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
export const secretFetch: PromiseActorLogic<SecretFetchOutput, SecretFetchInput> = promised<
  SecretFetchOutput,
  SecretFetchInput
>(({ input, system, ending }) => {
  checkCall('secretFetch', { input: [input, anInput] });
  return useSecret(system, 'secretFetch', 'fetch', input, ending) as Promise<SecretFetchOutput>;
});

/**
 * Actor logic that outputs the value of a secret, for a grant of the mode `reveal`, as bytes that belong to this
 * thread. The runtime does not control what the agent does with them; overwrite them with zeros after use, and keep
 * them out of the context, which is mirrored and saved. Each use is audited. Fails with `SECRET_NOT_GRANTED`.
 */
export function secretValue(label: string | SecretHandle): PromiseActorLogic<Uint8Array> {
  checkCall('secretValue()', { label: [label, aLabel] });
  return promised<Uint8Array>(
    ({ system, ending }) =>
      useSecret(system, 'secretValue', 'value', { label }, ending) as Promise<Uint8Array>,
  );
}

const anInput: Rule = { what: 'an object', is: (value) => typeof value === 'object' && value !== null };

export const aLabel: Rule = {
  what: 'the label of a grant, or a handle of it',
  is: (value) => typeof value === 'string' || anInput.is(value),
};

const ofCapability: Rules<CapabilityInput> = { label: aLabel, args: { what: 'anything', is: () => true } };

/** Asks the host that the instance of this actor system belongs to. */
function useSecret(
  system: object,
  what: string,
  use: SecretUseName,
  input: object,
  ending: Ending,
): Promise<unknown> {
  const bridge = threadState().bridges.get(system);
  if (bridge !== undefined) return bridge.useSecret(use, input, ending);
  throw new HoldfastError(
    'SECRET_NOT_GRANTED',
    `${what} was used outside a Holdfast thread; provide another actor for it in tests`,
  );
}
