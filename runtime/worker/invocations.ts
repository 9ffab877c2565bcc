import type { AnyActorRef } from 'xstate';
import type { ActivateRequest, StepOf } from '../wire/protocol.ts';
import type { Encoded } from '../wire/encoded-state.ts';
import { actorAt, pathsWithin, worksByItself } from '../xstate/family.ts';
import type { StartOf } from '../xstate/persisted-timer.ts';
import { Invocation } from './invocation.ts';
import { threadState, type HostBridge } from './thread-state.ts';

/** The promises, callbacks and observables of one instance that are at work. */
export class Invocations {
  readonly #bridge: HostBridge;
  readonly #all = new Map<AnyActorRef, Invocation>();
  /** The starts with kept steps that have ended since the state was last told. */
  #ended: string[] = [];

  constructor(bridge: HostBridge) {
    this.#bridge = bridge;
  }

  /** Goes on with the work of a restored instance, before that starts. What is not at work in it has ended. */
  restore(root: AnyActorRef, { starts = [], steps = [], invoked }: ActivateRequest): void {
    const kept = byStart(steps);
    for (const [path, name] of starts) {
      const actor = actorAt(root, path);
      const isCut = invoked === 'fail' && path.length > 0;
      if (actor === undefined || isCut || !worksByItself(actor)) continue;
      this.#all.set(actor, new Invocation(this.#bridge, name, kept.get(name)));
      kept.delete(name);
    }
    this.#ended.push(...kept.keys());
  }

  /** The work of that actor, while it is under way. */
  of(actor: AnyActorRef): Invocation | undefined {
    return this.#all.get(actor);
  }

  /** Runs what the actor does within a turn, as its own. */
  readonly within = <T>(actor: AnyActorRef, run: () => T): T => {
    const state = threadState();
    let invocation = this.#all.get(actor);
    if (invocation === undefined) this.#all.set(actor, (invocation = new Invocation(this.#bridge)));
    const before = state.acting;
    state.acting = invocation;
    try {
      return state.origin === undefined ? run() : state.origin.run(invocation, run);
    } finally {
      state.acting = before;
    }
  };

  readonly ended = (actor: AnyActorRef): void => {
    const invocation = this.#all.get(actor);
    if (invocation === undefined) return;
    this.#all.delete(actor);
    if (invocation.hasSteps) this.#ended.push(invocation.name);
    invocation.end();
  };

  /** The work under way, by names for the state; undefined when there is none. */
  startsIn(root: AnyActorRef): readonly StartOf[] | undefined {
    if (this.#all.size === 0) return undefined;
    const paths = pathsWithin(root);
    const starts: StartOf[] = [];
    for (const [actor, { name }] of this.#all) {
      const path = paths.get(actor);
      // An actor whose id another has taken is not restored.
      if (path !== undefined) starts.push([path, name]);
    }
    return starts;
  }

  /** Returns the starts with kept steps that have ended, and forgets them; undefined for none. */
  takeEnded(): readonly string[] | undefined {
    if (this.#ended.length === 0) return undefined;
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }
}

function byStart(steps: readonly StepOf[]): Map<string, Map<string, Encoded>> {
  const kept = new Map<string, Map<string, Encoded>>();
  for (const [start, key, value] of steps) {
    const one = kept.get(start);
    if (one === undefined) kept.set(start, new Map([[key, value]]));
    else one.set(key, value);
  }
  return kept;
}
