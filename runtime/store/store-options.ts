import { oneOf, type Rules } from '../base/call-check.ts';
import type { DurableStore } from './durable-store.ts';

/** What a store says of how it is to be used. */
export type StoreUse = Pick<DurableStore, 'keepIdsMs' | 'onFailure' | 'wakesPerSecond'>;

/** The shortest time in milliseconds for which ids are kept: a call that is sent again takes as long to come. */
export const LEAST_KEEP_IDS_MS = 1000;
export const MOST_WAKES_PER_SECOND = 1_000_000;

const failure = oneOf(['wait', 'exit']);

export const storeUseRules: Rules<Required<StoreUse>> = {
  keepIdsMs: {
    what: `a whole number of milliseconds, of at least ${LEAST_KEEP_IDS_MS}`,
    is: (value) => Number.isSafeInteger(value) && (value as number) >= LEAST_KEEP_IDS_MS,
  },
  onFailure: {
    what: `${failure.what}, or a function`,
    is: (value) => typeof value === 'function' || failure.is(value),
  },
  wakesPerSecond: {
    what: `a whole number from 1 to ${MOST_WAKES_PER_SECOND}`,
    is: (value) =>
      Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MOST_WAKES_PER_SECOND,
  },
};

/** What is wrong with what a store says of its use; empty: nothing. */
export function storeUseProblems(store: object): string[] {
  return Object.entries(storeUseRules).flatMap(([key, { is, what }]) => {
    const value = (store as Record<string, unknown>)[key];
    return value === undefined || is(value) ? [] : [`its ${key} has to be ${what}`];
  });
}
