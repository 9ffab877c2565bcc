import { within, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import { secretInSnapshot } from './secret-in-snapshot.ts';
import type { SnapshotRecord, SnapshotStore } from './snapshot-store.ts';

/** Milliseconds that a store may take for one call: OTP's default for a call. */
export const STORE_MS = 5000;
/** Milliseconds before a failed save or delete is tried again; the pause doubles up to the longest. */
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

export interface KeeperOptions {
  readonly address: string;
  /** The store; without one the keeper alone has the state, which ends with the instance. */
  readonly store: SnapshotStore | undefined;
  readonly clock: Clock;
  readonly warn: (fields: object, message: string) => void;
  /** Returns the keys that lead to the value of a secret in a state, which must not be stored; `undefined` for none. */
  readonly secretIn: (state: unknown) => readonly string[] | undefined;
  /** Called when another runtime has continued with the address. */
  readonly fenced: (error: HoldfastError) => void;
  /** Resolves when the keeper before is done with the store: `true` when its record was to be deleted and is not. */
  readonly after: Promise<boolean>;
  /** Called when no call to the store runs or waits any more. */
  readonly idle?: () => void;
}

type Task =
  | { readonly kind: 'save'; readonly record: SnapshotRecord }
  | { readonly kind: 'delete'; readonly incarnation: number };

/**
 * Keeps the last state of one instance, in memory and in the store. A restart continues from the one in memory: the
 * mailbox was acknowledged by it, and it needs no store. One call at a time goes to the store; the newest state waits
 * meanwhile, and the states in between are skipped.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #last: PersistedState | undefined;
  #seq = 0;
  #stateless = false;
  #next: Task | undefined;
  #running: Promise<void> | undefined;
  #retry: unknown;
  #retryMs = RETRY_MS;
  #failing = false;
  #fenced = false;
  #forgotten = false;
  #secretTold = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** The last state that is kept. */
  get last(): PersistedState | undefined {
    return this.#last;
  }

  /** Whether a restart continues from what is kept; false when no state of the instance so far could be kept. */
  get keeps(): boolean {
    return this.#last !== undefined || !this.#stateless;
  }

  /** Whether a call to the store runs or waits. */
  get busy(): boolean {
    return this.#running !== undefined || this.#next !== undefined;
  }

  /** Loads the state from the store, and resolves with its incarnation. Rejects with `STORE_FAILED`. */
  async load(): Promise<number | undefined> {
    const { store, address, after } = this.#options;
    if (store === undefined) return undefined;
    const toBeDeleted = await after;
    const record = await this.#bounded('load', async () => store.load(address));
    if (record === undefined || record === null) return undefined;
    const read = readRecord(record);
    if (read === undefined) {
      const message = `the store's record of ${address} has a version that this Holdfast does not read; update Holdfast, or delete the record`;
      throw new HoldfastError('STORE_FAILED', message);
    }
    // The next save replaces the record.
    if (toBeDeleted) return read.incarnation;
    this.#last = read.state;
    return read.incarnation;
  }

  /** Whether there is a store to load from. */
  get stored(): boolean {
    return this.#options.store !== undefined;
  }

  /** Sets the state from which a restart continues until the instance has told one of its own. */
  beginWith(state: PersistedState): void {
    this.#last = state;
  }

  /** Keeps the state that the instance is in now. */
  keep(state: PersistedState, incarnation: number): void {
    this.#last = state;
    this.#stateless = false;
    this.#forgotten = false;
    this.#seq += 1;
    const { address, clock, store } = this.#options;
    if (store === undefined || this.#fenced || this.#carriesSecret(state)) return;
    const record = { v: 1, address, incarnation, seq: this.#seq, ...state, at: clock.date() } as const;
    this.#do({ kind: 'save', record });
  }

  /** A state with a secret stays in memory, where the instance can restart from it, and does not go to the store. */
  #carriesSecret(state: PersistedState): boolean {
    const { address, warn, secretIn } = this.#options;
    const path = secretIn(state);
    if (path === undefined) return false;
    if (!this.#secretTold) {
      const error = secretInSnapshot(address, path);
      warn({ address, error }, 'the state of an instance is not stored; what was stored before stays');
    }
    this.#secretTold = true;
    return true;
  }

  /** The instance is in a state that cannot be kept; warns once, until one can be kept again. */
  cannotKeep(why: string): void {
    if (this.#stateless) return;
    this.#stateless = true;
    const { address, warn } = this.#options;
    warn(
      { address },
      `the state of an instance cannot be saved (${why}); a restart goes on from the last one that could. Keep functions, ` +
        'actors of elsewhere and sockets out of the context, and name the logic of each child by a string src in ' +
        'setup({ actors })',
    );
  }

  /** Deletes the state, here and in the store: the instance has ended, or begins anew. */
  forget(incarnation: number): void {
    this.#last = undefined;
    this.#stateless = false;
    const { store } = this.#options;
    if (store === undefined || this.#fenced || this.#forgotten) return;
    this.#forgotten = true;
    this.#do({ kind: 'delete', incarnation });
  }

  /** Resolves when the store has the last state, or has refused it once more. */
  async flushed(): Promise<void> {
    if (this.#retry !== undefined) {
      this.#cancelRetry();
      this.#run();
    }
    await this.#running;
  }

  /**
   * Hands the address over to another keeper: this one calls the store no more afterwards, so that it undoes nothing.
   * Resolves with whether there is a record that it could not delete.
   */
  async handOver(): Promise<boolean> {
    await this.flushed();
    const toBeDeleted = this.#next?.kind === 'delete';
    this.#next = undefined;
    this.#cancelRetry();
    return toBeDeleted;
  }

  #do(task: Task): void {
    this.#next = task;
    if (this.#running === undefined && this.#retry === undefined) this.#run();
  }

  #run(): void {
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      // A task may have come since the last check.
      if (this.#next !== undefined && this.#retry === undefined) this.#run();
      if (!this.busy) this.#options.idle?.();
    });
  }

  async #work(): Promise<void> {
    await this.#options.after;
    while (this.#next !== undefined) {
      const task = this.#next;
      this.#next = undefined;
      try {
        await this.#perform(task);
        this.#failing = false;
        this.#retryMs = RETRY_MS;
      } catch (error) {
        if (isFenced(error)) return this.#lose(task, error);
        this.#next ??= task;
        this.#failed(error);
        return;
      }
    }
  }

  #perform(task: Task): Promise<void> {
    const { address } = this.#options;
    const store = this.#options.store as SnapshotStore;
    return task.kind === 'save'
      ? this.#bounded('save', async () => store.save(task.record))
      : this.#bounded('delete', async () => store.delete(address, task.incarnation));
  }

  /** The store has refused the task in favour of another runtime; for a late delete that is no news. */
  #lose({ kind }: Task, error: HoldfastError): void {
    this.#next = undefined;
    this.#fenced = true;
    if (kind === 'save') this.#options.fenced(error);
  }

  #failed(error: unknown): void {
    const { address, clock, warn } = this.#options;
    if (!this.#failing) warn({ address, error }, 'the store failed; the runtime goes on and tries again');
    this.#failing = true;
    this.#retry = clock.setTimeout(() => {
      this.#retry = undefined;
      this.#run();
    }, this.#retryMs);
    clock.unref?.(this.#retry);
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
  }

  #cancelRetry(): void {
    this.#options.clock.clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  async #bounded<T>(what: 'load' | 'save' | 'delete', call: () => Promise<T>): Promise<T> {
    const { address, clock } = this.#options;
    const advice = 'check the store, and the way to it';
    const late = (): HoldfastError =>
      new HoldfastError(
        'STORE_FAILED',
        `the store did not ${what} ${address} within ${STORE_MS} ms; ${advice}`,
      );
    try {
      return await within(clock, STORE_MS, call(), late);
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      const message = `the store could not ${what} ${address}; see the cause, and ${advice}`;
      throw new HoldfastError('STORE_FAILED', message, { cause });
    }
  }
}

/** Reads the answer of a store, which may be anything; `undefined` when it is not a record of this version. */
function readRecord(
  record: SnapshotRecord,
): { readonly incarnation: number; readonly state: PersistedState } | undefined {
  try {
    const { v, incarnation, snapshot, timers, version } = record;
    if (v !== 1 || !Number.isSafeInteger(incarnation)) return undefined;
    const named = version === undefined ? {} : { version };
    return { incarnation, state: { snapshot, timers: Array.isArray(timers) ? timers : [], ...named } };
  } catch {
    return undefined;
  }
}

function isFenced(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.code === 'STORE_FENCED';
}
