import { ActorRecord } from './record.ts';
import type { InspectionEvent, Recent, Snapshot } from './told.ts';

/** Actors of which there is a record: those that were looked at last. */
const mostRecords = 12;
/** Characters, as they came, of the latest events of all actors: what one did just before it was looked at. */
const mostRecent = 4_000_000;

interface Batch {
  /** Undefined: something was not told. */
  readonly events: readonly InspectionEvent[] | undefined;
  readonly at: number;
  readonly size: number;
}

/** Keeps a record of each actor that is looked at; of the others the latest events, in case they will be. */
export class Recorder {
  readonly #records = new Map<string, ActorRecord>();
  readonly #recent: Batch[] = [];
  #size = 0;
  #most = mostRecent;

  /** `size`: characters that they came in. */
  take(events: readonly InspectionEvent[], size: number, now: number): void {
    this.#remember({ events, size, at: now });
    for (const record of this.#records.values()) record.take(events);
  }

  /** What was told before the page was there, which comes after the first of what is told to it. */
  begin(batches: Recent, size: number, now: number): void {
    // A record is there as a whole.
    this.#most = Math.max(mostRecent, size);
    const each = size / Math.max(1, batches.length);
    const before = batches.map((events): Batch => ({ events: events ?? undefined, size: each, at: now }));
    const since = this.#recent.splice(0);
    this.#size = 0;
    for (const batch of [...before, ...since]) this.#remember(batch);
    // They begin anew, with what was before.
    this.#records.clear();
  }

  /** For a while nothing was told; what there is follows. */
  interrupted(now: number): void {
    if (this.#recent.length > 0) this.#remember({ events: undefined, size: 0, at: now });
  }

  /** After that: which actors are there. */
  resume(isThere: (id: string) => boolean, now: number): void {
    for (const record of this.#records.values()) if (!isThere(record.id)) record.gone(now);
  }

  /** The states of actors that have had them for a while: what is other than it was last told has happened meanwhile. */
  learn(events: readonly InspectionEvent[]): void {
    const states = events.filter(({ type }) => type === '@xstate.snapshot');
    for (const record of this.#records.values()) record.take(states);
  }

  /** The record of an actor, which begins with what is remembered of it. `now`: its state, if it is there. */
  look(id: string, now: Snapshot | undefined): ActorRecord {
    const known = this.#records.get(id);
    const record = known ?? this.#begin(id, now);
    // Those that were looked at last are at the end.
    this.#records.delete(id);
    this.#records.set(id, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > mostRecords && oldest !== undefined) this.#records.delete(oldest);
    return record;
  }

  #begin(id: string, now: Snapshot | undefined): ActorRecord {
    const record = new ActorRecord(id);
    for (const { events, at } of this.#recent)
      if (events !== undefined) record.take(events);
      else if (record.entries.length > 0) record.missed(at);
    if (record.entries.length === 0 && now !== undefined) record.begin(now);
    return record;
  }

  #remember(batch: Batch): void {
    this.#recent.push(batch);
    this.#size += batch.size;
    let gone = 0;
    while (this.#size > this.#most && gone < this.#recent.length - 1) {
      this.#size -= this.#recent[gone]?.size ?? 0;
      gone += 1;
    }
    if (gone > 0) this.#recent.splice(0, gone);
  }
}
