import { HoldfastError } from '../errors.ts';
import type { Capability } from './capability.ts';
import { carriesValue } from './leak-guard.ts';
import { openSecret } from './secret.ts';

/** Milliseconds for one capability call, and so for how long it keeps its version (DEFAULTS, rotation lease). */
export const capabilityDeadlineMs = 60_000;

export interface CapabilityRun {
  readonly capability: Capability;
  readonly instance: string;
  readonly label: string;
  readonly versionId: string;
  /** Taken over: zeros when the call ends. */
  readonly bytes: Buffer;
  readonly args: unknown;
  /** Ends the call; its reason is what the caller gets. */
  readonly signal: AbortSignal;
}

/**
 * Runs a capability with a secret and lets nothing out that carries the value.
 *
 * @throws what the capability threw, the signal's reason, or `SECRET_DENIED` when result or error carry the value
 */
export async function runCapability(run: CapabilityRun): Promise<unknown> {
  const { capability, instance, label, versionId, bytes, args, signal } = run;
  const open = openSecret(label, versionId, bytes);
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(signal.reason);
  try {
    signal.throwIfAborted();
    signal.addEventListener('abort', end, { once: true });
    const result = await Promise.race([
      (async () => capability.run(open.secret, args, { instance, signal }))(),
      ended.promise,
    ]);
    if (carriesValue(result, bytes)) throw leaked(capability.name, label, 'result');
    return result;
  } catch (error) {
    if (carriesValue(error, bytes)) throw leaked(capability.name, label, 'error');
    throw error;
  } finally {
    signal.removeEventListener('abort', end);
    open.close();
  }
}

// Without a cause: the cause is what carries the value.
function leaked(capability: string, label: string, what: 'result' | 'error'): HoldfastError {
  return new HoldfastError(
    'SECRET_DENIED',
    `The ${what} of the capability "${capability}" would have carried the secret "${label}" and was kept back. ` +
      'Return what was made with the secret, never the secret itself.',
  );
}
