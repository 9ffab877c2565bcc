import type { Clock } from '../base/clock.ts';
import type { DurableStore, EncodedState, KeptId, MailboxRow } from './durable-store.ts';
import { hashOf, IdInUse, type IdNames, type Outcome } from './kept-id.ts';
import type { KeptRow } from './kept-row.ts';

export interface KeptIdsOptions {
  readonly address: string;
  readonly store: Pick<DurableStore, 'id'>;
  readonly clock: Pick<Clock, 'date'>;
  /** Milliseconds for which an id is kept. */
  readonly keepIdsMs: number;
  readonly secretIn: (value: unknown) => unknown;
  /** What waits in this process under a tag waits no more. */
  readonly unwait: (tag: number) => void;
}

/** What a thread tells of an ask whose answer is kept. */
export interface KeptAnswer {
  readonly tag: number;
  readonly outcome: 'done' | 'failed' | 'unkept' | 'put-off';
  readonly value?: EncodedState | undefined;
  /** With `put-off`: the number that its token names; 0: a stream answers it, which ends with its incarnation. */
  readonly ask?: number | undefined;
}

/** An ask with an id that was put off, as its record names it. */
export interface PutOffId extends IdNames {
  /** The incarnation that its token names. */
  readonly incarnation: number;
  readonly ask: number;
}

/** The ids of one durable instance that are in use; what became of the others, the store knows. */
export class KeptIds {
  readonly #options: KeptIdsOptions;
  readonly #inUse = new Map<string, IdInUse>();
  readonly #byTag = new Map<number, IdInUse>();
  /** The asks that were put off, by key, in their order. */
  readonly #putOff = new Map<string, PutOffId>();

  constructor(options: KeptIdsOptions) {
    this.#options = options;
  }

  get(caller: string, id: string): IdInUse | undefined {
    return this.#inUse.get(keyOf({ caller, id }));
  }

  /** The id is in use from now on. */
  use(caller: string, id: string, event: EncodedState): IdInUse {
    return this.#use({ address: this.#options.address, caller, id, hash: hashOf(event) });
  }

  #use(names: IdNames): IdInUse {
    const one = new IdInUse(names);
    this.#inUse.set(keyOf(names), one);
    return one;
  }

  /** The id of a row that the store has. */
  ofRow({ caller, id, event }: MailboxRow): IdInUse | undefined {
    if (caller === undefined || id === undefined) return undefined;
    return this.get(caller, id) ?? this.use(caller, id, event);
  }

  /** Something waits in this process for the event, under that tag. */
  awaits(one: IdInUse, tag: number): void {
    one.tag = tag;
    this.#byTag.set(tag, one);
  }

  /** What the store knows of the id; undefined: nothing. */
  async found({ names }: IdInUse): Promise<KeptId | undefined> {
    const { store, clock } = this.#options;
    const kept = await store.id(names.address, names.caller, names.id);
    return kept !== undefined && kept.until > clock.date() ? kept : undefined;
  }

  /** The event was not handled, and the id may come again. */
  release(one: IdInUse): void {
    const key = keyOf(one.names);
    one.isFree = true;
    this.#byTag.delete(one.tag);
    if (this.#inUse.get(key) === one) this.#inUse.delete(key);
  }

  /** The event was not let in, and nobody but its caller has heard of the id. */
  drop(one: IdInUse): void {
    this.release(one);
    this.#options.unwait(one.tag);
  }

  /** The event was there before: how it ends is known when that is committed, or has been. */
  known(one: IdInUse): void {
    const { tag } = one;
    this.#byTag.delete(tag);
    one.tag = 0;
    this.#options.unwait(tag);
  }

  /** The instance is passive, and those of its events that nobody waits for are found in the store when they are due. */
  rest(): void {
    for (const one of this.#inUse.values()) if (!one.isAwaited) this.known(one);
  }

  /** The instance is gone. `lost`: nothing more of it is committed. */
  close(error: Error, lost: boolean): void {
    for (const one of this.#inUse.values()) {
      if (one.isTold && !lost) continue;
      one.isTold = false;
      this.failed(one, error);
    }
  }

  /** What waited for the event in this process got its answer. */
  answered(one: IdInUse, answer: unknown): void {
    one.settle({ answer });
    if (!one.isTold) this.release(one);
  }

  /** What waited for the event in this process waits no more. */
  failed(one: IdInUse, error: unknown): void {
    this.#byTag.delete(one.tag);
    this.#options.unwait(one.tag);
    one.failure = { error };
    if (one.isTold) return;
    this.release(one);
    one.fail(error);
  }

  /** Whether the answers change what the record says of asks that were put off. */
  changes(answers: readonly KeptAnswer[]): boolean {
    return answers.some(({ tag, outcome, ask }) =>
      outcome === 'put-off' ? ask !== 0 : this.#isPutOff(this.#byTag.get(tag)),
    );
  }

  /** What is to be committed of turns, and of the answers that came with them. */
  told(rows: readonly KeptRow[], answers: readonly KeptAnswer[], incarnation: number): KeptId[] {
    const kept: KeptId[] = [];
    const tags = new Set<number>();
    for (const answer of answers) {
      const one = this.#byTag.get(answer.tag);
      if (one === undefined) continue;
      tags.add(answer.tag);
      if (answer.outcome !== 'put-off') {
        kept.push(this.over(one, { outcome: answer.outcome, value: answer.value }));
        continue;
      }
      // The next process cannot go on with a stream: who asks again there is answered anew.
      if (answer.ask === 0) continue;
      kept.push(this.openId(one.names));
      this.#putOff.set(keyOf(one.names), { ...one.names, incarnation, ask: answer.ask ?? 0 });
    }
    for (const { id: one } of rows) {
      if (one === undefined || one.isFree || tags.has(one.tag)) continue;
      // An answer that is still to come.
      if (one.isAsk && one.tag !== 0) kept.push(this.openId(one.names));
      else kept.push(this.over(one, { outcome: 'done' }));
    }
    return kept;
  }

  /** The outcome of an event, for the store. */
  over(one: IdInUse, outcome: Outcome): KeptId {
    one.isTold = true;
    if (this.#putOff.size > 0) this.#putOff.delete(keyOf(one.names));
    const hasSecret = outcome.value !== undefined && this.#options.secretIn(outcome.value) !== undefined;
    const { value, ...rest } = hasSecret ? { outcome: 'unkept' as const, value: undefined } : outcome;
    return { ...one.names, ...rest, ...(value !== undefined && { value }), until: this.#until() };
  }

  /** An id whose event is not handled, or was put off, for the store. */
  openId(names: IdNames): KeptId {
    return { ...names, outcome: 'open', until: this.#until() };
  }

  /** The store has it. */
  committed({ caller, id, outcome, value }: KeptId): void {
    const one = this.get(caller, id);
    if (one === undefined || outcome === 'open') return;
    this.release(one);
    if (outcome !== 'unkept' || one.tag === 0) one.settle({ outcome, value });
    else if (one.failure !== undefined) one.fail(one.failure.error);
  }

  /** The asks that were put off, for the record. */
  get putOff(): readonly PutOffId[] {
    return [...this.#putOff.values()];
  }

  /** As the record says. */
  loaded(putOff: readonly PutOffId[]): void {
    this.#putOff.clear();
    for (const one of putOff) this.#putOff.set(keyOf(one), one);
  }

  /** Uses the id of an ask that an earlier incarnation has put off. */
  again(putOff: PutOffId): IdInUse {
    const { address, caller, id, hash } = putOff;
    return this.get(caller, id) ?? this.#use({ address, caller, id, hash });
  }

  #isPutOff(one: IdInUse | undefined): boolean {
    return one !== undefined && this.#putOff.size > 0 && this.#putOff.has(keyOf(one.names));
  }

  #until(): number {
    const { clock, keepIdsMs } = this.#options;
    return clock.date() + keepIdsMs;
  }
}

function keyOf({ caller, id }: Pick<IdNames, 'caller' | 'id'>): string {
  return JSON.stringify([caller, id]);
}
