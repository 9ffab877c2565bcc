import type { ChartPlan, PlannedEdge, PlannedState } from './chart-plan.ts';

/** Width of a text in pixels, in the font of what it is. */
export type Measure = (text: string, kind: 'key' | 'note' | 'label') => number;

export type Direction = 'RIGHT' | 'DOWN';

/** Pixels: a line in a state's head, its name with the room around it, a line of a label. */
export const ROW = 15;
export const HEAD = 26;
export const LABEL_ROW = 15;
/** Between a name and what stands beside it. */
export const MARK_GAP = 6;
/** What a clock adds to its line at most. */
const LONGEST_CLOCK = ' · in 9.9 min';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Area extends Point {
  readonly width: number;
  readonly height: number;
}

export interface Route {
  readonly edge: PlannedEdge;
  readonly points: readonly Point[];
  readonly label: Area | undefined;
}

/** Where all of a plan is, in pixels from its upper left corner. */
export interface ChartLayout {
  readonly plan: ChartPlan;
  readonly width: number;
  readonly height: number;
  readonly boxes: ReadonlyMap<string, Area>;
  readonly routes: readonly Route[];
  /** The dots from which the arrows to the initial states begin. */
  readonly initials: readonly { readonly dot: Area; readonly points: readonly Point[] }[];
}

type Options = Readonly<Record<string, string>>;

/** A node as the Eclipse Layout Kernel takes and returns it. */
export interface ElkNode {
  readonly id: string;
  readonly x?: number;
  readonly y?: number;
  readonly width?: number;
  readonly height?: number;
  readonly layoutOptions?: Options;
  readonly children?: readonly ElkNode[];
  readonly edges?: readonly ElkEdge[];
}

export interface ElkEdge {
  readonly id: string;
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly layoutOptions?: Options;
  readonly labels?: readonly (Partial<Area> & { readonly text: string; readonly layoutOptions: Options })[];
  readonly sections?: readonly {
    readonly startPoint: Point;
    readonly bendPoints?: readonly Point[];
    readonly endPoint: Point;
  }[];
}

/** No state has this id: theirs begin with a machine's name. */
const PAGE = '\u0000';
const DOT = '\u0000dot';

/**
 * The options of one level. They stand at each state that has others in it, since ELK passes none of them down; levels
 * alternate between right and down, so that a nested chart becomes as wide as it is high. MODEL_ORDER throws inside states
 * where levels are laid out together (INCLUDE_CHILDREN), which is not done here.
 */
const level = (direction: Direction): Options => ({
  'elk.algorithm': 'layered',
  'elk.hierarchyHandling': 'SEPARATE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.direction': direction,
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.layered.cycleBreaking.strategy': 'MODEL_ORDER',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.thoroughness': '7',
  'elk.spacing.nodeNode': '18',
  'elk.layered.spacing.nodeNodeBetweenLayers': '28',
  'elk.spacing.edgeNode': '12',
  'elk.layered.spacing.edgeNodeBetweenLayers': '12',
  'elk.spacing.edgeEdge': '10',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '10',
  'elk.spacing.edgeLabel': '3',
  'elk.spacing.labelLabel': '4',
  'elk.spacing.labelNode': '6',
  'elk.aspectRatio': '1.6',
});

/** What ELK is to lay out. */
export function toElk(plan: ChartPlan, measure: Measure, first: Direction): ElkNode {
  const held = Map.groupBy(plan.edges, ({ from }) => plan.states.get(from)?.parent);
  const other = first === 'RIGHT' ? 'DOWN' : 'RIGHT';
  const nodeOf = (id: string): ElkNode => {
    const state = plan.states.get(id) as PlannedState;
    const [width, head] = [headWidth(state, measure), headHeight(state)];
    if (state.children.length === 0) return { id, width, height: head + 4 };
    const edges = (held.get(id) ?? []).map((edge) => elkEdge(edge, measure));
    const children = state.children.map(nodeOf);
    if (state.initial !== undefined) {
      children.unshift({
        id: `${id}${DOT}`,
        width: 8,
        height: 8,
        layoutOptions: { 'elk.layered.layering.layerConstraint': 'FIRST' },
      });
      edges.unshift({
        id: `${id}${DOT}`,
        sources: [`${id}${DOT}`],
        targets: [state.initial],
        layoutOptions: {
          'elk.layered.priority.straightness': '10',
          'elk.layered.priority.shortness': '10',
        },
      });
    }
    const layoutOptions = {
      ...level(state.depth % 2 === 0 ? first : other),
      'elk.padding': `[top=${head + 12},left=14,bottom=14,right=14]`,
      'elk.nodeSize.constraints': 'MINIMUM_SIZE',
      'elk.nodeSize.minimum': `(${width},${head + 20})`,
    };
    return { id, layoutOptions, children, edges };
  };
  return {
    id: PAGE,
    layoutOptions: {
      ...level(first),
      'elk.json.shapeCoords': 'ROOT',
      'elk.json.edgeCoords': 'ROOT',
      'elk.padding': '[top=12,left=12,bottom=12,right=12]',
    },
    children: [nodeOf(plan.root)],
  };
}

/** What ELK made of it. */
export function fromElk(laid: ElkNode, plan: ChartPlan): ChartLayout {
  const boxes = new Map<string, Area>();
  const edges = new Map<string, ElkEdge>();
  const visit = (node: ElkNode): void => {
    if (node.id !== PAGE) boxes.set(node.id, area(node));
    for (const edge of node.edges ?? []) edges.set(edge.id, edge);
    for (const child of node.children ?? []) visit(child);
  };
  visit(laid);
  const routes = plan.edges.map((edge) => {
    const made = edges.get(edge.id);
    const label = made?.labels?.[0];
    return { edge, points: pointsOf(made), label: label && area(label) };
  });
  const initials = Array.from(edges.values()).flatMap((edge) => {
    const dot = edge.id.endsWith(DOT) ? boxes.get(edge.id) : undefined;
    return dot === undefined ? [] : [{ dot, points: pointsOf(edge) }];
  });
  for (const id of boxes.keys()) if (id.endsWith(DOT)) boxes.delete(id);
  return { plan, width: laid.width ?? 0, height: laid.height ?? 0, boxes, routes, initials };
}

/** Of the name and the lines below it. */
export function headHeight({ lines }: PlannedState): number {
  return HEAD + lines.length * ROW;
}

function headWidth({ key, mark, lines, within }: PlannedState, measure: Measure): number {
  const beside = mark === undefined ? 0 : measure(mark, 'note') + MARK_GAP;
  const twist = within > 0 ? 18 : 0;
  const name = measure(key, 'key') + beside + twist;
  return Math.ceil(Math.max(64, name, ...lines.map((line) => measure(line, 'note')))) + 22;
}

function elkEdge({ id, from, to, lines, clocks }: PlannedEdge, measure: Measure): ElkEdge {
  const edge = { id, sources: [from], targets: [to] };
  if (lines.length === 0) return edge;
  const widths = lines.map((line, n) => {
    const hasClock = clocks.some((clock) => clock.line === n);
    return measure(hasClock ? line + LONGEST_CLOCK : line, 'label');
  });
  const label = {
    // ELK leaves out a label without text.
    text: lines.join('\n'),
    width: Math.ceil(Math.max(...widths)) + 14,
    height: LABEL_ROW * lines.length + 4,
    layoutOptions: { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' },
  };
  return { ...edge, labels: [label] };
}

function pointsOf(edge: ElkEdge | undefined): Point[] {
  // All edges here have one section: they have one source and one target.
  const section = edge?.sections?.[0];
  return section === undefined ? [] : [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
}

function area({ x = 0, y = 0, width = 0, height = 0 }: Partial<Area>): Area {
  return { x, y, width, height };
}
