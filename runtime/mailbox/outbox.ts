import type { Batch, Mailbox, Tag } from './mailbox.ts';

/** A mailbox while its instance runs in a slot of a thread. */
export interface Attachment {
  readonly mailbox: Mailbox;
  readonly slot: number;
  /** Envelopes of it that were acknowledged. */
  acked: number;
  /** `false` once the instance has left the slot: later acks no longer count. */
  attached: boolean;
  /** It stands in the row of those with something queued. */
  waiting: boolean;
}

/** `null` when every envelope was handled and nothing is answered; else `tag, ok, value` triples. */
export type Ack = readonly unknown[] | null;

export interface OutboxOptions {
  /** One call to the thread; throws at once when the batch cannot be cloned. */
  readonly deliver: (batch: Batch) => Promise<unknown>;
  /** A delivery that somebody waits for was handled. */
  readonly delivered: (tag: Tag) => void;
  /** An ask was answered (`ok`) or failed. */
  readonly answered: (tag: Tag, ok: boolean, value: unknown) => void;
  readonly isClonable: (event: unknown) => boolean;
  /** An event that cannot be cloned was taken out of its mailbox. */
  readonly unclonable: (attachment: Attachment, event: unknown, tag: Tag) => void;
  /** Envelopes in one batch at most. Default 256: the measured curve is flat from there on. */
  readonly maxBatch?: number;
  /** Batches without an ack at most. Default 8, so 2048 events: hides the wake-up of the other thread. */
  readonly maxInFlight?: number;
  /** Envelopes of one instance before the next has its turn. Default 16. */
  readonly quantum?: number;
  /** Runs a function soon. Default `queueMicrotask`. */
  readonly soon?: (run: () => void) => void;
}

/** What a batch was made of. */
interface Manifest {
  readonly batch: Batch;
  readonly attachments: Attachment[];
  readonly counts: number[];
}

/**
 * Sends the mailboxes of one thread's instances to it, batched by the acks: the first envelope leaves in the
 * same tick, what arrives while batches are under way leaves with the next ack. No timer, no added delay when
 * idle, few calls when busy.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #maxBatch: number;
  readonly #maxInFlight: number;
  readonly #quantum: number;
  readonly #soon: (run: () => void) => void;
  /** Attachments with something queued, in the order of their turns. */
  #ready: Attachment[] = [];
  #inFlight = 0;
  #armed = false;
  #closed = false;
  /** Envelopes that still leave one by one: their batch could not, and none of them alone seems to be to blame. */
  #singly = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#maxBatch = options.maxBatch ?? 256;
    this.#maxInFlight = options.maxInFlight ?? 8;
    this.#quantum = options.quantum ?? 16;
    this.#soon = options.soon ?? queueMicrotask;
  }

  /** Batches without an ack. */
  get inFlight(): number {
    return this.#inFlight;
  }

  attach(mailbox: Mailbox, slot: number): Attachment {
    const attachment: Attachment = { mailbox, slot, acked: 0, attached: true, waiting: false };
    if (mailbox.queued > 0) this.ready(attachment);
    return attachment;
  }

  /** Acks for this attachment no longer count; what it had sent waits again in the mailbox. */
  detach(attachment: Attachment): void {
    attachment.attached = false;
    attachment.mailbox.rewind();
  }

  /** The attachment's mailbox has something queued. */
  ready(attachment: Attachment): void {
    if (!attachment.waiting) {
      attachment.waiting = true;
      this.#ready.push(attachment);
    }
    if (this.#armed || this.#inFlight >= this.#maxInFlight || this.#closed) return;
    this.#armed = true;
    this.#soon(this.#flush);
  }

  /** Nothing leaves any more. */
  close(): void {
    this.#closed = true;
  }

  readonly #flush = (): void => {
    this.#armed = false;
    while (this.#ready.length > 0 && this.#inFlight < this.#maxInFlight && !this.#closed) this.#sendBatch();
  };

  #sendBatch(): void {
    const batch: Batch = [];
    const manifest: Manifest = { batch, attachments: [], counts: [] };
    let room = this.#singly > 0 ? 1 : this.#maxBatch;
    let turn = 0;
    while (turn < this.#ready.length && room > 0) {
      const attachment = this.#ready[turn++] as Attachment;
      attachment.waiting = false;
      if (!attachment.attached) continue;
      // Alone, an instance may fill the batch; its turns matter only when others wait.
      const alone = turn === this.#ready.length && turn === 1;
      const taken = attachment.mailbox.take(
        batch,
        attachment.slot,
        alone ? room : Math.min(room, this.#quantum),
      );
      if (taken > 0) {
        manifest.attachments.push(attachment);
        manifest.counts.push(taken);
        room -= taken;
      }
      if (attachment.mailbox.queued > 0) {
        attachment.waiting = true;
        this.#ready.push(attachment);
      }
    }
    this.#ready = this.#ready.slice(turn);
    if (manifest.counts.length > 0) this.#post(manifest);
  }

  #post(manifest: Manifest): void {
    let answer: Promise<unknown>;
    try {
      answer = this.#options.deliver(manifest.batch);
    } catch {
      this.#sortOut(manifest);
      return;
    }
    this.#inFlight += 1;
    if (this.#singly > 0) this.#singly -= 1;
    answer.then(
      (ack) => this.#acknowledge(manifest, ack as Ack),
      // The thread is gone: its instances' mailboxes are settled by the shared progress, not by an ack.
      () => {
        this.#inFlight -= 1;
      },
    );
  }

  #acknowledge(manifest: Manifest, ack: Ack): void {
    this.#inFlight -= 1;
    const { batch, attachments, counts } = manifest;
    for (let i = 0; i < counts.length; i++) {
      const attachment = attachments[i] as Attachment;
      const count = counts[i] as number;
      if (!attachment.attached) continue;
      attachment.acked += count;
      attachment.mailbox.settle(count, this.#options.delivered);
    }
    if (Array.isArray(ack)) this.#answer(batch, ack);
    this.#flush();
  }

  /**
   * A thread answers the asks of a batch in their order, some of them not. One that names other asks, which are
   * those of other pools, is not heard from there on.
   */
  #answer(batch: Batch, answers: readonly unknown[]): void {
    let next = 0;
    let at = 0;
    while (at < batch.length && next < answers.length) {
      const length = batch[at + 1] as number;
      if (length !== -1) {
        at += length === -2 ? 5 : 2 + length;
        continue;
      }
      const tag = batch[at + 2] as Tag;
      if (answers[next] === tag) {
        this.#options.answered(tag, answers[next + 1] === 1, answers[next + 2]);
        next += 3;
      }
      at += 4;
    }
  }

  /** One event of the batch cannot be cloned: find it, take it out, and let the others wait in their order. */
  #sortOut({ attachments, counts }: Manifest): void {
    const sent = counts.reduce((sum, count) => sum + count, 0);
    let refused = 0;
    const total = new Map<Attachment, number>();
    attachments.forEach((attachment, i) =>
      total.set(attachment, (total.get(attachment) ?? 0) + (counts[i] as number)),
    );
    for (const [attachment, count] of total) {
      // What could not leave alone is to blame, whatever it looks like when it is asked.
      const keep = sent === 1 ? () => false : this.#options.isClonable;
      attachment.mailbox.takeBack(count, keep, (event, tag) => {
        refused += 1;
        this.#options.unclonable(attachment, event, tag);
      });
      if (attachment.mailbox.queued > 0) this.ready(attachment);
    }
    if (refused === 0) this.#singly = sent;
  }
}
