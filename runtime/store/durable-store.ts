import type { HoldfastError } from '../base/errors.ts';
import type { StoreKeyRef, StoreKeyRefs, StoreKeys } from './store-keys.ts';

/**
 * A state as its thread encoded it: JSON text, or the bytes of `node:v8` for a state that JSON cannot say. The store
 * keeps it as it is.
 */
export type EncodedState = string | Uint8Array;

/**
 * A state whose long texts are kept on their own. In its text the numbers of their parts, with commas in between, stand
 * between two characters U+0001, in the place of each.
 */
export interface StateParts {
  readonly text: string;
  /** Whether those that the record had before are all gone. */
  readonly isWhole: boolean;
  readonly added: readonly (readonly [number: number, part: string])[];
  readonly removed: readonly number[];
}

/** What is kept of one instance. */
export interface DurableRecord {
  /** The address, `agent/id`. There is one record for each address. */
  readonly address: string;
  /** The incarnation that was in this state. */
  readonly incarnation: number;
  /** The number of the state; it grows over all incarnations. */
  readonly seq: number;
  /** The machine's own `version`, if it has one. */
  readonly version?: string | undefined;
  /** An empty text: the instance was done and begins anew, with the input that `meta` has. */
  readonly state: EncodedState;
  /** The same state, for a store that writes no more of it than has changed. Absent in what a store gives. */
  readonly parts?: StateParts | undefined;
  /** What the runtime keeps beside the state, as JSON text. */
  readonly meta: string;
  /** The time at which the earliest timer is due, in milliseconds since the epoch; undefined without a timer. */
  readonly dueAt?: number | undefined;
  /** Whether an invoked child was active, so that the instance wakes after a crash. */
  readonly wakes: boolean;
  /** Whether the instance is quarantined: nothing wakes it. */
  readonly quarantined: boolean;
}

/** A record as the store has it. */
export interface StoredRecord extends DurableRecord {
  /** The id of the group that wrote it. */
  readonly commit: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** One event in the mailbox of an instance. */
export interface MailboxRow {
  /** The number of the row, given by its sender; it grows. */
  readonly n: number;
  /** The address of the recipient. */
  readonly to: string;
  /** The address of the agent that sent it; undefined for the host. */
  readonly from?: string | undefined;
  readonly event: EncodedState;
  /** The time before which it is not handled, in milliseconds since the epoch; 0: at once. */
  readonly dueAt: number;
  /** The id that its caller gave it, see {@link KeptId}. */
  readonly id?: string | undefined;
  readonly caller?: string | undefined;
  /** The number of crashes with the row in hand. */
  readonly attempts: number;
  /** Its recipient is to be started where it has no record: the letter that the row becomes says so. Not kept in the row. */
  readonly activate?: boolean | undefined;
}

/** What became of an event with an id: unique for an address and a caller. */
export interface KeptId {
  readonly address: string;
  /** Who gave the id: the name of a token, or `host`. */
  readonly caller: string;
  readonly id: string;
  /** A hash of the event: the same id with another event is refused. */
  readonly hash: string;
  /** `open`: not handled, or put off; else how it ended. `unkept`: the answer was not kept. */
  readonly outcome: 'open' | 'done' | 'failed' | 'unkept';
  /** The answer, or the error in its wire form. */
  readonly value?: EncodedState | undefined;
  /** Milliseconds since the epoch until which it is kept. */
  readonly until: number;
}

/** What a step of an invoked promise returned. */
export interface KeptStep {
  /** The start of the child that the step belongs to, by a name that no other start has. */
  readonly start: string;
  readonly key: string;
  readonly value: EncodedState;
}

/**
 * A committed event that was not handled. What a store makes of a row has the id `row-<n>`, and in `meta` all of the row
 * but its event: `n`, `from`, `dueAt`, `id`, `caller`, `attempts`, `activate`.
 */
export interface KeptLetter {
  readonly id: string;
  readonly address: string;
  readonly reason: string;
  readonly event: EncodedState;
  /** What else is known of it, as JSON text. */
  readonly meta: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Everything that one instance has to commit. */
export interface TurnCommit {
  readonly address: string;
  /** The group that wrote the record which this one follows; undefined: there is none. */
  readonly after: string | undefined;
  /** The new state; undefined: the state stays as it is. */
  readonly record?: DurableRecord | undefined;
  /** The instance has ended: its record, rows, steps and open ids go, and the rows become letters (`stopped`). */
  readonly end?: boolean | undefined;
  /** The rows of the mailbox that were handled. */
  readonly handled?: readonly number[] | undefined;
  /** The rows that the instance has sent. */
  readonly sends?: readonly MailboxRow[] | undefined;
  readonly ids?: readonly KeptId[] | undefined;
  readonly steps?: readonly KeptStep[] | undefined;
  /** Starts of children that have ended, whose steps go. */
  readonly endedStarts?: readonly string[] | undefined;
  readonly letters?: readonly KeptLetter[] | undefined;
  /**
   * Parts of long texts of a state that is to follow: of a record that has such texts, whose numbers go on. They are part of no
   * record before that state is. Only for a store with {@link DurableStore.textsAhead}, and with nothing else.
   */
  readonly texts?: StateParts['added'] | undefined;
}

/** What is written in one transaction. An address has one turn in it, or one that ends it and then one that begins it anew. */
export interface CommitGroup {
  /** Unique. The same group with the same id may come again, when nobody knows whether it was written. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly turns: readonly TurnCommit[];
  /** Rows from the host. */
  readonly rows?: readonly MailboxRow[] | undefined;
  readonly letters?: readonly KeptLetter[] | undefined;
  /** The ids of letters that are gone, once their events are `rows` again: none goes where those are refused. */
  readonly removedLetters?: readonly string[] | undefined;
  /** Ids without a turn: open ones, and what became of them. */
  readonly ids?: readonly KeptId[] | undefined;
  /** How often rows were in hand at a crash: `n`, attempts. */
  readonly attempts?: readonly (readonly [n: number, attempts: number])[] | undefined;
}

export interface CommitResult {
  /** The addresses of turns of which nothing was written, because their record follows another group; in any order. */
  readonly fenced: readonly string[];
  /** The rows that no record takes: they became letters (`unknown-address`). */
  readonly unknown: readonly number[];
  /**
   * Only where so many rows wait for an address as may: the rows beyond. Those that turns sent became letters
   * (`mailbox-full`); of those from the host nothing was written.
   */
  readonly full?: readonly number[] | undefined;
  /** The addresses of rows of the group for which four fifths of that or more wait; absent: none. */
  readonly crowded?: readonly string[] | undefined;
  /** The addresses of which something was left out, since what the store has of them is damaged. */
  readonly damaged?: readonly string[] | undefined;
  /**
   * Only in a store that has little room left: the addresses of turns whose first record it does not take, and the rows
   * from the host that it does not take. Nothing of them was written, and their ids are not open.
   */
  readonly refused?: { readonly addresses: readonly string[]; readonly rows: readonly number[] } | undefined;
  /** Only in a store with a bound: how many ids and letters were dropped before their time, the oldest first. */
  readonly dropped?: { readonly ids: number; readonly letters: number } | undefined;
}

/** An address that has something to do, and the first thing of that. */
export interface Due {
  readonly address: string;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
  /** `child`: since the record was written. */
  readonly why: 'row' | 'timer' | 'child';
}

/** A place in the list of what is due. */
export type DuePlace = Pick<Due, 'since' | 'address'>;

/** A place in the list of letters. */
export type LetterPlace = Pick<KeptLetter, 'at' | 'id'>;

export interface DueList {
  readonly due: readonly Due[];
  readonly nextAt?: number | undefined;
  /**
   * The damage by which the list cannot be read in the order of time: it is in the order of addresses, has those too of
   * which the store cannot say whether something is due, and is read again at `nextAt`.
   */
  readonly damaged?: string | undefined;
}

/** What the store knows of itself once it is open. */
export interface OpenedStore {
  /** Names this store, and no copy that was restored from it. */
  readonly storeId: string;
  /** Grows with each opening. */
  readonly epoch: number;
  /** Rows of this opening have numbers from here on. */
  readonly firstRow: number;
  /** The times of the last openings that were not followed by a close, oldest first, in milliseconds since the epoch. */
  readonly uncleanEnds: readonly number[];
  /** Whether the store was restored from a copy, and wakes nobody until `resume`. */
  readonly restored: boolean;
}

export interface StoreContext {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly warn: (fields: object, message: string) => void;
  /** The most rows that wait for one address: a whole number of at least 1. Default: no limit. */
  readonly mostRows?: number | undefined;
  /** The values of the secrets that `keyRefs` names. They are overwritten when `open` has settled. */
  readonly keys?: StoreKeys | undefined;
  /**
   * Returns the value of the secret that `urlRef` names, in its current version, for the store to overwrite. `isRefused`: the
   * database has refused what it gave before, so that the secret is looked up anew, at most once in 5 s. Rejects with
   * `SECRET_NOT_FOUND`, `SECRET_DENIED`, `SECRET_UNAVAILABLE` or `RUNTIME_STOPPED`.
   */
  readonly url?: ((isRefused: boolean) => Promise<Uint8Array>) | undefined;
}

/** How much the store holds. */
export interface StoreSize {
  readonly records: number;
  readonly rows: number;
  readonly letters: number;
  readonly ids: number;
  /** Bytes on disk, 0 for a store without one. */
  readonly bytes: number;
}

/**
 * What is done when commits have failed for 30 s, or three times in a minute, or another process has the store. `wait`: they are tried again, as before.
 * `exit`: the runtime stops, and the process ends with exit code 1, for whoever starts it again. A function is called with
 * the error, once for each such time.
 */
export type OnStoreFailure = 'wait' | 'exit' | ((error: HoldfastError) => void);

/**
 * A store under every turn: it writes the state of an instance, the rows it handled, what it sent and what it answered
 * in one transaction.
 *
 * Errors are `HoldfastError`: `STORE_FAILED` means that nobody knows whether the call took effect unless it says that
 * there is no room, and the same call may come again; `STORE_LOCKED`: another process owns the store now, and this one
 * writes nothing any more; `STORE_CORRUPT`: what was read is damaged, its message has the address; `STORE_TOO_NEW`.
 *
 * Rules. A group is written whole, or nothing of it, but for fenced turns, which are left out with all that they asked
 * for. A turn is fenced when the record of its address was written by another group than the one it follows, and counts
 * as committed when it was written by this very group. A group whose outcome nobody knows comes again before any other,
 * and then changes nothing that it has changed before. First the turns are written in their order: what was handled,
 * what it became, and at an end what is left; then what turns and host send, in that order. A row goes to an address
 * that has a record by then; otherwise it becomes a letter. It becomes one too when a turn has sent it and the address has
 * as many rows as it may; one from the host is not written then, unless its group removes letters. The open id of a row that
 * is not written goes. A row whose number is there already is not written again. Times are compared with what the caller
 * says is now. Calls are answered in the order in which they came.
 */
export interface DurableStore {
  readonly transactional: true;
  /** Whether what it keeps outlives the process. */
  readonly durable: boolean;
  /** The most instances that are woken in a second: a whole number of at least 1. Default 1000. */
  readonly wakesPerSecond?: number | undefined;
  /** Milliseconds for which what became of an id is kept: a whole number of at least 1000. Default 24 h. */
  readonly keepIdsMs?: number | undefined;
  /** What is done when it fails for long. Default: `wait`. */
  readonly onFailure?: OnStoreFailure | undefined;
  /** The secrets that are the keys of the store. Default: none. */
  readonly keyRefs?: StoreKeyRefs | undefined;
  /** The secret that has the url of its database. It may be read whenever the store connects. Default: none. */
  readonly urlRef?: StoreKeyRef | undefined;
  /**
   * The most groups that are given to it before it has answered the first: more than one for a store that writes in one
   * transaction what has come while it wrote the last. Only groups of turns with records or `texts`, each address in one of
   * them. Default 1.
   */
  readonly groupsAtOnce?: number | undefined;
  /** Whether it takes the long texts of a large state before the state, in transactions of others. Default: no. */
  readonly textsAhead?: boolean | undefined;
  /**
   * Becomes the owner of the store: whoever was it before writes nothing any more. A store that was closed may be opened
   * again.
   */
  open(context: StoreContext): Promise<OpenedStore>;
  /**
   * Writes a group. With {@link groupsAtOnce} the next ones come before the answer; when one fails, those behind it fail,
   * and come again after it.
   */
  commit(group: CommitGroup): Promise<CommitResult>;
  load(address: string): Promise<StoredRecord | undefined>;
  /** The rows of an address whose number is above `after`, oldest first, at most `limit`; not yet due ones too. */
  rows(address: string, after: number, limit: number): Promise<readonly MailboxRow[]>;
  steps(address: string): Promise<readonly KeptStep[]>;
  id(address: string, caller: string, id: string): Promise<KeptId | undefined>;
  /**
   * What is due at `now`, oldest first and then by address, at most `limit`, an address once; and the time of what is
   * due next after `now`. Timers and rows with a `dueAt` have a time; every other row and an active child are due also when
   * they were written later than `now`, by a clock that was ahead. Quarantined addresses are left out. Behind `after` an address comes again that has one more
   * thing to do.
   */
  due(now: number, limit: number, after?: DuePlace): Promise<DueList>;
  /** The records behind the address `after`, in the order of the code points of their addresses, at most `limit`. */
  records(after: string | undefined, limit: number): Promise<readonly StoredRecord[]>;
  /** The letters behind `after`, oldest first and then by id, at most `limit`. */
  letters(after: LetterPlace | undefined, limit: number): Promise<readonly KeptLetter[]>;
  /** Lets a store that was restored wake again: the next opening says nothing of it. */
  resume(): Promise<void>;
  /** Drops ids whose time is up at `now`, and letters from before `lettersBefore`, in milliseconds since the epoch. */
  tidy(now: number, lettersBefore: number): Promise<void>;
  size(): Promise<StoreSize>;
  /**
   * For a store that may go away while nothing is written to it, such as a server: rejects as `commit` does while it cannot be
   * reached, and once another process has it. It is called when nothing was written for 10 s. Default: nobody looks.
   */
  look?(): Promise<void>;
  /** The secret that is the key has another version. The keys are overwritten when it has settled. */
  rekey?(keys: StoreKeys): Promise<void>;
  /** Ends the ownership; what comes afterwards rejects. */
  close(): Promise<void>;
}
