import type { AnyActorRef, AnyEventObject } from 'xstate';
import {
  createTwinLogic,
  revived,
  TwinSnapshot,
  UnknownSnapshot,
  type TwinLogic,
  type TwinRequest,
  type TwinState,
} from '../actors/twin.ts';
import type { ResolvedAgent } from './config/resolve.ts';
import type { Instance, TwinLine } from './instance.ts';
import type { PersistedState } from './xstate/persisted-timer.ts';
import { interceptEvents, putSnapshot, reviveActor, watchObservers } from './xstate/xstate5.ts';

/** A request for a new instance. */
export interface InstanceRequest {
  readonly agent: ResolvedAgent;
  /** Absent for an instance that a machine invokes: it gets an id of its own. */
  readonly id?: string;
  /** Somebody chose the id, and may ask for the address again. */
  readonly named?: boolean;
  readonly parent: 'machine' | 'pool';
  readonly input: unknown;
  /** What was persisted of it, to continue from. */
  readonly snapshot?: PersistedState | undefined;
}

export interface TwinEffects {
  create(request: InstanceRequest, twin: AnyActorRef): Instance;
  /** An observer threw, or nobody took the error the instance ended with. */
  observed(instance: Instance, error: unknown, what: 'observer' | 'actor'): void;
  /** Its twin runs: find it a place. */
  begin(instance: Instance, twin: AnyActorRef): void;
}

/** What stands behind a twin. */
interface Standing {
  instance: Instance;
  /** The way to the twin's own queue. */
  readonly queue: (event: AnyEventObject) => void;
  watched: boolean;
}

const logics = new WeakSet<object>();

/** It stands for an instance; known from its first moment on. */
export function isTwin(ref: AnyActorRef): boolean {
  const { logic } = ref as unknown as { logic?: object };
  return logic !== undefined && logics.has(logic);
}

/** Twin logic whose every actor stands for an instance of its own. */
export function twinLogic(
  effects: TwinEffects,
  spec: Pick<InstanceRequest, 'agent' | 'id' | 'named' | 'parent' | 'snapshot'>,
): TwinLogic {
  const standing = new WeakMap<AnyActorRef, Standing>();
  const create = (self: AnyActorRef, { input, snapshot }: TwinRequest): Instance =>
    effects.create(
      { ...spec, input, snapshot: snapshot === undefined ? spec.snapshot : { snapshot, timers: [] } },
      self,
    );
  const logic = createTwinLogic({
    created(self, request) {
      const instance = create(self, request);
      const queue = interceptEvents(self, (event) => twin.instance.inbox.accept(event));
      const twin: Standing = { instance, queue, watched: false };
      standing.set(self, twin);
      instance.bind(lineTo(self, queue));
      watchObservers(
        self,
        (watched) => {
          twin.watched = watched;
          twin.instance.watch(watched);
        },
        (error, what) => effects.observed(twin.instance, error, what),
        (snapshot) => !(snapshot instanceof UnknownSnapshot),
      );
    },
    started(self, request) {
      const twin = standing.get(self);
      if (twin === undefined) return;
      if (twin.instance.over) {
        // XState's React bindings start an actor again that they stopped: it goes on, as another instance.
        twin.instance = create(self, request);
        twin.instance.bind(lineTo(self, twin.queue));
        twin.instance.watch(twin.watched);
      } else if (twin.instance.phase !== 'starting') {
        // It was resumed; its place is found by whoever did that.
        return;
      }
      effects.begin(twin.instance, self);
    },
    stopped(self) {
      void standing.get(self)?.instance.twinStopped();
    },
  });
  logics.add(logic);
  return logic;
}

function lineTo(self: AnyActorRef, queue: (event: AnyEventObject) => void): TwinLine {
  return {
    self,
    queue,
    advance(state) {
      const known = self.getSnapshot() as TwinState;
      if (known.status === 'active') putSnapshot(self, new TwinSnapshot({ ...known, ...state }));
    },
    // One that ended with the quarantine of its instance goes on where it was.
    revive: () => reviveActor(self, revived(self.getSnapshot())),
  };
}
