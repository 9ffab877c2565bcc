import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { Ticket } from '../base/ticket.ts';
import type { CommitGroup, CommitResult, DurableStore, TurnCommit } from './durable-store.ts';

/** Milliseconds before a failed commit is tried again; the pause doubles up to the longest. */
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

/** Milliseconds that a commit may take before the store counts as one that does not answer. */
const SLOW_MS = 1000;
/** Milliseconds for which a store may fail before that is told as its failure. */
const FAILED_MS = 30_000;

/** How the store does, as commits find it. */
export interface StoreHealth {
  readonly state: 'ok' | 'failing' | 'locked';
  /** The error of the last try, while it is not `ok`. */
  readonly error?: HoldfastError;
  /** The number of instances with something to commit. */
  readonly waiting: number;
}

/**
 * Why nothing of a turn was written. `fenced`: another runtime goes on with the address; `damaged`: what the store has of it
 * cannot be read; `full`: the store takes nobody new.
 */
export type Lost = 'fenced' | 'damaged' | 'full';

/** Somebody with something to commit. */
export interface Drafting {
  /** Returns everything there is to commit; undefined when there is nothing any more. */
  draft(): TurnCommit | undefined;
  /** The draft was written. */
  written(group: string, result: CommitResult): void;
  /** Nothing of the draft was written, nor will be. */
  lost(why: Lost): void;
}

/** What the host has to commit beside turns. */
export type HostPart = Pick<CommitGroup, 'rows' | 'ids' | 'attempts' | 'removedLetters'>;

/** Collects what the host has to commit. */
export interface HostDrafting {
  /** Returns everything there is to commit; undefined when there is nothing. */
  draft(): HostPart | undefined;
  /** The draft was written. */
  written(result: CommitResult): void;
}

export interface CommitterOptions {
  readonly store: Pick<DurableStore, 'commit'>;
  readonly clock: Clock;
  /** Begins the ids of the groups: unique among the owners of the store. */
  readonly owner: string;
  readonly warn: (fields: object, message: string) => void;
  /** Another process owns the store now; nothing is written any more. */
  readonly overtaken: (error: HoldfastError) => void;
  /** The store has failed for 30 s; called once for each such time. */
  readonly failed?: ((error: HoldfastError) => void) | undefined;
}

/**
 * Writes what instances have to commit, group by group and without a timer: while one group is written, the next one
 * gathers. Of several states of an address in a group only the newest is written.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #dirty = new Set<Drafting>();
  #host: HostDrafting | undefined;
  #ticket = new Ticket();
  #groups = 0;
  #running = false;
  #closed = false;
  #failing: HoldfastError | undefined;
  #locked: HoldfastError | undefined;
  /** What is being written: its ticket, since when, and for whom. */
  #writing:
    | {
        readonly ticket: Ticket;
        readonly since: number;
        readonly members: readonly (readonly [Drafting, TurnCommit])[];
      }
    | undefined;
  #retry: { readonly timer: unknown; readonly run: () => void } | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Whether nothing waits to be written. */
  get idle(): boolean {
    return !this.#running && this.#dirty.size === 0 && this.#host === undefined;
  }

  /** The error of the last try, while the store fails or does not answer. */
  get failing(): HoldfastError | undefined {
    const error = this.#locked ?? this.#failing;
    if (error !== undefined || this.#writing === undefined) return error;
    const ms = this.#options.clock.now() - this.#writing.since;
    return ms > SLOW_MS ? silent(ms) : undefined;
  }

  get health(): StoreHealth {
    const error = this.failing;
    const writing = this.#writing?.members.map(([drafting]) => drafting) ?? [];
    const waiting = new Set([...this.#dirty, ...writing]).size;
    const state = this.#locked !== undefined ? 'locked' : error !== undefined ? 'failing' : 'ok';
    return { state, ...(error && { error }), waiting };
  }

  /** `drafting` has something to commit; the ticket settles when it was written, or was fenced. */
  add(drafting: Drafting): Ticket {
    this.#dirty.add(drafting);
    return this.#begin();
  }

  /** The host has something to commit. */
  addHost(host: HostDrafting): Ticket {
    this.#host = host;
    return this.#begin();
  }

  #begin(): Ticket {
    const ticket = this.#ticket;
    if (!this.#running && !this.#closed) {
      this.#running = true;
      queueMicrotask(() => void this.#run());
    }
    return ticket;
  }

  /** Resolves when everything that waits was written, or when the store fails once more. */
  async flushed(): Promise<void> {
    this.#retry?.run();
    const ticket = this.#ticket;
    if (this.idle) return;
    await new Promise<void>((resolve) => {
      ticket.whenSettled(resolve);
      this.#onFailure.push(resolve);
    });
  }

  /** Writes nothing more. */
  close(): void {
    this.#closed = true;
    if (this.#retry !== undefined) this.#options.clock.clearTimeout(this.#retry.timer);
    this.#retry = undefined;
  }

  /** Ends the waits for what is not written and will not be; whoever was in it has been told. */
  abandon(): void {
    this.close();
    this.#dirty.clear();
    this.#writing?.ticket.settle();
    this.#ticket.settle();
    for (const told of this.#onFailure.splice(0)) told();
  }

  #onFailure: (() => void)[] = [];

  async #run(): Promise<void> {
    while ((this.#dirty.size > 0 || this.#host !== undefined) && !this.#closed) {
      const id = `${this.#options.owner}.${++this.#groups}`;
      const members: [Drafting, TurnCommit][] = [];
      for (const drafting of this.#dirty) {
        const turn = drafting.draft();
        if (turn !== undefined) members.push([drafting, turn]);
      }
      this.#dirty.clear();
      const host = this.#host;
      const part = host?.draft();
      this.#host = undefined;
      const ticket = this.#ticket;
      this.#ticket = new Ticket();
      if (members.length > 0 || part !== undefined) {
        this.#writing = { ticket, since: this.#options.clock.now(), members };
        const result = await this.#write({
          id,
          at: this.#options.clock.date(),
          turns: members.map(([, turn]) => turn),
          ...part,
        });
        if (result === undefined) return;
        this.#writing = undefined;
        const lost = lostIn(result);
        for (const [drafting, { address }] of members) {
          const why = lost?.get(address);
          if (why === undefined) drafting.written(id, result);
          else drafting.lost(why);
        }
        if (part !== undefined) host?.written(result);
      }
      ticket.settle();
    }
    this.#running = false;
    for (const told of this.#onFailure.splice(0)) told();
  }

  /** Writes a group, however often it takes; undefined when nothing is written any more. */
  async #write(group: CommitGroup): Promise<CommitResult | undefined> {
    const { store, overtaken, warn } = this.#options;
    let pause = RETRY_MS;
    let [since, told]: [number | undefined, boolean] = [undefined, false];
    while (!this.#closed) {
      try {
        const result = await store.commit(group);
        this.#failing = undefined;
        return result;
      } catch (error) {
        const known = asStoreError(error);
        if (known.code === 'STORE_LOCKED') {
          this.#locked = known;
          this.close();
          overtaken(known);
          this.abandon();
          return undefined;
        }
        if (this.#failing === undefined)
          warn(
            { error: known },
            'the store failed; nothing is told meanwhile, and the commit is tried again',
          );
        this.#failing = known;
        const now = this.#options.clock.now();
        since ??= now;
        if (!told && now - since >= FAILED_MS) {
          told = true;
          this.#options.failed?.(known);
        }
        for (const told of this.#onFailure.splice(0)) told();
        await this.#pause(pause);
        pause = Math.min(pause * 2, LONGEST_RETRY_MS);
      }
    }
    return undefined;
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const run = (): void => {
        clock.clearTimeout(timer);
        this.#retry = undefined;
        resolve();
      };
      const timer = clock.setTimeout(run, ms);
      clock.unref?.(timer);
      this.#retry = { timer, run };
    });
  }
}

function asStoreError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const message = 'the store could not say whether a commit was written; see the cause, and check the store';
  return new HoldfastError('STORE_FAILED', message, { cause: error });
}

/** Why turns of a group were not written, by address; undefined when all were. */
function lostIn({ fenced, damaged = [], refused }: CommitResult): ReadonlyMap<string, Lost> | undefined {
  const full = refused?.addresses ?? [];
  if (fenced.length + damaged.length + full.length === 0) return undefined;
  return new Map<string, Lost>([
    ...full.map((address) => [address, 'full'] as const),
    ...damaged.map((address) => [address, 'damaged'] as const),
    ...fenced.map((address) => [address, 'fenced'] as const),
  ]);
}

function silent(ms: number): HoldfastError {
  return new HoldfastError(
    'STORE_FAILED',
    `the store has not answered for ${Math.round(ms)} ms; see whether its disk does, and what else uses it`,
  );
}
