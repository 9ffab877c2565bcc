/** The least time between two refreshes of one secret, in milliseconds (DEFAULTS, refresh now). */
export const refreshEveryMs = 5_000;
/** The most refreshes within a second, for all secrets of a provider. */
export const refreshesPerSecond = 10;

/** Limits fetches on demand: by hand, because a service refused a version, or for a hint. */
export interface RefreshLimit {
  /** Whether the secret may be fetched now; if so, the fetch counts. */
  admit(provider: string, key: string): boolean;
  /** Like `admit`, for a secret whose own pace is kept elsewhere: only the provider's limit holds. */
  admitToProvider(provider: string): boolean;
  /** Milliseconds until `admit` may say yes. */
  waitMs(provider: string, key: string): number;
}

export function createRefreshLimit(now: () => number): RefreshLimit {
  const lastOfSecret = new Map<string, number>();
  const lastOfProvider = new Map<string, number[]>();

  const providerWaitMs = (provider: string): number => {
    const recent = (lastOfProvider.get(provider) ?? []).filter((at) => at > now() - 1_000);
    lastOfProvider.set(provider, recent);
    const [oldest = 0] = recent;
    return recent.length < refreshesPerSecond ? 0 : oldest + 1_000 - now();
  };
  const waitMs = (provider: string, key: string): number => {
    const own = (lastOfSecret.get(key) ?? -Infinity) + refreshEveryMs - now();
    return Math.max(0, own, providerWaitMs(provider));
  };
  const admitToProvider = (provider: string): boolean => {
    if (providerWaitMs(provider) > 0) return false;
    lastOfProvider.get(provider)?.push(now());
    return true;
  };

  return {
    admit(provider, key) {
      if (waitMs(provider, key) > 0) return false;
      lastOfSecret.set(key, now());
      return admitToProvider(provider);
    },
    admitToProvider,
    waitMs,
  };
}
