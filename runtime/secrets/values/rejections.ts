import type { SecretAnswer, SecretEntryContext, SecretEntrySpec } from '../../../actors/secret-entry.ts';
import type { SecretsClock } from './secrets-clock.ts';
import type { RefreshLimit } from './refresh-limit.ts';
import { untilAborted } from '../../base/until-aborted.ts';
import { pause } from './waits.ts';

/** The first wait for another version, in milliseconds; it doubles up to `most`. */
const retryMs = { first: 1_000, most: 5_000 } as const;
/**
 * Milliseconds for which another version is awaited: a rotation sets the password some time before it moves the label.
 */
export const rejectionWindowMs = 60_000;
/** Milliseconds for which a repeated claim gets the result of the last one, without a call. */
export const rejectionHoldMs = 60_000;

/** Claims that a service refused a version, and their results. */
export interface Rejections {
  /**
   * Settles with another version when there is one, else with `rejected` after 60 s. Claims about the same version
   * share one wait. Rejects with the error of `refresh`, or with the signal's reason.
   */
  claim(entry: RejectedEntry, versionId: string, signal: AbortSignal): Promise<SecretAnswer>;
  /** The entry has news, so every wait for another version of it checks at once. */
  wake(key: string): void;
  /** Ends all waits. */
  stop(): void;
}

/** An entry, with how the service behind it rotates its secret. */
export type RejectedEntry = SecretEntrySpec & {
  /** `alternating-users`: the version before works until the next rotation. Default: it is dead by then. */
  readonly rotation?: 'single-user' | 'alternating-users';
};

export interface RejectionsOptions {
  readonly clock: SecretsClock;
  readonly limit: RefreshLimit;
  readonly contextOf: (key: string) => SecretEntryContext | undefined;
  readonly need: (entry: SecretEntrySpec) => Promise<SecretAnswer>;
  readonly refresh: (entry: SecretEntrySpec) => Promise<SecretAnswer>;
  /** Fetches the version before the current one, if it can be had. */
  readonly previous: (entry: SecretEntrySpec) => Promise<string | undefined>;
  /** Whether the version is held for use. */
  readonly holds: (key: string, versionId: string) => boolean;
}

interface Claim {
  readonly versionId: string;
  readonly answer: Promise<SecretAnswer>;
  /** The time at which the answer was found. */
  endedAt?: number;
}

export function createRejections(options: RejectionsOptions): Rejections {
  const { clock, limit, contextOf, need, refresh, previous, holds } = options;
  const claims = new Map<string, Claim>();
  const waits = new Map<string, AbortController>();
  const stopping = new AbortController();

  async function anotherVersion(entry: RejectedEntry, versionId: string): Promise<SecretAnswer> {
    const { key, provider } = entry;
    const until = clock.now() + rejectionWindowMs;
    const isOther = (answer: SecretAnswer): boolean => answer.ok && answer.versionId !== versionId;
    for (let waitMs: number = retryMs.first; ; waitMs = Math.min(waitMs * 2, retryMs.most)) {
      // Another fetch may have brought it in the meantime.
      if (contextOf(key)?.versionId !== versionId) return need(entry);
      if (limit.admitToProvider(provider)) {
        const answer = await refresh(entry);
        if (isOther(answer) || contextOf(key)?.standing === 'revoked') return answer;
      }
      if (waitMs === retryMs.first && entry.rotation === 'alternating-users') {
        const before = await previous(entry);
        const epoch = contextOf(key)?.epoch ?? 0;
        if (before !== undefined && before !== versionId) return { ok: true, versionId: before, epoch };
      }
      if (stopping.signal.aborted || clock.now() + waitMs > until) return { ok: false, failure: 'rejected' };
      const waking = new AbortController();
      waits.set(key, waking);
      await pause(clock, waitMs, waking.signal);
    }
  }

  function claimed(entry: RejectedEntry, versionId: string): Promise<SecretAnswer> {
    const { key } = entry;
    const made = claims.get(key);
    if (made?.versionId === versionId && isGood(key, made)) return made.answer;
    const answer = anotherVersion(entry, versionId);
    const claim: Claim = { versionId, answer };
    claims.set(key, claim);
    const end = (): void => void (claim.endedAt = clock.now());
    answer.then(end, end);
    return answer;
  }

  function isGood(key: string, { endedAt }: Claim): boolean {
    return endedAt === undefined || (endedAt + rejectionHoldMs > clock.now() && contextOf(key) !== undefined);
  }

  return {
    async claim(entry, versionId, signal) {
      signal.throwIfAborted();
      if (contextOf(entry.key)?.versionId !== versionId) return untilAborted(signal, () => need(entry));
      const answer = await untilAborted(signal, () => claimed(entry, versionId));
      if (!answer.ok || holds(entry.key, answer.versionId)) return answer;
      return untilAborted(signal, () => need(entry));
    },
    wake: (key) => waits.get(key)?.abort(),
    stop() {
      stopping.abort();
      for (const wait of waits.values()) wait.abort();
    },
  };
}
