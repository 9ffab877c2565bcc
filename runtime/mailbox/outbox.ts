import type { Batch } from './batch.ts';
import type { Mailbox } from './mailbox.ts';
import type { Tag } from './tag.ts';
import { anyMarked, markOf, setMoved, transferablesOf } from './transfer.ts';

/** A mailbox while its instance runs in a slot of a thread. */
export interface Attachment {
  /**
   * The mailbox of the instance, until the instance goes on without the thread: then a mailbox that holds what the
   * thread has.
   */
  mailbox: Mailbox;
  readonly slot: number;
  /** Envelopes of this attachment that were acknowledged. */
  acked: number;
  /** `false` once the instance has left the slot: later acks no longer count. */
  attached: boolean;
  /** The attachment is in the row of those with something queued, or is held. */
  waiting: boolean;
  /** The instance has as much in flight as it may have while the window is full. */
  held: boolean;
  /** Batches without an answer that hold, or held, envelopes of this attachment. */
  batches: number;
  /** Called once, when there is no such batch. */
  quiet: (() => void) | undefined;
}

/**
 * The acknowledgement of a thread, for any batch: `slot, count` pairs of handled envelopes; for the asks among them,
 * the tags with their answers; `tag, error` pairs of those that failed (`null`: expired before their turn);
 * `slot, tag` pairs of those that are put off; `tag, what` pairs for answers that need more than was cloned; and, to another
 * thread, `slot, place, error` of those among the handled ones that had no turn.
 */
export type Ack = readonly [
  handled: readonly number[],
  tags?: readonly Tag[],
  values?: readonly unknown[],
  failed?: readonly unknown[],
  deferred?: readonly number[],
  more?: readonly unknown[],
  refused?: readonly unknown[],
];

/** A batch that is under way. */
export interface SentBatch {
  /** All of it was handled. */
  resolve(ack: unknown): void;
  /** Nobody will say what becomes of it. */
  reject(reason: unknown): void;
}

export interface OutboxOptions {
  /**
   * Makes one call to the thread. Throws at once when the batch cannot be cloned, and then nothing has moved. Settles
   * `sent` when all of it was handled, not before it returns. `transfer` lists what moves with the batch, if anything does.
   * `urgent`: somebody waits for the ack, or what is queued does.
   */
  readonly deliver: (batch: Batch, transfer: readonly unknown[], sent: SentBatch, urgent: boolean) => void;
  /**
   * Has the thread say soon what it has handled. Present when it counts the batches that it has completed, instead of
   * settling each of them: acks that nobody waits for may then come later.
   */
  readonly pull?: (() => void) | undefined;
  /** The thread has refused a batch, or is gone. */
  readonly lost?: ((reason: unknown) => void) | undefined;
  /** A delivery was handled. */
  readonly delivered: (tag: Tag) => void;
  /** An envelope expired before it left. */
  readonly expired: (attachment: Attachment, event: unknown, tag: Tag) => void;
  readonly isClonable: (event: unknown) => boolean;
  /** An event that cannot be cloned was taken out of its mailbox. */
  readonly unclonable: (attachment: Attachment, event: unknown, tag: Tag) => void;
  /** Settles the asks that an ack answers; `false` when its lists are malformed. */
  readonly answered: (ack: Ack) => boolean;
  /** A delivery had no turn. Default: an ack that says so is malformed. */
  readonly refused?: (tag: Tag, error: unknown) => void;
  /** A malformed ack arrived, so the progress of the thread can no longer be known. */
  readonly malformed?: () => void;
  /** Milliseconds, on the clock of the mailboxes' deadlines. */
  readonly now: () => number;
  /** The most envelopes in one batch. Default 256: the measured curve is flat from there on. */
  readonly maxBatch?: number;
  /** The most batches without an ack. Default 8: hides the wake-up of the other thread. */
  readonly maxInFlight?: number;
  /** The most envelopes in flight; beyond it each instance may still have one turn of its own. Default 2048. */
  readonly window?: number;
  /** Envelopes of one instance before the next instance has its turn. Default 16. */
  readonly quantum?: number;
  /** Settles an ack when what it rests on is committed. Default: at once. */
  readonly held?: ((settle: () => void) => void) | undefined;
  /** Runs a function soon. Default `queueMicrotask`. */
  readonly soon?: (run: () => void) => void;
}

/** The composition of a batch. */
interface Manifest {
  readonly batch: Batch;
  readonly attachments: Attachment[];
  readonly counts: number[];
  /** Events that move instead of being copied. */
  readonly moving: object[] | undefined;
}

const NOTHING: readonly unknown[] = [];
/** The share of its capacity that a mailbox may hold beyond it of what is acknowledged late. */
const LATE = 1 / 8;

interface Settling {
  settled(ack: unknown, attachments: readonly Attachment[]): void;
  lost(reason: unknown, attachments: readonly Attachment[]): void;
}

/** Settles within the message that brings the ack: a promise would cost a good part of a lone ask. */
class Sent implements SentBatch {
  readonly #settling: Settling;
  readonly #attachments: readonly Attachment[];

  constructor(settling: Settling, attachments: readonly Attachment[]) {
    this.#settling = settling;
    this.#attachments = attachments;
  }

  resolve(ack: unknown): void {
    this.#settling.settled(ack, this.#attachments);
  }

  reject(reason: unknown): void {
    queueMicrotask(() => this.#settling.lost(reason, this.#attachments));
  }
}

/**
 * Sends the mailboxes of one thread's instances to it in batches clocked by acks: the first envelope leaves in the
 * same tick, and what arrives while batches are under way leaves with the next ack. No timer, no added delay when
 * idle, few calls when busy.
 *
 * A slow instance fills the window and so holds back the others, except for one turn of each: those always leave, and
 * the thread takes turns too.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #maxBatch: number;
  readonly #maxInFlight: number;
  readonly #window: number;
  readonly #quantum: number;
  readonly #soon: (run: () => void) => void;
  readonly #bySlot = new Map<number, Attachment>();
  /** Attachments with something queued, in the order of their turns. */
  #ready: Attachment[] = [];
  readonly #held = new Set<Attachment>();
  #batches = 0;
  /** Envelopes without an ack. */
  #envelopes = 0;
  #armed = false;
  #closed = false;
  /** The thread was asked to say what it has handled, and has not yet. */
  #pulled = false;
  /**
   * Envelopes that still leave one by one, because their batch could not leave and none of them alone seems to be to
   * blame.
   */
  #singly = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#maxBatch = options.maxBatch ?? 256;
    this.#maxInFlight = options.maxInFlight ?? 8;
    this.#window = options.window ?? 2048;
    this.#quantum = options.quantum ?? 16;
    this.#soon = options.soon ?? queueMicrotask;
  }

  /** Batches without an ack. */
  get inFlight(): number {
    return this.#batches;
  }

  attach(mailbox: Mailbox, slot: number): Attachment {
    const attachment: Attachment = {
      mailbox,
      slot,
      acked: 0,
      attached: true,
      waiting: false,
      held: false,
      batches: 0,
      quiet: undefined,
    };
    this.#bySlot.set(slot, attachment);
    if (mailbox.queued > 0) this.ready(attachment);
    return attachment;
  }

  /**
   * Detaches an instance after it has handled `handled` envelopes in its slot. Later acks no longer count, and what it
   * had sent beyond waits again in the mailbox. `unanswered` gets the asks whose answers will not come.
   */
  detach(attachment: Attachment, handled: number, unanswered?: (tag: Tag) => void): void {
    if (!attachment.attached) return;
    const { mailbox, slot, acked } = attachment;
    if (this.#bySlot.get(slot) === attachment) this.#bySlot.delete(slot);
    attachment.attached = false;
    this.#held.delete(attachment);
    this.#envelopes -= mailbox.inFlight;
    mailbox.acknowledge(handled - acked, this.#options.delivered, unanswered);
    mailbox.rewind();
    if (!this.#closed && !this.#armed) this.#flush();
  }

  /**
   * Calls `run` when every batch with envelopes of a detached instance is answered, or will not be: from then on the
   * thread counts nothing more in its slot, whatever it has said of the end of the instance.
   */
  whenQuiet(attachment: Attachment, run: () => void): void {
    if (attachment.batches === 0) run();
    else attachment.quiet = run;
  }

  /** The attachment's mailbox has something queued. */
  ready(attachment: Attachment): void {
    if (!attachment.waiting) {
      attachment.waiting = true;
      this.#ready.push(attachment);
    }
    if (this.#armed || this.#closed || this.#ready.length === 0) return;
    if (!this.#isOpen() && attachment.mailbox.inFlight >= this.#quantum) return;
    this.#armed = true;
    this.#soon(this.#flush);
  }

  /** Sends nothing any more. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Settles what a thread acknowledges before a batch is complete, because the rest takes its time. `batches` is how many
   * it has completed since it last said so, where it counts them.
   */
  acknowledge(ack: Ack, batches = 0): void {
    this.#credit(batches);
    this.#acknowledge(ack);
    this.#flush();
  }

  /** The same, for an ack that came with a batch: what waits leaves after the turns of that, and perhaps with their events. */
  settle(ack: Ack, batches = 0): void {
    this.#credit(batches);
    this.#acknowledge(ack);
    if (this.#ready.length === 0 || this.#armed || this.#closed) return;
    this.#armed = true;
    this.#soon(this.#flush);
  }

  /** Has the thread say soon what it has handled of the batches that it counts. */
  pull(): void {
    if (this.#pulled || this.#batches === 0 || this.#closed) return;
    this.#pulled = this.#options.pull !== undefined;
    this.#options.pull?.();
  }

  /** A thread that lies about its batches only widens or narrows its own window. */
  #credit(batches: number): void {
    if (!Number.isSafeInteger(batches) || batches <= 0) return;
    this.#batches = Math.max(0, this.#batches - batches);
    this.#pulled = false;
  }

  #isOpen(): boolean {
    return this.#batches < this.#maxInFlight && this.#envelopes < this.#window;
  }

  readonly #flush = (): void => {
    this.#armed = false;
    while (this.#ready.length > 0 && !this.#closed && this.#sendBatch());
  };

  /** Returns `false` when nothing could leave. */
  #sendBatch(): boolean {
    const isOpen = this.#isOpen();
    // Read only where something may expire: it costs about as much as a plain event.
    let now: number | undefined;
    const batch: Batch = [];
    const moving: object[] | undefined = anyMarked() ? [] : undefined;
    const manifest: Manifest = { batch, attachments: [], counts: [], moving };
    let room = this.#singly > 0 ? 1 : this.#maxBatch;
    let turn = 0;
    while (turn < this.#ready.length && room > 0) {
      const attachment = this.#ready[turn++] as Attachment;
      attachment.waiting = false;
      const { mailbox, slot } = attachment;
      if (!attachment.attached) continue;
      if (mailbox.mayExpire)
        mailbox.expire((now ??= this.#options.now()), (event, tag) =>
          this.#options.expired(attachment, event, tag),
        );
      const limit =
        (isOpen ? mailbox.maxInFlight : Math.min(mailbox.maxInFlight, this.#quantum)) - mailbox.inFlight;
      if (limit <= 0) {
        this.#hold(attachment);
        continue;
      }
      // An instance that is alone may fill the batch; its turns matter only when others wait.
      const alone = turn === this.#ready.length && turn === 1;
      const taken = mailbox.take(batch, slot, Math.min(room, limit, alone ? room : this.#quantum), moving);
      if (taken > 0) {
        manifest.attachments.push(attachment);
        manifest.counts.push(taken);
        room -= taken;
      }
      // What waits for the store leaves when that has answered.
      if (taken > 0 && mailbox.queued > 0) {
        attachment.waiting = true;
        this.#ready.push(attachment);
      }
    }
    this.#ready = this.#ready.slice(turn);
    if (manifest.counts.length === 0) return false;
    this.#post(manifest);
    return true;
  }

  /** Whether an ack that comes late would keep somebody waiting, or leave too much of a mailbox unacknowledged. */
  #isUrgent({ attachments }: Manifest): boolean {
    if (this.#options.pull === undefined || this.#ready.length > 0) return true;
    if (this.#batches + 1 >= this.#maxInFlight / 2 || this.#envelopes >= this.#window / 2) return true;
    for (const { mailbox } of attachments)
      if (mailbox.isAwaited || mailbox.depth >= mailbox.capacity * LATE) return true;
    return false;
  }

  #hold(attachment: Attachment): void {
    if (attachment.mailbox.queued === 0) return;
    attachment.waiting = true;
    attachment.held = true;
    this.#held.add(attachment);
  }

  #post(manifest: Manifest): void {
    const { attachments, batch, counts, moving } = manifest;
    const isUrgent = this.#isUrgent(manifest);
    try {
      this.#options.deliver(
        batch,
        (moving && transferablesOf(moving)) ?? NOTHING,
        new Sent(this.#settling, attachments),
        isUrgent,
      );
    } catch {
      this.#sortOut(manifest);
      return;
    }
    if (!isUrgent) for (const { mailbox } of attachments) mailbox.sentLate();
    if (moving !== undefined) for (const event of moving) setMoved(event);
    this.#batches += 1;
    for (const count of counts) this.#envelopes += count;
    if (this.#options.pull === undefined) for (const attachment of attachments) attachment.batches += 1;
    if (this.#singly > 0) this.#singly -= 1;
  }

  readonly #settling: Settling = {
    settled: (ack, attachments) => {
      const settle = (): void => {
        this.#batches -= 1;
        this.acknowledge(ack as Ack);
        this.#quieten(attachments);
      };
      if (this.#options.held === undefined) settle();
      else this.#options.held(settle);
    },
    // The thread is gone: its instances' mailboxes are acknowledged by the shared progress, not by an ack.
    lost: (reason, attachments) => {
      this.#batches -= 1;
      this.#quieten(attachments);
      this.#options.lost?.(reason);
    },
  };

  #quieten(attachments: readonly Attachment[]): void {
    for (const attachment of attachments) {
      attachment.batches -= 1;
      if (attachment.batches > 0 || attachment.quiet === undefined) continue;
      const { quiet } = attachment;
      attachment.quiet = undefined;
      quiet();
    }
  }

  #acknowledge(ack: Ack): void {
    if (!isAck(ack)) return this.#options.malformed?.();
    const [handled] = ack;
    let isWhole = handled.length % 2 === 0 && (ack.length < 7 || this.#refused(ack[6]));
    const end = Math.min(handled.length, 2 * this.#bySlot.size);
    for (let i = 0; i + 1 < end; i += 2) {
      const attachment = this.#bySlot.get(handled[i] as number);
      const count = handled[i + 1] as number;
      if (!Number.isSafeInteger(count) || count < 0) isWhole = false;
      else if (attachment !== undefined) this.#acknowledgeSome(attachment, count);
    }
    if (ack.length > 1 && !this.#options.answered(ack)) isWhole = false;
    if (!isWhole) this.#options.malformed?.();
    if (this.#held.size > 0 && this.#isOpen()) for (const attachment of this.#held) this.#release(attachment);
  }

  /** Rejects those who wait for deliveries that had no turn, while they still have their places; `false` when malformed. */
  #refused(refused: readonly unknown[] = []): boolean {
    const told = this.#options.refused;
    if (told === undefined) return false;
    let i = 0;
    for (; typeof refused[i] === 'number' && typeof refused[i + 1] === 'number'; i += 3) {
      const mailbox = this.#bySlot.get(refused[i] as number)?.mailbox;
      const tag = mailbox?.deliverySent(refused[i + 1] as number);
      if (tag !== undefined) told(tag, refused[i + 2]);
    }
    return i === refused.length;
  }

  #acknowledgeSome(attachment: Attachment, count: number): void {
    const before = attachment.mailbox.inFlight;
    attachment.mailbox.acknowledge(count, this.#options.delivered);
    const acknowledged = before - attachment.mailbox.inFlight;
    attachment.acked += acknowledged;
    this.#envelopes -= acknowledged;
    if (attachment.held && attachment.mailbox.inFlight < this.#quantum) this.#release(attachment);
  }

  #release(attachment: Attachment): void {
    attachment.held = false;
    this.#held.delete(attachment);
    this.#ready.push(attachment);
  }

  /** Finds the event of the batch that cannot be cloned, takes it out, and lets the others wait in their order. */
  #sortOut({ attachments, counts }: Manifest): void {
    const sent = counts.reduce((sum, count) => sum + count, 0);
    let refused = 0;
    const total = new Map<Attachment, number>();
    attachments.forEach((attachment, i) =>
      total.set(attachment, (total.get(attachment) ?? 0) + (counts[i] as number)),
    );
    for (const [attachment, count] of total) {
      // An event that could not leave alone is to blame, whatever it looks like when it is asked. For one that is to
      // move there is no other test: to try it is to move it.
      const keep =
        sent === 1
          ? () => false
          : (event: unknown) => markOf(event) !== undefined || this.#options.isClonable(event);
      attachment.mailbox.takeBack(count, keep, (event, tag) => {
        refused += 1;
        this.#options.unclonable(attachment, event, tag);
      });
      if (attachment.mailbox.queued > 0) this.ready(attachment);
    }
    if (refused === 0) this.#singly = sent;
  }
}

/** Checks that an ack is made of lists, and of no more than an ack has; their items are checked as they are read. */
function isAck(ack: unknown): ack is Ack {
  if (!Array.isArray(ack) || ack.length === 0 || ack.length > 7) return false;
  for (let i = 0; i < ack.length; i++) if (!Array.isArray(ack[i])) return false;
  return true;
}
