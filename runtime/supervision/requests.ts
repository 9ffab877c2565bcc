import type { Placeable } from '../../actors/placement.ts';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import type { Clock } from '../base/clock.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import { placementOf } from '../threads/pool-errors.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Instance } from '../instance/instance.ts';
import { LargeEvents } from './large-events.ts';
import type { Logger } from '../base/logger.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import type { PeerBroker } from '../threads/peer-broker.ts';
import type { EventHub } from '../telling/runtime-events.ts';
import type { Seat } from '../threads/seats.ts';
import type { SecretsBroker } from '../secrets/broker.ts';
import type { Scrubber } from '../secrets/scrub/scrubber.ts';
import type { Snapshots } from '../store/snapshots.ts';
import type { MessageTelemetry } from '../telemetry/messages.ts';
import type { StopReason } from '../instance/watchers.ts';

/** Milliseconds after which one that moves asks again for a place, when there was no thread for it. */
const PLACE_AGAIN_MS = 1000;

/** What an instance has its runtime do. */
export interface InstanceEffects {
  readonly clock: Clock;
  readonly waiting: Waiting;
  readonly deadLetters: DeadLetters;
  /** Knows what no error and no saved state may carry. */
  readonly scrubber: Scrubber;
  /** Tells of what is sent, if somebody listens. */
  readonly messages?: Pick<MessageTelemetry, 'begin'> | undefined;
  /** Gets every event, before it waits in the mailbox. */
  readonly sent?: ((event: object) => void) | undefined;
  /** Envelopes that other agents sent to this seat and were handled. */
  fromPeers(seat: Seat): number;
  /** Ask the supervisor for a place in the pool. */
  place(instance: Instance): void;
  /** An event is larger than the agent's `mailbox.warnBytes`. */
  large(instance: Instance, event: object, bytes: number): void;
  /** Give the place on thread `n` back to the pool. */
  release(instance: Instance, n: number): void;
  /** Why nothing more is let in anywhere, if that is so. */
  draining(): Error | undefined;
  /** Have the supervisor decide what becomes of it. */
  ended(
    instance: Instance,
    kind: 'done' | 'failed',
    how: { readonly reason: StopReason; readonly error: unknown },
  ): void;
  /** Have the supervisor begin anew with a quarantined one. Throws when the runtime stops. */
  resume(instance: Instance): void;
  /** It runs, in its thread. */
  running(instance: Instance): void;
  /** It has left thread `from` of its pool, which is being replaced, and needs another place. */
  moving(instance: Instance, from: number): void;
  /** It has left its thread, and no other can be started: ask again for a place. */
  placeLater(instance: Instance): void;
  /** It was ended with another of its group. */
  down(instance: Instance): void;
  /** It is quarantined. */
  quarantined(instance: Instance): void;
  /** It is gone for good. */
  gone(instance: Instance): void;
  /** Somebody who watches it threw. */
  watcherThrew(instance: Instance, error: unknown): void;
}

export interface InstanceEffectsOptions extends Pick<
  InstanceEffects,
  'clock' | 'waiting' | 'deadLetters' | 'scrubber' | 'messages' | 'sent' | 'draining'
> {
  readonly tell: (event: SupervisorEvent) => void;
  readonly hub: EventHub;
  readonly logger: Logger;
  readonly broker: PeerBroker;
  readonly secrets: () => SecretsBroker;
  readonly snapshots: Snapshots;
  readonly warn: (fields: object, message: string) => void;
  /** Throws when the runtime is about to stop. */
  readonly assertRunning: () => void;
  /** The address is free again. */
  readonly forget: (instance: Instance) => void;
}

/** What instances have their runtime do, the same for all of them. */
export function instanceEffects(options: InstanceEffectsOptions): InstanceEffects {
  const { clock, waiting, deadLetters, scrubber, messages, sent, draining, tell, hub, logger, broker } =
    options;
  const { secrets, snapshots, warn, assertRunning, forget } = options;
  const largeEvents = new LargeEvents(warn);
  return {
    clock,
    waiting,
    deadLetters,
    scrubber,
    messages,
    sent,
    draining,
    fromPeers: (seat) => broker.handled(seat),
    large: ({ address, agent }, event, bytes) => largeEvents.seen(agent, address, event, bytes),
    place: (instance) => tell({ type: 'instance.place', ...placeable(instance) }),
    release: ({ agent: { threadId } }, n) => tell({ type: 'instance.release', threadId, n }),
    ended(instance, kind, { reason, error }) {
      const { address, supervision: policy, incarnation } = instance;
      const [at, random] = [clock.now(), clock.random()];
      const of = { ...placeable(instance), group: groupOf(instance) };
      const replaced = kind === 'failed' && reason === 'stopped';
      secrets().suspend(address);
      tell({ type: 'instance.failed', ...of, reason: replaced ? 'replaced' : kind, policy, at, random });
      // Decided by now: it has ended for good, or waits for its restart.
      if (instance.over) return;
      // A thread that died is logged once, for all that were on it.
      if (kind === 'failed' && !isOfThread(error))
        logger.error({ address, incarnation, reason, error }, 'an instance failed and is restarted');
      hub.emit('agent', { address, incarnation, state: 'restarting', reason });
    },
    running(instance) {
      const { address, incarnation, supervision } = instance;
      const group = groupOf(instance);
      const temporary = supervision.restart === 'temporary';
      if (group !== undefined) tell({ type: 'instance.running', ...placeable(instance), group, temporary });
      hub.emit('agent', { address, incarnation, state: 'running' });
    },
    down(instance) {
      const { address, incarnation, over } = instance;
      const group = groupOf(instance);
      secrets().suspend(address);
      if (!over) hub.emit('agent', { address, incarnation, state: 'restarting', reason: 'stopped' });
      if (group !== undefined) tell({ type: 'instance.down', address, group });
    },
    moving(instance, from) {
      const { address, incarnation } = instance;
      hub.emit('agent', { address, incarnation, state: 'moving' });
      const wanted = placeable(instance);
      const anywhere = wanted.placement === undefined || wanted.placement.kind === 'fewest';
      const placement = anywhere ? ({ kind: 'replacement', of: from } as const) : wanted.placement;
      tell({ type: 'instance.place', ...wanted, placement, moving: true });
    },
    placeLater(instance) {
      const again = (): void => {
        if (instance.phase === 'moving')
          tell({ type: 'instance.place', ...placeable(instance), moving: true });
      };
      clock.unref?.(clock.setTimeout(again, PLACE_AGAIN_MS));
    },
    resume(instance) {
      assertRunning();
      tell({ type: 'instance.resume', ...placeable(instance), group: groupOf(instance) });
    },
    quarantined({ address, incarnation }) {
      secrets().close(address);
      hub.emit('agent', { address, incarnation, state: 'quarantined' });
    },
    gone(instance) {
      const { address, incarnation } = instance;
      forget(instance);
      secrets().close(address);
      snapshots.closed(address);
      tell({ type: 'instance.forget', address, group: groupOf(instance) });
      hub.emit('agent', { address, incarnation, state: 'ended' });
    },
    watcherThrew: ({ address }, error) => logger.error({ address, error }, 'a listener of watch threw'),
  };
}

function isOfThread(error: unknown): boolean {
  return error instanceof HoldfastError && error.code.startsWith('THREAD_');
}

/** An instance, for its supervisor. */
function placeable({ address, agent, id }: Instance): Placeable {
  return { address, threadId: agent.threadId, placement: placementOf(agent, id) };
}

/** Those of an agent live and fail together, when its strategy says so. */
function groupOf({ agent, supervision }: Instance): string | undefined {
  return (supervision.strategy ?? 'one-for-one') === 'one-for-one' ? undefined : agent.name;
}
