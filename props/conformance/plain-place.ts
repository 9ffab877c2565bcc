import {
  createActor,
  type AnyActor,
  type AnyActorLogic,
  type AnyEventObject,
  type InspectionEvent,
} from 'xstate';
import type { Uses } from './build-actor.ts';
import { buildMachine } from './build-machine.ts';
import { EVENTS } from './chart.ts';
import { ManualClock } from './manual-clock.ts';
import type { Place } from './run-scenario.ts';
import { describeError, see, type Observed, type Persisted, withoutOrphans } from './trace.ts';

export interface PlainPlace extends Place {
  /** Most events that actors of the chart sent to its own machine until everything came to rest. */
  readonly busiest: number;
}

/** XState itself, in this thread. */
export function plainPlace(uses?: Uses): PlainPlace {
  let machine: AnyActorLogic | undefined;
  let clock = new ManualClock();
  let busiest = 0;
  let busy = 0;
  const inspect = (event: InspectionEvent): void => {
    const { type, actorRef, sourceRef } = event as InspectionEvent & { sourceRef?: unknown };
    const own = type === '@xstate.event' && sourceRef !== undefined;
    if (own && (actorRef as AnyActor).logic === machine) busiest = Math.max(busiest, ++busy);
  };
  const settled = (): Promise<void> =>
    new Promise((resolve) =>
      setImmediate(() => {
        busy = 0;
        resolve();
      }),
    );
  return {
    get busiest() {
      return busiest;
    },
    async load(chart) {
      clock = new ManualClock();
      machine = buildMachine(chart, uses);
      return machine;
    },
    get options() {
      return { clock, inspect };
    },
    async spawn(options) {
      const actor = createActor(
        machine as AnyActorLogic,
        { ...options, clock, inspect } as never,
      ) as AnyActor;
      // A failure has to be somebody's, else XState throws it into the event loop.
      actor.subscribe({ error() {} });
      actor.start();
      const { status, error } = actor.getSnapshot() as { status: string; error: Error };
      if (status === 'error') throw error;
      return actor as unknown as Observed;
    },
    advance: (ms) => clock.advance(ms, settled),
    settled,
    async ask(actor) {
      const snapshot = actor.getSnapshot() as { can?(event: AnyEventObject): boolean };
      const can: Record<string, unknown> = {};
      for (const type of EVENTS) {
        try {
          can[type] = snapshot.can?.({ type, n: 2 });
        } catch (error) {
          can[type] = describeError(error);
        }
      }
      return { seen: see(snapshot), can, persisted: persist(actor as unknown as AnyActor) };
    },
    async stop(actor) {
      actor.stop();
    },
  };
}

function persist(actor: AnyActor): Persisted {
  try {
    return { value: withoutOrphans(structuredClone(persistedOf(actor))) };
  } catch (error) {
    return { error: describeError(error) };
  }
}

/** XState walks a context that leads back to itself until the stack is full; an agent's is kept as it is. */
function persistedOf(actor: AnyActor): unknown {
  const left: { path: readonly string[]; snapshot: { context: unknown }; context: unknown }[] = [];
  for (const [path, snapshot] of snapshotsWithin(actor)) {
    const { context } = snapshot;
    if (!leadsBack(context, [])) continue;
    left.push({ path, snapshot, context });
    snapshot.context = {};
  }
  try {
    const persisted = actor.getPersistedSnapshot();
    for (const { path, context } of left) {
      const at = path.reduce(
        (found, id) => (found.children[id] as { snapshot: PersistedMachine }).snapshot,
        persisted as unknown as PersistedMachine,
      );
      at.context = context;
    }
    return persisted;
  } finally {
    for (const { snapshot, context } of left) snapshot.context = context;
  }
}

interface PersistedMachine {
  context: unknown;
  readonly children: Readonly<Record<string, unknown>>;
}

type MachineSnapshot = {
  context: unknown;
  readonly children?: Readonly<Record<string, AnyActor | undefined>>;
};

function* snapshotsWithin(
  actor: AnyActor,
  path: readonly string[] = [],
): Generator<[readonly string[], MachineSnapshot]> {
  const snapshot = actor.getSnapshot() as MachineSnapshot;
  yield [path, snapshot];
  for (const [id, child] of Object.entries(snapshot.children ?? {}))
    if (child !== undefined) yield* snapshotsWithin(child, [...path, id]);
}

/** An actor in a context has a system behind it, and is persisted as a reference. */
function leadsBack(value: unknown, above: readonly object[]): boolean {
  if (typeof value !== 'object' || value === null || 'sessionId' in value) return false;
  if (above.includes(value)) return true;
  const parts: unknown[] = value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  return parts.some((part) => leadsBack(part, [...above, value]));
}
