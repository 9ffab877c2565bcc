import type { Clock } from '../base/clock.ts';
import type { HoldfastError } from '../base/errors.ts';
import { Ticket } from '../base/ticket.ts';
import type { CommitGroup, CommitResult, DurableStore, TurnCommit } from './durable-store.ts';
import { asStoreError, type Lost, lostIn, silentStore } from './store-outcome.ts';

/** Milliseconds before a failed commit is tried again; the pause doubles up to the longest. */
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

/** Milliseconds that a commit may take before the store counts as one that does not answer. */
const SLOW_MS = 1000;
/** Milliseconds for which a store may fail before that is told as its failure. */
const FAILED_MS = 30_000;
/** How often a store may fail in so many milliseconds, for however short a time, before that is told as well: its disk is about to. */
const MOST_FAILURES = 3;
const FAILURES_MS = 60_000;

/** How the store does, as commits find it. */
export interface StoreHealth {
  readonly state: 'ok' | 'failing' | 'locked';
  /** The error of the last try, while it is not `ok`. */
  readonly error?: HoldfastError;
  /** The number of instances with something to commit. */
  readonly waiting: number;
  /** The ids and letters that were dropped before their time, since the store was opened; absent while there are none. */
  readonly dropped?: { readonly ids: number; readonly letters: number };
}

/** Somebody with something to commit. */
export interface Drafting {
  /**
   * Whether it has a new state to commit, and nothing with it that others may touch. Its group may then be on its way
   * together with others: when nobody knows what was written, the record says it.
   */
  readonly isPlain: boolean;
  /** Whether it has so much to commit that all others would wait for it. */
  readonly isLarge: boolean;
  /** Whether a part of that can be written before the rest. */
  readonly isInParts: boolean;
  /** Returns the next part. */
  takePart(): TurnCommit;
  /** Returns everything there is to commit; undefined when there is nothing to write. */
  draft(): TurnCommit | undefined;
  /** There was nothing to write, and all before it is written. */
  passed(): void;
  /** The draft was written. */
  written(group: string, result: CommitResult): void;
  /** Nothing of the draft was written, nor will be. */
  lost(why: Lost): void;
}

/** What the host has to commit beside turns. */
export type HostPart = Pick<CommitGroup, 'rows' | 'ids' | 'attempts' | 'letters' | 'removedLetters'>;

/** Collects what the host has to commit. */
export interface HostDrafting {
  /** Returns everything there is to commit; undefined when there is nothing. */
  draft(): HostPart | undefined;
  /** The draft was written. */
  written(result: CommitResult): void;
}

export interface CommitterOptions {
  readonly store: Pick<DurableStore, 'commit' | 'groupsAtOnce'>;
  readonly clock: Clock;
  /** Begins the ids of the groups: unique among the owners of the store. */
  readonly owner: string;
  readonly warn: (fields: object, message: string) => void;
  /** Another process owns the store now; nothing is written any more. */
  readonly overtaken: (error: HoldfastError) => void;
  /** The store has failed for 30 s or three times in a minute, or another process has it; called once for each such time. */
  readonly failed?: ((error: HoldfastError) => void) | undefined;
}

/** What is to leave as a group. */
interface Leaving {
  readonly draftings: readonly Drafting[];
  /** Whose large state has a part in it. */
  readonly part: Drafting | undefined;
  readonly host: HostDrafting | undefined;
  readonly ticket: Ticket;
  readonly isPlain: boolean;
}

/** A group on its way to the store. */
interface Underway {
  readonly group: CommitGroup;
  readonly ticket: Ticket;
  readonly members: readonly (readonly [Drafting, TurnCommit])[];
  readonly host: HostDrafting | undefined;
  readonly isPlain: boolean;
  /** Whether a part of a large state is in it. */
  readonly hasPart: boolean;
  /** Since when it is the oldest. */
  since: number;
  /** Undefined: it failed, or one before it did, and it is to be sent again. */
  answer: Promise<CommitResult> | undefined;
}

/**
 * Writes what instances have to commit, group by group and without a timer. A group leaves at once while the store takes
 * more of them and none on its way has one of the same instances; otherwise it gathers. Of several states of an address
 * in a group only the newest is written.
 *
 * A large state goes part by part with what others have, one part at a time. What has no parts is a group of its own, and between
 * two of those goes what all others have by then, so that nobody waits for more than one.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #dirty = new Set<Drafting>();
  /** Those with a large state, each with its ticket. */
  readonly #large = new Map<Drafting, Ticket>();
  /** Whether a large state is written before what others have. */
  #isLargeNext = true;
  #host: HostDrafting | undefined;
  #ticket = new Ticket();
  #groups = 0;
  #armed = false;
  #closed = false;
  #following = false;
  #failing: HoldfastError | undefined;
  /** The error of the last look at the store, since which nothing was to be written. */
  #away: HoldfastError | undefined;
  #quietSince: number;
  #locked: HoldfastError | undefined;
  #dropped: StoreHealth['dropped'];
  /** When the store began to fail, the last times. */
  readonly #failures: number[] = [];
  /** The groups that are being written, oldest first, and who is in them. */
  readonly #underway: Underway[] = [];
  readonly #writing = new Set<Drafting>();
  #retry: { readonly timer: unknown; readonly run: () => void } | undefined;
  #onFailure: (() => void)[] = [];

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#quietSince = options.clock.now();
  }

  /** Whether nothing waits to be written. */
  get idle(): boolean {
    return this.#underway.length === 0 && this.#large.size === 0 && !this.#hasOthers;
  }

  get #hasOthers(): boolean {
    return this.#dirty.size > 0 || this.#host !== undefined;
  }

  /** The error of the last try, while the store fails or does not answer. */
  get failing(): HoldfastError | undefined {
    const error = this.#locked ?? this.#failing;
    const [oldest] = this.#underway;
    if (error !== undefined || oldest === undefined) return error;
    const ms = this.#options.clock.now() - oldest.since;
    return ms > SLOW_MS ? silentStore(ms) : undefined;
  }

  get health(): StoreHealth {
    const error = this.failing ?? this.#away;
    const waiting = new Set([...this.#dirty, ...this.#large.keys(), ...this.#writing]).size;
    const state = this.#locked !== undefined ? 'locked' : error !== undefined ? 'failing' : 'ok';
    return { state, ...(error && { error }), waiting, ...(this.#dropped && { dropped: this.#dropped }) };
  }

  /** Since when there is nothing to write, in milliseconds of the clock; undefined: there is. */
  get quietSince(): number | undefined {
    return this.idle && this.#locked === undefined ? this.#quietSince : undefined;
  }

  /** Somebody has looked at the store while there was nothing to write. */
  looked(error: HoldfastError | undefined): void {
    if (error?.code === 'STORE_LOCKED') return this.#overtaken(error);
    if (error !== undefined && this.#away === undefined)
      this.#options.warn({ error }, 'the store is away, and nothing is committed until it is back');
    this.#away = error;
  }

  /** `drafting` has something to commit; the ticket settles when it was written, or was fenced. */
  add(drafting: Drafting): Ticket {
    let own = this.#large.size === 0 ? undefined : this.#large.get(drafting);
    if (own === undefined && drafting.isLarge && !this.#dirty.has(drafting))
      this.#large.set(drafting, (own = new Ticket()));
    if (own === undefined) this.#dirty.add(drafting);
    this.#begin();
    return own ?? this.#ticket;
  }

  /** The host has something to commit. */
  addHost(host: HostDrafting): Ticket {
    this.#host = host;
    this.#begin();
    return this.#ticket;
  }

  #begin(): void {
    if (this.#armed || this.#closed) return;
    this.#armed = true;
    queueMicrotask(this.#send);
  }

  /** Resolves when everything that waits was written, or when the store fails once more. */
  async flushed(): Promise<void> {
    this.#retry?.run();
    if (this.idle) return;
    const tickets = [this.#ticket, ...this.#large.values()];
    await new Promise<void>((resolve) => {
      void Promise.all(tickets.map((ticket) => ticket.wait())).then(() => resolve());
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
    for (const { ticket } of this.#underway) ticket.settle();
    this.#ticket.settle();
    for (const ticket of this.#large.values()) ticket.settle();
    this.#large.clear();
    this.#tellFlushed();
  }

  #tellFlushed(): void {
    for (const told of this.#onFailure.splice(0)) told();
  }

  /** Sends what has gathered, unless it has to wait for what is on its way. */
  readonly #send = (): void => {
    this.#armed = false;
    if (this.#closed) return;
    const large = this.#large.size === 0 ? undefined : this.#nextLarge();
    const isWhole = large?.[0].isInParts === false;
    if (isWhole && (this.#isLargeNext || !this.#hasOthers)) return this.#sendLarge(...large);
    const part = isWhole ? undefined : large?.[0];
    if (part === undefined && !this.#hasOthers) return;
    const isPlain = this.#isPlain();
    if (!this.#mayLeave(isPlain)) return;
    const [draftings, host, ticket] = [[...this.#dirty], this.#host, this.#ticket];
    this.#dirty.clear();
    this.#host = undefined;
    this.#ticket = new Ticket();
    this.#isLargeNext = true;
    this.#leave({ draftings, part, host, ticket, isPlain });
  };

  /** Returns the next large state of which something may leave. What is left of one after its parts goes with the others. */
  #nextLarge(): [Drafting, Ticket] | undefined {
    const [next] = this.#large;
    if (next === undefined || this.#writing.has(next[0]) || this.#underway.some(({ hasPart }) => hasPart))
      return undefined;
    const [drafting, ticket] = next;
    if (drafting.isLarge) return next;
    this.#large.delete(drafting);
    this.#dirty.add(drafting);
    this.#ticket.whenSettled(() => ticket.settle());
    return undefined;
  }

  #sendLarge(drafting: Drafting, ticket: Ticket): void {
    if (this.#underway.length > 0) return;
    this.#large.delete(drafting);
    this.#isLargeNext = false;
    this.#leave({ draftings: [drafting], part: undefined, host: undefined, ticket, isPlain: false });
  }

  #leave(leaving: Leaving): void {
    const underway = this.#gather(leaving);
    if (underway === undefined) {
      if (this.#large.size > 0) this.#begin();
      return;
    }
    this.#underway.push(underway);
    for (const [drafting] of underway.members) this.#writing.add(drafting);
    underway.answer = this.#commit(underway.group);
    if (!this.#following) void this.#follow();
  }

  #isPlain(): boolean {
    if (this.#host !== undefined) return false;
    for (const drafting of this.#dirty) if (!drafting.isPlain) return false;
    return true;
  }

  #mayLeave(isPlain: boolean): boolean {
    const { groupsAtOnce = 1 } = this.#options.store;
    const underway = this.#underway;
    if (underway.length === 0) return true;
    if (!isPlain || underway.length >= groupsAtOnce) return false;
    if (underway.some((other) => !other.isPlain || other.answer === undefined)) return false;
    for (const drafting of this.#dirty) if (this.#writing.has(drafting)) return false;
    return true;
  }

  /** Returns a group of what they have; undefined when there is nothing to write any more. */
  #gather({ draftings, part, host, ticket, isPlain }: Leaving): Underway | undefined {
    const { clock, owner } = this.#options;
    const members: [Drafting, TurnCommit][] = [];
    let passed: Drafting[] | undefined;
    for (const drafting of draftings) {
      const turn = drafting.draft();
      if (turn === undefined) (passed ??= []).push(drafting);
      else members.push([drafting, turn]);
    }
    for (const drafting of passed ?? []) drafting.passed();
    if (part !== undefined) members.push([part, part.takePart()]);
    const hosted = host?.draft();
    if (members.length === 0 && hosted === undefined) {
      this.#passed(ticket);
      return undefined;
    }
    const turns = members.map(([, turn]) => turn);
    const group = { id: `${owner}.${++this.#groups}`, at: clock.date(), turns, ...hosted };
    const [of, hasPart] = [hosted === undefined ? undefined : host, part !== undefined];
    return { group, ticket, members, host: of, isPlain, hasPart, since: clock.now(), answer: undefined };
  }

  /** Nothing is written for the ticket. What was told before it may still be on its way. */
  #passed(ticket: Ticket): void {
    const last = this.#underway.at(-1);
    if (last !== undefined) return last.ticket.whenSettled(() => ticket.settle());
    ticket.settle();
    this.#tellFlushed();
  }

  #commit(group: CommitGroup): Promise<CommitResult> {
    const { store } = this.#options;
    const answer = (async () => store.commit(group))();
    // It is looked at when those before it were.
    answer.catch(() => {});
    return answer;
  }

  /** Takes the answers of the store in their order, until nothing is on its way. */
  async #follow(): Promise<void> {
    this.#following = true;
    for (let next = this.#underway[0]; next !== undefined; next = this.#underway[0]) {
      const result = await this.#written(next);
      if (result === undefined) return;
      this.#underway.shift();
      if (this.#underway[0] !== undefined) this.#underway[0].since = this.#options.clock.now();
      if (result.dropped !== undefined) this.#drop(result.dropped);
      const lost = lostIn(result);
      for (const [drafting, { address, texts }] of next.members) {
        this.#writing.delete(drafting);
        const why = lost?.get(address);
        if (why !== undefined) drafting.lost(why);
        else if (texts === undefined) drafting.written(next.group.id, result);
      }
      next.host?.written(result);
      next.ticket.settle();
      this.#send();
    }
    this.#following = false;
    this.#tellFlushed();
  }

  #drop({ ids, letters }: NonNullable<CommitResult['dropped']>): void {
    const { ids: before = 0, letters: others = 0 } = this.#dropped ?? {};
    this.#dropped = { ids: before + ids, letters: others + letters };
  }

  /** Writes a group, however often it takes; undefined when nothing is written any more. */
  async #written(underway: Underway): Promise<CommitResult | undefined> {
    let pause = RETRY_MS;
    let [since, told]: [number | undefined, boolean] = [undefined, false];
    for (;;) {
      if (underway.answer === undefined && this.#closed) return undefined;
      try {
        const result = await (underway.answer ??= this.#commit(underway.group));
        this.#failing = this.#away = undefined;
        this.#quietSince = this.#options.clock.now();
        return result;
      } catch (error) {
        const known = asStoreError(error);
        if (known.code === 'STORE_LOCKED') {
          this.#overtaken(known);
          return undefined;
        }
        await this.#stopped();
        this.#warn(known);
        const now = this.#options.clock.now();
        const isOften = since === undefined && this.#isOften(now);
        since ??= now;
        if (!told && (isOften || now - since >= FAILED_MS)) {
          told = true;
          this.#options.failed?.(known);
        }
        this.#tellFlushed();
        await this.#pause(pause);
        pause = Math.min(pause * 2, LONGEST_RETRY_MS);
      }
    }
  }

  /** The store begins to fail; returns whether it does so too often. */
  #isOften(now: number): boolean {
    const times = this.#failures;
    times.push(now);
    const [first = now] = times;
    if (times.length < MOST_FAILURES) return false;
    times.shift();
    const isOften = now - first <= FAILURES_MS;
    if (isOften) times.length = 0;
    return isOften;
  }

  /** The groups behind one that failed fail with it. They go again one by one, as nobody knows what was written. */
  async #stopped(): Promise<void> {
    await Promise.allSettled(this.#underway.flatMap(({ answer }) => answer ?? []));
    for (const underway of this.#underway) underway.answer = undefined;
  }

  #overtaken(error: HoldfastError): void {
    this.#locked = error;
    this.close();
    this.#options.overtaken(error);
    this.abandon();
    this.#options.failed?.(error);
  }

  #warn(error: HoldfastError): void {
    if (this.#failing === undefined)
      this.#options.warn(
        { error },
        'the store failed; nothing is told meanwhile, and the commit is tried again',
      );
    this.#failing = error;
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
