import type { AnyActor, AnyActorRef } from 'xstate';

/** What a snapshot of a machine has beside what XState derives from it. */
interface MachineSnapshot {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly output: unknown;
  readonly error: unknown;
  readonly historyValue: unknown;
  readonly children: Readonly<Record<string, AnyActorRef | undefined>>;
}

/** An actor as it was told. */
interface Told {
  readonly ref: AnyActorRef;
  readonly snapshot: unknown;
  /** Its children, in their order. */
  readonly children: readonly Told[];
}

const NONE: readonly Told[] = [];

/** Whatever changes beside the snapshots, and counts its changes. */
export interface Counted {
  readonly changes: number;
}

/**
 * The state of an instance as it was last told, to find out whether a turn has left it as it was: no more than
 * references to snapshots, which XState replaces and never changes. Contexts count as immutable, as XState requires: a
 * context that an action changed in place, and did not assign, counts as unchanged, and so does what logic of a user's
 * own changes in place in what it persists.
 */
export class LastTold {
  readonly #root: AnyActorRef;
  readonly #counted: readonly Counted[];
  #told: Told | undefined;
  #changes = 0;

  /** `counted`: the timers, and the events on their way between actors. */
  constructor(root: AnyActorRef, counted: readonly Counted[]) {
    this.#root = root;
    this.#counted = counted;
  }

  /** Notes the state as told. */
  note(): void {
    this.#told = tell(this.#root);
    this.#changes = this.#count();
  }

  /** Whether the state is the one that was noted last; `false` when none was. Throws where persisting does. */
  get isCurrent(): boolean {
    return this.#told !== undefined && this.#changes === this.#count() && isSame(this.#root, this.#told);
  }

  #count(): number {
    let changes = 0;
    for (const counted of this.#counted) changes += counted.changes;
    return changes;
  }
}

function tell(ref: AnyActorRef): Told {
  const snapshot = partToPersist(ref);
  let below: Told[] | undefined;
  if (isMachine(ref)) {
    const { children } = snapshot as MachineSnapshot;
    for (const id in children) {
      const child = children[id];
      if (child !== undefined) (below ??= []).push(tell(child));
    }
  }
  return { ref, snapshot, children: below ?? NONE };
}

function isSame(ref: AnyActorRef, told: Told): boolean {
  if (ref !== told.ref) return false;
  const snapshot = partToPersist(ref);
  if (!isMachine(ref)) return haveSameFields(snapshot, told.snapshot, Object.is);
  const [now, then] = [snapshot as MachineSnapshot, told.snapshot as MachineSnapshot];
  return (now === then || isSameMachine(now, then)) && areSame(now.children, told.children);
}

/** XState makes the value and the history anew; the state nodes in the history are the machine's own. */
function isSameMachine(now: MachineSnapshot, then: MachineSnapshot): boolean {
  return (
    now.context === then.context &&
    now.status === then.status &&
    now.output === then.output &&
    now.error === then.error &&
    isSameValue(now.value, then.value) &&
    isSameValue(now.historyValue, then.historyValue)
  );
}

/** The children have a life of their own. */
function areSame(children: MachineSnapshot['children'], told: readonly Told[]): boolean {
  let at = 0;
  for (const id in children) {
    const child = children[id];
    if (child === undefined) continue;
    const then = told[at++];
    if (then === undefined || !isSame(child, then)) return false;
  }
  return at === told.length;
}

/** The snapshot of a machine, and what other logic persists of its own. */
function partToPersist(ref: AnyActorRef): unknown {
  const snapshot: unknown = ref.getSnapshot();
  return isMachine(ref) ? snapshot : (ref as AnyActor).logic.getPersistedSnapshot(snapshot);
}

function isMachine(ref: AnyActorRef): boolean {
  return ((ref as AnyActor).logic as { root?: unknown }).root !== undefined;
}

/** Walks no deeper than the states of the machine: a state node is an instance of a class. */
function isSameValue(now: unknown, then: unknown): boolean {
  return now === then || haveSameFields(now, then, isSameValue);
}

function haveSameFields(
  now: unknown,
  then: unknown,
  isSame: (now: unknown, then: unknown) => boolean,
): boolean {
  if (Object.is(now, then)) return true;
  if (!isWalked(now) || !isWalked(then)) return false;
  let keys = 0;
  for (const key in now) {
    if (!isSame(now[key], then[key])) return false;
    keys += 1;
  }
  for (const _ in then) keys -= 1;
  return keys === 0;
}

function isWalked(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
