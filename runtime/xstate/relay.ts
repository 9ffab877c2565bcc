import type { AnyActorRef, AnyEventObject } from 'xstate';

/** The most events that one turn may bring to the hosted actor from itself and its children. */
const OWN_EVENTS = 16;
/** The most events that actors of one system may send each other in one turn. */
const RELAYED_EVENTS = 1000;

interface Relayed {
  readonly target: AnyActorRef;
  readonly event: AnyEventObject;
}

/** The way from a relay to the actors. */
export interface RelayWay {
  /** Puts an event into an actor's own mailbox. */
  deliver(target: AnyActorRef, event: AnyEventObject): void;
  /** An event waits for {@link Relay.resume}. */
  onPending(): void;
}

/**
 * Hands events from actor to actor of one system. XState empties a mailbox before it returns, so that an actor that
 * sends to itself, or two that send to each other, would keep the thread for ever. Here a turn has an end, and the
 * remaining events wait in their order.
 */
export class Relay {
  root: AnyActorRef | undefined;
  readonly #way: RelayWay;
  #later: Relayed[] = [];
  /** How many wait for each target; exists from the first one on. */
  #behind: Map<AnyActorRef, number> | undefined;
  #entered = false;
  #closed = false;
  #before = 0;
  #own = 0;
  #relayed = 0;
  #given = 0;
  #changes = 0;

  constructor(way: RelayWay) {
    this.#way = way;
  }

  get pending(): number {
    return this.#later.length;
  }

  /** The events that wait, in their order. */
  get waiting(): readonly Relayed[] {
    return this.#later;
  }

  /** How often an event began or ceased to wait. */
  get changes(): number {
    return this.#changes;
  }

  /** Has an event wait for {@link resume}, since it was on its way when the actor was persisted. */
  later(target: AnyActorRef, event: AnyEventObject): void {
    this.#put(target, event);
  }

  /** Begins a turn. */
  enter(): void {
    this.#entered = true;
    this.#before = this.#later.length;
    this.#own = 0;
    this.#relayed = 0;
  }

  /** Ends a turn. */
  leave(): void {
    this.#entered = false;
    if (this.#later.length > 0 && this.#before === 0) this.#way.onPending();
  }

  /** The hosted actor has ended: of the waiting events only those go out whose target is outside. */
  close(isOutside: (target: AnyActorRef) => boolean): void {
    const later = this.#later;
    this.#closed = true;
    this.#changes += later.length;
    this.#later = [];
    this.#behind = undefined;
    for (const { target, event } of later) if (isOutside(target)) this.#give(target, event);
  }

  send(target: AnyActorRef, event: AnyEventObject): void {
    // There is no later turn in which the event could wait.
    if (this.#closed) return this.#give(target, event);
    const outermost = !this.#entered;
    if (outermost) this.enter();
    try {
      this.#relayed += 1;
      if (target === this.root) this.#own += 1;
      const enough = this.#relayed > RELAYED_EVENTS || (target === this.root && this.#own > OWN_EVENTS);
      if (enough || this.#behind?.has(target) === true) this.#put(target, event);
      else this.#give(target, event);
    } finally {
      if (outermost) this.leave();
    }
  }

  resume(max: number): number {
    const before = this.#given;
    this.enter();
    // Events that the actor sends itself in this turn wait as well, so that `max` holds.
    this.#own = OWN_EVENTS;
    while (this.#given - before < max && this.#later.length > 0 && this.#relayed <= RELAYED_EVENTS) {
      const { target, event } = this.#later.shift() as Relayed;
      this.#changes += 1;
      const left = (this.#behind?.get(target) ?? 1) - 1;
      if (left === 0) this.#behind?.delete(target);
      else this.#behind?.set(target, left);
      this.#give(target, event);
    }
    this.leave();
    return this.#given - before;
  }

  #put(target: AnyActorRef, event: AnyEventObject): void {
    this.#later.push({ target, event });
    this.#changes += 1;
    const behind = (this.#behind ??= new Map());
    behind.set(target, (behind.get(target) ?? 0) + 1);
  }

  #give(target: AnyActorRef, event: AnyEventObject): void {
    this.#given += 1;
    this.#way.deliver(target, event);
  }
}
