import type { InspectedState, InspectionEvent } from '../wire/inspection.ts';
import type { InspectorAdapter } from './inspection-hub.ts';

/** An inspector, as `createInspector(adapter)` of `@statelyai/inspect` returns it. */
export interface Inspector {
  readonly adapter: Pick<InspectorAdapter, 'send'>;
  /** The inspector's own observer, which is not used: it would see only the actors of the host. */
  readonly inspect: unknown;
  /** The three methods that the runtime calls; the inspector's options say what its adapter gets of that. */
  actor(actorRef: unknown, snapshot?: unknown): void;
  event(target: unknown, event: unknown, info?: unknown): void;
  snapshot(actor: unknown, snapshot: unknown, info?: unknown): void;
}

/** An actor as an inspector reads it. */
interface ShownActor {
  readonly sessionId: string;
  readonly _parent?: ShownActor;
  readonly logic?: { readonly config: object };
}

/**
 * Tells an inspector, and not its adapter, which would get what `filter`, `sanitizeContext`, `sanitizeEvent` and `serialize`
 * of the inspector hold back.
 */
export function throughInspector(inspector: Inspector): InspectorAdapter {
  return {
    send(event) {
      if (event.type === '@xstate.event') {
        const { sessionId, sourceId } = event;
        inspector.event(sessionId, event.event, sourceId === undefined ? undefined : { source: sourceId });
      } else if (event.type === '@xstate.actor') {
        withContext(event.snapshot, (snapshot) => inspector.actor(shown(event), snapshot));
      } else {
        const info = { event: event.event };
        withContext(event.snapshot, (snapshot) => inspector.snapshot(event.sessionId, snapshot, info));
      }
    },
  };
}

/** Of most sanitizers an actor without a context is not expected: one that threw gets an empty one. */
function withContext(snapshot: InspectedState, tell: (snapshot: InspectedState) => void): void {
  try {
    tell(snapshot);
  } catch (error) {
    if (snapshot.context !== undefined) throw error;
    tell({ ...snapshot, context: {} });
  }
}

/** The inspector takes the root and the parent from the actors above, and the name and the definition from the config. */
function shown(event: Extract<InspectionEvent, { type: '@xstate.actor' }>): ShownActor {
  const { sessionId, rootId, parentId, name, definition } = event;
  const toJSON = (): unknown => (definition === undefined ? { id: name } : JSON.parse(definition));
  const root = { sessionId: rootId };
  const above = parentId === undefined || parentId === rootId ? root : { sessionId: parentId, _parent: root };
  return {
    sessionId,
    ...(sessionId !== rootId && { _parent: above }),
    // A machine may have another id than its instance has a name.
    logic: { config: { id: name, toJSON } },
  };
}

/** Why it cannot be told, and its adapter must not be. */
export function inspectorProblems(inspector: Readonly<Record<string, unknown>>): string[] {
  const adapter = (inspector['adapter'] ?? {}) as Readonly<Record<string, unknown>>;
  const missing = ['actor', 'event', 'snapshot'].filter((name) => typeof inspector[name] !== 'function');
  const unused = ['sanitizeContext', 'sanitizeEvent'].filter((name) => typeof adapter[name] === 'function');
  return [
    ...missing.map(
      (name) => `the inspector has no method \`${name}\`; pass it as createInspector returned it`,
    ),
    ...unused.map(
      (name) =>
        `nothing applies the \`${name}\` of its adapter; give it to createInspector(adapter, options)`,
    ),
  ];
}
