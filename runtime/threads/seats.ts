import type { Evidence } from '../dead-letters/dead-letters.ts';
import type { Tag } from '../mailbox/tag.ts';
import type { Outbox } from '../mailbox/outbox.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { PeerSeat } from '../instance/peer.ts';
import type { PeerBroker } from './peer-broker.ts';
import type { Seat } from './seat.ts';
import { encodeError } from '../wire/errors.ts';
import type { Progress } from '../wire/progress.ts';

/** The circumstances in which a seat becomes free. */
export interface Ending {
  /** The error when the thread is gone, and the asks that it had handled get no answer. */
  readonly reason?: Error | undefined;
  /** The error for the asks that the instance had put off. Default: `reason`, or that the instance has ended. */
  readonly ending?: unknown;
  /** The slot whose envelope was in hand, if one was. */
  readonly inHand?: number;
  /** The evidence against that envelope. */
  readonly evidence?: Evidence;
  /** Settles when the thread has let go of the instance, where it has not yet. */
  readonly until?: Promise<void> | undefined;
  /** Set when the instance itself failed: while it handled an envelope, or in between. */
  readonly failed?: 'in-turn' | 'between' | undefined;
  /** The link by which the envelope came that it failed with. */
  readonly link?: number | undefined;
}

export interface SeatsOptions {
  readonly progress: Progress;
  readonly broker: PeerBroker;
  readonly waiting: Waiting;
  readonly outbox: () => Outbox;
  /** Gives the pool back the room of an instance that has continued without the thread. */
  readonly release: () => void;
}

const NONE: ReadonlySet<Tag> = new Set();

/** The seats of one thread; decides what becomes of the envelopes of a seat when it is vacated. */
export class Seats {
  readonly #options: SeatsOptions;
  readonly #seats = new Map<number, Seat>();
  readonly #free: number[] = [];
  /** The seats that the slots of links belong to. */
  readonly #linked = new Map<number, PeerSeat>();
  /** The asks that the thread has answered, or is about to, and that are handled again, because no kept state has them. */
  readonly #retracted = new Set<Tag>();
  /** The asks of instances that have ended here which the thread has handled, and whose answers come with its next ack. */
  readonly #owed = new Set<Tag>();
  #slots = 0;

  constructor(options: SeatsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#seats.size;
  }

  all(): Seat[] {
    return [...this.#seats.values()];
  }

  at(slot: number): Seat | undefined {
    return this.#seats.get(slot);
  }

  /** Returns the seat whose envelopes a slot counts: those of its mailbox, or those that another agent sends there. */
  countedBy(slot: number): Seat | undefined {
    const linked = this.#linked.get(slot);
    if (linked === undefined) return this.#seats.get(slot);
    const seat = this.#seats.get(linked.slot);
    return seat === linked ? seat : undefined;
  }

  /** Whether the seat has its slot and is not vacated. */
  isTaken(seat: Seat): boolean {
    return this.#seats.get(seat.slot) === seat;
  }

  /** Returns the number of envelopes that the thread says it has handled on the seat. */
  handled(seat: Seat): number {
    return (this.#options.progress.handled(seat.slot) - seat.base) | 0;
  }

  /** `linked`: the seat for which a link counts there. */
  takeSlot(linked?: PeerSeat): { slot: number; base: number } {
    const slot = this.#free.pop() ?? this.#slots++;
    if (linked !== undefined) this.#linked.set(slot, linked);
    this.#options.progress.reserve(slot);
    return { slot, base: this.#options.progress.handled(slot) };
  }

  freeSlot(slot: number): void {
    this.#linked.delete(slot);
    this.#free.push(slot);
  }

  counted(slot: number): number {
    return this.#options.progress.handled(slot);
  }

  /** Gives a seat its slot. */
  assignSlot(seat: Seat): void {
    const { slot, base } = this.takeSlot();
    seat.slot = slot;
    seat.base = base;
    seat.toldBase = this.#options.progress.told(slot);
    this.#seats.set(slot, seat);
  }

  /** Rejects the asks that the instance on the seat has put off. */
  endDeferred({ deferred }: Seat, reason: Error): void {
    if (deferred === undefined) return;
    for (const tag of deferred) this.#options.waiting.reject(tag, reason);
    deferred.clear();
  }

  /** Whether an answer of the thread to that ask must be ignored, because the ask is handled again. */
  isRetracted(tag: Tag): boolean {
    return this.#retracted.size > 0 && this.#retracted.has(tag);
  }

  /**
   * Ends the retractions and the debts after an ack: the first one after an end has all that the thread had answered
   * before.
   */
  answersTaken(): void {
    if (this.#retracted.size > 0) this.#retracted.clear();
    if (this.#owed.size > 0) this.#owed.clear();
  }

  /** Rejects the asks whose answers the thread still owes, since it is gone. */
  answersLost(reason: Error): void {
    for (const tag of this.#owed) this.#options.waiting.reject(tag, reason);
    this.#owed.clear();
  }

  /**
   * Frees the seat, and acknowledges the envelopes that the thread says it has handled. Asks that were put off are
   * rejected; when the thread is gone for a `reason`, so are those it had handled.
   */
  vacate(seat: Seat, { reason, ending, inHand = -1, evidence, failed, link, until }: Ending = {}): void {
    if (!this.isTaken(seat)) return;
    this.#seats.delete(seat.slot);
    const { attachment, deferred = NONE, instance } = seat;
    const free = (): void => {
      if (until === undefined) return this.freeSlot(seat.slot);
      // A thread that ends before has no slots any more.
      until.then(
        () => this.freeSlot(seat.slot),
        () => {},
      );
    };
    // A thread that told of an end that was none goes on counting here, and that must not count for the next instance.
    if (attachment === undefined) free();
    else this.#options.outbox().whenQuiet(attachment, free);
    const wire = evidence && { ...evidence, error: encodeError(evidence.error) };
    const error = reason && encodeError(reason);
    const { continuation, mailbox: own } = instance;
    // The next incarnation continues from the last kept state, and handles again what that does not contain.
    const again = (reason !== undefined || failed !== undefined) && continuation.keepsState;
    const fault = link === undefined ? undefined : { link, error: encodeError(ending) };
    const isTold = continuation.durable && (attachment === undefined || attachment.mailbox === own);
    this.#options.broker.vacated(seat, {
      error,
      inHand,
      evidence: wire,
      again: again && isTold,
      failed: fault,
    });
    if (attachment === undefined) return;
    const handled = this.handled(seat);
    const { waiting, outbox, progress } = this.#options;
    const answers = reason && ((tag: Tag): void => waiting.reject(tag, reason));
    const { mailbox } = attachment;
    if (mailbox !== own) {
      // The instance has continued without the thread; what the thread had handled is known only now.
      outbox().detach(attachment, handled, answers);
      for (const tag of deferred) waiting.reject(tag, ending ?? reason ?? instance.ending());
      const left = { mailbox, incarnation: seat.incarnation };
      if (inHand === seat.slot && evidence !== undefined) instance.inbox.unhandled.suspect(evidence, 0, left);
      instance.inbox.unhandled.close(left);
      if (reason === undefined) this.#options.release();
      return;
    }
    if (failed === 'in-turn') {
      const tag = mailbox.deliverySent(handled - attachment.acked - 1);
      if (tag !== undefined && continuation.durable) waiting.reject(tag, ending);
      else if (tag !== undefined) waiting.threw(tag, ending);
    }
    if (reason !== undefined && !again)
      instance.twin.lost((progress.told(seat.slot) - seat.toldBase - seat.heard) | 0);
    const settled = again ? Math.max(seat.kept, attachment.acked) : handled;
    if (again) {
      const { acked } = attachment;
      // The envelope that failed is not handled again, and its ask is rejected.
      const end = failed === 'in-turn' ? handled - 1 : handled;
      for (const tag of mailbox.asksSent(settled - acked, end - acked)) {
        if (reason === undefined) this.#retracted.add(tag);
        // What has been read of the answer cannot be taken back.
        if (waiting.streamOf(tag)?.begun === true) waiting.reject(tag, ending ?? reason ?? instance.ending());
      }
    }
    if (reason === undefined) {
      for (const tag of mailbox.asksSent(0, handled - attachment.acked))
        if (!this.#retracted.has(tag)) this.#owed.add(tag);
    }
    outbox().detach(attachment, settled, answers);
    if (again && failed === 'in-turn' && handled > settled)
      instance.inbox.unhandled.threw(handled - settled - 1, ending);
    for (const tag of deferred) waiting.reject(tag, ending ?? reason ?? instance.ending());
    if (inHand === seat.slot && evidence !== undefined && instance.holds(seat))
      instance.inbox.unhandled.suspect(evidence, handled - settled);
  }
}
