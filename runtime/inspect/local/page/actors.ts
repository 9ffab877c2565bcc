import type { InspectionEvent, Snapshot } from './told.ts';

export type Kind = 'runtime' | 'pool' | 'thread' | 'instance' | 'child';

export interface Actor {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  readonly parentId: string | undefined;
  readonly definition: string | undefined;
  /** In the order in which they came. */
  readonly children: Set<string>;
  snapshot: Snapshot;
  /** Events that it was seen to get. */
  events: number;
  /** When it was seen to have ended. */
  endedAt: number | undefined;
}

export interface Message {
  readonly at: number;
  /** Undefined: from outside. */
  readonly from: string | undefined;
  readonly to: string;
  readonly type: string;
}

/** Milliseconds for which one that has ended is still shown. */
const SHOWN_MS = 8000;
const mostMessages = 500;

/** The tree of actors as the events tell it, and the latest messages between them. */
export class Actors {
  readonly byId = new Map<string, Actor>();
  /** The oldest first. */
  messages: Message[] = [];
  /** Rises when actors come, go or end. */
  shape = 0;
  readonly #ended = new Set<string>();

  /** All that there is, instead of what was; the messages stay. */
  replace(events: readonly InspectionEvent[], now: number): void {
    this.byId.clear();
    this.#ended.clear();
    this.apply(events, now);
  }

  apply(events: readonly InspectionEvent[], now: number): void {
    for (const event of events) {
      if (event.type === '@xstate.actor') this.#begin(event);
      else if (event.type === '@xstate.snapshot') this.#change(event, now);
      else this.#message(event);
    }
    if (this.messages.length > 2 * mostMessages) this.messages = this.messages.slice(-mostMessages);
  }

  /** Forgets those that ended a while ago. */
  sweep(now: number): void {
    for (const id of this.#ended) {
      const actor = this.byId.get(id);
      if (actor?.endedAt !== undefined && now - actor.endedAt < SHOWN_MS) break;
      this.#ended.delete(id);
      if (actor !== undefined) this.#forget(actor);
    }
  }

  /** It, and all that it is in, the innermost first. */
  lineage(id: string): Actor[] {
    const lineage: Actor[] = [];
    for (let at = this.byId.get(id); at !== undefined; at = this.byId.get(at.parentId ?? ''))
      lineage.push(at);
    return lineage;
  }

  #begin({ sessionId: id, name = id, definition, parentId, snapshot, holdfast }: InspectionEvent): void {
    const old = this.byId.get(id);
    if (old !== undefined && old.parentId !== parentId)
      this.byId.get(old.parentId ?? '')?.children.delete(id);
    this.#ended.delete(id);
    const kind = kindOf(id, parentId, holdfast !== undefined);
    const children = old?.children ?? new Set<string>();
    const events = old?.events ?? 0;
    const given = { id, name, kind, parentId, definition };
    this.byId.set(id, { ...given, children, snapshot: snapshot ?? {}, events, endedAt: undefined });
    this.byId.get(parentId ?? '')?.children.add(id);
    this.shape += 1;
  }

  #change({ sessionId, snapshot = {} }: InspectionEvent, now: number): void {
    const actor = this.byId.get(sessionId);
    if (actor === undefined) return;
    // What an actor had when it was stopped is worth more than that it was.
    actor.snapshot = snapshot.status === 'stopped' ? { ...actor.snapshot, status: 'stopped' } : snapshot;
    if (snapshot.status === undefined || snapshot.status === 'active' || actor.endedAt !== undefined) return;
    actor.endedAt = now;
    this.#ended.add(sessionId);
    this.shape += 1;
  }

  #message({ sessionId: to, sourceId: from, event, createdAt }: InspectionEvent): void {
    const actor = this.byId.get(to);
    if (actor === undefined) return;
    actor.events += 1;
    this.messages.push({ at: Number(createdAt), from, to, type: event?.type ?? '' });
  }

  #forget({ id, parentId, children }: Actor): void {
    this.byId.delete(id);
    this.byId.get(parentId ?? '')?.children.delete(id);
    for (const child of children) {
      const below = this.byId.get(child);
      if (below !== undefined) this.#forget(below);
    }
    this.shape += 1;
  }
}

function kindOf(id: string, parentId: string | undefined, isInstance: boolean): Kind {
  if (isInstance) return 'instance';
  if (parentId === 'supervisor' && id.startsWith('supervisor/pool:')) return 'pool';
  if (parentId?.startsWith('supervisor/pool:') === true && /\/thread:\d+$/.test(id)) return 'thread';
  return id === 'supervisor' || id.startsWith('supervisor/') ? 'runtime' : 'child';
}
