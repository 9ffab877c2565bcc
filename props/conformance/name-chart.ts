import type {
  RawAction,
  RawChart,
  RawGuard,
  RawInvoke,
  RawReaction,
  RawState,
  RawTransition,
} from './raw-chart.ts';
import {
  RICH,
  THROWN,
  type Action,
  type Chart,
  type ChildActor,
  type Guard,
  type Invoke,
  type Reaction,
  type State,
  type Transition,
} from './chart.ts';

/** Gives a generated chart its names, and mends what XState would refuse to build. */
export function nameChart(raw: RawChart, parent: 'machine' | 'none'): Chart {
  const actors: Record<string, ChildActor> = {};
  raw.actors.forEach((actor, i) => {
    actors[`${actor.kind}${i}`] =
      actor.kind === 'machine' ? { kind: 'machine', chart: nameChart(actor.chart, 'machine') } : actor;
  });
  const namer = new Namer(raw.root, actors, parent);
  return { fuel: raw.fuel, root: namer.state(raw.root, []), output: raw.output, actors };
}

type Kind = State['kind'];

class Namer {
  readonly #ids = new Map<RawState, string>();
  readonly #kinds = new Map<RawState, Kind>();
  /** All but the root: what may be a target. */
  readonly #targets: string[] = [];
  readonly #histories: string[] = [];
  readonly #actors: readonly string[];
  /** Those that seldom fail: nothing handles the error of a spawned actor. */
  readonly #calm: readonly string[];
  /** Those that live long enough to hear of something. */
  readonly #hears: ReadonlySet<string>;
  readonly #parent: 'machine' | 'none';
  #invokes = 0;

  constructor(root: RawState, actors: Chart['actors'], parent: 'machine' | 'none') {
    this.#actors = Object.keys(actors);
    this.#hears = new Set(this.#actors.filter((src) => hears(actors[src] as ChildActor)));
    this.#calm = Object.entries(actors).flatMap(([src, actor]) => (fails(actor) ? [] : [src]));
    this.#parent = parent;
    this.#name(root, 'compound');
  }

  #name(raw: RawState, parent: Kind, mustBeReal = false): void {
    const id = this.#ids.size === 0 ? 'chart' : `s${this.#ids.size}`;
    const kind = kindOf(raw, parent, mustBeReal);
    this.#ids.set(raw, id);
    this.#kinds.set(raw, kind);
    if (id !== 'chart') this.#targets.push(id);
    if (kind.endsWith('history')) this.#histories.push(id);
    const real = raw.states.some(({ kind: child }) => !child.endsWith('history'));
    raw.states.forEach((child, i) => this.#name(child, kind, !real && i === 0));
  }

  /** `within`: children that live while the state does. */
  state(raw: RawState, within: readonly Within[]): State {
    const kind = this.#kinds.get(raw) as Kind;
    const isHistory = kind.endsWith('history');
    const isFinal = kind === 'final';
    const rawInvokes = isHistory || isFinal || this.#actors.length === 0 ? [] : raw.invoke;
    const invoke = rawInvokes.map((invoke) => this.#invoke(invoke));
    const own = invoke.flatMap(({ src, id, systemId }) =>
      id === null || !this.#hears.has(src) ? [] : [{ id, systemId }],
    );
    const spawned = raw.entry.flatMap(({ do: what, n }) => {
      const action = what === 'spawn' ? this.#spawn(n) : undefined;
      return action?.do === 'spawn' && this.#hears.has(action.src) ? [{ id: action.id, systemId: null }] : [];
    });
    const inside = [...within, ...own, ...spawned];
    return {
      id: this.#ids.get(raw) as string,
      kind,
      initial: isHistory ? this.#historyDefault(raw) : kind === 'compound' ? this.#initial(raw) : null,
      tags: isHistory ? [] : raw.tags,
      entry: isHistory ? [] : this.#actions(raw.entry, within),
      exit: isHistory ? [] : this.#actions(raw.exit, inside),
      invoke: invoke.map((built, i) => this.#handling(built, rawInvokes[i] as RawInvoke, inside)),
      transitions:
        isHistory || isFinal ? [] : raw.transitions.map((one) => this.#transition(one, raw, inside)),
      output: isFinal ? raw.output : null,
      states: kind === 'compound' || kind === 'parallel' ? raw.states.map((s) => this.state(s, inside)) : [],
    };
  }

  #initial(raw: RawState): string {
    const real = raw.states.filter((child) => !this.#kinds.get(child)?.endsWith('history'));
    return this.#ids.get(real[raw.initial % real.length] as RawState) as string;
  }

  /** A sibling, or nothing: then it is the initial state of the parent. */
  #historyDefault(raw: RawState): string | null {
    if (raw.initial % 3 === 0) return null;
    const siblings = [...this.#ids.keys()].find(({ states }) => states.includes(raw))?.states ?? [];
    const real = siblings.filter((child) => !this.#kinds.get(child)?.endsWith('history'));
    return this.#ids.get(real[raw.initial % real.length] as RawState) ?? null;
  }

  #transition(raw: RawTransition, { states }: RawState, within: readonly Within[]): Transition {
    const built = this.#reaction(raw, within);
    // One that is tried at once would fail nearly every chart.
    const guard = 'always' in raw.trigger ? calmed(built.guard) : built.guard;
    const reaction = { ...built, guard };
    const canBeDone = states.some(({ kind }) => kind === 'final' || kind === 'compound');
    const trigger = 'done' in raw.trigger && !canBeDone ? { on: 'A' } : raw.trigger;
    // Without a target it would be taken again and again until the fuel is gone.
    const target = 'always' in trigger ? (reaction.target ?? this.#target(0)) : reaction.target;
    return { trigger, ...reaction, target };
  }

  #reaction({ guard, target, reenter, actions }: RawReaction, within: readonly Within[]): Reaction {
    return {
      guard: guard === null ? null : this.#guard(guard),
      target: target === null ? null : this.#target(target),
      reenter,
      actions: this.#actions(actions, within),
    };
  }

  #target(n: number): string {
    const history = this.#histories[n % this.#histories.length];
    if (history !== undefined && n % 3 === 0) return history;
    return this.#targets[n % this.#targets.length] as string;
  }

  #guard(guard: RawGuard): Guard {
    switch (guard.is) {
      case 'in state':
        return { is: guard.is, id: this.#target(guard.state) };
      case 'not':
        return { is: guard.is, of: this.#guard(guard.of) };
      case 'all':
      case 'any':
        return { is: guard.is, of: guard.of.map((of) => this.#guard(of)) };
      case 'count below':
      case 'payload above':
      case 'count even':
      case 'throwing':
        return guard;
      default:
        return guard satisfies never;
    }
  }

  #invoke({ src, id, systemId }: RawInvoke): Invoke {
    this.#invokes += 1;
    return {
      src: this.#actor(src),
      id,
      // A child machine may run more than once, and a system id may not.
      systemId: systemId === null || this.#parent === 'machine' ? null : this.#systemId(systemId),
      onDone: null,
      onError: null,
      onSnapshot: null,
    };
  }

  #systemId(which: 'own' | 'shared'): string {
    return which === 'own' ? `sys${this.#invokes}` : 'sys';
  }

  #handling(built: Invoke, raw: RawInvoke, within: readonly Within[]): Invoke {
    const reaction = (one: RawReaction | null): Reaction | null =>
      one === null ? null : this.#reaction(one, within);
    return {
      ...built,
      onDone: reaction(raw.onDone),
      onError: reaction(raw.onError),
      onSnapshot: reaction(raw.onSnapshot),
    };
  }

  #actor(n: number): string {
    return this.#actors[n % this.#actors.length] as string;
  }

  #spawn(n: number): Action | undefined {
    const choice = n % 6 === 0 ? this.#actors : this.#calm;
    const src = choice[n % choice.length];
    return src === undefined ? undefined : { do: 'spawn', src, id: spawnId(n) };
  }

  #actions(actions: readonly RawAction[], within: readonly Within[]): Action[] {
    return actions.flatMap((action) => this.#action(action, within) ?? []);
  }

  /** `undefined`: there is nobody whom it could concern. */
  #action(raw: RawAction, within: readonly Within[]): Action | undefined {
    const { event, n } = raw;
    const { id: child, systemId } = within[n % within.length] ?? {};
    switch (raw.do) {
      case 'count':
        return { do: 'count' };
      case 'note':
        return { do: 'note', text: `n${n}` };
      case 'put':
        return { do: 'put', what: RICH[n % RICH.length] as (typeof RICH)[number] };
      case 'raise':
        return { do: 'raise', event, delay: null };
      case 'delayed raise':
        return { do: 'raise', event, delay: delayOf(n) };
      case 'cancel':
        return { do: 'cancel', event };
      case 'emit':
        return { do: 'emit', event: `said.${event}` };
      case 'send':
        return child === undefined ? undefined : { do: 'send', to: child, event, delay: null };
      case 'delayed send':
        return child === undefined ? undefined : { do: 'send', to: child, event, delay: delayOf(n) };
      case 'send by system id':
        return systemId ? { do: 'send by system id', to: systemId, event } : undefined;
      case 'send parent':
        return this.#parent === 'none' ? undefined : { do: 'send parent', event };
      case 'forward':
        return child === undefined ? undefined : { do: 'forward', to: child };
      case 'spawn':
        return this.#spawn(n);
      case 'stop':
        return { do: 'stop', id: child ?? spawnId(n) };
      case 'throw':
        if (this.#parent === 'machine' && n % 3 !== 0) return undefined;
        return { do: 'throw', what: THROWN[n % THROWN.length] as (typeof THROWN)[number] };
      default:
        return {
          do: 'when',
          guard: calmed(this.#guard(raw.guard)) as Guard,
          actions: this.#actions(raw.actions, within),
        };
    }
  }
}

/** A child of which an action may know. */
interface Within {
  readonly id: string;
  readonly systemId: string | null;
}

function fails(actor: ChildActor): boolean {
  switch (actor.kind) {
    case 'promise':
      return actor.settle === 'reject';
    case 'callback':
      return actor.throws;
    case 'observable':
      return actor.end === 'error';
    case 'transition':
    case 'machine':
    default:
      return false;
  }
}

function hears({ kind }: ChildActor): boolean {
  return kind === 'callback' || kind === 'transition' || kind === 'machine';
}

function calmed(guard: Guard | null): Guard | null {
  return guard?.is === 'throwing' ? { is: 'count even' } : guard;
}

function delayOf(n: number): number {
  return 5 + 10 * (n % 4);
}

function spawnId(n: number): string {
  return `spawned${n % 2}`;
}

function kindOf(raw: RawState, parent: Kind, mustBeReal: boolean): Kind {
  if (raw.kind === 'compound' || raw.kind === 'parallel') return raw.kind;
  const isHistory = raw.kind.endsWith('history');
  if (raw.kind === 'leaf' || (mustBeReal && isHistory)) return 'atomic';
  // A region has to be left by its parent: a final one makes no sense to XState.
  if (raw.kind === 'final') return parent === 'parallel' ? 'atomic' : 'final';
  return raw.kind;
}
