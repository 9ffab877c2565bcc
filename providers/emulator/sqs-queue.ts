import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { SecretsManagerEventEnvelope } from './secrets-manager-events.ts';

/** Events that a queue's rule let through and that wait outside the queue. */
export interface HeldEvents {
  readonly events: readonly SecretsManagerEventEnvelope[];
  /**
   * Puts into the queue what `pick` makes of them, and holds no more: `(events) => events.toReversed()` for another
   * order, `[...events, ...events]` for duplicates, `[]` for loss. Default: all of them, as they came.
   */
  release(
    pick?: (events: readonly SecretsManagerEventEnvelope[]) => readonly SecretsManagerEventEnvelope[],
  ): void;
}

/** A standard SQS queue of the emulator, fed by a rule of its event bus. */
export interface EmulatedQueue {
  /** The `QueueUrl`; its host is the endpoint for the SDK. */
  readonly url: string;
  readonly arn: string;
  /** Messages that a receive would get now. */
  readonly waiting: number;
  /** Messages that were received, and neither deleted nor visible again. */
  readonly inFlight: number;
  /** Puts in any text; an object as its JSON. */
  send(body: string | object): void;
  /** Has events wait outside from now on. */
  hold(): HeldEvents;
  /** Ends the visibility time out of all messages in flight: they are received again. */
  returnInFlight(): void;
}

/** A message as ReceiveMessage answers it. */
export interface ReceivedMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly MD5OfBody: string;
  readonly Body: string;
}

interface StoredMessage {
  readonly id: string;
  readonly body: string;
  visibleAt: number;
  receipt: string | undefined;
}

/** The queue as its operations see it. */
export interface QueueStore extends EmulatedQueue {
  readonly name: string;
  /** An event of the bus for this queue: goes in, or is held. */
  deliver(event: SecretsManagerEventEnvelope): void;
  /** Adds a message. Returns its id. */
  add(body: string, delayMs: number): string;
  /** Takes what is visible, at most `count`, out of sight for so long; without any waits until there is, or `waitMs`. */
  receive(
    count: number,
    visibilityMs: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<ReceivedMessage[]>;
  /** By the receipt of the last receive; an older one deletes nothing. */
  remove(receipt: string): void;
}

/** Where a queue is. */
export interface QueuePlace {
  readonly origin: string;
  readonly region: string;
  readonly accountId: string;
}

/** @param now milliseconds since the epoch */
export function createQueue(name: string, place: QueuePlace, now: () => number): QueueStore {
  const messages = new Map<string, StoredMessage>();
  const waiters = new Set<() => void>();
  let held: SecretsManagerEventEnvelope[] | undefined;

  const visible = (): StoredMessage[] => [...messages.values()].filter(({ visibleAt }) => visibleAt <= now());
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  const add = (body: string, delayMs: number): string => {
    const message = { id: randomUUID(), body, visibleAt: now() + delayMs, receipt: undefined };
    messages.set(message.id, message);
    wake();
    return message.id;
  };
  const send = (body: string | object): void => {
    add(typeof body === 'string' ? body : JSON.stringify(body), 0);
  };

  /** Until something may have become visible, at the longest `waitMs`. */
  const change = (waitMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const next = Math.min(...[...messages.values()].map(({ visibleAt }) => visibleAt - now()));
      const timer = setTimeout(done, Math.max(1, Math.min(waitMs, next)));
      function done(): void {
        clearTimeout(timer);
        waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      }
      waiters.add(done);
      signal.addEventListener('abort', done);
    });

  return {
    name,
    url: `${place.origin}/${place.accountId}/${name}`,
    arn: `arn:aws:sqs:${place.region}:${place.accountId}:${name}`,
    get waiting() {
      return visible().length;
    },
    get inFlight() {
      return [...messages.values()].filter(
        ({ receipt, visibleAt }) => receipt !== undefined && visibleAt > now(),
      ).length;
    },
    send,
    hold() {
      const events: SecretsManagerEventEnvelope[] = [];
      held = events;
      return {
        events,
        release(pick = (all) => all) {
          held = undefined;
          for (const event of pick(events)) send(event);
        },
      };
    },
    returnInFlight() {
      for (const message of messages.values()) if (message.receipt !== undefined) message.visibleAt = now();
      wake();
    },
    deliver(event) {
      if (held === undefined) send(event);
      else held.push(event);
    },
    add,
    async receive(count, visibilityMs, waitMs, signal) {
      const deadline = performance.now() + waitMs;
      let found = visible();
      for (let left = waitMs; found.length === 0 && left > 0 && !signal.aborted;) {
        await change(left, signal);
        left = deadline - performance.now();
        found = visible();
      }
      // Whoever hung up gets nothing: the messages stay for the next.
      if (signal.aborted) return [];
      return found.slice(0, count).map((message) => {
        const receipt = `${message.id}.${randomBytes(12).toString('base64url')}`;
        message.receipt = receipt;
        message.visibleAt = now() + visibilityMs;
        return {
          MessageId: message.id,
          ReceiptHandle: receipt,
          MD5OfBody: md5(message.body),
          Body: message.body,
        };
      });
    },
    remove(receipt) {
      const message = messages.get(receipt.split('.')[0] ?? '');
      if (message?.receipt === receipt) messages.delete(message.id);
    },
  };
}

/** What SQS sends along with a body, and its clients compare. */
export function md5(body: string): string {
  return createHash('md5').update(body).digest('hex');
}
