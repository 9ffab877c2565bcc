import {
  failureOf,
  ProviderError,
  type FetchResult,
  type ProviderFailure,
  type RotationHint,
  type SecretProvider,
  type SecretRef,
  type SecretSelector,
} from './provider.ts';

/** A call that a memory provider can be told to fail. */
export type MemoryCall = 'describe' | 'fetch' | 'fetchMany';

export interface MemoryProviderOptions {
  /** The name that a config's `provider` refers to. Default: `memory`. */
  readonly name?: string;
  /** The number of refs that one `fetchMany` accepts. Default: 0; there is no `fetchMany`. */
  readonly batch?: number;
  /** Whether `watch` reports each change. Default: false; changes are found at the next poll. */
  readonly push?: boolean;
}

/** The calls that a fault affects. */
export interface MemoryFaultOptions {
  /** The call it affects. Default: any. */
  readonly call?: MemoryCall;
  /** The number of calls it affects. Default: all, until `stop`. */
  readonly times?: number;
}

export interface MemoryHangOptions extends MemoryFaultOptions {
  /** Whether calls ignore the abort of their signal, as those of a bad provider would. Default: false. */
  readonly ignoreAbort?: boolean;
}

/** A fault of a memory provider. */
export interface MemoryFault {
  /** The number of calls it has affected. Assert it: a fault that did not happen tested nothing. */
  readonly fired: number;
  /** Ends the fault. Calls that hang keep hanging. */
  stop(): void;
  /** Ends the fault, and answers the calls that hang. */
  release(): void;
}

/** A provider that keeps its secrets in memory, controlled by a test. */
export interface MemoryProvider extends SecretProvider {
  /** Every call, such as `fetch db` or `fetchMany db cache`, in order. */
  readonly log: string[];
  /** The bytes that were handed out, to verify that they were overwritten. */
  readonly handedOut: Uint8Array[];
  /** Whether it was closed. */
  readonly closed: boolean;
  /**
   * Makes this value the current version, and the current version the previous one (stage `AWSPREVIOUS`). The same
   * bytes are the same version. A given `versionId` may name an older version again, which is a rollback.
   * @returns the version
   */
  readonly set: (id: string, value: string | Uint8Array, versionId?: string) => string;
  /** Does the same for a secret that exists. @throws {Error} when it is not */
  rotate(id: string, value: string | Uint8Array, versionId?: string): string;
  /** Removes the secret. */
  remove(id: string): void;
  /** Makes calls reject with a failure of this class, or with an error that the provider cannot classify. */
  fail(how: ProviderFailure | Error, options?: MemoryFaultOptions): MemoryFault;
  /** Makes calls wait until their signal aborts or the fault is released. */
  hang(options?: MemoryHangOptions): MemoryFault;
}

interface Stored {
  readonly versions: Map<string, Uint8Array>;
  current: string;
  previous?: string;
}

interface Plan {
  readonly call: MemoryCall | undefined;
  left: number;
  act(signal: AbortSignal): Promise<void>;
}

/** Creates a custom provider for tests. Pass it in `RuntimeOptions.providers`. */
export function createMemoryProvider(options: MemoryProviderOptions = {}): MemoryProvider {
  const { name = 'memory', batch = 0, push = false } = options;
  const secrets = new Map<string, Stored>();
  const watchers = new Set<(hint: RotationHint) => void>();
  const plans: Plan[] = [];
  const log: string[] = [];
  const handedOut: Uint8Array[] = [];
  let counted = 0;
  let closed = false;

  const act = async (call: MemoryCall, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    // Looked up again after each: what was planned while a call hung counts for it.
    for (let at = 0; at < plans.length; at += 1) {
      const plan = plans[at];
      if (plan === undefined || plan.left <= 0 || (plan.call ?? call) !== call) continue;
      plan.left -= 1;
      await plan.act(signal);
    }
  };

  const need = (id: string): Stored => {
    const found = secrets.get(id);
    if (found === undefined) throw new ProviderError('not-found', `There is no secret ${id}.`);
    return found;
  };

  const versionOf = (ref: SecretRef, selector: SecretSelector): string => {
    const stored = need(ref.id);
    const stage = selector.stage ?? ref.stage;
    const versionId = selector.versionId ?? (stage === 'AWSPREVIOUS' ? stored.previous : stored.current);
    if (versionId !== undefined && stored.versions.has(versionId)) return versionId;
    throw new ProviderError('not-found', `The secret ${ref.id} has no such version.`);
  };

  const read = (ref: SecretRef, selector: SecretSelector): FetchResult => {
    const versionId = versionOf(ref, selector);
    const stored = need(ref.id);
    const bytes = Uint8Array.from(stored.versions.get(versionId) ?? []);
    handedOut.push(bytes);
    const isCurrent = versionId === stored.current;
    const isPrevious = versionId === stored.previous;
    return {
      versionId,
      stages: [...(isCurrent ? ['AWSCURRENT'] : []), ...(isPrevious ? ['AWSPREVIOUS'] : [])],
      bytes,
    };
  };

  const set: MemoryProvider['set'] = (id, value, versionId) => {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value);
    const stored = secrets.get(id);
    const held = stored?.versions.get(versionId ?? stored.current);
    if (stored !== undefined && held !== undefined && equal(held, bytes)) {
      if (versionId === undefined || versionId === stored.current) return stored.current;
    } else if (held !== undefined && versionId !== undefined) {
      throw new Error(
        `The version ${versionId} of ${id} has another value already: give the new value a new version.`,
      );
    }
    counted += 1;
    const next = versionId ?? `${name}-${counted}`;
    if (stored === undefined) {
      secrets.set(id, { versions: new Map([[next, bytes]]), current: next });
    } else {
      stored.versions.set(next, bytes);
      stored.previous = stored.current;
      stored.current = next;
    }
    for (const tell of watchers) tell({ id, versionId: next, stage: 'AWSCURRENT', source: name });
    return next;
  };

  const plan = (
    faultOptions: MemoryFaultOptions,
    hit: (signal: AbortSignal, released: AbortSignal) => Promise<void>,
  ): MemoryFault => {
    const released = new AbortController();
    let fired = 0;
    const planned: Plan = {
      call: faultOptions.call,
      left: faultOptions.times ?? Infinity,
      act: (signal) => {
        fired += 1;
        return hit(signal, released.signal);
      },
    };
    plans.push(planned);
    return {
      get fired() {
        return fired;
      },
      stop() {
        planned.left = 0;
      },
      release() {
        planned.left = 0;
        released.abort();
      },
    };
  };

  return {
    name,
    capabilities: { versions: true, ...(batch > 0 && { batch }), ...(push && { push }) },
    log,
    handedOut,
    get closed() {
      return closed;
    },
    set,
    rotate(id, value, versionId) {
      if (!secrets.has(id)) throw new Error(`There is no secret ${id} to rotate: set it first.`);
      return set(id, value, versionId);
    },
    remove(id) {
      for (const bytes of secrets.get(id)?.versions.values() ?? []) bytes.fill(0);
      secrets.delete(id);
    },
    fail: (how, faultOptions = {}) =>
      plan(faultOptions, async () => {
        throw typeof how === 'string' ? new ProviderError(how, `Told to fail: ${how}.`) : how;
      }),
    hang: (faultOptions = {}) =>
      plan(faultOptions, async (signal, released) => {
        await aborted(faultOptions.ignoreAbort === true ? released : AbortSignal.any([signal, released]));
        if (!released.aborted) signal.throwIfAborted();
      }),

    async describe(ref, signal) {
      log.push(`describe ${ref.id}`);
      await act('describe', signal);
      const { previous } = need(ref.id);
      return { current: versionOf(ref, {}), ...(previous !== undefined && { previous }) };
    },
    async fetch(ref, selector, signal) {
      log.push(`fetch ${ref.id}`);
      // Read before the wait: what a slow answer carries is what was current when it was asked for.
      const early = secrets.has(ref.id) ? read(ref, selector) : undefined;
      try {
        await act('fetch', signal);
      } catch (error) {
        early?.bytes.fill(0);
        throw error;
      }
      return early ?? read(ref, selector);
    },
    ...(batch > 0 && {
      async fetchMany(refs: readonly SecretRef[], signal: AbortSignal) {
        log.push(`fetchMany ${refs.map(({ id }) => id).join(' ')}`);
        await act('fetchMany', signal);
        const found = new Map<string, FetchResult | ProviderError>();
        for (const ref of refs) {
          try {
            found.set(ref.id, read(ref, {}));
          } catch (error) {
            found.set(ref.id, error as ProviderError);
          }
        }
        return found;
      },
    }),
    ...(push && {
      async watch(emit: (hint: RotationHint) => void, signal: AbortSignal) {
        watchers.add(emit);
        await aborted(signal);
        watchers.delete(emit);
      },
    }),
    classify: failureOf,
    close() {
      closed = true;
    },
  };
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
