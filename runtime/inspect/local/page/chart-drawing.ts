import {
  HEAD,
  headHeight,
  LABEL_ROW,
  MARK_GAP,
  ROW,
  type Area,
  type ChartLayout,
  type Point,
  type Route,
} from './chart-layout.ts';
import type { PlannedState } from './chart-plan.ts';
import { say, svg } from './dom.ts';
import { duration } from './figures.ts';

/** Pixels of the arc in which an edge turns. */
const CORNER = 7;

/** A chart as SVG, in its own size. */
export interface Drawing {
  readonly element: SVGSVGElement;
  readonly layout: ChartLayout;
  /** These states are active now: they, and the edges that may be taken from them, stand out. */
  mark(active: ReadonlySet<string>): void;
  /** When states were entered, as far as that was seen: delays that run in them say how long they still take. */
  tick(entered: ReadonlyMap<string, number>, now: number): void;
}

/** Draws what was laid out; `toggle` is called with a state that is to be closed or opened. */
export function drawChart(layout: ChartLayout, toggle: (id: string) => void): Drawing {
  const { plan, width, height, boxes, routes, initials } = layout;
  const states = new Map<string, SVGElement>();
  for (const state of plan.states.values()) {
    const area = boxes.get(state.id);
    if (area === undefined) continue;
    const corner = state.type === 'history' ? area.height / 2 : 9;
    const rect = svg('rect', { class: 'box', ...area, rx: corner });
    const inner = {
      x: area.x + 3,
      y: area.y + 3,
      width: area.width - 6,
      height: area.height - 6,
      rx: corner - 3,
    };
    const group = svg(
      'g',
      {
        class: `chart-state ${state.type}`,
        role: 'group',
        'aria-label': `state ${[state.key, ...spokenType(state)].join(', ')}`,
        'data-state': state.id,
      },
      rect,
      ...(state.type === 'final' ? [svg('rect', { class: 'inner', ...inner })] : []),
      head(state, area.x + 11, area.y, toggle),
      svg('g', {}, ...notes(state, area), ...whole(state.whole)),
    );
    if (state.children.length > 0) {
      const y = area.y + headHeight(state) + 2;
      group.append(svg('path', { class: 'rule', d: `M${area.x},${y}h${area.width}` }));
    }
    states.set(state.id, group);
  }
  const edges = routes.map((route) => ({ edge: route.edge, drawn: drawRoute(route) }));
  const element = svg(
    'svg',
    { class: 'chart', viewBox: `0 0 ${width} ${height}`, width, height },
    svg('defs', {}, tip('chart-tip'), tip('chart-tip-live')),
    ...states.values(),
    ...initials.flatMap(({ dot, points }) => [
      svg('circle', { class: 'dot', cx: dot.x + 4, cy: dot.y + 4, r: 4 }),
      svg('path', { class: 'arrow', d: rounded(points), 'marker-end': 'url(#chart-tip)' }),
    ]),
    ...edges.flatMap(({ drawn: { path } }) => path),
    ...edges.flatMap(({ drawn: { label } }) => label ?? []),
  );
  return {
    element,
    layout,
    mark(active) {
      for (const [id, group] of states) {
        const isActive = active.has(id);
        if (group.classList.contains('active') === isActive) continue;
        group.classList.toggle('active', isActive);
        if (isActive) group.setAttribute('aria-current', 'true');
        else group.removeAttribute('aria-current');
      }
      for (const { edge, drawn } of edges) {
        const isLive = edge.transitions.some(({ from }) => active.has(from));
        if (drawn.path.classList.contains('live') === isLive) continue;
        drawn.path.classList.toggle('live', isLive);
        drawn.path.setAttribute('marker-end', isLive ? 'url(#chart-tip-live)' : 'url(#chart-tip)');
        drawn.label?.classList.toggle('live', isLive);
      }
    },
    tick(entered, now) {
      for (const { edge, drawn } of edges)
        for (const [n, { from, delay }] of edge.clocks.entries()) {
          const left = (entered.get(from) ?? -Infinity) + delay - now;
          const text = left > 0 ? ` · in ${duration(left)}` : '';
          if (drawn.clocks[n] !== undefined) say(drawn.clocks[n], text);
        }
    },
  };
}

/** The name; of a state with others in it also what closes and opens it. */
function head(state: PlannedState, x: number, y: number, toggle: (id: string) => void): SVGElement {
  const { id, key, mark, within, isClosed, parent } = state;
  const beside = mark === undefined ? [] : [svg('tspan', { class: 'type', dx: MARK_GAP }, mark)];
  if (within === 0 || parent === undefined)
    return svg('text', { class: 'key', x, y: y + 18 }, key, ...beside);
  const press = (event: Event): void => {
    event.preventDefault();
    event.stopPropagation();
    toggle(id);
  };
  const button = svg(
    'g',
    {
      class: 'twist-state',
      role: 'button',
      tabindex: 0,
      'aria-expanded': String(!isClosed),
      'aria-label': `${key}, ${within} ${within === 1 ? 'state' : 'states'}`,
      'data-toggle': id,
    },
    svg('rect', { class: 'hit', x: x - 6, y: y + 4, width: 24 + key.length * 7.5, height: 19, rx: 5 }),
    svg('path', {
      class: 'twist-mark',
      d: isClosed ? `M${x + 1},${y + 9}l6,4.5l-6,4.5z` : `M${x},${y + 10.5}h9l-4.5,6z`,
    }),
    svg('text', { class: 'key', x: x + 14, y: y + 18 }, key, ...beside),
  );
  button.addEventListener('click', press);
  button.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === ' ') press(event);
  });
  return button;
}

interface DrawnRoute {
  readonly path: SVGElement;
  readonly label: SVGElement | undefined;
  /** In the order of the edge's own. */
  readonly clocks: readonly SVGElement[];
}

function drawRoute({ edge, points, label: area }: Route): DrawnRoute {
  const ends = { 'data-from': edge.from, 'data-to': edge.to };
  const path = svg('path', { class: 'arrow', ...ends, d: rounded(points), 'marker-end': 'url(#chart-tip)' });
  if (area === undefined) return { path, label: undefined, clocks: [] };
  const { x, y, width, height } = area;
  const texts = edge.lines.map((line, n) =>
    svg('text', { x: x + width / 2, y: y + 2 + n * LABEL_ROW + 11.5 }, line),
  );
  const clocks = edge.clocks.map(({ line }) => {
    const clock = svg('tspan', { class: 'clock' });
    texts[line]?.append(clock);
    return clock;
  });
  const rect = svg('rect', { x, y, width, height, rx: 6 });
  return {
    path,
    label: svg('g', { class: 'edge-label', ...ends }, rect, ...texts, ...whole(edge.whole)),
    clocks,
  };
}

/** What is drawn as a form, in a word. */
function spokenType({ type }: PlannedState): string[] {
  return type === 'final' || type === 'history' || type === 'parallel' ? [type] : [];
}

function notes({ lines }: PlannedState, { x, y }: Area): SVGElement[] {
  return lines.map((line, n) => svg('text', { class: 'note', x: x + 11, y: y + HEAD + n * ROW + 8 }, line));
}

/** What is cut or left out is shown to who points at the rest. */
function whole(text: string | undefined): SVGElement[] {
  return text === undefined ? [] : [svg('title', {}, text)];
}

/** Straight from point to point, and round where it turns. */
function rounded(points: readonly Point[]): string {
  const [first, ...others] = points;
  if (first === undefined) return '';
  let path = `M${first.x},${first.y}`;
  let before = first;
  for (const [n, point] of others.entries()) {
    const after = others[n + 1];
    if (after === undefined) path += `L${point.x},${point.y}`;
    else {
      const [from, to] = [towards(point, before), towards(point, after)];
      path += `L${from.x},${from.y}Q${point.x},${point.y} ${to.x},${to.y}`;
    }
    before = point;
  }
  return path;
}

/** The point where a turn at `corner` begins. */
function towards(corner: Point, other: Point): Point {
  const length = Math.hypot(other.x - corner.x, other.y - corner.y);
  if (length === 0) return corner;
  const share = Math.min(CORNER, length / 2) / length;
  return { x: corner.x + (other.x - corner.x) * share, y: corner.y + (other.y - corner.y) * share };
}

function tip(id: string): SVGElement {
  return svg(
    'marker',
    { id, viewBox: '0 0 8 8', refX: 7.2, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' },
    svg('path', { d: 'M0,.5L8,4L0,7.5z' }),
  );
}
