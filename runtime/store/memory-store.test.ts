import { describe, expect, it } from 'vitest';
import { memoryStore, type SnapshotRecord, type SnapshotStore } from 'holdfast';
import { snapshotStoreCases, testSnapshotStore } from 'holdfast/testing';

describe('the memory store', () => {
  testSnapshotStore({ test: it, create: memoryStore });
});

type Broken = Partial<SnapshotStore> | ((records: Map<string, SnapshotRecord>) => Partial<SnapshotStore>);

/** A durable store without any rule, and what is done wrong in it beyond that. */
function naive(broken: Broken): SnapshotStore {
  const records = new Map<string, SnapshotRecord>();
  return {
    durable: true,
    async load(address) {
      return structuredClone(records.get(address));
    },
    async save(record) {
      records.set(record.address, structuredClone(record));
    },
    async delete(address) {
      records.delete(address);
    },
    ...(typeof broken === 'function' ? broken(records) : broken),
  };
}

/** As good as the memory store, but for one thing. */
function spoiled(spoil: (store: SnapshotStore) => Partial<SnapshotStore>): SnapshotStore {
  const store = memoryStore();
  return { ...store, durable: true, ...spoil(store) };
}

const broken: Record<string, () => SnapshotStore> = {
  'has no rules': () => naive({}),
  'throws for what it does not know': () =>
    spoiled((store) => ({
      async load(address) {
        return (await store.load(address)) ?? Promise.reject(new Error('not found'));
      },
    })),
  'gives what it was given': () =>
    naive((records) => ({
      async load(address) {
        return records.get(address);
      },
      async save(record) {
        records.set(record.address, record);
      },
    })),
  'forgets timers and version': () =>
    spoiled((store) => ({
      save: ({ v, address, incarnation, seq, snapshot, at }) =>
        store.save({ v, address, incarnation, seq, snapshot, timers: [], at }),
    })),
  'keeps the first record': () =>
    spoiled((store) => ({
      async save(record) {
        if ((await store.load(record.address)) === undefined) await store.save(record);
      },
    })),
  'does not tell capitals apart': () =>
    spoiled((store) => ({
      load: (address) => store.load(address.toLowerCase()),
      save: (record) => store.save({ ...record, address: record.address.toLowerCase() }),
    })),
  'refuses to save twice': () =>
    spoiled((store) => ({
      async save(record) {
        const stored = await store.load(record.address);
        if (stored?.seq === record.seq && stored.incarnation === record.incarnation)
          throw new Error('exists');
        await store.save(record);
      },
    })),
  'knows no incarnations but only seqs': () =>
    spoiled((store) => ({
      async save(record) {
        const stored = await store.load(record.address);
        if (stored !== undefined && record.seq < stored.seq) return store.save({ ...record, incarnation: 0 });
        await store.save(record);
      },
    })),
  'does not delete': () => spoiled(() => ({ async delete() {} })),
  'cannot delete nothing': () =>
    spoiled((store) => ({
      async delete(address, incarnation) {
        if ((await store.load(address)) === undefined) throw new Error('not found');
        await store.delete(address, incarnation);
      },
    })),
  'looks before it writes, and others write in between': () =>
    naive((records) => ({
      async save(record) {
        const stored = records.get(record.address);
        await new Promise((resolve) => setImmediate(resolve));
        if (stored !== undefined && stored.seq > record.seq) throw new Error('late');
        records.set(record.address, structuredClone(record));
      },
    })),
  'writes one record at a time, of whatever address': () => {
    let last: SnapshotRecord | undefined;
    return naive({
      async load(address) {
        return last?.address === address ? last : undefined;
      },
      async save(record) {
        last = structuredClone(record);
      },
    });
  },
  'cuts what is long': () =>
    spoiled((store) => ({
      async load(address) {
        const record = await store.load(address);
        const { lines } = (record?.snapshot ?? {}) as { lines?: unknown[] };
        if (record === undefined || lines === undefined) return record;
        return { ...record, snapshot: { lines: lines.slice(0, 1000) } };
      },
    })),
};

/** A store in memory that has nothing by then has lost it. */
const deadlineMs = 200;

describe('a store that', () => {
  it.each(Object.entries(broken))('%s is found out', async (_what, create) => {
    const results = await Promise.allSettled(
      snapshotStoreCases({ create, deadlineMs }).map(({ run }) => run()),
    );
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
  });

  it('says it is durable and is not is found out', async () => {
    const cases = snapshotStoreCases({
      create: () => ({ ...memoryStore(), durable: true }),
      reopen: () => ({ ...memoryStore(), durable: true }),
      deadlineMs,
    });
    const failed: string[] = [];
    for (const { name, run } of cases) await run().catch(() => failed.push(name));
    expect(failed).toHaveLength(2);
  });
});

it('there is no case that no broken store fails', async () => {
  const failed = new Set<string>();
  const all = [...Object.values(broken), () => ({ ...memoryStore(), durable: true })];
  for (const [i, create] of all.entries()) {
    const reopen = i === all.length - 1 ? () => ({ ...memoryStore(), durable: true }) : undefined;
    for (const { name, run } of snapshotStoreCases({ create, reopen, deadlineMs }))
      await run().catch(() => failed.add(name));
  }
  const names = snapshotStoreCases({ create: memoryStore }).map(({ name }) => name);
  expect(names.filter((name) => !failed.has(name))).toEqual([]);
});
