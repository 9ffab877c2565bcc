import type { Placeable } from '../../actors/placement.ts';
import type { SupervisorEvent } from '../../actors/supervisor.ts';
import type { InstanceFacts } from '../instance/instance-effects.ts';

/** An instance that asked for a seat, as it was then. */
interface Asking {
  readonly instance: InstanceFacts;
  readonly incarnation: number;
}

/**
 * Asks the supervisor for seats. The instances that ask in the same tick are told together, one event for each pool, since
 * what the machines take for one placement is more than for all of its effects.
 */
export class Placements {
  readonly #tell: (event: SupervisorEvent) => void;
  readonly #placeable: (instance: InstanceFacts) => Placeable;
  #asking: Asking[] = [];

  constructor(tell: (event: SupervisorEvent) => void, placeable: (instance: InstanceFacts) => Placeable) {
    this.#tell = tell;
    this.#placeable = placeable;
  }

  /** Asks for a seat at the end of the tick, unless the instance needs none by then. */
  add(instance: InstanceFacts): void {
    this.#asking.push({ instance, incarnation: instance.incarnation });
    if (this.#asking.length === 1) queueMicrotask(this.#send);
  }

  readonly #send = (): void => {
    const pools = new Map<string, Placeable[]>();
    for (const { instance, incarnation } of this.#asking.splice(0)) {
      const { phase } = instance;
      // One that was stopped, or ended with its group, asks again if it ever goes on.
      if ((phase !== 'starting' && phase !== 'moving') || instance.incarnation !== incarnation) continue;
      const wanted: Placeable = { ...this.#placeable(instance), ...(phase === 'moving' && { moving: true }) };
      const others = pools.get(wanted.threadId);
      if (others === undefined) pools.set(wanted.threadId, [wanted]);
      else others.push(wanted);
    }
    for (const [threadId, wanted] of pools) {
      if (wanted.length === 1) this.#tell({ type: 'instance.place', ...(wanted[0] as Placeable) });
      else this.#tell({ type: 'instance.place.all', threadId, wanted });
    }
  };
}
