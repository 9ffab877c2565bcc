import { HoldfastError } from '../base/errors.ts';
import type { DurableStore } from '../store/durable-store.ts';
import type { FaultyCommits } from '../store/faulty-commits.ts';
import type { SnapshotStore } from '../store/snapshot-store.ts';
import type { StoreCall, StoreFaults } from './store-faults.ts';
import type { StoreWay } from './store-way.ts';

export type AnyStore = SnapshotStore | DurableStore;

/** A store as one process of a test has it. */
export interface ProcessStore {
  readonly store: AnyStore;
  /** The process is gone: what is on the way to the store does not come there, nor what is on the way back. */
  cut(): void;
  /** Ends the store as the end of its process would. */
  kill(): Promise<void>;
}

/** Puts the way to a store, on which calls go wrong, between a process and that store. */
export function processStore(store: AnyStore, way: StoreWay, faults: StoreFaults): ProcessStore {
  let isCut = false;

  function gone(): HoldfastError {
    return new HoldfastError(
      'STORE_LOCKED',
      'the test has ended the process; get what comes after restartProcess() from the runtime anew',
    );
  }

  async function through<T>(call: StoreCall | 'other', run: () => Promise<T>): Promise<T> {
    await way.there(call);
    if (isCut) throw gone();
    const fault = call === 'other' ? undefined : faults.take(call);
    if (fault?.how === 'hang') {
      fault.done();
      return new Promise<never>(() => {});
    }
    let result: T | undefined;
    if (fault === undefined || fault.how === 'after') result = await way.work(run());
    else if (fault.how === 'within') await way.work(torn(store, run));
    fault?.done();
    await way.back(call);
    if (isCut) throw gone();
    if (fault !== undefined) throw failure(store, call, fault.how);
    return result as T;
  }

  return {
    store: 'transactional' in store ? durable(store, through, () => isCut) : ofSnapshots(store, through),
    cut() {
      isCut = true;
      way.cut();
    },
    async kill() {
      if (!('transactional' in store)) return;
      const { kill } = store as Partial<FaultyCommits>;
      await (kill === undefined ? store.close() : kill.call(store));
    },
  };
}

type Through = <T>(call: StoreCall | 'other', run: () => Promise<T>) => Promise<T>;

function ofSnapshots(store: SnapshotStore, through: Through): SnapshotStore {
  return {
    get durable() {
      return store.durable;
    },
    load: (address) => through('load', () => store.load(address)),
    save: (record) => through('save', () => store.save(record)),
    delete: (address, incarnation) => through('delete', () => store.delete(address, incarnation)),
  };
}

function durable(store: DurableStore, through: Through, isCut: () => boolean): DurableStore {
  return {
    transactional: true,
    get durable() {
      return store.durable;
    },
    get wakesPerSecond() {
      return store.wakesPerSecond;
    },
    get keepIdsMs() {
      return store.keepIdsMs;
    },
    get onFailure() {
      return store.onFailure;
    },
    // A test ends its processes itself, and as often as it wants: no start is careful for that.
    open: (context) => through('other', async () => ({ ...(await store.open(context)), uncleanEnds: [] })),
    commit: (group) => through('commit', () => store.commit(group)),
    load: (address) => through('load', () => store.load(address)),
    rows: (address, after, limit) => through('rows', () => store.rows(address, after, limit)),
    steps: (address) => through('steps', () => store.steps(address)),
    id: (address, caller, id) => through('id', () => store.id(address, caller, id)),
    due: (now, limit, after) => through('due', () => store.due(now, limit, after)),
    records: (after, limit) => through('records', () => store.records(after, limit)),
    letters: (after, limit) => through('letters', () => store.letters(after, limit)),
    resume: () => through('other', () => store.resume()),
    tidy: (now, lettersBefore) => through('other', () => store.tidy(now, lettersBefore)),
    size: () => through('other', () => store.size()),
    ...(store.look !== undefined && { look: () => through('other', async () => store.look?.()) }),
    // Nobody closes a store whose process was killed.
    close: async () => (isCut() ? undefined : through('other', () => store.close())),
  };
}

/** Has the store itself fail within its transaction, if it can. */
async function torn(store: AnyStore, run: () => Promise<unknown>): Promise<void> {
  const { failNextCommit } = store as Partial<FaultyCommits>;
  if (failNextCommit === undefined) return;
  failNextCommit.call(store, { at: 'within', what: 'error' });
  await run().catch(() => {});
}

function failure(store: AnyStore, call: string, how: string): Error {
  if (!('transactional' in store)) return new Error(`the test had the store fail at ${call}`);
  const where = how === 'fail' ? `at ${call}` : `${how} a commit`;
  return new HoldfastError(
    'STORE_FAILED',
    `the test had the store fail ${where}; the same call may come again`,
  );
}
