import type { Berth, Question } from '../instance/berth.ts';
import type { PeerLink, PeerThread } from '../instance/peer.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Attachment, Outbox } from '../mailbox/outbox.ts';
import type { Tenant } from './tenant.ts';

/** A thread, as its seats need it. */
export interface SeatThread {
  /** Its number in the pool. */
  readonly n: number;
  /** Node's id of the worker thread; -1 when it is gone. */
  readonly thread: number;
  /** Nothing is heard of it any more. */
  readonly gone: boolean;
  /** The thread, as the broker knows it. */
  readonly peer: PeerThread;
  readonly outbox: Pick<Outbox, 'ready'>;
  ask(seat: Seat, question: Question, args: readonly unknown[]): Promise<unknown>;
  watch(seat: Seat, watched: boolean): void;
  deactivate(seat: Seat): Promise<void>;
  /** An instance that has not started there is not to start any more. */
  giveUp(seat: Seat): void;
  /** Gives a place back to the pool. */
  release(): void;
}

/** An instance's place on a thread: without a slot until the thread is up, without an attachment until the instance runs. */
export class Seat implements Berth {
  readonly #thread: SeatThread;
  readonly instance: Tenant;
  readonly incarnation: number;
  /** Its own in the progress block; -1 until it has one. */
  slot = -1;
  /** What the progress block said of the slot before. */
  base = 0;
  /** What it said of what the slot had told. */
  toldBase = 0;
  /** Events that the host has heard of the instance here. */
  heard = 0;
  attachment: Attachment | undefined = undefined;
  readonly deferred: Set<Tag> = new Set();
  /** How much of what it has handled is in the last state that it told. */
  kept = 0;
  /** What other agents send here. */
  readonly links: Set<PeerLink> = new Set();

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

  leave(): Promise<void> {
    return this.#thread.deactivate(this);
  }

  end(release: boolean): void {
    const { attachment, instance } = this;
    if (attachment?.attached === true) {
      // A thread that did not let go of it in time has what it was sent, and may handle it still: what came of that is
      // known when the thread has answered, or ended. Until then the place is taken.
      attachment.mailbox = instance.mailbox.split();
      return;
    }
    if (attachment === undefined) this.#thread.giveUp(this);
    // A thread that is gone has given back its places all at once.
    if (release && !this.#thread.gone) this.#thread.release();
  }
}
