import type { ChartGraph, ChartState, ChartTransition } from './chart-graph.ts';

/** A state as it is drawn: its box, what stands in its head, and the boxes in it. */
export interface PlannedState {
  readonly id: string;
  readonly key: string;
  readonly type: ChartState['type'];
  /** What stands beside its name. */
  readonly mark: string | undefined;
  /** Of the machine itself: undefined. */
  readonly parent: string | undefined;
  readonly depth: number;
  /** Below its name: what it invokes, its entry and exit, and the transitions that no edge stands for. */
  readonly lines: readonly string[];
  /** Transitions that no edge stands for, whole. */
  readonly stays: readonly string[];
  /** What `lines` cuts or leaves out, whole; undefined: nothing. */
  readonly whole: string | undefined;
  readonly children: readonly string[];
  readonly initial: string | undefined;
  /** States that are in it, drawn or not. */
  readonly within: number;
  readonly isClosed: boolean;
}

/** All transitions from one box to another one beside it. */
export interface PlannedEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** Each transition of it as a text, whole. */
  readonly labels: readonly string[];
  readonly lines: readonly string[];
  readonly whole: string | undefined;
  readonly transitions: readonly ChartTransition[];
  /** Lines that say a delay, with the state in which it runs. */
  readonly clocks: readonly Clock[];
}

export interface Clock {
  readonly line: number;
  readonly from: string;
  readonly delay: number;
}

export interface ChartPlan {
  readonly root: string;
  /** Each after the one that it is in. */
  readonly states: ReadonlyMap<string, PlannedState>;
  readonly edges: readonly PlannedEdge[];
}

/** Characters from which on event, guard and actions of a transition stand on lines of their own, and at most on one. */
const longLabel = 22;
const mostOnLine = 26;
const mostInHead = 34;
/** Lines of a label, and transitions that stay in their state; what is beyond them is counted. */
const mostLines = 4;
const mostStays = 6;

type Draft = Omit<PlannedState, 'lines' | 'whole' | 'stays'> & {
  readonly notes: readonly string[];
  stays: string[];
};

/**
 * What is to be drawn of a machine while these states are closed. An edge goes between two boxes that stand beside each
 * other, and its label says which of the states in them it is about; so each level can be laid out by itself.
 */
export function planChart(graph: ChartGraph, closed: ReadonlySet<string>): ChartPlan {
  const drafts = new Map<string, Draft>();
  /** Of those that are not drawn: the closed state that they are in. */
  const standsFor = new Map<string, string>();
  const hide = (state: ChartState, outer: string): void => {
    for (const child of state.ranks.flat()) {
      standsFor.set(child.id, outer);
      hide(child, outer);
    }
  };
  const show = (state: ChartState, parent: string | undefined, depth: number): void => {
    const { id, key, type, notes, ranks } = state;
    const mark = markOf(state);
    const isClosed = closed.has(id) && ranks.length > 0;
    const shown = isClosed ? [] : ranks.flat();
    const initial = shown.find(({ isInitial }) => isInitial)?.id;
    const children = shown.map((child) => child.id);
    const within = statesIn(state);
    drafts.set(id, {
      id,
      key,
      type,
      mark,
      parent,
      depth,
      notes,
      stays: [],
      children,
      initial,
      within,
      isClosed,
    });
    if (isClosed) hide(state, id);
    for (const child of shown) show(child, id, depth + 1);
  };
  show(graph.root, undefined, 0);

  const lineage = (id: string): string[] => {
    const all: string[] = [];
    for (let at: string | undefined = id; at !== undefined; at = drafts.get(at)?.parent) all.push(at);
    return all;
  };
  const edges = new Map<
    string,
    { id: string; from: string; to: string; labels: string[]; transitions: ChartTransition[] }
  >();
  for (const transition of graph.transitions) {
    const from = standsFor.get(transition.from) ?? transition.from;
    const to = standsFor.get(transition.to) ?? transition.to;
    const source = drafts.get(from);
    if (source === undefined) continue;
    if (!drafts.has(to)) {
      source.stays.push(`${transition.label} → ${to}, which is not there`);
      continue;
    }
    if (from === to) {
      if (transition.from === transition.to && transition.from === from)
        source.stays.push(`↺ ${transition.label}`);
      continue;
    }
    const [sources, targets] = [lineage(from), lineage(to)];
    const common = sources.find((id) => targets.includes(id)) ?? graph.root.id;
    if (common === from || common === to) {
      source.stays.push(`${transition.label} → ${keyOf(to, drafts)}`);
      continue;
    }
    const start = sources[sources.indexOf(common) - 1] ?? from;
    const end = targets[targets.indexOf(common) - 1] ?? to;
    const inner = [
      transition.from !== start && `${below(transition.from, start)}:`,
      transition.label,
      transition.to !== end && `→ ${below(transition.to, end)}`,
    ];
    const key = `${start}\n${end}`;
    const edge = edges.get(key) ?? {
      id: `edge ${edges.size}`,
      from: start,
      to: end,
      labels: [],
      transitions: [],
    };
    edges.set(key, edge);
    edge.labels.push(inner.filter(Boolean).join(' '));
    edge.transitions.push(transition);
  }
  return {
    root: graph.root.id,
    states: new Map(Array.from(drafts, ([id, draft]) => [id, finished(draft)])),
    edges: Array.from(edges.values(), (edge) => ({ ...edge, ...labelled(edge.labels, edge.transitions) })),
  };
}

/** The same boxes and arrows without texts, but for the names of states and what stands `beside` them. */
export function withoutTexts({ root, states, edges }: ChartPlan, beside: string): ChartPlan {
  const bare = Array.from(states, ([id, state]): [string, PlannedState] => {
    const mark = state.type === 'history' ? state.mark : beside;
    return [id, { ...state, mark, lines: [], stays: [], whole: undefined }];
  });
  return {
    root,
    states: new Map(bare),
    edges: edges.map((edge) => ({ ...edge, lines: [], clocks: [], whole: edge.labels.join('\n') })),
  };
}

/** How many states are in it, at any depth. */
export function statesIn({ ranks }: ChartState): number {
  return ranks.flat().reduce((sum, child) => sum + 1 + statesIn(child), 0);
}

function finished({ notes, stays, ...state }: Draft): PlannedState {
  const shown = stays.length > mostStays ? stays.slice(0, mostStays - 1) : stays;
  const all = [...notes, ...shown];
  const lines = all.map((line) => cut(line, mostInHead));
  if (shown.length < stays.length) lines.push(`+${stays.length - shown.length} more`);
  if (state.isClosed) lines.push(`${state.within} states`);
  const isWhole = shown.length === stays.length && all.every((line, n) => line === lines[n]);
  return { ...state, lines, stays, whole: isWhole ? undefined : [...notes, ...stays].join('\n') };
}

function labelled(
  labels: readonly string[],
  transitions: readonly ChartTransition[],
): Pick<PlannedEdge, 'lines' | 'whole' | 'clocks'> {
  const all: string[] = [];
  const clocks: Clock[] = [];
  for (const [n, label] of labels.entries()) {
    const { from = '', delay } = transitions[n] ?? {};
    if (delay !== undefined) clocks.push({ line: all.length, from, delay });
    if (label !== '') all.push(...wrapped(label));
  }
  const shown = all.length > mostLines ? mostLines - 1 : all.length;
  const lines = all.slice(0, shown);
  if (shown < all.length) lines.push(`+${all.length - shown} more`);
  const isWhole = shown === all.length && !all.some((line) => line.endsWith('…'));
  return {
    lines,
    whole: isWhole ? undefined : labels.join('\n'),
    clocks: clocks.filter(({ line }) => line < shown),
  };
}

function markOf({ type, isDeep }: ChartState): string | undefined {
  if (type === 'history') return isDeep ? 'H*' : 'H';
  return type === 'parallel' ? 'parallel' : undefined;
}

/** Event, guard and actions, a line each when they are long. */
function wrapped(label: string): string[] {
  if (label.length <= longLabel) return [label];
  const [, event = '', guard, actions] = /^(.*?)( \[.*?\])?( \/ .*)?$/.exec(label) ?? [];
  return [event, guard, actions].flatMap((part) => (part ? [cut(part.trim(), mostOnLine)] : []));
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** The keys of a state below one that it is in. */
function below(id: string, outer: string): string {
  return id.slice(outer.length + 1);
}

function keyOf(id: string, drafts: ReadonlyMap<string, Draft>): string {
  return drafts.get(id)?.key ?? id;
}
