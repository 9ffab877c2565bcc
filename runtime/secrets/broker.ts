import { randomUUID } from 'node:crypto';
import { createActor } from 'xstate';
import type { SecretAnswer, SecretEntrySpec } from '../../actors/secret-entry.ts';
import type { SecretsEmitted, SecretsEvent } from '../../actors/secrets.ts';
import type { SecretProvider } from '../../providers/provider.ts';
import type { ResolvedGrant, ResolvedProvider } from '../config/resolve.ts';
import { HoldfastError } from '../errors.ts';
import { createAnswers } from './answers.ts';
import type { Capability } from './capability.ts';
import { capabilityDeadlineMs, runCapability } from './capability-call.ts';
import { fetchIntoVault } from './fetch-secret.ts';
import { liveGrants, notGranted, takeGranted, type LiveGrant } from './grants.ts';
import { failureError } from './provider-failure.ts';
import { createProviderPool, type ProviderCalls } from './provider-pool.ts';
import { createRotationNotices } from './rotation-notices.ts';
import type { SecretEvent } from './secret-event.ts';
import { secretStatuses, type SecretStatus } from './secret-status.ts';
import { secretsLogic, type SecretsActorRef, type SecretsLogic } from './secrets-logic.ts';
import { createVault } from './vault.ts';

/** Time for the secrets part; xstate's `SimulatedClock` is one. */
export interface SecretsClock {
  /** Milliseconds since the epoch, never going back. */
  now(): number;
  setTimeout(fn: () => void, timeoutMs: number): unknown;
  clearTimeout(id: unknown): void;
}

/** A change of version as the host sees it, once for each secret. */
export type SecretRotation = Omit<SecretEvent, 'type' | 'v' | 'id' | 'handle' | 'label'> & {
  readonly provider: string;
  readonly id: string;
};

export interface SecretsBrokerOptions {
  readonly providers: readonly ResolvedProvider[];
  /** Providers of the host's own; they win over built-in ones of the same name. */
  readonly customProviders?: readonly SecretProvider[];
  readonly capabilities?: readonly Capability[];
  readonly clock?: SecretsClock;
  /** Uniform in [0, 1), for the jitter of the TTL. Default `Math.random`. */
  readonly random?: () => number;
  /** Starts the actor where the caller wants it, as a child for example. Default: a root actor on `clock`. */
  readonly start?: (logic: SecretsLogic, options: { id: 'secrets'; systemId: 'secrets' }) => SecretsActorRef;
  /** Hears each change of version, when the vault holds it. */
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

const systemClock: SecretsClock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  setTimeout: (fn, timeoutMs) => setTimeout(fn, timeoutMs),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
};

/**
 * Ties vault, providers, the secrets actor and grants together. Calls no provider before a grant is opened.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: an unknown provider or wrong options, or two capabilities of one name
 */
export function createSecretsBroker(options: SecretsBrokerOptions): SecretsBroker {
  const { clock = systemClock, random = Math.random, onRotated, onWarning = processWarning } = options;
  const providers = createProviderPool(options.providers, options.customProviders ?? []);
  const capabilities = capabilitiesByName(options.capabilities ?? []);
  const vault = createVault();
  const answers = createAnswers();
  const notices = createRotationNotices(onWarning);
  const holders = new Map<string, Holder>();
  let stopped = false;

  const logic = secretsLogic({
    fetch: (input, signal) => fetchIntoVault({ providers, vault, now: () => clock.now() }, input, signal),
    answer: (key, answer) => answers.give(key, answer),
    evict: (key) => vault.evict(key),
    random,
  });
  const identity = { id: 'secrets', systemId: 'secrets' } as const;
  const actor = options.start?.(logic, identity) ?? createActor(logic, { ...identity, clock }).start();
  const ended = (): void => answers.abandon(runtimeStopped());
  actor.subscribe({ error: ended, complete: ended });
  actor.on('entry.lost', ({ key }) => {
    vault.evict(key);
    answers.give(key, { ok: false, failure: 'transient' });
  });
  actor.on('rotated', tellHolders);

  function tellHolders(rotated: Extract<SecretsEmitted, { type: 'rotated' }>): void {
    const spec = actor.getSnapshot().context.entries[rotated.key]?.getSnapshot().context;
    if (spec === undefined) return;
    const { epoch, versionId, previousVersionId, cause } = rotated;
    const change = { epoch, versionId, ...(previousVersionId !== undefined && { previousVersionId }), cause };
    const common = { ...change, stage: spec.stage, at: clock.now() };
    for (const [address, holder] of holders) {
      for (const [label, live] of holder.grants) {
        if (live.spec.key !== rotated.key) continue;
        const handle = `secret:${address}/${label}`;
        notices.push(
          { type: 'secret.rotated', v: 1, id: randomUUID(), handle, label, ...common },
          (event) => {
            if (holders.get(address) === holder) holder.notify(event);
          },
        );
      }
    }
    try {
      onRotated?.({ provider: spec.provider, id: spec.id, ...common });
    } catch {
      onWarning(`A listener for the rotation of a secret of the provider "${spec.provider}" threw.`);
    }
  }

  function ask<T>(
    spec: SecretEntrySpec,
    type: 'secret.need' | 'secret.refresh',
    take: (answer: SecretAnswer) => T,
  ): Promise<T> {
    if (stopped || !isActive()) return Promise.reject(runtimeStopped());
    const answered = answers.next(spec.key, take);
    actor.send({ type, entry: spec });
    return answered;
  }

  function isActive(): boolean {
    return actor.getSnapshot().status === 'active';
  }

  // Whoever started the actor may have ended it already, on the way down.
  function tell(event: SecretsEvent): void {
    if (isActive()) actor.send(event);
  }

  function endCalls(holder: Holder | undefined, reason: HoldfastError): void {
    for (const call of holder?.calls ?? []) call.abort(reason);
  }

  return {
    actor,
    open(address, grants, notify) {
      if (stopped) throw runtimeStopped();
      const holder: Holder = { grants: liveGrants(grants, providers), notify, calls: new Set() };
      const before = holders.get(address);
      holders.set(address, holder);
      const entries = [...holder.grants.values()].map((live) => live.spec);
      if (entries.length > 0 || before !== undefined) tell({ type: 'grant.open', address, entries });
      endCalls(before, agentStopped(address));
    },

    close(address) {
      const holder = holders.get(address);
      if (holder === undefined) return;
      holders.delete(address);
      tell({ type: 'grant.close', address });
      endCalls(holder, agentStopped(address));
    },

    async call(address, capabilityName, label, args, signal) {
      if (stopped) throw runtimeStopped();
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
          ask(live.spec, 'secret.need', (answer) => {
            ending.signal.throwIfAborted();
            return takeGranted(live, answer, vault);
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

    async refresh(provider, id) {
      if (stopped) throw runtimeStopped();
      const used = Object.values(actor.getSnapshot().context.entries).map(
        (entry) => entry.getSnapshot().context,
      );
      const specs = used.filter((spec) => spec.provider === provider && spec.id === id);
      if (specs.length === 0) {
        throw new HoldfastError(
          'SECRET_NOT_FOUND',
          `No instance uses the secret "${id}" of the provider "${provider}".`,
        );
      }
      const settled = specs.map((spec) =>
        ask(spec, 'secret.refresh', (answer) => {
          if (!answer.ok) throw failureError(answer.failure, id, provider);
        }),
      );
      await Promise.all(settled);
    },

    status: () => secretStatuses(actor, clock.now()),
    calls: () => providers.calls(),

    async stop() {
      if (stopped) return;
      stopped = true;
      for (const holder of holders.values()) endCalls(holder, runtimeStopped());
      holders.clear();
      notices.clear();
      // Its end rejects all who wait.
      tell({ type: 'secrets.stop' });
      vault.clear();
      await providers.close();
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

function runtimeStopped(): HoldfastError {
  return new HoldfastError(
    'RUNTIME_STOPPED',
    'The runtime has stopped, and with it the use of secrets. Create a new one.',
  );
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
