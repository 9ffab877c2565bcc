import type { AnyActorRef } from 'xstate';
import { createTwinLogic, type TwinLogic } from '../actors/twin.ts';
import type { ResolvedAgent } from './config/resolve.ts';
import type { Instance } from './instance.ts';
import { interceptEvents, watchObservers } from './xstate/xstate5.ts';

/** A request for a new instance. */
export interface InstanceRequest {
  readonly agent: ResolvedAgent;
  /** Absent for an instance that a machine invokes: it gets an id of its own. */
  readonly id?: string;
  readonly parent: 'machine' | 'pool';
  readonly input: unknown;
  /** What XState persisted of it, to continue from. */
  readonly snapshot?: unknown;
}

export interface TwinEffects {
  create(request: InstanceRequest, twin: AnyActorRef): Instance;
  /** An observer threw, or nobody took the error the instance ended with. */
  observed(instance: Instance, error: unknown, what: 'observer' | 'actor'): void;
  /** Its twin runs: find it a place. */
  begin(instance: Instance, twin: AnyActorRef): void;
}

/** Twin logic whose every actor stands for an instance of its own. */
export function twinLogic(
  effects: TwinEffects,
  spec: Pick<InstanceRequest, 'agent' | 'id' | 'parent' | 'snapshot'>,
): TwinLogic {
  const instances = new WeakMap<AnyActorRef, Instance>();
  return createTwinLogic({
    created(self, { input, snapshot }) {
      const request = { ...spec, input, snapshot: snapshot ?? spec.snapshot };
      const instance = effects.create(request, self);
      instances.set(self, instance);
      const queue = interceptEvents(self, (event) => instance.accept(event));
      instance.bind({ self, queue });
      watchObservers(
        self,
        (watched) => instance.watch(watched),
        (error, what) => effects.observed(instance, error, what),
      );
    },
    started(self) {
      const instance = instances.get(self);
      if (instance !== undefined) effects.begin(instance, self);
    },
    stopped(self) {
      void instances.get(self)?.twinStopped();
    },
  });
}
