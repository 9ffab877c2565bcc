import { encodeError, safeCopy } from '../wire/errors.ts';
import { findErrors } from '../wire/errors-within.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Ack } from '../mailbox/outbox.ts';
import { transferablesOf } from '../mailbox/transfer.ts';

/** Where envelopes came for an instance, as far as an ack tells of it. */
export interface Counted {
  readonly key: number;
  /** Handled, and not told yet. */
  unacked: number;
  readonly instance: {
    readonly ended: boolean;
    /** Why an ask that it put off will have no answer. */
    ending(): unknown;
  };
}

/** What the thread has handled and answered since it last told the one who sent it. */
export class Acks {
  #handled: Counted[] = [];
  #tags: number[] = [];
  #values: unknown[] = [];
  #failed: unknown[] = [];
  /** By tag, the errors in its value. */
  #errors: unknown[] = [];
  #deferred: { readonly inflow: Counted; readonly tag: number }[] = [];

  /** There is something to tell. */
  get pending(): boolean {
    return this.#handled.length + this.#tags.length + this.#failed.length + this.#deferred.length > 0;
  }

  /** `count` more envelopes were handled there. */
  handled(inflow: Counted, count: number): void {
    if (inflow.unacked === 0) this.#handled.push(inflow);
    inflow.unacked += count;
  }

  answered(tag: number, value: unknown): void {
    this.#tags.push(tag);
    this.#values.push(value);
    const errors = findErrors(value);
    if (errors !== undefined) this.#errors.push(tag, errors);
  }

  failed(tag: number, error: unknown): void {
    this.#failed.push(tag, encodeError(error));
  }

  /** The time of the ask was up before its turn: it is not answered, and was not handled. */
  expired(tag: number): void {
    this.#failed.push(tag, null);
  }

  /** The ask was handled and is answered some time later. */
  deferred(inflow: Counted, tag: number): void {
    this.#deferred.push({ inflow, tag });
  }

  /** Everything, once. */
  take(): Ack {
    const handled: number[] = [];
    for (const inflow of this.#handled) {
      // Those of an instance that ended are counted from the shared progress; the slot may be another's.
      if (!inflow.instance.ended) handled.push(inflow.key, inflow.unacked);
      inflow.unacked = 0;
    }
    this.#handled = [];
    const deferred: number[] = [];
    for (const { inflow, tag } of this.#deferred) {
      if (inflow.instance.ended) this.failed(tag, inflow.instance.ending());
      else deferred.push(inflow.key, tag);
    }
    if (this.#tags.length + this.#failed.length + deferred.length === 0) return [handled];
    // Every array costs its share of a round trip: those that would be empty at the end are left out.
    let ack: Ack = [handled, this.#tags, this.#values];
    if (this.#failed.length + deferred.length > 0)
      ack = [handled, this.#tags, this.#values, this.#failed, deferred];
    if (this.#errors.length > 0) {
      ack = [handled, this.#tags, this.#values, this.#failed, deferred, this.#errors];
      this.#errors = [];
    }
    this.#tags = [];
    this.#values = [];
    this.#failed = [];
    this.#deferred = [];
    return ack;
  }
}

/** The same ack with errors in place of those answers that cannot be cloned, so that they do not cost the others. */
export function clonableAck([
  handled,
  tags = [],
  values = [],
  failed = [],
  deferred = [],
  ...more
]: Ack): Ack {
  const [good, copies, bad]: [number[], unknown[], unknown[]] = [[], [], [...failed]];
  tags.forEach((tag, i) => {
    const clone = safeCopy(values[i]);
    if (clone === undefined) {
      bad.push(tag, encodeError(unclonableReply(values[i])));
    } else {
      good.push(tag);
      copies.push(clone.copy);
    }
  });
  return [handled, good, copies, bad, deferred, ...more];
}

/** Tells an ack by `tell`, which throws at once when an answer in it cannot be cloned; what moves goes with it. */
export function tellAck(ack: Ack, tell: (ack: Ack, moving: readonly unknown[]) => void): void {
  try {
    tell(ack, movingWith(ack) ?? []);
  } catch {
    const clonable = clonableAck(ack);
    tell(clonable, movingWith(clonable) ?? []);
  }
}

/** What moves with the answers of an ack; other results of a call move nothing. */
export function movingWith(result: unknown): readonly unknown[] | undefined {
  const values: unknown = Array.isArray(result) ? result[2] : undefined;
  return Array.isArray(values) ? transferablesOf(values) : undefined;
}

function unclonableReply(value: unknown): HoldfastError {
  const why = whyUnclonable(value);
  return new HoldfastError('REPLY_UNCLONABLE', `the reply cannot cross (${why}); reply with plain data`);
}
