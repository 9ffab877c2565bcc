import type { AnyActorRef, AnyEventObject } from 'xstate';
import {
  createTwinLogic,
  revived,
  TwinSnapshot,
  UnknownSnapshot,
  type TwinLogic,
  type TwinRequest,
  type TwinState,
} from '../../actors/twin.ts';
import type { AskToCarry } from './carried-asks.ts';
import type { ResolvedAgent } from '../config/resolve.ts';
import type { Instance } from './instance.ts';
import type { Twin } from './twin-line.ts';
import type { PersistedState } from '../xstate/persisted-timer.ts';
import {
  emitFrom,
  interceptEvents,
  isIdle,
  putSnapshot,
  reviveActor,
  sendToParent,
  watchObservers,
} from '../xstate/xstate5.ts';

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
  /** What it put off in another process, and answers here. */
  readonly asks?: readonly AskToCarry[] | undefined;
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
  /** What was sent to it since it was stopped, for when it starts again. */
  kept: AnyEventObject[];
}

const logics = new WeakSet<object>();

/** By agent of a runtime, what its logics are known by. */
const configs = new WeakMap<ResolvedAgent, object>();

/**
 * As with a machine: @xstate/react takes logic with another `config` for another actor's, and each call of
 * `runtime.logic` makes logic anew; inspectors show its `id`.
 */
function configOf(agent: ResolvedAgent): object {
  const known = configs.get(agent);
  if (known !== undefined) return known;
  const config = Object.freeze({ id: agent.name });
  configs.set(agent, config);
  return config;
}

/** It stands for an instance; known from its first moment on. */
export function isTwin(ref: AnyActorRef): boolean {
  const { logic } = ref as unknown as { logic?: object };
  return logic !== undefined && logics.has(logic);
}

/** Twin logic whose every actor stands for an instance of its own. */
export function twinLogic(
  effects: TwinEffects,
  spec: Pick<InstanceRequest, 'agent' | 'id' | 'named' | 'parent' | 'snapshot' | 'asks'>,
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
      const queue = interceptEvents(self, (event) => {
        const { over, inbox, agent } = twin.instance;
        // As a local actor keeps what it is sent before it starts.
        if (!over || !isIdle(self)) inbox.accept(event);
        else if (twin.kept.length < agent.capacity) twin.kept.push(event);
        else inbox.refuse(event, 0, 'mailbox-full');
      });
      const twin: Standing = { instance, queue, watched: false, kept: [] };
      standing.set(self, twin);
      instance.twin.bind(new StandingTwin(self, queue));
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
        twin.instance.twin.bind(new StandingTwin(self, twin.queue));
        twin.instance.watch(twin.watched);
        for (const event of twin.kept.splice(0)) twin.instance.inbox.accept(event);
      } else if (twin.instance.phase !== 'starting') {
        // It was resumed; its place is found by whoever did that.
        return;
      }
      effects.begin(twin.instance, self);
    },
    stopped(self) {
      const twin = standing.get(self);
      if (twin === undefined) return;
      const { instance } = twin;
      // In strict mode React starts it again at once, and what had waited for its first start waits on.
      const left = instance.phase === 'starting' ? instance.inbox.takeQueued() : [];
      void instance.twinStopped();
      if (left.length === 0) return;
      twin.kept = left;
      queueMicrotask(() => {
        if (twin.instance !== instance) return;
        const over = new Set(left);
        twin.kept = twin.kept.filter((event) => !over.has(event));
        for (const event of left) instance.inbox.refuse(event, 0, 'stopped');
      });
    },
  });
  logics.add(logic);
  return Object.assign(logic, { config: configOf(spec.agent) });
}

/** A twin, as its instance knows it. */
class StandingTwin implements Twin {
  readonly #self: AnyActorRef;
  readonly #queue: (event: AnyEventObject) => void;

  constructor(self: AnyActorRef, queue: (event: AnyEventObject) => void) {
    this.#self = self;
    this.#queue = queue;
  }

  queue(event: AnyEventObject): void {
    this.#queue(event);
  }

  advance(state: Partial<TwinState>): void {
    const known = this.#self.getSnapshot() as TwinState;
    if (known.status === 'active') putSnapshot(this.#self, new TwinSnapshot({ ...known, ...state }));
  }

  emit(event: AnyEventObject): void {
    emitFrom(this.#self, event);
  }

  sendToParent(event: AnyEventObject): boolean {
    return sendToParent(this.#self, event);
  }

  /** One that ended with the quarantine of its instance goes on where it was. */
  revive(): void {
    reviveActor(this.#self, revived(this.#self.getSnapshot()));
  }
}
