import type { AnyActorRef } from 'xstate';

/**
 * The running actors of one system, each under the one that began it. XState knows the children of a machine by their
 * ids alone: it loses sight of a child whose id another one took, and of all children when the machine fails.
 */
export class Running {
  readonly #children = new Map<AnyActorRef, Set<AnyActorRef>>();

  add(parent: AnyActorRef, actor: AnyActorRef): void {
    const children = this.#children.get(parent);
    if (children === undefined) this.#children.set(parent, new Set([actor]));
    else children.add(actor);
  }

  /** Returns whether the actor was there. */
  remove(parent: AnyActorRef, actor: AnyActorRef): boolean {
    const children = this.#children.get(parent);
    if (children?.delete(actor) !== true) return false;
    if (children.size === 0) this.#children.delete(parent);
    return true;
  }

  /** The actors begun by `parent`, the last one first. */
  begunBy(parent: AnyActorRef): AnyActorRef[] {
    const children = this.#children.get(parent);
    return children === undefined ? [] : [...children].toReversed();
  }

  /** The actors that `top` began, and those that they began in turn: each before the one that began it. */
  below(top: AnyActorRef): AnyActorRef[] {
    return this.begunBy(top).flatMap((actor) => this.below(actor).concat(actor));
  }
}
