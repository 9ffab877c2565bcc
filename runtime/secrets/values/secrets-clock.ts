/** Time for the secrets part; xstate's `SimulatedClock` is one. */
export interface SecretsClock {
  /** Milliseconds since the epoch, never going back. */
  now(): number;
  setTimeout(fn: () => void, timeoutMs: number): unknown;
  clearTimeout(id: unknown): void;
}

export const systemSecretsClock: SecretsClock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  setTimeout: (fn, timeoutMs) => setTimeout(fn, timeoutMs),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
};
