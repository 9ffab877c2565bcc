import { checkCall, listener, type Rules } from '../base/call-check.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { commitCases } from './durable-store-commit-cases.ts';
import { dueCases } from './durable-store-due-cases.ts';
import { keptCases } from './durable-store-kept-cases.ts';
import { ownerCases } from './durable-store-owner-cases.ts';
import { limitCases } from './durable-store-limit-cases.ts';
import { type DurableStoreRules, MOST_ROWS, OPENED_AT, type Reopened } from './durable-store-stage.ts';

export interface DurableStoreCases {
  /** Creates a store that is empty and not yet open. */
  readonly create: () => DurableStore | Promise<DurableStore>;
  /**
   * Gives the store of the next process over what `store` has written, not yet open. `closed`: the suite has closed
   * `store`; `killed`: its process is to end without a close, now. Default: no case opens anything anew.
   */
  readonly reopen?:
    | ((store: DurableStore, how: 'closed' | 'killed') => DurableStore | Promise<DurableStore>)
    | undefined;
  /**
   * Gives a second store over the same data while `store` is open: one that an early look at a lock does not stop.
   * Default: the case is left out.
   */
  readonly overtake?: ((store: DurableStore) => DurableStore | Promise<DurableStore>) | undefined;
  /**
   * Gives a store over what `store` has written, not yet open, with little room: it takes no first records and no rows
   * from the host. The suite has closed `store`. Default: the cases are left out.
   */
  readonly crowd?: ((store: DurableStore) => DurableStore | Promise<DurableStore>) | undefined;
  /** Ends a store after a case; the suite has tried to close it. */
  readonly dispose?: ((store: DurableStore) => unknown) | undefined;
}

/** A rule that every durable store must follow. */
export interface DurableStoreCase {
  readonly name: string;
  /** Rejects when the store breaks the rule. */
  readonly run: () => Promise<void>;
}

export interface TestDurableStoreOptions extends DurableStoreCases {
  /** Declares a test: `test` or `it` of your test runner. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
}

const ofCases: Rules<DurableStoreCases> = {
  create: listener,
  reopen: listener,
  overtake: listener,
  crowd: listener,
  dispose: listener,
};
const withTest: Rules<TestDurableStoreOptions> = { ...ofCases, test: listener };

/**
 * Declares a test for each rule of {@link DurableStore}. A store that passes them all meets what the runtime relies on.
 *
 * @example
 * ```ts
 * import { test } from 'node:test';
 * testDurableStore({ test, create: () => myStore(newFile()) });
 * ```
 */
export function testDurableStore(options: TestDurableStoreOptions): void {
  const { test, ...store } = checkCall<TestDurableStoreOptions>('testDurableStore()', {}, options, withTest, [
    'test',
    'create',
  ]);
  for (const { name, run } of durableStoreCases(store)) test(name, run);
}

/** Returns the same rules as a list, for another kind of test runner. */
export function durableStoreCases(options: DurableStoreCases): DurableStoreCase[] {
  const given = checkCall<DurableStoreCases>('durableStoreCases()', {}, options, ofCases, ['create']);
  const rules: DurableStoreRules = {
    ...commitCases,
    ...limitCases,
    ...keptCases,
    ...dueCases,
    ...ownerCases,
  };
  return Object.entries(rules).map(([name, check]) => ({ name, run: () => onStage(given, check) }));
}

async function onStage(
  { create, reopen, overtake, crowd, dispose }: DurableStoreCases,
  check: DurableStoreRules[string],
): Promise<void> {
  const stores: DurableStore[] = [];
  const opened = async (store: DurableStore): Promise<Reopened> => {
    stores.push(store);
    const context = { now: () => OPENED_AT, warn() {}, mostRows: MOST_ROWS };
    return { store, opened: await store.open(context) };
  };
  const last = (): DurableStore => stores.at(-1) as DurableStore;
  try {
    await check({
      ...(await opened(await create())),
      async reopen(how) {
        if (reopen === undefined) return undefined;
        if (how === 'closed') await last().close();
        return opened(await reopen(last(), how));
      },
      overtake: async () => (overtake === undefined ? undefined : opened(await overtake(last()))),
      async crowd() {
        if (crowd === undefined) return undefined;
        await last().close();
        return opened(await crowd(last()));
      },
    });
  } finally {
    for (const store of stores) {
      await store.close().catch(() => {});
      await dispose?.(store);
    }
  }
}
