import type { Berth, Question } from '../instance/berth.ts';
import type { PeerLink, PeerThread } from '../instance/peer.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Attachment, Outbox } from '../mailbox/outbox.ts';
import type { Tenant } from './tenant.ts';

/** A thread as its seats need it. */
export interface SeatThread {
  /** The number of the thread in the pool. */
  readonly n: number;
  /** Node's id of the worker thread; -1 when the thread is gone. */
  readonly thread: number;
  /** Whether the host hears nothing more of the thread. */
  readonly gone: boolean;
  /** The thread as the broker knows it. */
  readonly peer: PeerThread;
  readonly outbox: Pick<Outbox, 'ready'>;
  ask(seat: Seat, question: Question, args: readonly unknown[]): Promise<unknown>;
  watch(seat: Seat, watched: boolean): void;
  /** Lets the writer of an ask send more chunks; `taken` below 0: nobody reads any more. */
  credit(tag: Tag, taken: number): void;
  deactivate(seat: Seat): Promise<void>;
  /** Ends an instance that has nothing to do; resolves with whether it has left. */
  rest(seat: Seat): Promise<boolean>;
  /** Stops an instance that has not started there yet. */
  giveUp(seat: Seat): void;
  /** Gives the pool back the room of an instance. */
  release(): void;
}

/** The seat of an instance on a thread: without a slot until the thread is up, without an attachment until the instance runs. */
export class Seat implements Berth {
  readonly #thread: SeatThread;
  readonly instance: Tenant;
  readonly incarnation: number;
  /** The slot of the seat in the progress block; -1 until it has one. */
  slot = -1;
  /** The count of handled envelopes in the slot when the seat got it. */
  base = 0;
  /** The count of told events in the slot when the seat got it. */
  toldBase = 0;
  /** The number of events that the host has got from the instance here. */
  heard = 0;
  attachment: Attachment | undefined = undefined;
  deferred: Set<Tag> | undefined = undefined;
  /** The number of handled envelopes that the last told state contains. */
  kept = 0;
  /** No envelope before this one, counted as the handled ones are, may still turn out not to fit its schema. */
  refused = 0;
  /** The instance is in a state that cannot be committed, and is about to end here. */
  unfit = false;
  /** The links by which other agents send to this seat, by their numbers. */
  links: Map<number, PeerLink> | undefined = undefined;

  constructor(thread: SeatThread, instance: Tenant) {
    this.#thread = thread;
    this.instance = instance;
    this.incarnation = instance.incarnation;
  }

  get host(): PeerThread {
    return this.#thread.peer;
  }

  get n(): number {
    return this.#thread.n;
  }

  get thread(): number {
    return this.#thread.thread;
  }

  get begun(): boolean {
    return this.attachment !== undefined;
  }

  ready(): void {
    const { attachment } = this;
    if (attachment !== undefined) this.#thread.outbox.ready(attachment);
  }

  ask(question: Question, ...args: readonly unknown[]): Promise<unknown> {
    return this.#thread.ask(this, question, args);
  }

  watch(watched: boolean): void {
    this.#thread.watch(this, watched);
  }

  credit(tag: Tag, taken: number): void {
    this.#thread.credit(tag, taken);
  }

  rest(): Promise<boolean> {
    return this.#thread.rest(this);
  }

  leave(): Promise<void> {
    return this.#thread.deactivate(this);
  }

  end(release: boolean): void {
    const { attachment, instance } = this;
    if (attachment?.attached === true) {
      // A thread that did not let go of the instance in time still has its envelopes and may handle them: what becomes of
      // them is known when the thread has answered, or ended. Until then the room is taken.
      attachment.mailbox = instance.mailbox.split();
      return;
    }
    if (attachment === undefined) this.#thread.giveUp(this);
    // A thread that is gone has given back all its room at once.
    if (release && !this.#thread.gone) this.#thread.release();
  }
}
