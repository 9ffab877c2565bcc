import type { Subscription } from 'xstate';
import type { ThreadCause } from '../../actors/thread.ts';
import { oneOf, type Rule } from '../base/call-check.ts';
import { callUser } from '../base/user-call.ts';
import type { DeadLetter } from '../dead-letters/dead-letters.ts';
import type { HoldfastError } from '../base/errors.ts';
import type { PoolEvidence } from '../threads/pool-errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { StopReason } from '../base/endings.ts';
import type { QuarantineEvidence } from '../instance/quarantine.ts';
import type { SecretEvent } from '../secrets/secret-event.ts';

/** A failure that the runtime could not recover from by itself. */
export type Escalation =
  | {
      /** An instance failed too often and was quarantined. */
      readonly kind: 'instance';
      readonly address: string;
      /** The `threadId` of its pool. */
      readonly threadId: string;
      /** `AGENT_QUARANTINED`; its `cause` is the last failure. */
      readonly error: HoldfastError;
      readonly evidence: QuarantineEvidence;
    }
  | {
      /** The pool starts no more threads: too many failed to start, or too many of its instances were quarantined. */
      readonly kind: 'pool';
      readonly address?: undefined;
      readonly threadId: string;
      /** The error `POOL_EXHAUSTED`. */
      readonly error: HoldfastError;
      readonly evidence: PoolEvidence;
    };

/**
 * The events of `runtime.on`, by type. They carry no payload but the event of a dead letter, and never the value of a
 * secret.
 */
export interface RuntimeEvents {
  'dead-letter': DeadLetter;
  thread: {
    readonly threadId: string;
    /** `holdfast:<threadId>:<n>` */
    readonly name: string;
    readonly state: 'starting' | 'ready' | 'exited';
    /** Only with `exited`. */
    readonly cause?: ThreadCause;
  };
  agent: {
    readonly address: string;
    readonly incarnation: number;
    /**
     * `moving`: the instance moves to another thread as the same incarnation; `running` follows when it runs there.
     * `passive`: it has left memory, and is in the store; `running` follows, as the same incarnation, when it wakes.
     */
    readonly state: 'running' | 'moving' | 'passive' | 'restarting' | 'quarantined' | 'ended';
    /** Only with `restarting`: why the incarnation ended. */
    readonly reason?: StopReason;
  };
  escalation: Escalation;
  secret: {
    readonly type: SecretEvent['type'];
    readonly address: string;
    readonly label: string;
    readonly epoch: number;
    /** Absent when no version was ever fetched. */
    readonly versionId?: string;
    readonly cause: SecretEvent['cause'];
  };
  warning: { readonly message: string; readonly [field: string]: unknown };
}

const types: Readonly<Record<keyof RuntimeEvents, true>> = {
  'dead-letter': true,
  thread: true,
  agent: true,
  escalation: true,
  secret: true,
  warning: true,
};

/** The rule for a type of event of `runtime.on`. */
export const runtimeEvent: Rule = oneOf(Object.keys(types));

export type RuntimeListener<K extends keyof RuntimeEvents> = (event: RuntimeEvents[K]) => void;

/**
 * Emits the events of `runtime.on` without the values of secrets. A listener that throws or rejects is logged, and
 * disturbs neither the others nor the runtime.
 */
export class EventHub {
  readonly #listeners = new Map<keyof RuntimeEvents, Set<(event: never) => void>>();
  readonly #logger: Logger;
  readonly #scrubber: Pick<Scrubber, 'scrub'>;

  constructor(logger: Logger, scrubber: Pick<Scrubber, 'scrub'>) {
    this.#logger = logger;
    this.#scrubber = scrubber;
  }

  on<K extends keyof RuntimeEvents>(type: K, listener: RuntimeListener<K>): Subscription {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    listeners.add(listener);
    return { unsubscribe: () => void listeners.delete(listener) };
  }

  emit<K extends keyof RuntimeEvents>(type: K, event: RuntimeEvents[K]): void {
    const listeners = this.#listeners.get(type);
    if (listeners === undefined || listeners.size === 0) return;
    const shown = this.#scrubber.scrub(event);
    for (const listener of listeners) {
      const failed = (error: unknown): void =>
        this.#logger.error({ type, error }, 'a runtime.on listener threw');
      callUser(() => (listener as RuntimeListener<K>)(shown) as unknown, failed);
    }
  }
}
