import type { Ending } from '../../base/ending.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { Capability, CapabilityCall } from './capability.ts';
import type { GrantedValue } from './granted-value.ts';
import { carriesValue } from './leak-guard.ts';
import { openSecret, type OpenSecret, type Secret } from './secret.ts';

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
  readonly ending: Ending;
}

/**
 * Runs a capability with a secret and lets nothing out that carries the value. What the capability gives at once is
 * given at once, and no promise of it.
 *
 * @throws what the capability threw, the reason of its end, or `SECRET_DENIED` when result or error carry the value; a
 *   promise rejects with these
 */
export function runCapability(run: CapabilityRun): unknown {
  const { capability, args, ending } = run;
  const running = new RunningCapability(run);
  const secret = running.open(run.held);
  let result: unknown;
  try {
    ending.throwIfEnded();
    result = capability.run(secret, args, running.call());
    if (!isThenable(result)) {
      // The capability may have had its own call ended.
      ending.throwIfEnded();
      return running.given(result);
    }
  } catch (error) {
    throw running.failure(error);
  }
  return running.awaited(result);
}

class RunningCapability {
  readonly #run: CapabilityRun;
  /** All versions that it was given. */
  readonly #values: { readonly value: GrantedValue; readonly opened: OpenSecret }[] = [];
  #isOver = false;

  constructor(run: CapabilityRun) {
    this.#run = run;
  }

  open(value: GrantedValue): Secret {
    const opened = openSecret(this.#run.label, value.versionId, value.bytes);
    this.#values.push({ value, opened });
    // Too late: the caller is gone.
    if (this.#isOver) opened.close();
    return opened.secret;
  }

  call(): CapabilityCall {
    const { instance, incarnation, ending } = this.#run;
    return {
      instance,
      incarnation,
      get signal() {
        return ending.signal;
      },
      rejected: async () => this.open(await this.#run.another(this.#values.at(-1)?.value.versionId ?? '')),
    };
  }

  awaited(result: PromiseLike<unknown>): Promise<unknown> {
    const { ending } = this.#run;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        ending.offEnd(end);
        reject(this.failure(error));
      };
      const end = (): void => {
        if (!this.#isOver) fail(ending.reason);
      };
      ending.onEnd(end);
      Promise.resolve(result).then(
        (value) => {
          if (this.#isOver) return;
          try {
            this.#check(value, 'result');
          } catch (error) {
            return fail(error);
          }
          ending.offEnd(end);
          this.#close();
          resolve(value);
        },
        (error: unknown) => {
          if (!this.#isOver) fail(error);
        },
      );
      // The capability may have had its own call ended.
      if (ending.ended) end();
    });
  }

  /** The result, once it is seen to carry no value. */
  given(result: unknown): unknown {
    this.#check(result, 'result');
    this.#close();
    return result;
  }

  /** The error that the caller gets; with it the call is over. */
  failure(error: unknown): unknown {
    try {
      this.#check(error, 'error');
      return error;
    } catch (leak) {
      return leak;
    } finally {
      this.#close();
    }
  }

  #check(found: unknown, what: 'result' | 'error'): void {
    const { mayCarry, capability, label } = this.#run;
    for (const { value } of this.#values)
      if (mayCarry(found, value.versionId) && carriesValue(found, value.bytes))
        throw leaked(capability.name, label, what);
  }

  #close(): void {
    this.#isOver = true;
    for (const { opened } of this.#values) opened.close();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return 'then' in value && typeof value.then === 'function';
}

// Without a cause, because the cause carries the value.
function leaked(capability: string, label: string, what: 'result' | 'error'): HoldfastError {
  return new HoldfastError(
    'SECRET_DENIED',
    `The ${what} of the capability "${capability}" would have carried the secret "${label}" and was kept back. ` +
      'Return what was made with the secret, never the secret itself.',
  );
}
