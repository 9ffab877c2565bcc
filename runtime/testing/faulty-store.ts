import type { SnapshotStore } from '../store/snapshot-store.ts';

/** A call of a store. */
export type StoreCall = 'load' | 'save' | 'delete';
/** `fail`: it rejects. `hang`: it never settles. Either way nothing is stored, loaded or deleted. */
export type StoreFailure = 'fail' | 'hang';

export interface FaultyStore {
  readonly store: SnapshotStore;
  /** The next call of that kind, or of any, goes wrong; `done` when it has. */
  fail(how: StoreFailure, call: StoreCall | undefined, done: () => void): void;
}

/** A store some of whose calls go wrong. */
export function faultyStore(store: SnapshotStore): FaultyStore {
  const faults: { how: StoreFailure; call: StoreCall | undefined; done: () => void }[] = [];

  async function through<T>(call: StoreCall, run: () => Promise<T>): Promise<T> {
    const at = faults.findIndex((fault) => fault.call === undefined || fault.call === call);
    const [fault] = at < 0 ? [] : faults.splice(at, 1);
    if (fault === undefined) return run();
    fault.done();
    if (fault.how === 'hang') return new Promise<never>(() => {});
    throw new Error(`the test had the store fail at ${call}`);
  }

  return {
    store: {
      get durable() {
        return store.durable;
      },
      load: (address) => through('load', () => store.load(address)),
      save: (record) => through('save', () => store.save(record)),
      delete: (address, incarnation) => through('delete', () => store.delete(address, incarnation)),
    },
    fail: (how, call, done) => void faults.push({ how, call, done }),
  };
}
