import type { SecretEntryContext } from '../../../actors/secret-entry.ts';
import { ProviderError, type RotationHint, type SecretProvider } from '../../../providers/provider.ts';
import type { SecretsClock } from './secrets-clock.ts';
import type { RefreshLimit } from './refresh-limit.ts';
import { pause } from './waits.ts';

/** The most hints that are remembered, and for how long, to recognize one that comes again. */
const remembered = { most: 4096, forMs: 24 * 3_600_000 } as const;
/** The wait before a watch that ended is started again, in milliseconds; it doubles up to `most`. */
const restartMs = { first: 1_000, most: 128_000 } as const;

/**
 * Hints of providers that push. Each leads to a look at the secret, because hints may repeat, come late, out of order
 * or not at all.
 */
export interface RotationHints {
  /** Listens to a provider that is in use; once for each provider. */
  listen(alias: string, provider: SecretProvider): void;
  /** Ends all watches. */
  stop(): void;
}

export interface RotationHintsOptions {
  readonly clock: SecretsClock;
  readonly limit: RefreshLimit;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly warn: (message: string) => void;
  readonly entries: () => readonly SecretEntryContext[];
  /** Whether a fetch is running, which may bring another version than the present one. */
  readonly isFetching: (key: string) => boolean;
  /** Looks at the entry now, given the version that is said to be current. */
  readonly look: (entry: SecretEntryContext, versionId: string | undefined) => Promise<unknown>;
}

export function createRotationHints(options: RotationHintsOptions): RotationHints {
  const { clock, limit, random, warn, entries, isFetching, look } = options;
  const listening = new Set<string>();
  const stopping = new AbortController();
  /** The time of each hint, by entry, epoch and version, in the order of arrival. */
  const heard = new Map<string, number>();
  /** Hints that must wait for the refresh limit: the last one for each entry. */
  const waiting = new Map<string, { versionId: string | undefined; readonly timer: unknown }>();

  function hear(alias: string, hint: RotationHint): void {
    const names = new Set([hint.id, ...(hint.aliases ?? [])]);
    for (const entry of entries()) {
      if (entry.provider !== alias || !names.has(entry.id)) continue;
      if (hint.stage !== undefined && hint.stage !== entry.stage) continue;
      lookSoon(entry, hint.versionId);
    }
  }

  function lookSoon(entry: SecretEntryContext, versionId: string | undefined): void {
    const { key, provider } = entry;
    if (stopping.signal.aborted || isNoNews(entry, versionId)) return;
    const later = waiting.get(key);
    if (later !== undefined) {
      later.versionId = versionId;
      return;
    }
    if (!limit.admit(provider, key)) {
      const timer = clock.setTimeout(() => lookLater(key), limit.waitMs(provider, key));
      waiting.set(key, { versionId, timer });
      return;
    }
    const name = remember(entry, versionId);
    look(entry, versionId).then(
      () => {
        // The version that the hint names was not current, or not yet, so the same hint may tell more the next time.
        if (versionId !== undefined && current(key)?.versionId !== versionId) heard.delete(name);
      },
      () => heard.delete(name),
    );
  }

  function lookLater(key: string): void {
    const hint = waiting.get(key);
    const entry = current(key);
    waiting.delete(key);
    if (hint !== undefined && entry !== undefined) lookSoon(entry, hint.versionId);
  }

  function isNoNews(entry: SecretEntryContext, versionId: string | undefined): boolean {
    if (versionId === undefined) return false;
    if (versionId === entry.versionId && entry.standing === 'good' && !isFetching(entry.key)) return true;
    const at = heard.get(nameOf(entry, versionId));
    return at !== undefined && at > clock.now() - remembered.forMs;
  }

  function remember(entry: SecretEntryContext, versionId: string | undefined): string {
    const name = nameOf(entry, versionId);
    if (versionId === undefined) return name;
    heard.delete(name);
    heard.set(name, clock.now());
    for (const oldest of heard.keys()) {
      if (heard.size <= remembered.most) break;
      heard.delete(oldest);
    }
    return name;
  }

  // Includes the epoch, because after a rotation back the same version is current again.
  function nameOf({ key, epoch }: SecretEntryContext, versionId: string | undefined): string {
    return JSON.stringify([key, epoch, versionId]);
  }

  function current(key: string): SecretEntryContext | undefined {
    return entries().find((entry) => entry.key === key);
  }

  async function watch(alias: string, provider: SecretProvider): Promise<void> {
    const { signal } = stopping;
    let failures = 0;
    const ended = (why: string): void =>
      warn(`The rotations of the secrets provider "${alias}" are found by polling alone for now: ${why}`);
    for (;;) {
      const startedAt = clock.now();
      try {
        await provider.watch?.(
          (hint) => hear(alias, hint),
          signal,
          ({ message }) => warn(`The secrets provider "${alias}": ${message}`),
        );
      } catch (error) {
        // An error of the provider class carries no value by its contract; for other errors that is unknown.
        const reason = error instanceof ProviderError ? error.message : 'its watch failed.';
        if (failures === 0 && !signal.aborted) ended(reason);
      }
      if (signal.aborted) return;
      failures = clock.now() - startedAt >= restartMs.most ? 1 : failures + 1;
      const most = Math.min(restartMs.first * 2 ** (failures - 1), restartMs.most);
      await pause(clock, most * (0.5 + 0.5 * random()), signal);
      if (signal.aborted) return;
    }
  }

  return {
    listen(alias, provider) {
      if (listening.has(alias) || stopping.signal.aborted) return;
      listening.add(alias);
      if (provider.capabilities.push === true && provider.watch !== undefined) void watch(alias, provider);
    },
    stop() {
      stopping.abort();
      for (const { timer } of waiting.values()) clock.clearTimeout(timer);
      waiting.clear();
    },
  };
}
