/**
 * A call of a store: `load`, `save` and `delete` of a store of snapshots; of a store under every turn `load`, `commit`, and
 * what it reads.
 */
export type StoreCall =
  | 'load'
  | 'save'
  | 'delete'
  | 'commit'
  | 'rows'
  | 'steps'
  | 'id'
  | 'due'
  | 'records'
  | 'letters';
/** `fail`: it rejects. `hang`: it never settles. Either way nothing is stored, loaded or deleted. */
export type StoreFailure = 'fail' | 'hang';
/**
 * The step of a commit at which it fails. `before`: nothing is written. `within`: its transaction is torn, and rolled back.
 * `after`: everything is written, and the answer is lost.
 */
export type CommitStep = 'before' | 'within' | 'after';

/** What goes wrong with the next call of a kind, or of any. */
export interface StoreFault {
  readonly how: StoreFailure | CommitStep;
  readonly call: StoreCall | undefined;
  /** Called when it has gone wrong. */
  readonly done: () => void;
}

/** What is to go wrong with a store, over the processes of a test. */
export class StoreFaults {
  readonly #faults: StoreFault[] = [];

  add(fault: StoreFault): void {
    this.#faults.push(fault);
  }

  /** Returns the oldest fault for such a call, which it has now met. */
  take(call: StoreCall): StoreFault | undefined {
    const at = this.#faults.findIndex((fault) => fault.call === undefined || fault.call === call);
    return at < 0 ? undefined : this.#faults.splice(at, 1)[0];
  }
}
