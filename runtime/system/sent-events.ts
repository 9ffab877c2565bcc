import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { isReserved } from '../base/reserved-types.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import { notStarted } from '../dead-letters/refusal.ts';
import { isEvent } from '../instance/inbox.ts';
import type { Instance } from '../instance/instance.ts';
import { measure } from '../mailbox/size.ts';
import type { EncodedState } from '../store/durable-store.ts';
import type { Sent, SentEvent } from '../store/sent-event.ts';
import { decodeEvent } from '../wire/encoded-state.ts';

export interface SentEventsOptions {
  readonly deadLetters: () => DeadLetters;
  readonly instanceAt: (address: string) => Instance | undefined;
  readonly agentOf: (address: string) => ResolvedAgent | undefined;
  /** Whether instances of the agent are durable when their ids are given. */
  readonly isDurable: (agent: ResolvedAgent) => boolean;
  /** Returns the keys that lead to the value of a secret, which must not be stored; `undefined` for none. */
  readonly secretIn: (event: EncodedState) => readonly string[] | undefined;
  /** Starts the instance at an address for one of the other address, unless it is there. */
  readonly activate: (from: string, address: string) => Promise<void>;
}

/** The events between agents that go by way of the host, because their senders are durable. */
export class SentEvents {
  readonly #options: SentEventsOptions;

  constructor(options: SentEventsOptions) {
    this.#options = options;
  }

  /** Takes an event that a thread says an instance of it has sent; of one that is refused it makes a letter. */
  readonly admit = ([to, encoded, , activate]: Sent): Pick<SentEvent, 'event' | 'isPlain'> | undefined => {
    const { agentOf, secretIn } = this.#options;
    let event: unknown;
    try {
      event = decodeEvent(encoded);
    } catch {
      this.#refuse(to, undefined, 'unclonable');
      return undefined;
    }
    const isPlain = !this.#keepsRows(to, activate);
    if (!isEvent(event)) this.#refuse(to, event, 'unclonable');
    else if (isReserved(event.type)) this.#refuse(to, event, 'reserved');
    else if (measure(event, agentOf(to)?.maxBytes ?? Infinity) === 'too-large')
      this.#refuse(to, { type: event.type }, 'too-large');
    else if (!isPlain && secretIn(encoded) !== undefined) this.#refuse(to, event, 'secret');
    else return { event, isPlain };
    return undefined;
  };

  /** Whether events for an address are kept until they are handled. What is started for one has no record before it. */
  #keepsRows(to: string, activate: boolean): boolean {
    const { instanceAt, agentOf, isDurable } = this.#options;
    const instance = instanceAt(to);
    if (instance !== undefined) return instance.continuation.durable;
    const agent = agentOf(to);
    return !activate && agent !== undefined && isDurable(agent);
  }

  /** Hands over an event that is committed. `unknown`: nobody is there, and the store has made a letter of the row. */
  readonly hand = (sent: SentEvent, unknown: boolean): void => {
    const { instanceAt, activate } = this.#options;
    const { to, from = '' } = sent.row;
    if (!unknown && sent.activate && instanceAt(to)?.over !== false)
      activate(from, to).catch((error: unknown) =>
        this.#refuse(to, sent.event, 'unknown-address', notStarted(error)),
      );
    const instance = instanceAt(to);
    if (instance !== undefined && !unknown) instance.inbox.acceptFrom(sent);
    else if (!sent.activate) this.#refuse(to, sent.event, 'unknown-address');
  };

  #refuse(address: string, event: unknown, reason: DeadLetterReason, why?: string): void {
    this.#options.deadLetters().add({
      address,
      reason,
      event,
      incarnation: this.#options.instanceAt(address)?.incarnation ?? 0,
      ...(why !== undefined && { why }),
    });
  }
}
