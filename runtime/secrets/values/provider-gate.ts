import type { BreakingFailure } from '../../../actors/provider-breaker.ts';
import type { ProviderBreakerRef } from '../../../actors/secrets.ts';
import type { ProviderFailure } from '../../../providers/provider.ts';

/** The breaker of a provider, as its callers see it. */
export interface ProviderGate {
  /** Undefined: call the provider, and report the result. Otherwise the reason why it is given up for now. */
  closedFor(alias: string): BreakingFailure | undefined;
  /** Reports the result of a call; without a failure, an answer. */
  ended(alias: string, failure?: ProviderFailure): void;
}

/** @param breakerOf undefined: no entry of this provider was made yet */
export function createProviderGate(
  breakerOf: (alias: string) => ProviderBreakerRef | undefined,
  now: () => number,
): ProviderGate {
  const live = (alias: string): ProviderBreakerRef | undefined => {
    const breaker = breakerOf(alias);
    return breaker?.getSnapshot().status === 'active' ? breaker : undefined;
  };

  return {
    closedFor(alias) {
      const breaker = live(alias);
      const snapshot = breaker?.getSnapshot();
      if (breaker === undefined || snapshot === undefined || snapshot.matches('closed')) return undefined;
      if (!snapshot.matches({ halfOpen: 'waiting' })) return snapshot.context.failure;
      breaker.send({ type: 'trial' });
      return undefined;
    },
    ended(alias, failure) {
      const at = now();
      if (failure === 'transient' || failure === 'throttled') {
        live(alias)?.send({ type: 'call.failed', at, failure });
      } else {
        // A refusal is an answer too, and so are expired credentials, which may be those of one role alone.
        live(alias)?.send({ type: 'call.answered', at });
      }
    },
  };
}
