import { HoldfastError } from '../base/errors.ts';
import { refusal } from '../dead-letters/refusal.ts';
import type { Tag } from '../mailbox/tag.ts';
import { KEPT_STREAM_TERMS, KEPT_TERMS, NO_TERMS, type Terms } from '../mailbox/terms.ts';
import type { WaitOptions, Waiting } from '../mailbox/waiting.ts';
import type { EncodedState } from '../store/durable-store.ts';
import { hashOf, type IdInUse, type Settled } from '../store/kept-id.ts';
import { type Kept, KeptRow } from '../store/kept-row.ts';
import type { Ledger } from '../store/ledger.ts';
import { decodeEvent, encodeEvent } from '../wire/encoded-state.ts';
import { decodeError, type WireError } from '../wire/errors.ts';
import type { AskReader } from './ask-stream.ts';
import type { CarefulLine } from './careful-line.ts';

/** What a caller waits for: that the event is kept, that it was handled, or its answer. */
export type KeptKind = 'enqueue' | 'delivery' | 'ask';

/** The id that a caller gives an event, and who the caller is. */
export interface GivenId {
  readonly id: string;
  /** The name of a token, or `host`. */
  readonly caller: string;
}

export interface KeptCallsOptions {
  readonly address: string;
  /** The pool, which answers. */
  readonly threadId: string;
  readonly ledger: Ledger;
  readonly waiting: Waiting;
  /** Returns the event as it may be queued, or nothing: then whoever waits under the tag was told why. */
  readonly admit: (event: unknown, tag: Tag) => object | undefined;
  /** Makes a dead letter of the event, and tells whoever waits under the tag. */
  readonly refuse: (
    event: unknown,
    tag: Tag,
    reason: 'mailbox-full' | 'secret' | 'stopped' | 'unclonable',
    why?: string,
  ) => void;
  readonly hasRoom: () => boolean;
  /** Whether the instance takes nothing any more. */
  readonly isOver: () => boolean;
  /** Where events wait for their places while others are handed over with care. */
  readonly line: () => CarefulLine;
  readonly put: (event: object, row: KeptRow, tag: Tag, terms: Terms) => void;
  /** Removes the event from the mailbox. */
  readonly take: (row: KeptRow) => void;
  /** The mailbox has something to send. */
  readonly ready: () => void;
}

/** An ask whose answer is read as it is written. */
interface Reading {
  readonly reader: AskReader;
  readonly known: (again: boolean) => void;
  /** The tag of the ask; 0: it was asked before. */
  ask: Tag;
}

/** The row of an event of which the id alone is kept. */
const NO_ROW = { n: 0, event: '', dueAt: 0, attempts: 0 };

/** The calls of which something is kept: events that outlive the process, and those with an id. */
export class KeptCalls {
  readonly #options: KeptCallsOptions;

  constructor(options: KeptCallsOptions) {
    this.#options = options;
  }

  /** Sends an event; with an id, unless it was sent before. `at`: the time before which it is not handled. */
  call(
    kind: KeptKind,
    event: unknown,
    given: GivenId | undefined,
    wait: WaitOptions,
    at?: number,
  ): Promise<unknown> {
    const { waiting } = this.#options;
    return waiting.open('delivery', wait, (tag) => {
      if (given === undefined) return this.#enqueue(event, tag, at);
      this.#once(kind, event, given, tag, at).then(
        (answer) => waiting.resolve(tag, answer),
        (error: unknown) => waiting.reject(tag, error),
      );
    });
  }

  /**
   * Asks an event whose answer is read as it is written, unless it was asked before. When its reader has gone the ask is
   * over, and whoever asks again is answered anew. `known` is told whether it was asked before.
   */
  stream(
    event: unknown,
    given: GivenId,
    wait: WaitOptions,
    reader: AskReader,
    known: (again: boolean) => void,
  ): Promise<unknown> {
    const { waiting } = this.#options;
    const reading: Reading = { reader, known, ask: 0 };
    const settled = (): void => this.#leave(reading);
    return waiting.open('delivery', { ...wait, settled }, (tag) => {
      reader.waitsBy(tag);
      this.#once('ask', event, given, tag, undefined, reading).then(
        (answer) => waiting.resolve(tag, answer),
        (error: unknown) => waiting.reject(tag, error),
      );
    });
  }

  /** Nobody reads any more. */
  #leave({ ask, known }: Reading): void {
    const { address, waiting } = this.#options;
    known(false);
    if (ask !== 0) waiting.reject(ask, unread(address));
  }

  #enqueue(event: unknown, tag: Tag, at: number | undefined): void {
    const { admit, waiting } = this.#options;
    const own = admit(event, tag);
    const encoded = own && this.#encoded(own, tag, true);
    if (encoded === undefined) return;
    this.#keep(own as object, encoded, tag, at, (error) =>
      error === undefined ? waiting.resolve(tag) : waiting.refuse(tag, error),
    );
  }

  /** Gives an event its row, and its place. Returns nothing when the store has no room for it. */
  #keep(
    own: object,
    encoded: EncodedState,
    tag: Tag,
    at: number | undefined,
    kept: Kept,
    one?: IdInUse,
  ): KeptRow | undefined {
    const { hasRoom, ledger, put, ready, refuse } = this.#options;
    const { rows } = ledger;
    if (rows.full) {
      refuse(own, tag, 'mailbox-full');
      return undefined;
    }
    const dueAt = at === undefined ? 0 : rows.dueAt(at);
    const isPlaced = dueAt === 0 && !rows.more && !rows.isCareful && hasRoom();
    const told: Kept = (error) => {
      // Only the store knows how many wait there.
      if (isMailboxFull(error)) refuse(own, tag, 'mailbox-full');
      kept(error);
    };
    const row = rows.add(encoded, dueAt, isPlaced, told, one);
    if (isPlaced) {
      put(own, row, one?.tag ?? 0, NO_TERMS);
      ready();
    }
    return row;
  }

  async #once(
    kind: KeptKind,
    event: unknown,
    { caller, id }: GivenId,
    tag: Tag,
    at: number | undefined,
    reading?: Reading,
  ): Promise<unknown> {
    const { address, ledger } = this.#options;
    const encoded = this.#encoded(event, tag, kind === 'enqueue');
    if (encoded === undefined) return new Promise(() => {});
    const { ids } = ledger;
    let one = ids.get(caller, id);
    if (one !== undefined && one.names.hash !== hashOf(encoded)) throw idReused(address, id);
    if (one !== undefined && reading !== undefined) isAgain(reading);
    one ??= this.#first(kind, event, encoded, tag, ids.use(caller, id, encoded), at, reading);
    if (kind === 'enqueue' && one.kept !== undefined) return one.kept;
    one.isAwaited = true;
    if (kind === 'enqueue')
      return one.settled.then(
        () => undefined,
        () => undefined,
      );
    return answerOf(address, kind, one, await one.settled);
  }

  /** Gives the event its place, in which it waits until it is known that it was not there before. */
  #first(
    kind: KeptKind,
    event: unknown,
    encoded: EncodedState,
    tag: Tag,
    one: IdInUse,
    at: number | undefined,
    reading: Reading | undefined,
  ): IdInUse {
    const { admit, ledger, threadId, waiting } = this.#options;
    const own = admit(event, tag);
    if (own === undefined) {
      ledger.ids.drop(one);
      return one;
    }
    one.isAsk = kind === 'ask';
    let row: KeptRow | undefined;
    const never = (): Error => refusal(one.names.address, 'stopped');
    const stream = reading?.reader;
    const wait = { timeoutMs: Infinity, onTimeout: never, of: threadId, throws: true, stream };
    waiting
      .open(kind === 'ask' ? 'ask' : 'delivery', wait, (awaited) => {
        ledger.ids.awaits(one, awaited);
        if (reading !== undefined) reading.ask = awaited;
        const terms = kind !== 'ask' ? NO_TERMS : reading === undefined ? KEPT_TERMS : KEPT_STREAM_TERMS;
        row = this.#place(kind, own, encoded, tag, one, at, terms);
      })
      .then(
        (answer) => ledger.ids.answered(one, answer),
        (error: unknown) => ledger.ids.failed(one, error),
      );
    if (row === undefined) ledger.ids.drop(one);
    else this.#look(one, row, reading);
    return one;
  }

  #place(
    kind: KeptKind,
    own: object,
    encoded: EncodedState,
    tag: Tag,
    one: IdInUse,
    at: number | undefined,
    terms: Terms,
  ): KeptRow | undefined {
    const { hasRoom, ledger, put, refuse, waiting } = this.#options;
    if (kind === 'enqueue') {
      let row: KeptRow | undefined;
      one.kept = new Promise((resolve, reject) => {
        row = this.#keep(
          own,
          encoded,
          tag,
          at,
          (error) => {
            if (error === undefined) return resolve();
            reject(error);
            // The id may come again, and then it runs.
            ledger.ids.failed(one, error);
            waiting.reject(one.tag, error);
          },
          one,
        );
      });
      one.kept.catch(() => {});
      return row;
    }
    const { isCareful } = ledger.rows;
    if (!isCareful && (ledger.rows.more || !hasRoom())) {
      refuse(own, tag, 'mailbox-full');
      return undefined;
    }
    const row = new KeptRow({ ...NO_ROW, to: one.names.address }, one);
    row.waits = true;
    if (isCareful) this.#placeLater(own, row, one, tag, terms);
    else put(own, row, one.tag, terms);
    return row;
  }

  /** Gives the event its place behind those that are handed over with care. */
  #placeLater(own: object, row: KeptRow, one: IdInUse, tag: Tag, terms: Terms): void {
    const { hasRoom, isOver, ledger, line, put, ready, refuse } = this.#options;
    line().add(ledger.rows, { event: own, tag: one.tag }, (place) => {
      // It was handled before, or nobody waits for it any more.
      if (row.state === 'told') return;
      if (place === 'any' && !isOver() && hasRoom()) {
        put(own, row, one.tag, terms);
        return ready();
      }
      const reason = isOver() ? 'stopped' : 'mailbox-full';
      ledger.rows.drop(row);
      refuse(own, tag, reason);
      ledger.ids.failed(one, refusal(one.names.address, reason));
    });
  }

  /** Asks the store whether the event was there before: then it is taken out again. */
  #look(one: IdInUse, row: KeptRow, reading: Reading | undefined): void {
    const { address, ledger, ready, take } = this.#options;
    const { ids, rows } = ledger;
    const out = (error?: HoldfastError): void => {
      take(row);
      rows.drop(row);
      row.settle(error);
      if (error === undefined) ids.known(one);
      else ids.failed(one, error);
      ready();
    };
    ids.found(one).then(
      (kept) => {
        if (kept === undefined) {
          rows.release(row);
          ready();
          reading?.known(false);
        } else if (kept.hash !== one.names.hash) out(idReused(address, one.names.id));
        else {
          if (reading !== undefined) isAgain(reading);
          // The answer comes when it is committed, or has been.
          if (kept.outcome !== 'open') one.settle(kept);
          out();
          if (kept.outcome !== 'open') ids.release(one);
        }
      },
      (error: unknown) =>
        out(error instanceof HoldfastError ? error : new HoldfastError('STORE_FAILED', String(error))),
    );
  }

  #encoded(event: unknown, tag: Tag, isStored: boolean): EncodedState | undefined {
    const { ledger, refuse } = this.#options;
    try {
      const encoded = encodeEvent(event);
      if (!isStored || !ledger.hasSecret(encoded)) return encoded;
      refuse(event, tag, 'secret');
    } catch (error) {
      refuse(event, tag, 'unclonable', error instanceof Error ? error.message : undefined);
    }
    return undefined;
  }
}

function isMailboxFull(error: Error | undefined): boolean {
  return error instanceof HoldfastError && error.code === 'MAILBOX_FULL';
}

/** It was asked before: nothing of it is read. */
function isAgain({ reader, known }: Reading): void {
  reader.again();
  known(true);
}

function answerOf(address: string, kind: KeptKind, one: IdInUse, settled: Settled): unknown {
  if ('answer' in settled) {
    if (kind !== 'ask') return undefined;
    if (one.isAsk) return settled.answer;
    throw notKept(address, 'it was not asked when it was sent');
  }
  const { outcome, value } = settled;
  if (outcome === 'failed') throw decodeError(decodeEvent(value) as WireError);
  if (kind !== 'ask') return undefined;
  if (outcome === 'done' && value !== undefined) return decodeEvent(value);
  const why =
    outcome === 'done'
      ? 'it was not asked when it was sent'
      : 'the answer has more than 64 KiB, the value of a secret, or what cannot be stored';
  throw notKept(address, why);
}

function unread(address: string): HoldfastError {
  return new HoldfastError(
    'STREAM_INTERRUPTED',
    `whoever read what ${address} wrote for that id has stopped before the end; ask again`,
  );
}

function idReused(address: string, id: string): HoldfastError {
  const shown = JSON.stringify(id.slice(0, 64));
  return new HoldfastError(
    'ID_REUSED',
    `${address} was sent another event with the id ${shown}; give each event an id of its own`,
  );
}

function notKept(address: string, why: string): HoldfastError {
  return new HoldfastError(
    'ANSWER_NOT_KEPT',
    `${address} has handled the event with that id, and its answer is not kept: ${why}; ask for what came of it with another event`,
  );
}
