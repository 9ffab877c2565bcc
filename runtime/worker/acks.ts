import { encodeError, tryClone } from '../wire/errors.ts';
import { HoldfastError } from '../errors.ts';
import type { Ack } from '../mailbox/outbox.ts';
import type { HostedInstance } from './hosted-instance.ts';

/** What the thread has handled and answered since it last told the host. */
export class Acks {
  #handled: HostedInstance[] = [];
  #tags: number[] = [];
  #values: unknown[] = [];
  #failed: unknown[] = [];
  #deferred: { readonly instance: HostedInstance; readonly tag: number }[] = [];

  /** There is something to tell. */
  get pending(): boolean {
    return this.#handled.length + this.#tags.length + this.#failed.length + this.#deferred.length > 0;
  }

  /** The instance has handled `count` more envelopes. */
  handled(instance: HostedInstance, count: number): void {
    if (instance.unacked === 0) this.#handled.push(instance);
    instance.unacked += count;
  }

  answered(tag: number, value: unknown): void {
    this.#tags.push(tag);
    this.#values.push(value);
  }

  failed(tag: number, error: unknown): void {
    this.#failed.push(tag, encodeError(error));
  }

  /** The ask was handled and is answered some time later. */
  deferred(instance: HostedInstance, tag: number): void {
    this.#deferred.push({ instance, tag });
  }

  /** Everything, once. */
  take(): Ack {
    const handled: number[] = [];
    for (const instance of this.#handled) {
      // The host has counted those of an instance that ended from the shared progress; the slot may be another's.
      if (!instance.ended) handled.push(instance.slot, instance.unacked);
      instance.unacked = 0;
    }
    this.#handled = [];
    const deferred: number[] = [];
    for (const { instance, tag } of this.#deferred) {
      if (instance.ended) this.failed(tag, instance.unanswered());
      else deferred.push(instance.slot, tag);
    }
    if (this.#tags.length + this.#failed.length + deferred.length === 0) return [handled];
    // Every array costs its share of a round trip: those that would be empty at the end are left out.
    const ack: Ack =
      this.#failed.length + deferred.length === 0
        ? [handled, this.#tags, this.#values]
        : [handled, this.#tags, this.#values, this.#failed, deferred];
    this.#tags = [];
    this.#values = [];
    this.#failed = [];
    this.#deferred = [];
    return ack;
  }
}

/** The same ack with errors in place of those answers that cannot be cloned, so that they do not cost the others. */
export function clonableAck([handled, tags = [], values = [], failed = [], deferred = []]: Ack): Ack {
  const [good, copies, bad]: [number[], unknown[], unknown[]] = [[], [], [...failed]];
  tags.forEach((tag, i) => {
    const clone = tryClone(values[i]);
    if (clone === undefined) {
      bad.push(tag, encodeError(unclonableReply()));
    } else {
      good.push(tag);
      copies.push(clone.copy);
    }
  });
  return [handled, good, copies, bad, deferred];
}

function unclonableReply(): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    'the reply cannot be cloned (a function, actor or socket in it?); reply with plain data',
  );
}
