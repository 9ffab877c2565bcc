import { exactly } from './figures.ts';

/** One state of a machine. */
export interface ChartState {
  /** Keys from the machine down, joined by dots. */
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly isInitial: boolean;
  /** Of a history state: it knows the states in its states too. */
  readonly isDeep: boolean;
  /** What is invoked, and the actions of entry and exit, each as a line. */
  readonly notes: readonly string[];
  /** By rank: those that are one transition further from the initial state stand further to the right. */
  readonly ranks: readonly (readonly ChartState[])[];
}

export interface ChartTransition {
  readonly from: string;
  /** The same as `from`: it stays. */
  readonly to: string;
  readonly label: string;
  /** Milliseconds, of one that comes after a time that the config has as a number. */
  readonly delay?: number | undefined;
}

export interface ChartGraph {
  readonly root: ChartState;
  readonly transitions: readonly ChartTransition[];
  /** The config has more than is told of one: states or transitions are missing. */
  readonly isCut: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** The chart of a machine's config, as it comes in JSON; undefined for what is none. One without an id has the name that is given. */
export function chartGraph(definition: string | undefined, unnamed = '(machine)'): ChartGraph | undefined {
  if (definition === undefined) return undefined;
  const config = parse(definition);
  if (config === undefined) return undefined;
  const name = typeof config['id'] === 'string' ? config['id'] : unnamed;
  const ids = new Map<string, string>();
  nameStates(config, name, ids);
  const transitions = transitionsOf(config, name, undefined, ids);
  return { root: stateOf(config, name, name, false, transitions), transitions, isCut: isCut(config) };
}

/** Parts of a state's config, in each of which an ellipsis stands for what was left out. */
const parts = ['states', 'on', 'after', 'always', 'invoke', 'onDone', 'entry', 'exit'] as const;

function isCut(config: Json): boolean {
  const holds = (value: unknown, level: number): boolean =>
    value === '…' ||
    (level > 0 &&
      typeof value === 'object' &&
      Object.values(value ?? {}).some((one) => holds(one, level - 1)));
  return (
    parts.some((part) => holds(config[part], part === 'states' ? 1 : 5)) ||
    Object.values(record(config['states'])).some((child) => isCut(record(child)))
  );
}

/** The ids of the states that are active. */
export function activeStates(value: unknown, root: string): Set<string> {
  const active = new Set([root]);
  const add = (value: unknown, base: string): void => {
    if (typeof value === 'string') active.add(`${base}.${value}`);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, below] of Object.entries(value)) {
        active.add(`${base}.${key}`);
        add(below, `${base}.${key}`);
      }
    }
  };
  add(value, root);
  return active;
}

/** A state's value as a line: `open.half · idle`. */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, below]) => [key, valueText(below)].filter(Boolean).join('.'))
    .join(' · ');
}

function stateOf(
  config: Json,
  key: string,
  id: string,
  isInitial: boolean,
  transitions: readonly ChartTransition[],
): ChartState {
  const initial = initialOf(config);
  const children = Object.entries(record(config['states'])).map(([below, child]) =>
    stateOf(record(child), below, `${id}.${below}`, below === initial, transitions),
  );
  const type = typeOf(config, children.length > 0);
  const notes = [
    ...list(config['invoke']).map((invoked) => `invoke ${nameOf(record(invoked)['src'], 'src')}`),
    ...list(config['entry']).map((action) => `entry / ${nameOf(action, 'entry')}`),
    ...list(config['exit']).map((action) => `exit / ${nameOf(action, 'exit')}`),
  ];
  const ranks = type === 'parallel' ? [children] : ranked(children, transitions);
  return { id, key, type, isInitial, isDeep: config['history'] === 'deep', notes, ranks };
}

function typeOf({ type }: Json, hasChildren: boolean): ChartState['type'] {
  if (type === 'parallel' || type === 'final' || type === 'history') return type;
  return hasChildren ? 'compound' : 'atomic';
}

/** The initial one first, then those that a transition leads to from there, and so on; what nothing leads to last. */
function ranked(children: ChartState[], transitions: readonly ChartTransition[]): ChartState[][] {
  const holding = (id: string): ChartState | undefined =>
    children.find((child) => id === child.id || id.startsWith(`${child.id}.`));
  const next = new Map<ChartState, Set<ChartState>>();
  for (const { from, to } of transitions) {
    const [a, b] = [holding(from), holding(to)];
    if (a !== undefined && b !== undefined) next.set(a, (next.get(a) ?? new Set()).add(b));
  }
  const left = new Set(children);
  const ranks: ChartState[][] = [];
  const first = children.find(({ isInitial }) => isInitial) ?? children[0];
  let wave = first === undefined ? [] : [first];
  while (wave.length > 0) {
    ranks.push(wave);
    for (const state of wave) left.delete(state);
    const reached = new Set(wave.flatMap((state) => Array.from(next.get(state) ?? [])));
    wave = Array.from(reached).filter((state) => left.has(state));
  }
  if (left.size > 0) ranks.push(Array.from(left));
  return ranks;
}

/** Ids that somebody gave a state, and the place of each. */
function nameStates(config: Json, path: string, ids: Map<string, string>): void {
  if (typeof config['id'] === 'string') ids.set(config['id'], path);
  for (const [key, child] of Object.entries(record(config['states'])))
    nameStates(record(child), `${path}.${key}`, ids);
}

function transitionsOf(
  config: Json,
  id: string,
  parent: string | undefined,
  ids: ReadonlyMap<string, string>,
): ChartTransition[] {
  const from = (event: string, given: unknown, delay?: number): ChartTransition[] =>
    list(given).flatMap((one) => {
      const { target, guard, actions } = typeof one === 'string' ? { target: one } : record(one);
      const label = [
        event,
        guard !== undefined && `[${nameOf(guard, 'guard')}]`,
        list(actions).length > 0 &&
          `/ ${list(actions)
            .map((action) => nameOf(action, 'actions'))
            .join(', ')}`,
      ];
      const targets = list(target).filter((to) => typeof to === 'string');
      const to = targets.length === 0 ? [id] : targets.map((to) => placeOf(to, id, parent, ids));
      const text = label.filter(Boolean).join(' ');
      return to.map((to) => ({ from: id, to, label: text, delay }));
    });
  return [
    ...Object.entries(record(config['on'])).flatMap(([event, given]) => from(event, given)),
    ...Object.entries(record(config['after'])).flatMap(([name, given]) => {
      const delay = /^\d+$/.test(name) ? Number(name) : undefined;
      return from(`after ${delay === undefined ? name : exactly(delay)}`, given, delay);
    }),
    ...from('always', config['always']),
    // Where a history state leads to when there is none yet.
    ...(config['type'] === 'history' && config['target'] !== undefined ? from('', config['target']) : []),
    ...from('done', config['onDone']),
    ...list(config['invoke']).flatMap((invoked) => {
      const { src, onDone, onError, onSnapshot } = record(invoked);
      const outcomes = { done: onDone, error: onError, snapshot: onSnapshot };
      return Object.entries(outcomes).flatMap(([outcome, given]) =>
        from(`${outcome} ${nameOf(src, 'src')}`, given),
      );
    }),
    ...Object.entries(record(config['states'])).flatMap(([key, child]) =>
      transitionsOf(record(child), `${id}.${key}`, id, ids),
    ),
  ];
}

/** `#id`, `#id.below`, `.child`, or a sibling and what is below it. */
function placeOf(
  target: string,
  id: string,
  parent: string | undefined,
  ids: ReadonlyMap<string, string>,
): string {
  if (target.startsWith('.')) return id + target;
  if (!target.startsWith('#')) return `${parent ?? id}.${target}`;
  const name = target.slice(1);
  const known = [...ids.keys()].find((given) => name === given || name.startsWith(`${given}.`));
  return known === undefined ? name : `${ids.get(known)}${name.slice(known.length)}`;
}

function initialOf({ initial }: Json): unknown {
  return typeof initial === 'object' ? record(initial)['target'] : initial;
}

/** A function that was written in place has the name of its key, or none. */
function nameOf(what: unknown, key: string): string {
  if (typeof what === 'string') return what;
  const { type } = record(what);
  return typeof type === 'string' && type !== key ? type.replace(/^xstate\./, '') : 'inline';
}

function list(given: unknown): readonly unknown[] {
  if (given === undefined || given === null) return [];
  return Array.isArray(given) ? given : [given];
}

function record(given: unknown): Json {
  return typeof given === 'object' && given !== null ? (given as Json) : {};
}

function parse(text: string): Json | undefined {
  try {
    return record(JSON.parse(text));
  } catch {
    return undefined;
  }
}
