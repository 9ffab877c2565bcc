import { shared } from './differences.ts';
import type { InspectionEvent, Snapshot } from './told.ts';

/** Something that happened to an actor, or to one below it. */
export interface Entry {
  /** Its number in the record, from 0; those that were dropped count. */
  readonly n: number;
  /** What names it for everybody: the id of the event that told it; empty when none did. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /**
   * `began`: the actor began, perhaps anew. `event`: it got one. `sent`: it sent one to somebody who is not below it. `state`:
   * a state that came without an event. `log`: it wrote a line to the log, whose level is the type. `missed`: something before it was not told; it has the state since.
   */
  readonly kind: 'began' | 'event' | 'sent' | 'state' | 'log' | 'missed';
  readonly actor: string;
  readonly type: string;
  /** The sender; undefined: from outside. */
  readonly from?: string | undefined;
  readonly to?: string;
  /** The event with all that it carries. */
  readonly event?: { readonly type: string };
  /** Of a line of the log. */
  readonly line?: { readonly message: string; readonly fields: object };
  /** Milliseconds from the sending to the turn of an instance, and the id of the trace, where they are known. */
  readonly waitedMs?: number;
  readonly traceId?: string;
  readonly before: Snapshot | undefined;
  /** Absent until its turn is over, and of what was sent. */
  after?: Snapshot | undefined;
  /** Milliseconds of the turn of an instance; absent until it is over. */
  tookMs?: number;
}

/** Entries of one record, and about how many characters they have in all; the oldest go first. */
export const mostEntries = 2000;
const mostSize = 4_000_000;

/**
 * What happened to an actor and those below it, on one time line, as far as it was told: the latest of it, and how much of it is
 * not there any more.
 */
export class ActorRecord {
  readonly id: string;
  /** Rises with each change. */
  version = 0;
  /** What the ids of those below it begin with. */
  readonly #below: string;
  readonly #entries: Entry[] = [];
  readonly #sizes: number[] = [];
  #size = 0;
  #dropped = 0;
  /** Of each actor: its entry that has no state yet, its last state, and the ids of what was told of it last. */
  readonly #open = new Map<string, Entry>();
  readonly #last = new Map<string, Snapshot>();
  readonly #begun = new Map<string, string>();
  readonly #latest = new Map<string, string>();
  /** The states before the first entry, as far as they are known. */
  readonly #floor = new Map<string, Snapshot>();

  constructor(id: string) {
    this.id = id;
    this.#below = `${id}/`;
  }

  /** The oldest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** How many have been left out, since there are so many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The state before anything is in the record. */
  begin(snapshot: Snapshot): void {
    this.#floor.set(this.id, snapshot);
    this.#last.set(this.id, snapshot);
  }

  take(events: readonly InspectionEvent[]): void {
    for (const event of events) if (this.#isOf(event)) this.#takeOne(event);
  }

  /** It is not there, and it was not told that it has ended. */
  gone(now: number): void {
    const { status } = this.#last.get(this.id) ?? {};
    if (status === undefined || status === 'active') this.missed(now);
  }

  /** Something was not told. */
  missed(at: number): void {
    const last = this.#last.get(this.id);
    this.#add({ kind: 'missed', id: '', actor: this.id, type: '', at, before: last, after: last }, 0);
  }

  /** The entry with this number. */
  at(n: number): Entry | undefined {
    return this.#entries[n - this.#dropped];
  }

  /** The entry that was told by the event with this id. */
  named(id: string): Entry | undefined {
    return this.#entries.findLast((entry) => entry.id === id);
  }

  /** The state of the actor when all up to that entry had happened; undefined when that is not known. */
  stateAt(n: number): Snapshot | undefined {
    for (let i = n - this.#dropped; i >= 0; i -= 1) {
      const entry = this.#entries[i];
      if (entry?.actor === this.id && entry.after !== undefined) return entry.after;
    }
    return this.#floor.get(this.id);
  }

  #isOf({ type, sessionId, sourceId }: InspectionEvent): boolean {
    return this.#isWithin(sessionId) || (type === '@xstate.event' && this.#isWithin(sourceId));
  }

  #isWithin(id: string | undefined): boolean {
    return id === this.id || id?.startsWith(this.#below) === true;
  }

  #takeOne(told: InspectionEvent): void {
    const { type, sessionId: actor, createdAt, id } = told;
    const at = Number(createdAt);
    if (type === '@xstate.event') return this.#event(told, at);
    if (type === '@holdfast.log') return this.#line(told, at);
    const before = this.#last.get(actor);
    if (type === '@xstate.actor') {
      // Told again, since something of it was left out; its last state follows.
      if (this.#begun.get(actor) === id) return;
      this.#begun.set(actor, id);
      const { value: after, size } = sharedState(before, told.snapshot ?? {});
      this.#last.set(actor, after);
      this.#add({ kind: 'began', id, actor, type: '', at, before, after }, size);
      return;
    }
    if (this.#latest.get(actor) === id) return;
    this.#latest.set(actor, id);
    const { value: after, size } = sharedState(before, ended(before, told.snapshot ?? {}));
    this.#last.set(actor, after);
    const open = this.#open.get(actor);
    this.#open.delete(actor);
    const event = told.event?.type ?? '';
    if (open !== undefined && open.type === event) {
      open.after = after;
      const tookMs = told.holdfast?.tookMs;
      if (typeof tookMs === 'number') open.tookMs = tookMs;
      this.#grow(open, size);
      this.version += 1;
    } else {
      const kind = event === 'holdfast.sampled' || isOnlyTold(told, open) ? 'missed' : 'state';
      this.#add({ kind, id, actor, type: event, at, before, after }, size);
    }
  }

  #line({ sessionId: actor, id, level = '', message = '', fields = {} }: InspectionEvent, at: number): void {
    const { value, size } = shared(undefined, fields);
    const line = { message, fields: value as object };
    const before = this.#last.get(actor);
    this.#add({ kind: 'log', id, actor, type: level, at, line, before }, size + message.length);
  }

  #event(
    { sessionId: to, sourceId: from, id, event = { type: '' }, holdfast }: InspectionEvent,
    at: number,
  ): void {
    const { value, size } = shared(undefined, event);
    const told = { id, type: event.type, from, event: value as { type: string }, at };
    if (!this.#isWithin(to)) {
      this.#add({ kind: 'sent', actor: from as string, to, before: undefined, ...told }, size);
      return;
    }
    const { waitedMs, traceId } = holdfast ?? {};
    const way = {
      ...(typeof waitedMs === 'number' && { waitedMs }),
      ...(typeof traceId === 'string' && { traceId }),
    };
    const entry = this.#add({ kind: 'event', actor: to, before: this.#last.get(to), ...told, ...way }, size);
    this.#open.set(to, entry);
  }

  #add(entry: Omit<Entry, 'n'>, size: number): Entry {
    const added = { n: this.#dropped + this.#entries.length, ...entry };
    this.#entries.push(added);
    this.#sizes.push(size);
    this.#size += size;
    this.version += 1;
    // By a tenth at a time: each time moves all that stay.
    if (this.#entries.length >= mostEntries * 1.1) this.#drop(this.#entries.length - mostEntries);
    while (this.#size > mostSize && this.#entries.length > 1)
      this.#drop(Math.ceil(this.#entries.length / 10));
    return added;
  }

  #grow(entry: Entry, size: number): void {
    const i = entry.n - this.#dropped;
    // Its turn took longer than the record is long.
    if (i < 0) return;
    this.#sizes[i] = (this.#sizes[i] ?? 0) + size;
    this.#size += size;
  }

  #drop(count: number): void {
    for (const { actor, after } of this.#entries.splice(0, count)) {
      if (after !== undefined && actor === this.id) this.#floor.set(actor, after);
    }
    for (const size of this.#sizes.splice(0, count)) this.#size -= size;
    this.#dropped += count;
  }
}

/** One that was stopped, or failed, keeps the state that it had. */
function ended(before: Snapshot | undefined, after: Snapshot): Snapshot {
  if (after.status === 'stopped') return { ...before, status: 'stopped' };
  return after.status === 'error' ? { ...before, ...after } : after;
}

function sharedState(before: Snapshot | undefined, after: Snapshot): { value: Snapshot; size: number } {
  const { value, size } = shared(before, after);
  return { value: value as Snapshot, size };
}

/** A state of an event that was not told itself. */
function isOnlyTold({ event }: InspectionEvent, open: Entry | undefined): boolean {
  const type = event?.type ?? '';
  return open === undefined && type !== 'xstate.init' && type !== 'xstate.stop';
}
