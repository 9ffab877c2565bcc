import type { AnyActorRef } from 'xstate';

/**
 * The running actors of one system, each under the one that began it. XState knows the children of a machine by their
 * ids alone: it loses sight of a child whose id another one took, and of all children when the machine fails.
 */
export class Running {
  /** The first one, while it runs: most systems have no other. It began before those in the map. */
  #first: AnyActorRef | undefined;
  #firstParent: AnyActorRef | undefined;
  #children: Map<AnyActorRef, Set<AnyActorRef>> | undefined;

  add(parent: AnyActorRef, actor: AnyActorRef): void {
    if (this.#isFirst(parent, actor)) return;
    if (this.#first === undefined && this.#children === undefined) {
      this.#first = actor;
      this.#firstParent = parent;
      return;
    }
    const all = (this.#children ??= new Map<AnyActorRef, Set<AnyActorRef>>());
    const children = all.get(parent);
    if (children === undefined) all.set(parent, new Set([actor]));
    else children.add(actor);
  }

  /** Returns whether the actor was there. */
  remove(parent: AnyActorRef, actor: AnyActorRef): boolean {
    if (this.#isFirst(parent, actor)) {
      this.#first = this.#firstParent = undefined;
      return true;
    }
    const children = this.#children?.get(parent);
    if (children?.delete(actor) !== true) return false;
    if (children.size === 0) this.#children?.delete(parent);
    if (this.#children?.size === 0) this.#children = undefined;
    return true;
  }

  /** The actors begun by `parent`, the last one first. */
  begunBy(parent: AnyActorRef): AnyActorRef[] {
    const begun = [...(this.#children?.get(parent) ?? [])].toReversed();
    if (this.#first !== undefined && this.#firstParent === parent) begun.push(this.#first);
    return begun;
  }

  #isFirst(parent: AnyActorRef, actor: AnyActorRef): boolean {
    return this.#first === actor && this.#firstParent === parent;
  }

  /** The actors that `top` began, and those that they began in turn: each before the one that began it. */
  below(top: AnyActorRef): AnyActorRef[] {
    return this.begunBy(top).flatMap((actor) => this.below(actor).concat(actor));
  }
}
