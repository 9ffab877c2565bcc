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
  /** Absent for an instance that a machine invokes, which gets an id of its own. */
  readonly id?: string;
  /** Whether somebody chose the id, and may ask for the address again. */
  readonly named?: boolean;
  /** Whether it is to continue from its record, and is not started without one. */
  readonly recorded?: boolean | undefined;
  readonly parent: 'machine' | 'pool';
  readonly input: unknown;
  /** The persisted state to continue from. */
  readonly snapshot?: PersistedState | undefined;
  /** The asks that the instance put off in another process and answers here. */
  readonly asks?: readonly AskToCarry[] | undefined;
}

export interface TwinEffects {
  create(request: InstanceRequest, twin: AnyActorRef): Instance;
  /** An observer threw, or nobody handled the error with which the instance ended. */
  observed(instance: Instance, error: unknown, what: 'observer' | 'actor'): void;
  /** Asks for a seat for the instance, whose twin runs. */
  begin(instance: Instance, twin: AnyActorRef): void;
}

/** The instance behind a twin, and the way to the twin. */
interface Standing {
  instance: Instance;
  /** Puts an event into the twin's own queue. */
  readonly queue: (event: AnyEventObject) => void;
  watched: boolean;
  /** The events sent since the twin was stopped, kept in case it starts again. */
  kept: AnyEventObject[];
}

const logics = new WeakSet<object>();

/** The `config` that all twin logic of an agent has in common. */
const configs = new WeakMap<ResolvedAgent, object>();

/**
 * Returns the one `config` of an agent's twin logic. @xstate/react takes logic with another `config` for that of another
 * actor, as with machines, and each call of `runtime.logic` makes new logic. Inspectors show the `id` of the `config`.
 */
function configOf(agent: ResolvedAgent): object {
  const known = configs.get(agent);
  if (known !== undefined) return known;
  const config = Object.freeze({ id: agent.name });
  configs.set(agent, config);
  return config;
}

/** Whether an actor is a twin; true from its creation on. */
export function isTwin(ref: AnyActorRef): boolean {
  const { logic } = ref as unknown as { logic?: object };
  return logic !== undefined && logics.has(logic);
}

/** Creates twin logic; each actor of it stands for an instance of its own. */
export function twinLogic(effects: TwinEffects, spec: Omit<InstanceRequest, 'input'>): TwinLogic {
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
        // A local actor keeps what it is sent before it starts, and so does a twin.
        if (!over || !isIdle(self)) inbox.accept(event);
        else if (twin.kept.length < agent.capacity) twin.kept.push(event);
        else inbox.unhandled.refuse(event, 0, 'mailbox-full');
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
        () => twin.instance.wake(),
      );
    },
    started(self, request) {
      const twin = standing.get(self);
      if (twin === undefined) return;
      if (twin.instance.over) {
        // XState's React bindings restart an actor that they stopped: the twin continues, with another instance.
        twin.instance = create(self, request);
        twin.instance.twin.bind(new StandingTwin(self, twin.queue));
        twin.instance.watch(twin.watched);
        for (const event of twin.kept.splice(0)) twin.instance.inbox.accept(event);
      } else if (twin.instance.phase !== 'starting') {
        // The instance was resumed, which has already asked for a seat.
        return;
      }
      effects.begin(twin.instance, self);
    },
    stopped(self) {
      const twin = standing.get(self);
      if (twin === undefined) return;
      const { instance } = twin;
      // React's strict mode starts the twin again at once, and the events that waited for its first start wait on.
      const left = instance.phase === 'starting' ? instance.inbox.takeQueued() : [];
      // That another runtime has continued it was told as a warning.
      instance.twinStopped().catch(() => {});
      if (left.length === 0) return;
      twin.kept = left;
      queueMicrotask(() => {
        if (twin.instance !== instance) return;
        const over = new Set(left);
        twin.kept = twin.kept.filter((event) => !over.has(event));
        for (const event of left) instance.inbox.unhandled.refuse(event, 0, 'stopped');
      });
    },
  });
  logics.add(logic);
  return Object.assign(logic, { config: configOf(spec.agent) });
}

/** A twin as its instance knows it. */
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

  /** Continues a twin that ended with the quarantine of its instance from where it was. */
  revive(): void {
    reviveActor(this.#self, revived(this.#self.getSnapshot()));
  }
}
