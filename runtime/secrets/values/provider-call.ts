import { ProviderError, type ProviderFailure, type SecretProvider } from '../../../providers/provider.ts';
import { callUser } from '../../base/user-call.ts';
import { AnswerInvalid, isFailure } from './provider-answers.ts';
import type { ProviderComplaints } from './provider-complaints.ts';
import type { ProviderGate } from './provider-gate.ts';
import type { ProviderCallKind, ProviderPool } from './provider-pool.ts';

/** The dependencies of a provider call. */
export interface ProviderCalling {
  readonly providers: ProviderPool;
  readonly gate: ProviderGate;
  /** Receives what a provider says of its failures. Default: not reported. */
  readonly complaints?: ProviderComplaints;
}

/** The result of a call. A provider's own error may reveal too much, so that only its class is passed on. */
export type Called<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: ProviderFailure };

/**
 * Calls a provider, counts the call, and reports its result to the breaker. A provider that is given up is not called,
 * and fails as it did before. Never rejects. A call that has not ended when the signal aborts counts as failed from
 * then on, whatever it may bring later.
 */
export async function callProvider<T>(
  calling: ProviderCalling,
  alias: string,
  kind: ProviderCallKind,
  signal: AbortSignal,
  call: (provider: SecretProvider) => Promise<T>,
): Promise<Called<T>> {
  const { providers, gate } = calling;
  const closed = gate.closedFor(alias);
  if (closed !== undefined) return { ok: false, failure: closed };
  let provider: SecretProvider | undefined;
  let told = false;
  const tell = (failure?: ProviderFailure): void => {
    if (!told) gate.ended(alias, failure);
    told = true;
  };
  const giveUp = (): void => tell('transient');
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    provider = providers.get(alias);
    providers.count(kind);
    const value = await call(provider);
    tell();
    return { ok: true, value };
  } catch (error) {
    const failure = classify(provider, error);
    complain(calling, alias, error);
    tell(failure);
    return { ok: false, failure };
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/**
 * Reports what a provider says of its error, except that a secret is not there, which those who want it are told
 * anyway.
 */
export function complain({ complaints }: ProviderCalling, alias: string, error: unknown): void {
  // An error of the provider class carries no value by its contract; for other errors that is unknown.
  if (error instanceof ProviderError && error.failure !== 'not-found') complaints?.(alias, error.message);
}

function classify(provider: SecretProvider | undefined, error: unknown): ProviderFailure {
  if (error instanceof AnswerInvalid) return 'invalid';
  const failed = (): void => {};
  const failure = provider === undefined ? 'invalid' : callUser(() => provider.classify(error), failed);
  return isFailure(failure) ? failure : 'transient';
}
