import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import { isReserved } from '../base/reserved-types.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { HoldfastError } from '../base/errors.ts';
import { notStarted, refusal } from '../dead-letters/refusal.ts';
import { isEvent } from '../instance/admission.ts';
import type { Instance } from '../instance/instance.ts';
import { measure } from '../mailbox/size.ts';
import type { EncodedState } from '../store/durable-store.ts';
import { letterIdOf } from '../store/row-letter.ts';
import type { AwaitedOutcome, Place, Sent, SentEvent } from '../store/sent-event.ts';
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
  /** Asks an instance that runs on another node; undefined: the address is not another node's. */
  readonly askAway: (
    address: string,
    sent: Pick<SentEvent, 'event' | 'row' | 'headers'>,
    awaited: Pick<AwaitedOutcome, 'kind' | 'deadline' | 'depth'>,
  ) => Promise<unknown> | undefined;
  /** Wakes the instance at an address that is in the store; undefined when there is nothing to wait for. Never rejects. */
  readonly rouse: (address: string) => Promise<void> | undefined;
}

/** The events between agents that go by way of the host, because their senders are durable. */
export class SentEvents {
  readonly #options: SentEventsOptions;
  /** The starts of the recipients of events whose outcome is waited for. */
  readonly #starts = new WeakMap<SentEvent, Promise<void>>();

  constructor(options: SentEventsOptions) {
    this.#options = options;
  }

  /** Takes an event that a thread says an instance of it has sent; of one that is refused it makes a letter. */
  readonly admit = ([to, encoded, , , wait]: Sent): Pick<SentEvent, 'event' | 'isPlain'> | HoldfastError => {
    const { agentOf, secretIn } = this.#options;
    let event: unknown;
    try {
      event = decodeEvent(encoded);
    } catch {
      return this.#refuse(to, undefined, 'unclonable');
    }
    const isPlain = wait !== undefined || !this.#keepsRows(to);
    if (!isEvent(event)) return this.#refuse(to, event, 'unclonable');
    if (isReserved(event.type)) return this.#refuse(to, event, 'reserved');
    if (measure(event, agentOf(to)?.maxBytes ?? Infinity) === 'too-large')
      return this.#refuse(to, { type: event.type }, 'too-large');
    if (!isPlain && secretIn(encoded) !== undefined) return this.#refuse(to, event, 'secret');
    return { event, isPlain };
  };

  /** Whether events for an address are kept until they are handled. */
  #keepsRows(to: string): boolean {
    const { instanceAt, agentOf, isDurable } = this.#options;
    const instance = instanceAt(to);
    if (instance !== undefined) return instance.continuation.durable;
    const agent = agentOf(to);
    return agent !== undefined && isDurable(agent);
  }

  /** Has the recipient of an event come into memory; undefined when there is nothing to wait for. */
  readonly summon = (sent: SentEvent): Promise<void> | undefined => {
    const { instanceAt, activate, rouse } = this.#options;
    const { to, from = '' } = sent.row;
    const instance = instanceAt(to);
    if (!sent.activate) return instance === undefined ? rouse(to) : undefined;
    if (instance?.over === false) return undefined;
    const start = activate(from, to);
    this.#starts.set(sent, start);
    return start;
  };

  /** Hands over an event that is committed. */
  readonly hand = (sent: SentEvent, place: Place, error?: unknown): void => {
    const { instanceAt, activate } = this.#options;
    const { to, from = '' } = sent.row;
    if (sent.awaited !== undefined) return this.#ask(sent, sent.awaited, place, error);
    if (place === 'letter' || place === 'full') return this.#stays(sent, place, error);
    if (sent.activate && instanceAt(to)?.over !== false)
      activate(from, to).catch(
        (error: unknown) => void this.#refuse(to, sent.event, 'unknown-address', notStarted(error)),
      );
    const instance = instanceAt(to);
    if (instance !== undefined) instance.inbox.acceptFrom(sent, place);
    else if (!sent.activate) this.#refuse(to, sent.event, 'unknown-address');
  };

  #ask(sent: SentEvent, awaited: AwaitedOutcome, place: Place, error: unknown): void {
    const { to } = sent.row;
    const instance = this.#options.instanceAt(to);
    if (error !== undefined) {
      this.#refuse(to, sent.event, instance === undefined ? 'unknown-address' : 'stopped', notStarted(error));
      awaited.failed(error);
    } else if (instance === undefined) {
      const asked = this.#options.askAway(to, sent, awaited);
      if (asked === undefined) awaited.failed(this.#refuse(to, sent.event, 'unknown-address'));
      else asked.then(awaited.answered, awaited.failed);
    } else {
      const start = this.#starts.get(sent);
      instance.inbox.openFrom(sent, awaited, place).then(awaited.answered, (error: unknown) =>
        // Why it could not be started says more than that it has ended.
        start === undefined ? awaited.failed(error) : start.then(() => awaited.failed(error), awaited.failed),
      );
    }
  }

  /**
   * Lists the letter that the store has made of an event, whose recipient is not there, could not be started, or has as many
   * events as it may.
   */
  #stays({ row: { n, to }, event }: SentEvent, place: 'letter' | 'full', error: unknown): void {
    const why = error === undefined ? undefined : notStarted(error);
    this.#refuse(to, event, place === 'full' ? 'mailbox-full' : 'unknown-address', why, letterIdOf(n));
  }

  /** Makes a letter of an event, and returns the error for who waits for its outcome. */
  #refuse(
    address: string,
    event: unknown,
    reason: DeadLetterReason,
    why?: string,
    kept?: string,
  ): HoldfastError {
    this.#options.deadLetters().add({
      address,
      reason,
      event,
      incarnation: this.#options.instanceAt(address)?.incarnation ?? 0,
      kept,
      ...(why !== undefined && { why }),
    });
    return refusal(address, reason, undefined, why);
  }
}
