import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { Ticket } from '../base/ticket.ts';
import type { CommitGroup, CommitResult, DurableStore, TurnCommit } from './durable-store.ts';

/** Milliseconds before a failed commit is tried again; the pause doubles up to the longest. */
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

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
export type HostPart = Pick<CommitGroup, 'rows'>;

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
  #retry: { readonly timer: unknown; readonly run: () => void } | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Whether nothing waits to be written. */
  get idle(): boolean {
    return !this.#running && this.#dirty.size === 0 && this.#host === undefined;
  }

  /** The error of the last try, while the store fails. */
  get failing(): HoldfastError | undefined {
    return this.#failing;
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
        const result = await this.#write({
          id,
          at: this.#options.clock.date(),
          turns: members.map(([, turn]) => turn),
          ...part,
        });
        if (result === undefined) return;
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
    while (!this.#closed) {
      try {
        const result = await store.commit(group);
        this.#failing = undefined;
        return result;
      } catch (error) {
        const known = asStoreError(error);
        if (known.code === 'STORE_LOCKED') {
          this.close();
          overtaken(known);
          return undefined;
        }
        if (this.#failing === undefined)
          warn(
            { error: known },
            'the store failed; nothing is told meanwhile, and the commit is tried again',
          );
        this.#failing = known;
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
