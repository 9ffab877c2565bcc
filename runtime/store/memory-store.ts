import { checkCall, string, type Rule } from '../base/call-check.ts';
import { HoldfastError } from '../base/errors.ts';
import type { SnapshotRecord, SnapshotStore } from './snapshot-store.ts';

/**
 * Creates a store that lives as long as the process: for tests, and to hand the states of one runtime to the next. It
 * copies each record that it saves or loads.
 *
 * @example
 * ```ts
 * const store = memoryStore();
 * const runtime = await createRuntime(config, { store });
 * ```
 */
export function memoryStore(): SnapshotStore {
  const records = new Map<string, SnapshotRecord>();
  return {
    durable: false,
    async load(address) {
      checkCall('store.load()', { address: [address, string] });
      return structuredClone(records.get(address));
    },
    async save(record) {
      checkCall('store.save()', { record: [record, aRecord] });
      const stored = records.get(record.address);
      if (stored !== undefined && isOlder(record, stored)) throw fenced(record, stored);
      records.set(record.address, copyOf(record));
    },
    async delete(address, incarnation) {
      checkCall('store.delete()', { address: [address, string], incarnation: [incarnation, aCount] });
      const stored = records.get(address);
      if (stored !== undefined && incarnation < stored.incarnation)
        throw fenced({ address, incarnation }, stored);
      records.delete(address);
    },
  };
}

const aCount: Rule = { what: 'a whole number', is: Number.isSafeInteger };

const aRecord: Rule = {
  what: 'a record with an address, an incarnation and a seq',
  is(value) {
    const { address, incarnation, seq } = value as Partial<SnapshotRecord>;
    return string.is(address) && aCount.is(incarnation) && aCount.is(seq);
  },
};

function copyOf(record: SnapshotRecord): SnapshotRecord {
  try {
    return structuredClone(record);
  } catch (cause) {
    const message = `the record of ${record.address} cannot be copied; see the cause`;
    throw new HoldfastError('STORE_FAILED', message, { cause });
  }
}

function isOlder(record: SnapshotRecord, stored: SnapshotRecord): boolean {
  if (record.incarnation !== stored.incarnation) return record.incarnation < stored.incarnation;
  return record.seq < stored.seq;
}

function fenced(
  { address, incarnation }: Pick<SnapshotRecord, 'address' | 'incarnation'>,
  stored: SnapshotRecord,
): HoldfastError {
  return new HoldfastError(
    'STORE_FENCED',
    `incarnation ${incarnation} of ${address} is late: the store has a newer state, of incarnation ` +
      `${stored.incarnation}; make sure that only one runtime at a time runs the address`,
  );
}
