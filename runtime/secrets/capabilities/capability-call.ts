import { HoldfastError } from '../../base/errors.ts';
import type { Capability } from './capability.ts';
import type { GrantedValue } from './granted-value.ts';
import { carriesValue } from './leak-guard.ts';
import { openSecret, type Secret } from './secret.ts';

export interface CapabilityRun {
  readonly capability: Capability;
  readonly instance: string;
  readonly incarnation: number;
  readonly label: string;
  /** The bytes are taken over, and are zeros when the call ends. */
  readonly held: GrantedValue;
  /** Resolves with another version than the one that the service refused; its bytes are taken over, too. */
  readonly another: (refused: string) => Promise<GrantedValue>;
  readonly args: unknown;
  /** Whether `found` may carry that version. Quicker than a search, and never wrong when it is false. */
  readonly mayCarry: (found: unknown, versionId: string) => boolean;
  /** Ends the call; its reason is the caller's error. */
  readonly signal: AbortSignal;
}

/**
 * Runs a capability with a secret and lets nothing out that carries the value.
 *
 * @throws what the capability threw, the signal's reason, or `SECRET_DENIED` when result or error carry the value
 */
export async function runCapability(run: CapabilityRun): Promise<unknown> {
  const { capability, instance, incarnation, label, held, another, args, mayCarry, signal } = run;
  const values: GrantedValue[] = [];
  const closing: (() => void)[] = [];
  let over = false;
  const secretOf = (value: GrantedValue): Secret => {
    const opened = openSecret(label, value.versionId, value.bytes);
    values.push(value);
    closing.push(() => opened.close());
    // Too late: the caller is gone.
    if (over) opened.close();
    return opened.secret;
  };
  const first = secretOf(held);
  const rejected = async (): Promise<Secret> => secretOf(await another(values.at(-1)?.versionId ?? ''));
  const carries = (found: unknown): boolean =>
    values.some(({ versionId, bytes }) => mayCarry(found, versionId) && carriesValue(found, bytes));

  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(signal.reason);
  try {
    signal.throwIfAborted();
    signal.addEventListener('abort', end, { once: true });
    const result = await Promise.race([
      (async () => capability.run(first, args, { instance, incarnation, signal, rejected }))(),
      ended.promise,
    ]);
    if (carries(result)) throw leaked(capability.name, label, 'result');
    return result;
  } catch (error) {
    if (carries(error)) throw leaked(capability.name, label, 'error');
    throw error;
  } finally {
    over = true;
    signal.removeEventListener('abort', end);
    for (const close of closing) close();
  }
}

// Without a cause, because the cause carries the value.
function leaked(capability: string, label: string, what: 'result' | 'error'): HoldfastError {
  return new HoldfastError(
    'SECRET_DENIED',
    `The ${what} of the capability "${capability}" would have carried the secret "${label}" and was kept back. ` +
      'Return what was made with the secret, never the secret itself.',
  );
}
