import { AssertionError } from 'node:assert';
import { checkCall, flag, oneOf, string } from '../base/call-check.ts';
import type { CommitStep, StoreCall, StoreFailure, StoreFault } from './store-faults.ts';
import type { KillCause, TestThread } from './test-thread.ts';

/** An injected fault. */
export interface Fault {
  readonly kind: 'kill-thread' | 'hang-thread' | 'drop-batch' | 'fail-store' | 'fail-commit';
  /** The name of the thread that it affects, `holdfast:<threadId>:<n>`; `undefined` for the store. */
  readonly thread: string | undefined;
  /** Whether the fault has happened. A test that injects a fault should assert this; otherwise it may test nothing. */
  readonly fired: boolean;
}

/**
 * Injects faults. A pending call rejects with an error that is `retryable`, as in production, and a caller that tries
 * again succeeds when the fault is over. A target is the address of an instance, which stands for the thread it runs
 * on; the name of a thread (`holdfast:<threadId>:<n>`); or a `threadId`, for the oldest thread of that pool. Each
 * method throws when there is no such thread.
 */
export interface Faults {
  /**
   * Ends a thread as it could end by itself: by `exit` with a code (the default), by an uncaught `error`, or by running
   * out of memory (`oom`). Fired when the host has seen the end.
   */
  killThread(target: string, cause?: KillCause): Fault;
  /** Makes a thread hang until it is ended. */
  hangThread(target: string): Fault;
  /** Loses the next batch of events on its way to a thread. */
  dropBatch(target: string): Fault;
  /**
   * Makes the next call of the store, or the next one of a kind, fail (the default) or never settle (`hang`). Throws
   * when the runtime has no `store`.
   */
  failStore(how?: StoreFailure, call?: StoreCall): Fault;
  /**
   * Makes the next commit of the store under every turn fail at a step: `before` its transaction, of which nothing is
   * written; `within` it, which is torn and rolled back; or `after` it, so that everything is written and the answer is
   * lost. The runtime sends the same commit again after 1 s of the clock. `kill`: the process ends at that step, and
   * `restartProcess()` begins the next one. Throws when the runtime has no such store.
   */
  commit(at: CommitStep, options?: CommitFaultOptions): Fault;
  /** Returns the faults that have not happened yet. */
  pending(): Fault[];
}

export interface CommitFaultOptions {
  /** Whether the process ends there, as by `kill -9`. Default: false. */
  readonly kill?: boolean;
}

export interface FaultsOptions {
  readonly threads: () => readonly TestThread[];
  /** Node's id of the thread on which the instance at an address runs. */
  readonly threadOf: (address: string) => number | undefined;
  /** What the runtime keeps its states in. */
  readonly store: () => 'none' | 'snapshots' | 'transactional';
  readonly failStore: (fault: StoreFault) => void;
  /** Ends the process. */
  readonly kill: () => void;
}

const aCause = oneOf(['exit', 'error', 'oom']);
const aFailure = oneOf(['fail', 'hang']);
const aStoreCall = oneOf([
  'load',
  'save',
  'delete',
  'commit',
  'rows',
  'steps',
  'id',
  'due',
  'records',
  'letters',
]);
const aStep = oneOf(['before', 'within', 'after']);

export function createFaults({ threads, threadOf, store, failStore, kill }: FaultsOptions): Faults {
  const injected: Fault[] = [];

  function target(wanted: string): TestThread {
    const live = threads();
    const id = threadOf(wanted);
    const found =
      live.find((thread) => id !== undefined && thread.threadId === id) ??
      live.find(({ name }) => name === wanted) ??
      live.find(({ pool }) => pool === wanted);
    if (found !== undefined) return found;
    const names = live.map(({ name }) => name).join(', ') || 'none';
    throw new AssertionError({
      message: `"${wanted}" is neither an instance on a thread nor a thread nor the threadId of one; threads: ${names}`,
    });
  }

  function inject(
    kind: Fault['kind'],
    wanted: string,
    by: (thread: TestThread, done: () => void) => void,
  ): Fault {
    const thread = target(wanted);
    const fault = { kind, thread: thread.name, fired: false };
    injected.push(fault);
    by(thread, () => {
      fault.fired = true;
    });
    return fault;
  }

  function ofStore(
    kind: Fault['kind'],
    how: StoreFault['how'],
    call: StoreCall | undefined,
    then?: () => void,
  ): Fault {
    const fault = { kind, thread: undefined, fired: false };
    injected.push(fault);
    const done = (): void => {
      fault.fired = true;
      then?.();
    };
    failStore({ how, call, done });
    return fault;
  }

  return {
    killThread(target, cause = 'exit') {
      checkCall('faults.killThread()', { target: [target, string], cause: [cause, aCause] });
      return inject('kill-thread', target, (thread, done) => thread.kill(cause, done));
    },
    hangThread(target) {
      checkCall('faults.hangThread()', { target: [target, string] });
      return inject('hang-thread', target, (thread, done) => thread.hang(done));
    },
    dropBatch(target) {
      checkCall('faults.dropBatch()', { target: [target, string] });
      return inject('drop-batch', target, (thread, done) => thread.dropBatch(done));
    },
    failStore(how = 'fail', call?: StoreCall) {
      checkCall('faults.failStore()', { how: [how, aFailure], call: [call ?? 'load', aStoreCall] });
      if (store() === 'none') {
        throw new AssertionError({
          message: 'there is no store to fail: give createTestRuntime one, such as memoryStore()',
        });
      }
      return ofStore('fail-store', how, call);
    },
    commit(at, options) {
      const { kill: kills = false } = checkCall<CommitFaultOptions>(
        'faults.commit()',
        { at: [at, aStep] },
        options,
        { kill: flag },
      );
      if (store() !== 'transactional') {
        throw new AssertionError({
          message:
            'there is nothing to commit to: give createTestRuntime a store, such as memoryDurableStore()',
        });
      }
      return ofStore('fail-commit', at, 'commit', kills ? kill : undefined);
    },
    pending: () => injected.filter(({ fired }) => !fired),
  };
}
