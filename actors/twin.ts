import { matchesState, type ActorLogic, type AnyActorRef, type AnyEventObject, type Snapshot } from 'xstate';
import { HoldfastError } from '../runtime/base/errors.ts';

/** What a twin knows of its instance. Undefined parts have not been mirrored yet. */
export interface TwinState {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value: unknown;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  readonly tags: ReadonlySet<string>;
  readonly children: Readonly<Record<string, MirroredChild>>;
  /** What the instance began with; not mirrored, kept to begin anew when the twin is restored. */
  readonly input: unknown;
}

/** What the runtime tells a twin about its instance. */
export type TwinEvent =
  | { readonly type: 'holdfast.mirror'; readonly state: Partial<TwinState> }
  | { readonly type: 'holdfast.done'; readonly output: unknown; readonly state: Partial<TwinState> }
  | { readonly type: 'holdfast.failed'; readonly error: unknown; readonly state?: Partial<TwinState> };

/** What an instance begins with. */
export interface TwinRequest {
  readonly input: unknown;
  /** Continue from there, if it is defined. */
  readonly snapshot: unknown;
}

/** The runtime's side of a twin; nothing of it is known in `actors/`. */
export interface TwinPort {
  /** A twin was created, and may still be given observers before it starts. */
  created(self: AnyActorRef, request: TwinRequest): void;
  /** It starts: run its instance; or, when that was stopped, another one that goes on from what is known of it. */
  started(self: AnyActorRef, request: TwinRequest): void;
  /** Its parent stopped it: end the instance. */
  stopped(self: AnyActorRef): void;
}

/**
 * A child of an instance as it was mirrored: where it is and how it does. XState walks the children of an actor that
 * it stops, and so do its React bindings; to them this looks like an actor without children.
 */
export class MirroredChild {
  readonly id: string = '';
  readonly sessionId: string = '';
  readonly src: string | undefined = undefined;
  readonly status: string = 'active';

  constructor(child: Partial<Pick<MirroredChild, 'id' | 'sessionId' | 'src' | 'status'>>) {
    Object.assign(this, child);
  }

  getSnapshot(): { readonly status: string } {
    return { status: this.status };
  }

  send(): never {
    throw new HoldfastError(
      'NOT_MIRRORED',
      'a mirrored child cannot be sent to: send the agent an event that it passes on with sendTo()',
    );
  }
}

const NO_TAGS: ReadonlySet<string> = new Set();
const NO_CHILDREN: Readonly<Record<string, MirroredChild>> = Object.freeze({});

/** A mirrored snapshot. It answers what a machine's snapshot answers, without the machine. */
export class TwinSnapshot implements TwinState {
  readonly status: TwinState['status'] = 'active';
  readonly value: unknown = undefined;
  readonly context: unknown = undefined;
  readonly output: unknown = undefined;
  readonly error: unknown = undefined;
  readonly tags: ReadonlySet<string> = NO_TAGS;
  readonly children: Readonly<Record<string, MirroredChild>> = NO_CHILDREN;
  readonly input: unknown = undefined;

  constructor(state: Partial<TwinState>) {
    Object.assign(this, state);
  }

  matches(value: Parameters<typeof matchesState>[0]): boolean {
    return this.value !== undefined && matchesState(value, this.value as Parameters<typeof matchesState>[1]);
  }

  hasTag(tag: string): boolean {
    return this.tags.has(tag);
  }

  can(): never {
    throw new HoldfastError(
      'NOT_MIRRORED',
      'a mirrored snapshot cannot answer can(): guards live in the thread; use `await ref.can(event)`',
    );
  }

  getMeta(): Record<string, never> {
    return {};
  }

  toJSON(): object {
    const { status, value, context, output, error, tags } = this;
    return { status, value, context, output, error, tags: [...tags] };
  }
}

/**
 * A snapshot before the first mirror. No observer is given it: nothing is known yet, or of a restored twin no more than
 * was persisted, and a local actor's has its tags and children too.
 */
export class UnknownSnapshot extends TwinSnapshot {}

/** What a twin goes on with that had ended, when its instance begins anew. */
export function revived(state: TwinState): TwinSnapshot {
  const { value, context, input } = state;
  const known = value !== undefined || context !== undefined;
  return known
    ? new TwinSnapshot({ ...state, status: 'active', error: undefined })
    : new UnknownSnapshot({ input });
}

export type TwinLogic = ActorLogic<Snapshot<unknown> & TwinState, AnyEventObject, unknown>;

/**
 * The logic of a twin: the host-side actor that stands for an instance in its thread. It holds what was
 * mirrored and ends when the instance ends; user events never come here (the port takes them before).
 */
export function createTwinLogic(port: TwinPort): TwinLogic {
  const next = (state: TwinState, change: Partial<TwinState>): Snapshot<unknown> & TwinState =>
    new TwinSnapshot({ ...state, ...change }) as Snapshot<unknown> & TwinState;
  const unknown = (state: Partial<TwinState>): Snapshot<unknown> & TwinState =>
    new UnknownSnapshot(state) as Snapshot<unknown> & TwinState;
  // The form of a machine's own, which cannot be restored without `children`, and works its tags out itself.
  const persist = ({ status, value, context, output, error, input, tags }: TwinState): Snapshot<unknown> =>
    ({
      status,
      value,
      context,
      output,
      error,
      input,
      tags: [...tags],
      children: {},
    }) as unknown as Snapshot<unknown>;
  // Without a mirror nothing is known that the instance could continue from.
  const continued = (
    { value, context, input }: Partial<TwinState>,
    from: Snapshot<unknown>,
  ): TwinRequest => ({
    input,
    snapshot: value === undefined && context === undefined ? undefined : from,
  });

  return {
    getInitialSnapshot({ self }, input) {
      port.created(self, { input, snapshot: undefined });
      return unknown({ input });
    },
    start(state, { self }) {
      if (state.status === 'active') port.started(self, continued(state, persist(state)));
    },
    transition(state, event, { self }) {
      const known = event as TwinEvent | { type: 'xstate.stop' };
      switch (known.type) {
        case 'holdfast.mirror':
          return next(state, known.state);
        case 'holdfast.done':
          return next(state, { output: known.output, ...known.state, status: 'done' });
        case 'holdfast.failed':
          return next(state, { ...known.state, status: 'error', error: known.error });
        case 'xstate.stop':
          port.stopped(self);
          return next(state, { status: 'stopped' });
        default:
          return state;
      }
    },
    getPersistedSnapshot: persist,
    restoreSnapshot(persisted, { self }) {
      const { status, value, context, output, error, input, tags } = persisted as Partial<TwinState>;
      port.created(self, continued(persisted, persisted));
      // A snapshot of the agent's own kind has no tags.
      const known = {
        value,
        context,
        output,
        error,
        input,
        tags: new Set(Array.isArray(tags) ? (tags as string[]) : []),
      };
      if (status === 'active') return unknown(known);
      return next(new TwinSnapshot({}), { ...known, ...(status && { status }) });
    },
  };
}
