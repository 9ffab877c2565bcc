import { HoldfastError } from '../base/errors.ts';
import type { Ticket } from '../base/ticket.ts';
import type { Committer, Drafting } from './committer.ts';
import type { DurableRecord, DurableStore, EncodedState, TurnCommit } from './durable-store.ts';
import { secretInSnapshot } from './secret-in-snapshot.ts';

/** What a thread tells of an instance after turns that may have changed it. */
export interface ToldState {
  readonly state: EncodedState;
  readonly version?: string | undefined;
  readonly dueAt?: number | undefined;
  readonly wakes: boolean;
}

export interface LedgerOptions {
  readonly address: string;
  readonly store: Pick<DurableStore, 'load'>;
  readonly committer: Pick<Committer, 'add'>;
  /** Returns the keys that lead to the value of a secret in a state, which must not be stored; `undefined` for none. */
  readonly secretIn: (state: unknown) => readonly string[] | undefined;
  /** Resolves when what was there at the address before is committed. */
  readonly after: Promise<void>;
  /** Another runtime has continued with the address. */
  readonly fenced: (error: HoldfastError) => void;
}

interface Draft {
  record?: DurableRecord;
  end?: boolean;
}

/**
 * What one durable instance has committed, and has to. A restart continues from the last state that was told, committed
 * or not: what rests on it is told only after it.
 */
export class Ledger implements Drafting {
  readonly #options: LedgerOptions;
  #last: Pick<ToldState, 'state' | 'version'> | undefined;
  /** The group that wrote the record. */
  #commit: string | undefined;
  #seq = 0;
  #draft: Draft | undefined;
  #writing: Draft | undefined;
  #isFenced = false;
  #ticket: Ticket | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** The last state that was told, or loaded. */
  get last(): { readonly state: EncodedState } | undefined {
    return this.#last && { state: this.#last.state };
  }

  /** Whether another runtime has continued with the address: nothing more of the instance is told. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  /**
   * Loads the record, and resolves with its incarnation. `replaced`: the instance begins with another state. Rejects with
   * `STORE_FAILED` or `STORE_CORRUPT`.
   */
  async load(replaced: boolean): Promise<number | undefined> {
    const { store, address, after } = this.#options;
    await after;
    const record = await store.load(address);
    if (record === undefined) return undefined;
    this.#commit = record.commit;
    this.#seq = record.seq;
    if (!replaced) this.#last = { state: record.state, version: record.version };
    return record.incarnation;
  }

  /** The instance is in that state now; the ticket settles when it is committed. */
  told({ state, version, dueAt, wakes }: ToldState, incarnation: number): Ticket {
    const { address, committer, secretIn } = this.#options;
    const path = secretIn(state);
    if (path !== undefined) throw secretInSnapshot(address, path);
    this.#last = { state, version };
    this.#seq += 1;
    const draft = (this.#draft ??= {});
    draft.record = {
      address,
      incarnation,
      seq: this.#seq,
      version,
      state,
      meta: '{}',
      dueAt,
      wakes,
      quarantined: false,
    };
    return (this.#ticket = committer.add(this));
  }

  /** The instance has ended: nothing is left of it once the ticket has settled. */
  ended(): Ticket | undefined {
    this.#last = undefined;
    if (this.#commit === undefined && this.#draft === undefined && this.#writing === undefined)
      return undefined;
    this.#draft = { end: true };
    return (this.#ticket = this.#options.committer.add(this));
  }

  draft(): TurnCommit | undefined {
    const draft = this.#draft;
    this.#draft = undefined;
    if (draft === undefined || this.#isFenced) return undefined;
    this.#writing = draft;
    const { address } = this.#options;
    return { address, after: this.#commit, record: draft.record, end: draft.end };
  }

  written(group: string): void {
    const draft = this.#writing;
    this.#writing = undefined;
    if (draft?.record !== undefined) this.#commit = group;
    else if (draft?.end === true) this.#commit = undefined;
  }

  fenced(): void {
    const { address } = this.#options;
    this.lose(
      new HoldfastError(
        'STORE_FENCED',
        `${address} was continued by another runtime, and ends here; make sure that only one runtime at a time runs it`,
      ),
    );
  }

  /** Nothing more of the instance is committed, and so nothing more is told. */
  lose(error: HoldfastError): void {
    if (this.#isFenced) return;
    this.#isFenced = true;
    this.#options.fenced(error);
  }

  /** Resolves when nothing of the instance waits to be committed. */
  async quiet(): Promise<void> {
    while (this.#ticket?.settled === false)
      await new Promise<void>((resolve) => this.#ticket?.whenSettled(resolve));
  }
}
