/** Lets at most `requests` begin within any span of `withinMs`. */
export interface RateLimit {
  /** 0: it may begin now, and is counted. Else the milliseconds until one may. */
  admit(now: number): number;
}

/** Remembers when the last `requests` began: eight bytes for each. */
export function createRateLimit({
  requests,
  withinMs,
}: {
  readonly requests: number;
  readonly withinMs: number;
}): RateLimit {
  const begun = new Float64Array(requests).fill(-Infinity);
  let oldest = 0;
  return {
    admit(now) {
      const wait = (begun[oldest] ?? 0) + withinMs - now;
      if (wait > 0) return wait;
      begun[oldest] = now;
      oldest = (oldest + 1) % requests;
      return 0;
    },
  };
}
