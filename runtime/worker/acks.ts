import { encodeError, safeCopy } from '../wire/errors.ts';
import { findErrors } from '../wire/errors-within.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Ack } from '../mailbox/outbox.ts';
import { transferablesOf } from '../mailbox/transfer.ts';

/** An inflow of envelopes to an instance, as far as an ack reports it. */
export interface Counted {
  readonly key: number;
  /** Envelopes handled and not acknowledged yet. */
  unacked: number;
  readonly instance: {
    readonly ended: boolean;
    /** The reason why an ask that the instance put off will have no answer. */
    ending(): unknown;
  };
}

/** Collects what the thread has handled and answered since its last ack to one sender. */
export class Acks {
  #handled: Counted[] = [];
  #tags: number[] = [];
  #values: unknown[] = [];
  #failed: unknown[] = [];
  /** The errors in each value, by tag. */
  #errors: unknown[] = [];
  /** Envelopes that had no turn, by their place among those handled. */
  #refused: { readonly inflow: Counted; readonly at: number; readonly error: unknown }[] = [];
  #deferred: { readonly inflow: Counted; readonly tag: number }[] = [];

  /** Whether there is anything to acknowledge. */
  get pending(): boolean {
    return this.#handled.length + this.#tags.length + this.#failed.length + this.#deferred.length > 0;
  }

  /** Whether there are only counts, which are sure to cross and which no ask waits for. */
  get isPlain(): boolean {
    return this.#tags.length + this.#failed.length + this.#deferred.length + this.#refused.length === 0;
  }

  /** How many answers there are. */
  get answers(): number {
    return this.#tags.length;
  }

  /** Counts `count` more envelopes as handled. */
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

  /** The envelope had no turn: the `nth` of those that are counted next. An ask has its tag. */
  refused(inflow: Counted, nth: number, tag: number, error: unknown): void {
    if (tag === 0) this.#refused.push({ inflow, at: inflow.unacked + nth, error: encodeError(error) });
    else this.failed(tag, error);
  }

  /** The ask expired before its turn: it is not answered, and was not handled. */
  expired(tag: number): void {
    this.#failed.push(tag, null);
  }

  /** The ask was handled and put off. */
  deferred(inflow: Counted, tag: number): void {
    this.#deferred.push({ inflow, tag });
  }

  /** Returns everything, once. */
  take(): Ack {
    const handled: number[] = [];
    for (const inflow of this.#handled) {
      // The envelopes of an instance that ended are counted from the shared progress; the slot may be another's by
      // now.
      if (!inflow.instance.ended) handled.push(inflow.key, inflow.unacked);
      inflow.unacked = 0;
    }
    this.#handled = [];
    const refused = this.#takeRefused();
    const deferred: number[] = [];
    for (const { inflow, tag } of this.#deferred) {
      if (inflow.instance.ended) this.failed(tag, inflow.instance.ending());
      else deferred.push(inflow.key, tag);
    }
    if (this.#tags.length + this.#failed.length + deferred.length + refused.length === 0) return [handled];
    // Every array costs its share of a round trip, so empty ones at the end are left out.
    let ack: Ack = [handled, this.#tags, this.#values];
    if (this.#failed.length + deferred.length > 0)
      ack = [handled, this.#tags, this.#values, this.#failed, deferred];
    if (this.#errors.length > 0) {
      ack = [handled, this.#tags, this.#values, this.#failed, deferred, this.#errors];
      this.#errors = [];
    }
    if (refused.length > 0) {
      const [, tags = [], values = [], failed = [], putOff = [], errors = []] = ack;
      ack = [handled, tags, values, failed, putOff, errors, refused];
    }
    this.#tags = [];
    this.#values = [];
    this.#failed = [];
    this.#deferred = [];
    return ack;
  }

  #takeRefused(): unknown[] {
    if (this.#refused.length === 0) return [];
    const refused = this.#refused.filter(({ inflow }) => !inflow.instance.ended);
    this.#refused = [];
    return refused.flatMap(({ inflow, at, error }) => [inflow.key, at, error]);
  }
}

/**
 * Returns the ack with errors in place of answers that cannot be cloned, so that those do not take the others with
 * them.
 */
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

/** Sends an ack by `tell`, which throws at once when an answer in it cannot be cloned; transferables go with it. */
export function tellAck(ack: Ack, tell: (ack: Ack, moving: readonly unknown[]) => void): void {
  try {
    tell(ack, movingWith(ack) ?? []);
  } catch {
    const clonable = clonableAck(ack);
    tell(clonable, movingWith(clonable) ?? []);
  }
}

/** The transferables of the answers in an ack; other results of a call move nothing. */
export function movingWith(result: unknown): readonly unknown[] | undefined {
  const values: unknown = Array.isArray(result) ? result[2] : undefined;
  return Array.isArray(values) ? transferablesOf(values) : undefined;
}

function unclonableReply(value: unknown): HoldfastError {
  const why = whyUnclonable(value);
  return new HoldfastError('REPLY_UNCLONABLE', `the reply cannot cross (${why}); reply with plain data`);
}
