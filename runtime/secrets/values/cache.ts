import { createActor, type SnapshotFrom } from 'xstate';
import {
  answerOf,
  fetchDeadlineMs,
  refreshedOf,
  usableUntil,
  type SecretAnswer,
  type SecretCause,
  type SecretEntryContext,
  type SecretEntrySpec,
  type SecretFetchCause,
  type SecretNews,
} from '../../../actors/secret-entry.ts';
import type { SecretEntryRef, SecretsEvent } from '../../../actors/secrets.ts';
import type { SecretProvider, SecretRef } from '../../../providers/provider.ts';
import type { ResolvedProvider } from '../../config/resolve.ts';
import { HoldfastError } from '../../base/errors.ts';
import { createAnswers } from './answers.ts';
import { createBatchedReads } from './batched-reads.ts';
import { fetchIntoVault, fetchPrevious, type FetchDependencies } from './fetch-secret.ts';
import { createPrefetch } from './prefetch.ts';
import { failureError } from './provider-failure.ts';
import { createProviderComplaints } from './provider-complaints.ts';
import { createProviderGate } from './provider-gate.ts';
import { createProviderPool, unknownAlias, type ProviderCalls } from './provider-pool.ts';
import { createRefreshLimit } from './refresh-limit.ts';
import { createRejections, type RejectedEntry } from './rejections.ts';
import { createRotationHints } from './rotation-hints.ts';
import {
  providerStatuses,
  secretStatuses,
  type SecretProviderStatus,
  type SecretStatus,
  type CacheUse,
} from './secret-status.ts';
import { secretsLogic, type SecretsActorRef, type SecretsLogic } from './secrets-logic.ts';
import { systemClock } from '../../base/clock.ts';
import type { SecretsClock } from './secrets-clock.ts';
import { createVault, type Vault } from './vault.ts';

/** The state of a secret, for an incarnation that missed the news. */
export interface KnownSecret {
  /** 0: never fetched. */
  readonly epoch: number;
  readonly versionId?: string;
  /** The cause of the last change; absent while the first version is the current one. */
  readonly cause?: SecretCause;
  /** The last news that its holders were told, when it was bad. */
  readonly trouble?: 'stale' | 'revoked' | 'unavailable';
  /** Only with `stale`. */
  readonly graceUntil?: number;
}

/** Hears the news of an entry, at once. */
export type NewsListener = (news: SecretNews, entry: SecretEntrySpec) => void;

/** The secret as a grant names it. */
export type CachedRef = SecretRef & Pick<RejectedEntry, 'rotation'>;

/** An entry to be fetched before anybody uses it, and the receiver of its answer, as in `need`. */
export interface Prefetched {
  readonly entry: SecretEntrySpec;
  readonly receive: (answer: SecretAnswer) => void;
  /** The entry is fetched even when it cannot be kept or there is little room. Default false. */
  readonly required?: boolean | undefined;
}

/** Learns each value before anybody can use it. */
export interface ValueLearner {
  /** A value has come into the host; `bytes` stay the cache's. */
  learn(key: string, versionId: string, bytes: Uint8Array): void;
  /** A grant is for that field of the secret, or for the whole of it. */
  cover(key: string, jsonKey: string | undefined): void;
  /** These versions of a secret are held now, and no others. */
  hold(key: string, versionIds: readonly string[]): void;
}

export interface SecretsCacheOptions {
  readonly providers: readonly ResolvedProvider[];
  /** Providers of the host's own; they win over built-in ones of the same name. */
  readonly customProviders?: readonly SecretProvider[];
  /**
   * The most secrets held at one time; beyond it the least recently used one goes, granted ones last. Default 1000.
   */
  readonly maxEntries?: number;
  readonly clock?: SecretsClock;
  /** Uniform in [0, 1), for the jitter of the time to live and the back-off. Default `Math.random`. */
  readonly random?: () => number;
  readonly scrubber?: ValueLearner | undefined;
  /** Starts the actor where the caller wants it, for example as a child. Default: a root actor on `clock`. */
  readonly start?: (logic: SecretsLogic, options: { id: 'secrets'; systemId: 'secrets' }) => SecretsActorRef;
  /** Called for a problem that nobody else is told of. Default: not reported. */
  readonly onWarning?: (message: string) => void;
}

/** The values that providers gave, by entry. The broker decides who may use them. */
export interface SecretsCache {
  /** The secrets actor, started. */
  readonly actor: SecretsActorRef;
  /** The entry that serves a ref. @throws {HoldfastError} `CONFIG_INVALID` for an undeclared provider alias */
  entry(ref: CachedRef): RejectedEntry;
  /** An instance lives and holds these entries, which replace those it held before. An empty list releases all. */
  hold(address: string, entries: readonly SecretEntrySpec[]): void;
  /** The state of an instance knows that version by that epoch: what it is told next has a higher one. */
  seen(entry: SecretEntrySpec, known: { readonly versionId: string; readonly epoch: number }): void;
  /** The instance is gone. An unknown address is ignored. */
  release(address: string): void;
  /**
   * Settles with the result of `receive` for the entry's answer, at the moment the answer is given, because right
   * after it the value may be evicted. Rejects with `RUNTIME_STOPPED` or the error of `receive`.
   */
  need<T>(entry: SecretEntrySpec, receive: (answer: SecretAnswer) => T): Promise<T>;
  /** The answer for an entry whose value is here and need not be waited for, at once; undefined for any other. */
  held(entry: SecretEntrySpec): SecretAnswer | undefined;
  /** A copy of the bytes, for the caller to overwrite; undefined when this version is not here. */
  read(entry: SecretEntrySpec, versionId: string): Buffer | undefined;
  /**
   * Fetches a secret that is in use now; settles when it is done. Within 5 s of the last time, or beyond 10 a second
   * for the provider, it settles with what is known instead. Rejects with `SECRET_…` or `RUNTIME_STOPPED`.
   */
  refresh(provider: string, id: string): Promise<void>;
  /**
   * The service refused this version: settles with another version as soon as there is one, else with `rejected` after
   * 60 s. For a version that is no longer current it settles at once with the current one. Rejects with
   * `RUNTIME_STOPPED` or the signal's reason.
   */
  rejected(entry: RejectedEntry, versionId: string, signal: AbortSignal): Promise<SecretAnswer>;
  /**
   * Brings the version before the current one here, and settles with it; undefined when there is none, or it cannot be
   * had.
   */
  previous(entry: SecretEntrySpec): Promise<string | undefined>;
  /** The state of the entry; undefined when it was never held or needed. */
  known(entry: SecretEntrySpec): KnownSecret | undefined;
  /**
   * Sets the one listener, which is called for new versions once they are here, and when an entry is stale, refused,
   * unavailable or recovers.
   */
  onNews(listener: NewsListener): void;
  /** Tells the providers that want to know which secrets the config declares. Once, before anything is fetched. */
  prepare(refs: readonly SecretRef[]): void;
  /**
   * The reasons why providers can never read these refs, as far as they show before a call; undefined when there is
   * nothing to examine.
   */
  problems(refs: readonly SecretRef[]): Promise<string[]> | undefined;
  /**
   * Fetches secrets in their order, in batches. Secrets that are not required are fetched only as far as they can be
   * kept, up to four fifths of what the cache holds. Returns a promise for each, as `need` does.
   */
  prefetch(wanted: readonly Prefetched[]): Promise<void>[];
  status(): SecretStatus[];
  /** The providers in use. */
  providers(): SecretProviderStatus[];
  /** The number of calls to providers so far. */
  calls(): ProviderCalls;
  /** Rejects every wait, overwrites all values, closes the providers. Idempotent; at most 2 s. */
  stop(): Promise<void>;
}

/** Milliseconds for which a value is used while its provider fails, where the config sets none (DEFAULTS). */
export const defaultMaxStaleMs = 900_000;
const defaultMaxEntries = 1000;
/** The part of the cache that the prefetch may fill, so that it does not drop what it has just fetched. */
const prefetchedPart = 0.8;

/**
 * Ties vault, providers and the secrets actor together. Calls no provider before an entry is held or needed.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: an unknown provider or wrong options
 */
export function createSecretsCache(options: SecretsCacheOptions): SecretsCache {
  const { clock = systemClock, random = Math.random, onWarning: warn = () => {} } = options;
  const { maxEntries = defaultMaxEntries } = options;
  const providers = createProviderPool(options.providers, options.customProviders ?? [], warn);
  const needs = createAnswers();
  const refreshes = createAnswers();
  const uses = new Map<string, CacheUse>();
  const planned = new Map<string, number>();
  const stopping = new AbortController();
  // The status and events show whole milliseconds.
  const now = (): number => Math.round(clock.now());
  let heard: NewsListener | undefined;

  const warned = new Map<string, string>();
  const placeholder = ({ provider, id, stage }: SecretRef, why: string): void => {
    const name = `"${id}" (${stage ?? 'current'}) of the provider "${provider}"`;
    if (warned.get(name) === why) return;
    warned.set(name, why);
    warn(`The secret ${name} is a placeholder: ${why}. It is not used; store the real value there.`);
  };

  const { scrubber } = options;
  const bounded = createVault({
    maxEntries,
    isGranted: (key) => (contextOf(key)?.holders ?? 0) > 0,
    onDropped: (key) => {
      scrubber?.hold(key, []);
      tell({ type: 'value.dropped', key });
    },
  });
  const vault = toldVault(bounded, scrubber);
  const gate = createProviderGate((alias) => actor.getSnapshot().context.breakers[alias], now);
  const calling = { providers, gate, complaints: createProviderComplaints(warn) };
  const prefetch = createPrefetch(providers, clock);
  const reads = createBatchedReads(calling);
  const fetching: FetchDependencies = { ...calling, vault, now, placeholder, reads };

  const logic = secretsLogic({
    fetch: (input, signal) => fetchIntoVault(fetching, input, signal),
    answer: (key, answer) => needs.give(key, answer),
    settle: (key, answer) => refreshes.give(key, answer),
    evict: (key) => vault.evict(key),
    planned: (key, ms) => planned.set(key, now() + ms),
    now,
    random,
  });
  const identity = { id: 'secrets', systemId: 'secrets' } as const;
  const actor = options.start?.(logic, identity) ?? createActor(logic, { ...identity, clock }).start();
  const ended = (): void => {
    for (const answers of [needs, refreshes]) answers.abandon(secretsStopped());
  };
  actor.subscribe({ error: ended, complete: ended });
  actor.on('entry.lost', ({ key }) => {
    vault.evict(key);
    for (const answers of [needs, refreshes]) answers.give(key, { ok: false, failure: 'transient' });
  });
  actor.on('news', ({ key, news }) => {
    const context = contextOf(key);
    if (context !== undefined) heard?.(news, context);
    rejections.wake(key);
  });
  actor.on('breaker.changed', ({ provider, open, failure }) => {
    if (open)
      warn(`The secrets provider "${provider}" fails (${failure}); it is not called for 30 s at a time.`);
    else warn(`The secrets provider "${provider}" answers again.`);
  });

  const limit = createRefreshLimit(now);
  const rejections = createRejections({
    clock,
    limit,
    contextOf,
    need: (entry) => ask(entry, (answer) => answer),
    refresh: (entry) => fetchNow(entry, 'auth-failure'),
    previous,
    holds: (key, versionId) => vault.has(key, versionId),
  });
  const hints = createRotationHints({
    clock,
    limit,
    random,
    warn,
    entries: () =>
      Object.values(actor.getSnapshot().context.entries).map((entry) => entry.getSnapshot().context),
    isFetching: (key) => snapshotOf(key)?.matches('calling') === true,
    look: (entry, versionId) => fetchNow(entry, 'push', versionId),
  });

  function snapshotOf(key: string): SnapshotFrom<SecretEntryRef> | undefined {
    return actor.getSnapshot().context.entries[key]?.getSnapshot();
  }

  function contextOf(key: string): SecretEntryContext | undefined {
    return snapshotOf(key)?.context;
  }

  function isActive(): boolean {
    return !stopping.signal.aborted && actor.getSnapshot().status === 'active';
  }

  // The owner of the actor may have ended it already, as it stops itself.
  function tell(event: SecretsEvent): void {
    if (isActive()) actor.send(event);
  }

  function listen({ provider: alias }: SecretEntrySpec): void {
    try {
      hints.listen(alias, providers.get(alias));
    } catch {
      // A provider that cannot be made fails at each fetch, and the fetch tells those who wait.
    }
  }

  /** The entry knows already that it is used, so no event needs to say so again. */
  function held(entry: SecretEntrySpec): SecretAnswer | undefined {
    if (!isActive()) return undefined;
    const context = contextOf(entry.key);
    if (context?.held !== true || !context.used) return undefined;
    useOf(entry).hits += 1;
    listen(entry);
    return answerOf(context);
  }

  function useOf({ key }: SecretEntrySpec): CacheUse {
    let use = uses.get(key);
    if (use === undefined) uses.set(key, (use = { hits: 0, misses: 0 }));
    return use;
  }

  async function ask<T>(entry: SecretEntrySpec, receive: (answer: SecretAnswer) => T): Promise<T> {
    if (!isActive()) throw secretsStopped();
    const answer = held(entry);
    if (answer !== undefined) return receive(answer);
    const answered = next(entry, receive);
    actor.send({ type: 'secret.need', entries: [entry] });
    return answered;
  }

  /** The next answer of the entry, which the secrets actor has to be told is needed. */
  function next<T>(entry: SecretEntrySpec, receive: (answer: SecretAnswer) => T): Promise<T> {
    const use = useOf(entry);
    if (contextOf(entry.key)?.held === true) use.hits += 1;
    else use.misses += 1;
    return needs.next(entry.key, receive);
  }

  /** Needs many with one event. */
  function askMany(wanted: readonly Prefetched[]): Promise<void>[] {
    if (!isActive()) return wanted.map(() => Promise.reject(secretsStopped()));
    const answers = wanted.map(({ entry, receive }) => next(entry, receive));
    const entries = new Map(wanted.map(({ entry }) => [entry.key, entry]));
    actor.send({ type: 'secret.need', entries: [...entries.values()] });
    for (const entry of entries.values()) listen(entry);
    return answers;
  }

  function need<T>(entry: SecretEntrySpec, receive: (answer: SecretAnswer) => T): Promise<T> {
    const answered = ask(entry, receive);
    listen(entry);
    return answered;
  }

  async function previous(entry: SecretEntrySpec): Promise<string | undefined> {
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(), fetchDeadlineMs);
    const found = await fetchPrevious(fetching, entry, AbortSignal.any([stopping.signal, late.signal]));
    clock.clearTimeout(timer);
    return found;
  }

  async function fetchNow(
    entry: SecretEntrySpec,
    cause: SecretFetchCause,
    versionId?: string,
  ): Promise<SecretAnswer> {
    if (!isActive()) throw secretsStopped();
    const settled = refreshes.next(entry.key, (answer) => answer);
    actor.send({ type: 'secret.refresh', entry, cause, ...(versionId !== undefined && { versionId }) });
    return settled;
  }

  /** The answer of a refresh that may not be made now: that of the refresh before it. */
  async function lastRefresh(entry: SecretEntryContext): Promise<SecretAnswer> {
    const snapshot = snapshotOf(entry.key);
    if (snapshot?.matches('calling') === true) return refreshes.next(entry.key, (answer) => answer);
    return snapshot?.matches('cold') === true ? ask(entry, (answer) => answer) : refreshedOf(entry);
  }

  return {
    actor,
    entry({ provider, id, stage = 'AWSCURRENT', role, rotation }) {
      const declared = providers.declared(provider);
      if (declared === undefined)
        throw new HoldfastError('CONFIG_INVALID', unknownAlias(provider, providers.aliases()));
      const part = encodeURIComponent;
      const key = `${part(provider)}:${part(id)}@${part(stage)}${role === undefined ? '' : `!${part(role)}`}`;
      return {
        key,
        provider,
        id,
        stage,
        ...(role !== undefined && { role }),
        ttlMs: declared.cacheTtlMs,
        maxStaleMs: declared.maxStaleMs ?? defaultMaxStaleMs,
        ...(rotation !== undefined && { rotation }),
      };
    },
    hold(address, entries) {
      tell({ type: 'grant.open', address, entries });
      for (const entry of entries) listen(entry);
    },
    seen: (entry, { versionId, epoch }) => tell({ type: 'secret.seen', entry, versionId, epoch }),
    release: (address) => tell({ type: 'grant.close', address }),
    need,
    held,
    read: ({ key }, versionId) => vault.read(key, versionId),

    async refresh(provider, id) {
      if (!isActive()) throw secretsStopped();
      const used = Object.keys(actor.getSnapshot().context.entries).flatMap((key) => contextOf(key) ?? []);
      const entries = used.filter((entry) => entry.provider === provider && entry.id === id);
      if (entries.length === 0) {
        throw new HoldfastError(
          'SECRET_NOT_FOUND',
          `No instance uses the secret "${id}" of the provider "${provider}".`,
        );
      }
      const answers = await Promise.all(
        entries.map((entry) =>
          limit.admit(provider, entry.key) ? fetchNow(entry, 'manual') : lastRefresh(entry),
        ),
      );
      for (const answer of answers) if (!answer.ok) throw failureError(answer.failure, id, provider);
    },

    async rejected(entry, versionId, signal) {
      if (!isActive()) throw secretsStopped();
      const answer = await rejections.claim(entry, versionId, signal);
      if (!isActive()) throw secretsStopped();
      return answer;
    },

    previous,

    known({ key }) {
      const context = contextOf(key);
      if (context === undefined) return undefined;
      const { epoch, versionId, lastCause, standing } = context;
      const isBad = standing !== 'good' && standing !== 'unknown';
      return {
        epoch,
        ...(versionId !== undefined && { versionId }),
        ...(lastCause && { cause: lastCause }),
        ...(isBad && { trouble: standing }),
        ...(standing === 'stale' && { graceUntil: usableUntil(context) }),
      };
    },

    onNews(listener) {
      heard = listener;
    },

    prepare: (refs) => providers.prepare(refs),
    problems: (refs) => providers.problems(refs),

    prefetch(wanted) {
      const settled = new Map(wanted.map((one) => [one, Promise.withResolvers<void>()]));
      const fits = fitting(wanted, Math.floor(maxEntries * prefetchedPart));
      for (const [one, { resolve }] of settled) if (!fits.has(one.entry.key)) resolve();
      const byKey = Map.groupBy(wanted, ({ entry }) => entry.key);
      prefetch.start([...fits.values()], async (entries) => {
        const those = entries.flatMap(({ key }) => byKey.get(key) ?? []);
        const answers = askMany(those);
        for (const [at, answer] of answers.entries()) settled.get(those[at] as Prefetched)?.resolve(answer);
        await Promise.allSettled(answers);
      });
      return [...settled.values()].map(({ promise }) => promise);
    },

    status: () =>
      secretStatuses({
        actor,
        now: now(),
        useOf: (key) => uses.get(key),
        nextRefreshAt: (key) => planned.get(key),
      }),
    providers: () => providerStatuses(actor, providers),
    calls: () => providers.calls(),

    async stop() {
      if (stopping.signal.aborted) return;
      // The end of the actor rejects every wait.
      tell({ type: 'secrets.stop' });
      stopping.abort();
      hints.stop();
      prefetch.stop();
      rejections.stop();
      vault.clear();
      await providers.close();
    },
  };
}

/** The entries to be fetched, each once, in their order. */
function fitting(wanted: readonly Prefetched[], most: number): Map<string, SecretEntrySpec> {
  const fits = new Map<string, SecretEntrySpec>();
  for (const { entry, required = false } of wanted) {
    if (required || (entry.ttlMs > 0 && fits.size < most)) fits.set(entry.key, fits.get(entry.key) ?? entry);
  }
  return fits;
}

export function secretsStopped(): HoldfastError {
  return new HoldfastError(
    'RUNTIME_STOPPED',
    'The runtime has stopped, and with it the use of secrets. Create a new one.',
  );
}

/** A vault that tells the scrubber which values come and go. */
function toldVault(vault: Vault, scrubber: SecretsCacheOptions['scrubber']): Vault {
  if (scrubber === undefined) return vault;
  return {
    ...vault,
    put(key, versionId, bytes) {
      scrubber.learn(key, versionId, bytes);
      vault.put(key, versionId, bytes);
      scrubber.hold(key, vault.versions(key));
    },
    evict(key) {
      scrubber.hold(key, []);
      vault.evict(key);
    },
  };
}
