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

/** Lays out one level: a node with others in it, none of which has any. */
export type Kernel = (level: ElkNode) => Promise<ElkNode>;

/** Around the machine. */
const MARGIN = 12;
const DOT = 'dot';

/**
 * The options of one level. Levels
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

/** A level with others in it, laid out: its own size, and where the others are from its upper left corner. */
interface LaidLevel {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly node: ElkNode | undefined;
  readonly edges: readonly PlannedEdge[];
  readonly inner: readonly LaidLevel[];
}

/**
 * Lays out a plan from the innermost states outwards, each with the sizes of those in it. What the kernel is given says nothing
 * but sizes and who leads to whom: it is the same for levels that are alike, in this machine and in others.
 */
export async function layOut(
  plan: ChartPlan,
  {
    measure,
    first,
    kernel,
  }: { readonly measure: Measure; readonly first: Direction; readonly kernel: Kernel },
): Promise<ChartLayout> {
  const held = Map.groupBy(plan.edges, ({ from }) => plan.states.get(from)?.parent);
  const other = first === 'RIGHT' ? 'DOWN' : 'RIGHT';
  const laid = async (id: string): Promise<LaidLevel> => {
    const state = plan.states.get(id) as PlannedState;
    const [width, head] = [headWidth(state, measure), headHeight(state)];
    if (state.children.length === 0)
      return { id, width, height: head + 4, node: undefined, edges: [], inner: [] };
    const inner = await Promise.all(state.children.map(laid));
    const edges = held.get(id) ?? [];
    const direction = state.depth % 2 === 0 ? first : other;
    const initial = inner.findIndex((one) => one.id === state.initial);
    const node = await kernel({
      id: 'level',
      layoutOptions: {
        ...level(direction),
        'elk.padding': `[top=${head + 12},left=14,bottom=14,right=14]`,
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(${width},${head + 20})`,
      },
      children: [
        ...(initial === -1 ? [] : [dotNode()]),
        ...inner.map(({ width, height }, n) => ({ id: `n${n}`, width, height })),
      ],
      edges: [
        ...(initial === -1 ? [] : [arrowTo(`n${initial}`)]),
        ...edges.map((edge, n) =>
          elkEdge(edge, { id: `e${n}`, nodeOf: (id) => `n${state.children.indexOf(id)}`, measure }),
        ),
      ],
    });
    const size = {
      width: Math.max(node.width ?? 0, width),
      height: Math.max(node.height ?? 0, head + 20),
    };
    return { id, ...size, node, edges, inner };
  };
  return placed(plan, await laid(plan.root));
}

/** A new one each time: ELK writes into what it is given, where it is no worker. */
function dotNode(): ElkNode {
  const layoutOptions = { 'elk.layered.layering.layerConstraint': 'FIRST' };
  return { id: DOT, width: 8, height: 8, layoutOptions };
}

function arrowTo(target: string): ElkEdge {
  const layoutOptions = {
    'elk.layered.priority.straightness': '10',
    'elk.layered.priority.shortness': '10',
  };
  return { id: DOT, sources: [DOT], targets: [target], layoutOptions };
}

/** All levels where they are on the page. */
function placed(plan: ChartPlan, machine: LaidLevel): ChartLayout {
  const boxes = new Map<string, Area>();
  const routes = new Map<PlannedEdge, Route>();
  const initials: { readonly dot: Area; readonly points: readonly Point[] }[] = [];
  const place = ({ id, width, height, node, edges, inner }: LaidLevel, { x, y }: Point): void => {
    boxes.set(id, { x, y, width, height });
    if (node === undefined) return;
    const at = (point: Point): Point => ({ x: x + point.x, y: y + point.y });
    const areas = new Map(
      node.children?.map((child) => [child.id, Object.assign(area(child), at(area(child)))]) ?? [],
    );
    const made = new Map(node.edges?.map((edge) => [edge.id, edge]));
    const begins = areas.get(DOT);
    if (begins !== undefined) initials.push({ dot: begins, points: pointsOf(made.get(DOT)).map(at) });
    for (const [n, edge] of edges.entries()) {
      const one = made.get(`e${n}`);
      const label = one?.labels?.[0];
      routes.set(edge, {
        edge,
        points: pointsOf(one).map(at),
        label: label && Object.assign(area(label), at(area(label))),
      });
    }
    for (const [n, one] of inner.entries()) place(one, areas.get(`n${n}`) ?? { x, y });
  };
  place(machine, { x: MARGIN, y: MARGIN });
  return {
    plan,
    width: machine.width + 2 * MARGIN,
    height: machine.height + 2 * MARGIN,
    boxes,
    routes: plan.edges.map((edge) => routes.get(edge) ?? { edge, points: [], label: undefined }),
    initials,
  };
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

function elkEdge(
  { from, to, lines, clocks }: PlannedEdge,
  {
    id,
    nodeOf,
    measure,
  }: { readonly id: string; readonly nodeOf: (id: string) => string; readonly measure: Measure },
): ElkEdge {
  const edge = { id, sources: [nodeOf(from)], targets: [nodeOf(to)] };
  if (lines.length === 0) return edge;
  const widths = lines.map((line, n) => {
    const hasClock = clocks.some((clock) => clock.line === n);
    return measure(hasClock ? line + LONGEST_CLOCK : line, 'label');
  });
  const label = {
    // ELK leaves out a label without text.
    text: 'label',
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
