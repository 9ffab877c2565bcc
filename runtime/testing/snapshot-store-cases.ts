import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { checkCall, listener, milliseconds, type Rules } from '../base/call-check.ts';
import type { SnapshotRecord, SnapshotStore } from '../store/snapshot-store.ts';
import { runtimeCases } from './snapshot-store-runtime-cases.ts';

export interface SnapshotStoreCases {
  /** Creates an empty store. */
  readonly create: () => SnapshotStore | Promise<SnapshotStore>;
  /** Reopens what a store has written, as the next process would. Default: the store itself. */
  readonly reopen?: ((store: SnapshotStore) => SnapshotStore | Promise<SnapshotStore>) | undefined;
  /** Ends a store after a case. */
  readonly dispose?: ((store: SnapshotStore) => unknown) | undefined;
  /** The real time in milliseconds within which the store must have what a runtime saved. Default: 10 000. */
  readonly deadlineMs?: number | undefined;
}

/** A rule that every store must follow. */
export interface SnapshotStoreCase {
  readonly name: string;
  /** Rejects when the store breaks the rule. */
  readonly run: () => Promise<void>;
}

export interface TestSnapshotStoreOptions extends SnapshotStoreCases {
  /** Declares a test: `test` or `it` of your test runner. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
}

const ofCases: Rules<SnapshotStoreCases> = {
  create: listener,
  reopen: listener,
  dispose: listener,
  deadlineMs: milliseconds,
};
const withTest: Rules<TestSnapshotStoreOptions> = { ...ofCases, test: listener };

/**
 * Declares a test for each rule of {@link SnapshotStore}. A store that passes them all meets what the runtime relies
 * on.
 *
 * @example
 * ```ts
 * import { test } from 'node:test';
 * testSnapshotStore({ test, create: () => sqlStore(':memory:') });
 * ```
 */
export function testSnapshotStore(options: TestSnapshotStoreOptions): void {
  const { test, ...store } = checkCall<TestSnapshotStoreOptions>(
    'testSnapshotStore()',
    {},
    options,
    withTest,
    ['test', 'create'],
  );
  for (const { name, run } of snapshotStoreCases(store)) test(name, run);
}

type Check = (
  store: SnapshotStore,
  reopen: () => Promise<SnapshotStore>,
  deadlineMs: number,
) => Promise<void>;

/** Returns the same rules as a list, for another kind of test runner. */
export function snapshotStoreCases(options: SnapshotStoreCases): SnapshotStoreCase[] {
  const given = checkCall<SnapshotStoreCases>('snapshotStoreCases()', {}, options, ofCases, ['create']);
  const { create, reopen, dispose, deadlineMs = 10_000 } = given;
  return Object.entries({ ...rules, ...runtimeCases }).map(([name, check]) => ({
    name,
    async run() {
      const opened = [await create()];
      try {
        const again = async (): Promise<SnapshotStore> => {
          const last = opened.at(-1) as SnapshotStore;
          if (reopen === undefined) return last;
          const next = await reopen(last);
          opened.push(next);
          return next;
        };
        await check(opened[0] as SnapshotStore, again, deadlineMs);
      } finally {
        for (const store of opened) await dispose?.(store);
      }
    },
  }));
}

const address = 'agent/one';

function record(change: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    v: 1,
    address,
    incarnation: 3,
    seq: 5,
    version: '1.2',
    snapshot: { status: 'active', value: { a: 'b' }, context: { list: [1, null, 'ü', { deep: true }] } },
    timers: [{ from: [], to: ['child'], event: { type: 'go' }, id: 'go', delayMs: 10, dueAt: 20, leftMs: 5 }],
    at: 1_700_000_000_000,
    ...change,
  };
}

const numbered = (n: number, change: Partial<SnapshotRecord> = {}): SnapshotRecord =>
  record({ snapshot: { n }, ...change });

async function assertStored(store: SnapshotStore, expected: SnapshotRecord): Promise<void> {
  assert.deepEqual(await store.load(expected.address), expected);
}

async function assertFenced(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, { name: 'HoldfastError', code: 'STORE_FENCED' });
}

const rules: Record<string, Check> = {
  async 'an unknown address has no record'(store) {
    assert.equal(await store.load(address), undefined);
  },
  async 'what was saved is what is loaded, every field of it'(store) {
    await store.save(record());
    await assertStored(store, record());
    const { version: _, ...bare } = record({ address: 'agent/two', timers: [] });
    await store.save(bare);
    await assertStored(store, bare);
  },
  async 'a save replaces the record of its address'(store) {
    await store.save(numbered(1));
    await store.save(numbered(2, { seq: 6 }));
    await assertStored(store, numbered(2, { seq: 6 }));
  },
  async 'addresses that look alike are not mixed up'(store) {
    const alike = [
      'agent/1',
      'agent/10',
      'agent/01',
      'Agent/1',
      'agent/1%2F2',
      'agent/1%',
      'agent/_',
      'agent/é',
      'agent/',
    ];
    for (const [n, one] of alike.entries()) await store.save(numbered(n, { address: one }));
    await store.delete('agent/1', 3);
    assert.equal(await store.load('agent/1'), undefined);
    for (const [n, one] of alike.entries()) {
      if (n > 0) await assertStored(store, numbered(n, { address: one }));
    }
  },
  async 'saving the same record again is no error'(store) {
    await store.save(record());
    await store.save(record());
    await assertStored(store, record());
  },
  async 'a save of an earlier incarnation is refused and changes nothing'(store) {
    await store.save(numbered(1, { seq: 1 }));
    await assertFenced(store.save(numbered(2, { incarnation: 2, seq: 100 })));
    await assertStored(store, numbered(1, { seq: 1 }));
  },
  async 'a save of the same incarnation that is older is refused and changes nothing'(store) {
    await store.save(numbered(1));
    await assertFenced(store.save(numbered(2, { seq: 4 })));
    await assertStored(store, numbered(1));
  },
  async 'a later incarnation counts its saves anew'(store) {
    await store.save(numbered(1, { seq: 100 }));
    await store.save(numbered(2, { incarnation: 4, seq: 1 }));
    await assertStored(store, numbered(2, { incarnation: 4, seq: 1 }));
  },
  async 'a delete removes the record, and the address may begin anew'(store) {
    await store.save(record());
    await store.delete(address, 3);
    assert.equal(await store.load(address), undefined);
    await store.save(numbered(1, { incarnation: 1, seq: 1 }));
    await assertStored(store, numbered(1, { incarnation: 1, seq: 1 }));
    await store.delete(address, 9);
    assert.equal(await store.load(address), undefined);
  },
  async 'a delete of what is not there is no error'(store) {
    await store.delete(address, 1);
  },
  async 'a delete by an earlier incarnation is refused and changes nothing'(store) {
    await store.save(record());
    await assertFenced(store.delete(address, 2));
    await assertStored(store, record());
  },
  async 'of saves at one time the newest stays, whatever comes of the others'(store) {
    const seqs = [3, 9, 1, 12, 7, 2, 11, 5];
    const saves = seqs.map((seq) => store.save(numbered(seq, { seq })));
    const results = await Promise.allSettled(saves);
    await assertStored(store, numbered(12, { seq: 12 }));
    assert.equal(results[3]?.status, 'fulfilled');
    for (const result of results) {
      if (result.status === 'rejected')
        assert.equal((result.reason as { code?: unknown }).code, 'STORE_FENCED');
    }
  },
  async 'saves of many addresses at one time do not disturb each other'(store) {
    const all = Array.from({ length: 50 }, (_, n) => numbered(n, { address: `agent/${n}` }));
    await Promise.all(all.map((one) => store.save(one)));
    await Promise.all(all.map((one) => assertStored(store, one)));
  },
  async 'a snapshot of two megabytes is stored whole'(store) {
    const lines = Array.from({ length: 20_000 }, (_, n) => `${n} ${'x'.repeat(95)}`);
    await store.save(record({ snapshot: { lines } }));
    const loaded = await store.load(address);
    // A difference of that size is nothing to print.
    assert.ok(
      isDeepStrictEqual(loaded, record({ snapshot: { lines } })),
      'what was loaded is not what was saved',
    );
  },
  async 'what was loaded, and what was saved, belongs to the caller'(store) {
    const saved = numbered(1);
    await store.save(saved);
    (saved.snapshot as { n: number }).n = 2;
    await assertStored(store, numbered(1));
    const loaded = (await store.load(address)) as SnapshotRecord;
    (loaded.snapshot as { n: number }).n = 3;
    await assertStored(store, numbered(1));
  },
  async 'a store that is durable has its records when it is opened anew, and its fence'(store, reopen) {
    await store.save(record());
    if (!store.durable) return;
    const again = await reopen();
    await assertStored(again, record());
    await assertFenced(again.save(numbered(1, { incarnation: 2 })));
  },
};
