import { createActor } from 'xstate';
import type {
  SecretAnswer,
  SecretCause,
  SecretEntryContext,
  SecretEntrySpec,
  SecretNews,
} from '../../actors/secret-entry.ts';
import type { SecretsEvent } from '../../actors/secrets.ts';
import type { SecretProvider, SecretRef } from '../../providers/provider.ts';
import type { ResolvedProvider } from '../config/resolve.ts';
import { HoldfastError } from '../errors.ts';
import { createAnswers } from './answers.ts';
import { fetchIntoVault } from './fetch-secret.ts';
import { failureError } from './provider-failure.ts';
import { createProviderPool, unknownAlias, type ProviderCalls } from './provider-pool.ts';
import { secretStatuses, type SecretStatus } from './secret-status.ts';
import { secretsLogic, type SecretsActorRef, type SecretsLogic } from './secrets-logic.ts';
import type { Scrubber } from './scrubber.ts';
import { createVault, type Vault } from './vault.ts';

/** Time for the secrets part; xstate's `SimulatedClock` is one. */
export interface SecretsClock {
  /** Milliseconds since the epoch, never going back. */
  now(): number;
  setTimeout(fn: () => void, timeoutMs: number): unknown;
  clearTimeout(id: unknown): void;
}

/** Where a secret stands, for somebody who missed the news. */
export interface KnownSecret {
  /** 0: never fetched. */
  readonly epoch: number;
  readonly versionId?: string;
  /** Of the last change; absent while the first version is the current one. */
  readonly cause?: SecretCause;
}

/** Hears the news of an entry, at once. */
export type NewsListener = (news: SecretNews, entry: SecretEntrySpec) => void;

export interface SecretsCacheOptions {
  readonly providers: readonly ResolvedProvider[];
  /** Providers of the host's own; they win over built-in ones of the same name. */
  readonly customProviders?: readonly SecretProvider[];
  readonly clock?: SecretsClock;
  /** Uniform in [0, 1), for the jitter of the TTL. Default `Math.random`. */
  readonly random?: () => number;
  /** Hears what is wrong with a secret itself, once until that changes. Default: nobody. */
  readonly onWarning?: (message: string) => void;
  /** Is told each value, before anybody can use it. */
  readonly scrubber?: Pick<Scrubber, 'learn' | 'cover' | 'forget'> | undefined;
  /** Starts the actor where the caller wants it, as a child for example. Default: a root actor on `clock`. */
  readonly start?: (logic: SecretsLogic, options: { id: 'secrets'; systemId: 'secrets' }) => SecretsActorRef;
}

/** The values that providers gave, by entry: who may use them is the broker's business. */
export interface SecretsCache {
  /** The secrets actor, started. */
  readonly actor: SecretsActorRef;
  /** The entry that serves a ref. @throws {HoldfastError} `CONFIG_INVALID` for an undeclared provider alias */
  entry(ref: SecretRef): SecretEntrySpec;
  /** An instance lives and holds these; replaces what it held before. With no entries it holds nothing. */
  hold(address: string, entries: readonly SecretEntrySpec[]): void;
  /** The instance is gone. Unknown: ignored. */
  release(address: string): void;
  /**
   * Settles with what `take` makes of the entry's answer, at the moment it is given: right after it the value may
   * be evicted. Rejects with `RUNTIME_STOPPED` or what `take` throws.
   */
  need<T>(entry: SecretEntrySpec, take: (answer: SecretAnswer) => T): Promise<T>;
  /** A copy of the bytes, for the caller to overwrite; undefined when this version is not here. */
  read(entry: SecretEntrySpec, versionId: string): Buffer | undefined;
  /** Fetches a secret that is in use now; settles when it is done. Rejects with `SECRET_…` or `RUNTIME_STOPPED`. */
  refresh(provider: string, id: string): Promise<void>;
  /**
   * The service refused this version: settles with another one as soon as there is one, else with a failure. A version
   * that is not the current one any more is answered at once. Rejects with `RUNTIME_STOPPED` or the signal's reason.
   */
  rejected(entry: SecretEntrySpec, versionId: string, signal: AbortSignal): Promise<SecretAnswer>;
  /** Where the entry stands; undefined when nobody has held or needed it. */
  known(entry: SecretEntrySpec): KnownSecret | undefined;
  /** Hears of new versions when they are here, and when an entry is stale, refused, unavailable or recovers. One listener. */
  onNews(listener: NewsListener): void;
  status(): SecretStatus[];
  /** How often providers were called so far. */
  calls(): ProviderCalls;
  /** Rejects all who wait, overwrites all values, closes the providers. Idempotent; at most 2 s. */
  stop(): Promise<void>;
}

export const systemSecretsClock: SecretsClock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  setTimeout: (fn, timeoutMs) => setTimeout(fn, timeoutMs),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
};

/**
 * Ties vault, providers and the secrets actor together. Calls no provider before an entry is held or needed.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: an unknown provider or wrong options
 */
export function createSecretsCache(options: SecretsCacheOptions): SecretsCache {
  const { clock = systemSecretsClock, random = Math.random } = options;
  const providers = createProviderPool(options.providers, options.customProviders ?? []);
  const vault = toldVault(createVault(), options.scrubber);
  const answers = createAnswers();
  let stopped = false;
  let heard: NewsListener | undefined;

  const warned = new Map<string, string>();
  const placeholder = ({ provider, id, stage }: SecretRef, why: string): void => {
    const name = `"${id}" (${stage ?? 'current'}) of the provider "${provider}"`;
    if (warned.get(name) === why) return;
    warned.set(name, why);
    options.onWarning?.(
      `The secret ${name} is a placeholder: ${why}. It is not used; store the real value there.`,
    );
  };

  const logic = secretsLogic({
    fetch: (input, signal) =>
      fetchIntoVault({ providers, vault, now: () => clock.now(), placeholder }, input, signal),
    answer: (key, answer) => answers.give(key, answer),
    evict: (key) => vault.evict(key),
    random,
  });
  const identity = { id: 'secrets', systemId: 'secrets' } as const;
  const actor = options.start?.(logic, identity) ?? createActor(logic, { ...identity, clock }).start();
  const ended = (): void => answers.abandon(secretsStopped());
  actor.subscribe({ error: ended, complete: ended });
  actor.on('entry.lost', ({ key }) => {
    vault.evict(key);
    answers.give(key, { ok: false, failure: 'transient' });
  });
  actor.on('news', ({ key, news }) => {
    const spec = contextOf(key);
    if (spec !== undefined) heard?.(news, spec);
  });

  const contextOf = (key: string): SecretEntryContext | undefined =>
    actor.getSnapshot().context.entries[key]?.getSnapshot().context;

  function ask<T>(
    entry: SecretEntrySpec,
    type: 'secret.need' | 'secret.refresh',
    take: (answer: SecretAnswer) => T,
  ): Promise<T> {
    if (stopped || !isActive()) return Promise.reject(secretsStopped());
    const answered = answers.next(entry.key, take);
    actor.send({ type, entry });
    return answered;
  }

  function isActive(): boolean {
    return actor.getSnapshot().status === 'active';
  }

  // Whoever started the actor may have ended it already, on the way down.
  function tell(event: SecretsEvent): void {
    if (isActive()) actor.send(event);
  }

  return {
    actor,
    entry({ provider, id, stage = 'AWSCURRENT' }) {
      const declared = providers.declared(provider);
      if (declared === undefined)
        throw new HoldfastError('CONFIG_INVALID', unknownAlias(provider, providers.aliases()));
      const part = encodeURIComponent;
      const key = `${part(provider)}:${part(id)}@${part(stage)}`;
      return { key, provider, id, stage, ttlMs: declared.cacheTtlMs };
    },
    hold: (address, entries) => tell({ type: 'grant.open', address, entries }),
    release: (address) => tell({ type: 'grant.close', address }),
    need: (entry, take) => ask(entry, 'secret.need', take),
    read: ({ key }, versionId) => vault.read(key, versionId),

    async refresh(provider, id) {
      if (stopped) throw secretsStopped();
      const used = Object.values(actor.getSnapshot().context.entries).map(
        (entry) => entry.getSnapshot().context,
      );
      const entries = used.filter((entry) => entry.provider === provider && entry.id === id);
      if (entries.length === 0) {
        throw new HoldfastError(
          'SECRET_NOT_FOUND',
          `No instance uses the secret "${id}" of the provider "${provider}".`,
        );
      }
      const settled = entries.map((entry) =>
        ask(entry, 'secret.refresh', (answer) => {
          if (!answer.ok) throw failureError(answer.failure, id, provider);
        }),
      );
      await Promise.all(settled);
    },

    async rejected(entry, versionId, signal) {
      signal.throwIfAborted();
      const current = contextOf(entry.key)?.versionId;
      const type = current === versionId ? 'secret.refresh' : 'secret.need';
      const answer = await ask(entry, type, (answer) => answer);
      signal.throwIfAborted();
      if (!answer.ok || answer.versionId !== versionId) return answer;
      return { ok: false, failure: 'transient' };
    },

    known({ key }) {
      const context = contextOf(key);
      if (context === undefined) return undefined;
      const { epoch, versionId, change } = context;
      return { epoch, ...(versionId !== undefined && { versionId }), ...(change && { cause: change }) };
    },

    onNews(listener) {
      heard = listener;
    },
    status: () => secretStatuses(actor, clock.now()),
    calls: () => providers.calls(),

    async stop() {
      if (stopped) return;
      stopped = true;
      // Its end rejects all who wait.
      tell({ type: 'secrets.stop' });
      vault.clear();
      await providers.close();
    },
  };
}

export function secretsStopped(): HoldfastError {
  return new HoldfastError(
    'RUNTIME_STOPPED',
    'The runtime has stopped, and with it the use of secrets. Create a new one.',
  );
}

/** Tells which values come and go. */
function toldVault(vault: Vault, scrubber: SecretsCacheOptions['scrubber']): Vault {
  if (scrubber === undefined) return vault;
  return {
    ...vault,
    put(key, versionId, bytes) {
      scrubber.learn(key, versionId, bytes);
      vault.put(key, versionId, bytes);
    },
    evict(key) {
      scrubber.forget(key);
      vault.evict(key);
    },
  };
}
