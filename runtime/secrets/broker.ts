import { randomUUID } from 'node:crypto';
import type { SecretEntrySpec, SecretNews } from '../../actors/secret-entry.ts';
import type { ResolvedGrant } from '../config/resolve.ts';
import { HoldfastError } from '../errors.ts';
import { createSecretsCache, secretsStopped, systemSecretsClock, type SecretsCacheOptions } from './cache.ts';
import type { Capability } from './capability.ts';
import { capabilityDeadlineMs, runCapability } from './capability-call.ts';
import { liveGrants, notGranted, takeGranted, type LiveGrant } from './grants.ts';
import type { ProviderCalls } from './provider-pool.ts';
import { createRotationNotices } from './rotation-notices.ts';
import type { SecretEvent } from './secret-event.ts';
import type { SecretStatus } from './secret-status.ts';
import type { SecretsActorRef } from './secrets-logic.ts';

/** A change of version as the host sees it, once for each secret. */
export type SecretRotation = Omit<SecretEvent, 'type' | 'v' | 'id' | 'handle' | 'label'> & {
  readonly provider: string;
  readonly id: string;
};

export interface SecretsBrokerOptions extends SecretsCacheOptions {
  readonly capabilities?: readonly Capability[];
  /** Hears each change of version, when the cache holds it. */
  readonly onRotated?: (rotation: SecretRotation) => void;
  /** Hears what went wrong without anybody else to tell. Default: a process warning. */
  readonly onWarning?: (message: string) => void;
}

/** The host's side of secrets: who may use which, through which capability. */
export interface SecretsBroker {
  /** The secrets actor, started. */
  readonly actor: SecretsActorRef;
  /**
   * An instance lives: its grants count and their secrets are fetched and kept up to date (not at a TTL of 0).
   * Called again for the same address it replaces the grants and ends the calls of the incarnation before.
   * @throws {HoldfastError} `CONFIG_INVALID` for an undeclared provider alias, `RUNTIME_STOPPED`
   */
  open(address: string, grants: readonly ResolvedGrant[], notify: (event: SecretEvent) => void): void;
  /** The instance is gone: its grants end, its calls are rejected with `AGENT_STOPPED`. Unknown: ignored. */
  close(address: string): void;
  /**
   * Runs a capability for an instance. Rejects with `SECRET_NOT_GRANTED`, `SECRET_NOT_FOUND`, `SECRET_DENIED`,
   * `SECRET_UNAVAILABLE`, `ASK_TIMEOUT` after 60 s, `AGENT_STOPPED`, `RUNTIME_STOPPED`, the signal's reason, or
   * what the capability threw.
   */
  call(
    address: string,
    capability: string,
    label: string,
    args: unknown,
    signal?: AbortSignal,
  ): Promise<unknown>;
  /** Fetches a secret that is in use now; settles when it is done. Rejects with the codes of `call`. */
  refresh(provider: string, id: string): Promise<void>;
  status(): SecretStatus[];
  /** How often providers were called so far. */
  calls(): ProviderCalls;
  /** Ends all calls, overwrites all values, closes the providers. Idempotent; at most 2 s. */
  stop(): Promise<void>;
}

interface Holder {
  readonly grants: ReadonlyMap<string, LiveGrant>;
  readonly notify: (event: SecretEvent) => void;
  readonly calls: Set<AbortController>;
}

/**
 * Ties the cache and the grants of live instances together. Calls no provider before a grant is opened.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: an unknown provider or wrong options, or two capabilities of one name
 */
export function createSecretsBroker(options: SecretsBrokerOptions): SecretsBroker {
  const { clock = systemSecretsClock, onRotated, onWarning = processWarning } = options;
  const capabilities = capabilitiesByName(options.capabilities ?? []);
  const cache = createSecretsCache(options);
  const notices = createRotationNotices(onWarning);
  const holders = new Map<string, Holder>();
  let stopped = false;
  cache.onNews(tellHolders);

  function tellHolders({ type, ...news }: SecretNews, spec: SecretEntrySpec): void {
    const common = { ...news, stage: spec.stage, at: clock.now() };
    for (const [address, holder] of holders) {
      for (const [label, live] of holder.grants) {
        if (live.spec.key !== spec.key) continue;
        const handle = `secret:${address}/${label}`;
        notices.push(
          { type: `secret.${type}`, v: 1, id: randomUUID(), handle, label, ...common },
          (event) => {
            if (holders.get(address) === holder) holder.notify(event);
          },
        );
      }
    }
    if (type !== 'rotated') return;
    try {
      onRotated?.({ provider: spec.provider, id: spec.id, ...common });
    } catch {
      onWarning(`A listener for the rotation of a secret of the provider "${spec.provider}" threw.`);
    }
  }

  function endCalls(holder: Holder | undefined, reason: HoldfastError): void {
    for (const call of holder?.calls ?? []) call.abort(reason);
  }

  return {
    actor: cache.actor,
    open(address, grants, notify) {
      if (stopped) throw secretsStopped();
      const holder: Holder = { grants: liveGrants(grants, cache), notify, calls: new Set() };
      const before = holders.get(address);
      holders.set(address, holder);
      const entries = [...holder.grants.values()].map((live) => live.spec);
      if (entries.length > 0 || before !== undefined) cache.hold(address, entries);
      endCalls(before, agentStopped(address));
    },

    close(address) {
      const holder = holders.get(address);
      if (holder === undefined) return;
      holders.delete(address);
      cache.release(address);
      endCalls(holder, agentStopped(address));
    },

    async call(address, capabilityName, label, args, signal) {
      if (stopped) throw secretsStopped();
      const holder = holders.get(address);
      const live = holder?.grants.get(label);
      const capability = capabilities.get(capabilityName);
      if (!holder || !live || !capability || !live.grant.capabilities.includes(capabilityName)) {
        throw notGranted(address, capabilityName, label);
      }
      const ending = new AbortController();
      const giveUp = (): void => ending.abort(signal?.reason);
      const timer = clock.setTimeout(() => ending.abort(timedOut(capabilityName)), capabilityDeadlineMs);
      holder.calls.add(ending);
      signal?.addEventListener('abort', giveUp, { once: true });
      try {
        if (signal?.aborted === true) giveUp();
        const held = await untilAborted(ending.signal, () =>
          cache.need(live.spec, (answer) => {
            ending.signal.throwIfAborted();
            return takeGranted(live, answer, cache);
          }),
        );
        return await runCapability({
          capability,
          instance: address,
          label,
          args,
          signal: ending.signal,
          ...held,
        });
      } finally {
        clock.clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        holder.calls.delete(ending);
      }
    },

    refresh: (provider, id) => cache.refresh(provider, id),
    status: () => cache.status(),
    calls: () => cache.calls(),

    async stop() {
      if (stopped) return;
      stopped = true;
      for (const holder of holders.values()) endCalls(holder, secretsStopped());
      holders.clear();
      notices.clear();
      await cache.stop();
    },
  };
}

function capabilitiesByName(capabilities: readonly Capability[]): Map<string, Capability> {
  const byName = new Map<string, Capability>();
  for (const capability of capabilities) {
    if (byName.has(capability.name)) {
      throw new HoldfastError(
        'CONFIG_INVALID',
        `Two capabilities are named "${capability.name}". Rename one of them.`,
      );
    }
    byName.set(capability.name, capability);
  }
  return byName;
}

/** Settles as `start`'s promise, or rejects with the signal's reason, whichever comes first. */
async function untilAborted<T>(signal: AbortSignal, start: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([start(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function agentStopped(address: string): HoldfastError {
  return new HoldfastError('AGENT_STOPPED', `"${address}" has ended, and with it its use of secrets.`);
}

function timedOut(capability: string): HoldfastError {
  const seconds = capabilityDeadlineMs / 1000;
  return new HoldfastError(
    'ASK_TIMEOUT',
    `The capability "${capability}" did not end within ${seconds} s. Make it heed its signal, or split the work.`,
  );
}

function processWarning(message: string): void {
  process.emitWarning(message, 'HoldfastWarning');
}
