import { assign, sendParent, setup } from 'xstate';
import type { ProviderFailure } from '../providers/provider.ts';

/** The failures that count against a provider; all others are answers about a secret or an identity. */
export type BreakingFailure = Extract<ProviderFailure, 'transient' | 'throttled'>;

/** The calls that ended within one second. */
export interface CallsOfSecond {
  /** On the clock of `at`, in whole seconds. */
  readonly second: number;
  readonly calls: number;
  readonly failed: number;
}

export interface ProviderBreakerContext {
  /** The provider's alias. */
  readonly provider: string;
  /** Failed calls since the last one that was answered. */
  readonly inARow: number;
  /** The last 30 s, oldest first. */
  readonly recent: readonly CallsOfSecond[];
  /** The last failure: what those are told who are not let through. */
  readonly failure: BreakingFailure;
}

export type ProviderBreakerEvent =
  /** The provider answered, also with a refusal. `at` is in milliseconds on the runtime's clock. */
  | { readonly type: 'call.answered'; readonly at: number }
  | { readonly type: 'call.failed'; readonly at: number; readonly failure: BreakingFailure }
  /** One call is made to see whether the provider is back. */
  | { readonly type: 'trial' };

/** To the parent when the provider is given up, and when it is back. */
export interface BreakerChanged {
  readonly type: 'breaker.changed';
  readonly provider: string;
  readonly open: boolean;
  readonly failure: BreakingFailure;
}

/** When a provider is given up, and for how long (DEFAULTS, breaker). */
export const breakerLimits = {
  inARow: 5,
  windowMs: 30_000,
  leastCalls: 20,
  failedPart: 0.5,
  openMs: 30_000,
  /** A trial whose end was lost is given up; a fetch takes 8 s at most. */
  trialMs: 16_000,
} as const;

/**
 * Whether a provider is called. One for each provider, so that a provider that is down is not asked once more for
 * each of its secrets.
 *
 * - `closed`: it is called. After 5 failures in a row, or when half of at least 20 calls of the last 30 s failed:
 * - `open`: it is not called for 30 s; then
 * - `halfOpen.waiting`: the next call is a trial, and while it runs (`trying`) nobody else calls.
 */
export const providerBreakerMachine = setup({
  types: {
    context: {} as ProviderBreakerContext,
    input: {} as { readonly provider: string },
    events: {} as ProviderBreakerEvent,
  },
  delays: { openTime: breakerLimits.openMs, trialTime: breakerLimits.trialMs },
  guards: {
    oneTooMany: ({ context, event }) => isTooMany(counted(context, event)),
  },
  actions: {
    count: assign(({ context, event }) => counted(context, event)),
    startOver: assign({ inARow: 0, recent: [] }),
    tellOpen: sendParent(({ context }) => changed(context, true)),
    tellClosed: sendParent(({ context }) => changed(context, false)),
  },
}).createMachine({
  id: 'breaker',
  context: ({ input }) => ({ provider: input.provider, inARow: 0, recent: [], failure: 'transient' }),
  initial: 'closed',
  states: {
    closed: {
      on: {
        'call.answered': [
          { guard: 'oneTooMany', target: 'open', actions: ['count', 'tellOpen'] },
          { actions: 'count' },
        ],
        'call.failed': [
          { guard: 'oneTooMany', target: 'open', actions: ['count', 'tellOpen'] },
          { actions: 'count' },
        ],
      },
    },
    open: {
      entry: 'startOver',
      after: { openTime: 'halfOpen' },
    },
    halfOpen: {
      initial: 'waiting',
      states: {
        waiting: { on: { trial: 'trying' } },
        trying: {
          on: {
            'call.answered': { target: '#breaker.closed', actions: 'tellClosed' },
            'call.failed': { target: '#breaker.open', actions: 'count' },
          },
          after: { trialTime: 'waiting' },
        },
      },
    },
  },
});

function counted(context: ProviderBreakerContext, event: ProviderBreakerEvent): ProviderBreakerContext {
  if (event.type === 'trial') return context;
  const failed = event.type === 'call.failed';
  const second = Math.floor(event.at / 1000);
  const kept = context.recent.filter((each) => each.second > second - breakerLimits.windowMs / 1000);
  const same = kept.find((each) => each.second === second) ?? { second, calls: 0, failed: 0 };
  const now = { second, calls: same.calls + 1, failed: same.failed + (failed ? 1 : 0) };
  return {
    provider: context.provider,
    inARow: failed ? context.inARow + 1 : 0,
    recent: [...kept.filter((each) => each !== same), now],
    failure: failed ? event.failure : context.failure,
  };
}

function isTooMany({ inARow, recent }: ProviderBreakerContext): boolean {
  const calls = recent.reduce((sum, each) => sum + each.calls, 0);
  const failed = recent.reduce((sum, each) => sum + each.failed, 0);
  const { leastCalls, failedPart } = breakerLimits;
  return inARow >= breakerLimits.inARow || (calls >= leastCalls && failed >= calls * failedPart);
}

function changed({ provider, failure }: ProviderBreakerContext, open: boolean): BreakerChanged {
  return { type: 'breaker.changed', provider, open, failure };
}
