import type { Placeable } from '../../actors/placement.ts';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import { placementOf } from '../threads/pool-errors.ts';
import { later } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { InstanceEffects, InstanceFacts } from '../instance/instance-effects.ts';
import { LargeEvents } from './large-events.ts';
import { Placements } from './placements.ts';
import type { Logger } from '../base/logger.ts';
import type { PeerBroker } from '../threads/peer-broker.ts';
import type { EventHub } from '../telling/runtime-events.ts';
import type { SecretsBroker } from '../secrets/broker.ts';
import type { Ledgers } from '../store/ledgers.ts';
import type { Snapshots } from '../store/snapshots.ts';

/** Milliseconds after which a moving instance asks again for a seat, when no thread could be started for it. */
const PLACE_AGAIN_MS = 1000;

export interface RequestsOptions extends Pick<
  InstanceEffects,
  'clock' | 'waiting' | 'deadLetters' | 'scrubber' | 'messages' | 'inspects' | 'sent' | 'draining'
> {
  /** As that of instances, when it is known. */
  readonly node: () => number | undefined;
  readonly tell: (event: SupervisorEvent) => void;
  readonly hub: EventHub;
  readonly logger: Logger;
  readonly broker: PeerBroker;
  readonly secrets: () => SecretsBroker;
  /** Ends the calls of tools of the incarnation at an address. */
  readonly endCalls: (address: string) => void;
  readonly snapshots: Snapshots;
  readonly ledgers: Ledgers | undefined;
  readonly warn: (fields: object, message: string) => void;
  /** Throws when the runtime is stopping. */
  readonly assertRunning: () => void;
  /** Frees the address. */
  /** Nothing is left of the instance; `failure` is what it ended with, if it failed. */
  readonly forget: (instance: InstanceFacts, failure?: unknown) => void;
  /** Keeps a passive instance for those only who hold it. */
  readonly shelve: (instance: InstanceFacts) => void;
  /** Gives a passive instance its address again, and a seat when its state is loaded; without `load` no more than that. */
  readonly unshelve: (instance: InstanceFacts, load: boolean) => void;
  /** Keeps a passive instance that is watched. */
  readonly watched: (instance: InstanceFacts) => void;
}

/**
 * The way up: the effects of instances on their runtime, one object for all of them. Most are events for the supervisor,
 * whose decisions come back by `decisions.ts`.
 */
export function requests(options: RequestsOptions): InstanceEffects {
  const { clock, node, waiting, deadLetters, scrubber, messages, sent, draining, tell, hub, logger, broker } =
    options;
  const { secrets, endCalls, snapshots, ledgers, warn, assertRunning, forget, inspects } = options;
  const { shelve, unshelve, watched } = options;
  const suspend = (address: string): void => {
    secrets().suspend(address);
    endCalls(address);
  };
  const close = (address: string): void => {
    secrets().close(address);
    endCalls(address);
  };
  const placements = new Placements(tell, placeable);
  const largeEvents = new LargeEvents(warn);
  return {
    clock,
    get node() {
      return node();
    },
    waiting,
    deadLetters,
    scrubber,
    messages,
    inspects,
    sent,
    draining,
    fromPeers: (seat) => broker.handled(seat),
    large: ({ address, agent }, event, bytes) => largeEvents.seen(agent, address, event, bytes),
    place: (instance) => placements.add(instance),
    passive(instance) {
      const { address, incarnation } = instance;
      shelve(instance);
      close(address);
      void ledgers?.closed(address);
      tell({ type: 'instance.forget', address, group: groupOf(instance) });
      hub.emit('agent', { address, incarnation, state: 'passive' });
    },
    waking: unshelve,
    watched,
    ended(instance, kind, { reason, error }) {
      const { address, supervision: policy, incarnation } = instance;
      const [at, random] = [clock.now(), clock.random()];
      const of = { ...placeable(instance), group: groupOf(instance) };
      const replaced = kind === 'failed' && reason === 'stopped';
      suspend(address);
      tell({ type: 'instance.failed', ...of, reason: replaced ? 'replaced' : kind, policy, at, random });
      // The supervisor has decided by now: the instance has ended for good, or waits for its restart.
      if (instance.over) return;
      // The death of a thread is logged once, for all of its instances.
      if (kind !== 'done' && !isOfThread(error))
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
      suspend(address);
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
      later(clock, again, PLACE_AGAIN_MS);
    },
    resume(instance) {
      assertRunning();
      tell({ type: 'instance.resume', ...placeable(instance), group: groupOf(instance) });
    },
    quarantined({ address, incarnation }) {
      close(address);
      hub.emit('agent', { address, incarnation, state: 'quarantined' });
    },
    gone(instance, error) {
      const { address, incarnation } = instance;
      forget(instance, error.cause);
      close(address);
      snapshots.closed(address);
      void ledgers?.closed(address, error);
      tell({ type: 'instance.forget', address, group: groupOf(instance) });
      hub.emit('agent', { address, incarnation, state: 'ended' });
    },
    watcherThrew: ({ address }, error) => logger.error({ address, error }, 'a listener of watch threw'),
  };
}

function isOfThread(error: unknown): boolean {
  return error instanceof HoldfastError && error.code.startsWith('THREAD_');
}

/** An instance as its supervisor needs it to find a thread. */
function placeable({ address, agent, id }: InstanceFacts): Placeable {
  return { address, threadId: agent.threadId, placement: placementOf(agent, id) };
}

/** The group of an instance: its agent, when the strategy of that makes its instances restart together. */
function groupOf({ agent, supervision }: InstanceFacts): string | undefined {
  return (supervision.strategy ?? 'one-for-one') === 'one-for-one' ? undefined : agent.name;
}
