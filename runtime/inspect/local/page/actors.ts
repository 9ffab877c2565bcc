import type { InspectionEvent, Instance, Listed, Machine, Snapshot } from './told.ts';

export type Kind = 'runtime' | 'pool' | 'thread' | 'instance' | 'child';

export interface Actor {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  parentId: string | undefined;
  readonly definition: string | undefined;
  /** In the order in which they came. */
  readonly children: Set<string>;
  snapshot: Snapshot;
  /** Its state was told; otherwise only that it is there. */
  isTold: boolean;
  /** The id of the event with which it began, if that was told. */
  readonly bornId: string | undefined;
  /** The last change of its state that was seen: what it was before, and when. */
  changed: { readonly before: unknown; readonly at: number } | undefined;
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
/** Definitions that are remembered: of more machines than a runtime has, mostly. */
const mostMachines = 2000;
/** Of those that ended with an error so many are kept, the latest. */
const mostFailed = 100;
/** States of an instance in which no thread has it, and it is not over. */
const HELD: ReadonlySet<string> = new Set(['quarantined', 'restarting']);

/** The tree of actors as the events tell it, and the latest messages between them. */
export class Actors {
  readonly byId = new Map<string, Actor>();
  /** The oldest first. */
  messages: Message[] = [];
  /** Rises when actors come, go or end. */
  shape = 0;
  readonly #machines = new Map<number, string>();
  readonly #ended = new Set<string>();
  /** Instances that have ended for the events, and not for the runtime. */
  readonly #held = new Set<string>();
  /** Instances that ended with an error, the first first. */
  readonly #failed = new Set<string>();
  /** Those that are there before the one that they are in. */
  readonly #early = new Set<string>();

  /**
   * What there is, or the first of it, instead of what was; the messages stay, and so do those that failed, which no event tells
   * any more.
   */
  replace(listed: readonly Listed[]): void {
    const kept = [...this.byId.values()].filter((actor) => this.#isKept(actor));
    this.byId.clear();
    this.#ended.clear();
    this.#early.clear();
    this.list(listed);
    for (const actor of kept) {
      if (this.byId.has(actor.id)) continue;
      actor.children.clear();
      this.byId.set(actor.id, actor);
      this.#ended.add(actor.id);
      this.#move(actor, this.byId.has(actor.parentId ?? '') ? actor.parentId : poolOver(actor.parentId));
    }
  }

  /** Actors that are there, without their states. `haveBegun`: just now, perhaps anew. */
  list(listed: readonly Listed[], { haveBegun = false } = {}): void {
    for (const { ids, name, parentId, machine, isInstance = false } of listed)
      for (const id of ids) {
        const known = this.byId.get(id);
        if (known !== undefined && !haveBegun && !this.#ended.has(id)) continue;
        this.#put({
          id,
          name: name ?? id,
          parentId,
          definition: this.#machines.get(machine ?? 0),
          isInstance,
        });
      }
    this.#takeIn();
  }

  /** The definition of a machine, by its number. */
  learnMachine({ machine, definition }: Machine): void {
    this.#machines.set(machine, definition);
    for (const oldest of this.#machines.keys()) {
      if (this.#machines.size <= mostMachines) break;
      this.#machines.delete(oldest);
    }
  }

  /** The states of actors that have had them for a while, nobody knows how long. */
  learn(events: readonly InspectionEvent[], now: number): void {
    for (const event of events) {
      const actor = this.byId.get(event.sessionId);
      if (event.type === '@xstate.actor') {
        if (actor?.bornId !== event.id || actor.endedAt !== undefined) this.#begin(event);
      } else if (actor !== undefined) {
        const { changed, snapshot } = actor;
        const isSame = isSameValue(snapshot.value, event.snapshot?.value);
        this.#change(event, now);
        actor.changed = isSame ? changed : undefined;
      }
    }
  }

  /**
   * What the status tells of the instances: those that are quarantined, or wait for their restart, stay with their last
   * state, also when they had ended before anybody looked.
   */
  hold(instances: readonly Instance[], now: number): void {
    const held = new Map(
      instances.filter(({ state }) => HELD.has(state)).map((instance) => [instance.address, instance]),
    );
    for (const id of this.#held) if (!held.has(id)) this.#release(id, now);
    for (const { address, threadId, state } of held.values()) {
      this.#held.add(address);
      const pool = `supervisor/pool:${threadId}`;
      const actor = this.byId.get(address);
      if (actor === undefined) this.#comeBack(address, pool, now);
      // It is on no thread any more.
      else if (actor.endedAt !== undefined && state === 'quarantined') this.#move(actor, pool);
    }
  }

  apply(events: readonly InspectionEvent[], now: number): void {
    for (const event of events) {
      if (event.type === '@xstate.actor') this.#begin(event);
      else if (event.type === '@xstate.snapshot') this.#change(event, now);
      else if (event.type === '@xstate.event') this.#message(event);
    }
    if (this.messages.length > 2 * mostMessages) this.messages = this.messages.slice(-mostMessages);
  }

  /** What was sent before the page was there. */
  recall(events: readonly InspectionEvent[]): void {
    for (const event of events) if (event.type === '@xstate.event') this.#message(event);
    if (this.messages.length > mostMessages) this.messages = this.messages.slice(-mostMessages);
  }

  /** Forgets those that ended a while ago. */
  sweep(now: number): void {
    for (const id of this.#ended) {
      const actor = this.byId.get(id);
      if (actor !== undefined && this.#isKept(actor)) continue;
      if (actor?.endedAt !== undefined && now - actor.endedAt < SHOWN_MS) break;
      this.#ended.delete(id);
      if (actor !== undefined) this.#forget(actor);
    }
  }

  /** The machine of an agent, as one of its instances has it. */
  definitionOf(agent: string): string | undefined {
    for (const { id, kind, definition } of this.byId.values())
      if (kind === 'instance' && definition !== undefined && id.startsWith(`${agent}/`)) return definition;
    return undefined;
  }

  /** It, and all that it is in, the innermost first. */
  lineage(id: string): Actor[] {
    const lineage: Actor[] = [];
    for (let at = this.byId.get(id); at !== undefined; at = this.byId.get(at.parentId ?? ''))
      lineage.push(at);
    return lineage;
  }

  #begin(event: InspectionEvent): void {
    const { sessionId: id, name = id, definition, machine, parentId, snapshot, holdfast } = event;
    const of = definition ?? this.#machines.get(machine ?? 0);
    const [isInstance, bornId] = [holdfast !== undefined, event.id];
    this.#put({ id, name, parentId, definition: of, isInstance, snapshot, bornId });
    this.#takeIn();
  }

  #put({
    id,
    name,
    parentId,
    definition,
    isInstance,
    snapshot,
    bornId,
  }: Pick<Actor, 'id' | 'name' | 'parentId' | 'definition'> & {
    readonly isInstance: boolean;
    readonly snapshot?: Snapshot | undefined;
    readonly bornId?: string;
  }): void {
    const old = this.byId.get(id);
    if (old !== undefined && old.parentId !== parentId)
      this.byId.get(old.parentId ?? '')?.children.delete(id);
    this.#ended.delete(id);
    this.#failed.delete(id);
    const kind = kindOf(id, parentId, isInstance);
    const children = old?.children ?? new Set<string>();
    const events = old?.events ?? 0;
    const given = { id, name, kind, parentId, definition };
    this.byId.set(id, {
      ...given,
      children,
      snapshot: snapshot ?? {},
      isTold: snapshot !== undefined,
      bornId,
      changed: undefined,
      events,
      endedAt: undefined,
    });
    const parent = this.byId.get(parentId ?? '');
    if (parent !== undefined) parent.children.add(id);
    else if (parentId !== undefined) this.#early.add(id);
    this.shape += 1;
  }

  #takeIn(): void {
    for (const id of this.#early) {
      const actor = this.byId.get(id);
      const parent = this.byId.get(actor?.parentId ?? '');
      parent?.children.add(id);
      if (actor === undefined || parent !== undefined) this.#early.delete(id);
    }
  }

  #change({ sessionId, snapshot = {} }: InspectionEvent, now: number): void {
    const actor = this.byId.get(sessionId);
    if (actor === undefined) return;
    const { value } = actor.snapshot;
    if (actor.isTold && snapshot.value !== undefined && !isSameValue(value, snapshot.value))
      actor.changed = { before: value, at: now };
    // What an actor had when it ended is worth more than that it did.
    if (snapshot.status === 'stopped') actor.snapshot = { ...actor.snapshot, status: 'stopped' };
    else actor.snapshot = snapshot.status === 'error' ? { ...actor.snapshot, ...snapshot } : snapshot;
    actor.isTold = true;
    if (snapshot.status === undefined || snapshot.status === 'active' || actor.endedAt !== undefined) return;
    actor.endedAt = now;
    this.#ended.add(sessionId);
    if (snapshot.status === 'error' && actor.kind === 'instance') this.#keepFailed(sessionId, now);
    this.shape += 1;
  }

  #keepFailed(id: string, now: number): void {
    this.#failed.add(id);
    for (const first of this.#failed) {
      if (this.#failed.size <= mostFailed) break;
      this.#release(first, now);
    }
  }

  #isKept({ id, endedAt }: Actor): boolean {
    return endedAt !== undefined && (this.#held.has(id) || this.#failed.has(id));
  }

  /** It is forgotten like any other that ends now, unless it runs again. */
  #release(id: string, now: number): void {
    this.#held.delete(id);
    this.#failed.delete(id);
    const actor = this.byId.get(id);
    if (actor?.endedAt === undefined) return;
    actor.endedAt = now;
    this.#ended.delete(id);
    this.#ended.add(id);
  }

  /** One that ended before the events began. */
  #comeBack(id: string, parentId: string, now: number): void {
    const actor = { id, name: id, kind: 'instance', definition: undefined, snapshot: {}, events: 0 } as const;
    const changed = undefined;
    this.byId.set(id, {
      ...actor,
      isTold: true,
      bornId: undefined,
      changed,
      parentId,
      children: new Set(),
      endedAt: now,
    });
    this.byId.get(parentId)?.children.add(id);
    this.#ended.add(id);
    this.shape += 1;
  }

  #move(actor: Actor, parentId: string | undefined): void {
    if (actor.parentId === parentId && this.byId.get(parentId ?? '')?.children.has(actor.id) === true) return;
    this.byId.get(actor.parentId ?? '')?.children.delete(actor.id);
    actor.parentId = parentId;
    this.byId.get(parentId ?? '')?.children.add(actor.id);
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
      if (below === undefined) continue;
      if (this.#isKept(below)) this.#move(below, poolOver(id));
      else this.#forget(below);
    }
    this.shape += 1;
  }
}

/** The pool of a thread by its id; anything else stands for itself. */
function poolOver(id: string | undefined): string | undefined {
  return id?.replace(/^(supervisor\/pool:.*)\/thread:\d+$/, '$1');
}

function kindOf(id: string, parentId: string | undefined, isInstance: boolean): Kind {
  if (isInstance) return 'instance';
  if (parentId === 'supervisor' && id.startsWith('supervisor/pool:')) return 'pool';
  if (parentId?.startsWith('supervisor/pool:') === true && /\/thread:\d+$/.test(id)) return 'thread';
  return id === 'supervisor' || id.startsWith('supervisor/') ? 'runtime' : 'child';
}

/** Of states: texts, or records of them by region. */
function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b || typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => isSameValue(left[key], right[key]));
}
