/** Calls a second, by what AWS counts together. None is limited unless it is named. */
export interface Quotas {
  /** GetSecretValue and DescribeSecret. AWS: 10,000. */
  readonly read?: number;
  /** BatchGetSecretValue. AWS: 100. */
  readonly batch?: number;
  /** PutSecretValue, UpdateSecret and UpdateSecretVersionStage. AWS: 50. */
  readonly write?: number;
  /** RotateSecret. AWS: 50. */
  readonly rotate?: number;
}

const groups: Readonly<Record<string, keyof Quotas>> = {
  GetSecretValue: 'read',
  DescribeSecret: 'read',
  BatchGetSecretValue: 'batch',
  PutSecretValue: 'write',
  UpdateSecret: 'write',
  UpdateSecretVersionStage: 'write',
  RotateSecret: 'rotate',
};

/** Counts calls against quotas, with a bucket for each group that holds the calls of one second. */
export interface QuotaGuard {
  limit(quotas: Quotas): void;
  /** Whether the operation may run; counts it if so. */
  admits(operation: string): boolean;
}

/** @param now milliseconds */
export function createQuotaGuard(now: () => number): QuotaGuard {
  let limits: Quotas = {};
  const buckets = new Map<keyof Quotas, { tokens: number; at: number }>();
  return {
    limit(quotas) {
      limits = quotas;
      buckets.clear();
    },
    admits(operation) {
      const group = groups[operation];
      const rate = group && limits[group];
      if (group === undefined || rate === undefined) return true;
      const at = now();
      const bucket = buckets.get(group) ?? { tokens: rate, at };
      buckets.set(group, bucket);
      bucket.tokens = Math.min(rate, bucket.tokens + ((at - bucket.at) / 1000) * rate);
      bucket.at = at;
      if (bucket.tokens < 1) return false;
      bucket.tokens -= 1;
      return true;
    },
  };
}
