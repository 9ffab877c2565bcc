import { activeStates, type ChartGraph, type ChartState, type ChartTransition } from './chart-graph.ts';
import { el, svg } from './dom.ts';

/** Pixels around the chart, as in the style sheet. */
const MARGIN = 14;
const SMALLEST = 0.6;

/** A state chart: nested boxes, the transitions of a state below it, and an arrow from each to where it leads. */
export class Chart {
  readonly #container: HTMLElement;
  readonly #states = new Map<string, HTMLElement>();
  readonly #arrows = svg('svg', { class: 'arrows', 'aria-hidden': 'true' });
  #graph: ChartGraph | undefined;
  #chart: HTMLElement | undefined;

  constructor(container: HTMLElement) {
    this.#container = container;
    new ResizeObserver(() => this.#fit()).observe(container);
  }

  show(graph: ChartGraph | undefined, otherwise: string): void {
    this.#graph = graph;
    this.#states.clear();
    if (graph === undefined) {
      this.#chart = undefined;
      this.#container.replaceChildren(el('p', { class: 'empty' }, otherwise));
      return;
    }
    this.#chart = el('div', { class: 'chart' }, this.#state(graph.root, graph.transitions), this.#arrows);
    this.#container.replaceChildren(this.#chart);
    this.#fit();
  }

  /** The value of a machine's snapshot. */
  mark(value: unknown): void {
    const graph = this.#graph;
    if (graph === undefined) return;
    const active = activeStates(value, graph.root.id);
    for (const [id, element] of this.#states) {
      const isActive = active.has(id);
      if (element.classList.contains('active') === isActive) continue;
      element.classList.toggle('active', isActive);
      if (isActive) element.setAttribute('aria-current', 'true');
      else element.removeAttribute('aria-current');
    }
  }

  #state(state: ChartState, transitions: readonly ChartTransition[]): HTMLElement {
    const own = transitions.filter(({ from }) => from === state.id);
    const box = el(
      'div',
      { class: 'box' },
      el('div', { class: 'key' }, ...(state.isInitial ? [initialMark()] : []), state.key, ...typeMark(state)),
      ...state.notes.map((note) => el('div', { class: 'note' }, note)),
      ...this.#inside(state, transitions),
    );
    const element = el(
      'div',
      {
        class: `chart-state ${state.type}`,
        role: 'group',
        'aria-label': `state ${state.key}`,
        'data-state': state.id,
      },
      box,
      ...(own.length === 0
        ? []
        : [
            el(
              'ul',
              {},
              ...own.map((one) => el('li', { 'data-to': one.to, title: `to ${one.to}` }, one.label)),
            ),
          ]),
    );
    this.#states.set(state.id, element);
    return element;
  }

  #inside({ type, ranks }: ChartState, transitions: readonly ChartTransition[]): HTMLElement[] {
    if (ranks.every((rank) => rank.length === 0)) return [];
    const columns = ranks.map((rank) =>
      el('div', { class: 'rank' }, ...rank.map((state) => this.#state(state, transitions))),
    );
    return [el('div', { class: type === 'parallel' ? 'regions' : 'ranks' }, ...columns)];
  }

  /** Smaller when it is wide, as long as it can be read. */
  #fit(): void {
    const chart = this.#chart;
    if (chart === undefined) return;
    chart.style.zoom = '1';
    const room = this.#container.clientWidth - 2 * MARGIN;
    const scale = Math.max(SMALLEST, Math.min(1, room / chart.getBoundingClientRect().width));
    this.#drawArrows(chart);
    chart.style.zoom = String(scale);
  }

  #drawArrows(chart: HTMLElement): void {
    const origin = chart.getBoundingClientRect();
    const head = svg(
      'marker',
      { id: 'head', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' },
      svg('path', { d: 'M0,0L8,4L0,8z' }),
    );
    const paths = [...chart.querySelectorAll<HTMLElement>('li')].flatMap((label) => {
      const target = this.#states.get(label.dataset['to'] ?? '')?.querySelector('.box');
      const source = label.closest('.chart-state')?.querySelector('.box');
      if (target === undefined || target === null || source === target) return [];
      const [from, to] = [label.getBoundingClientRect(), target.getBoundingClientRect()];
      const d = arrow(from, source?.getBoundingClientRect() ?? from, to, origin);
      return [svg('path', { class: 'arrow', d, 'marker-end': 'url(#head)' })];
    });
    this.#arrows.replaceChildren(svg('defs', {}, head), ...paths);
    this.#arrows.setAttribute('width', String(Math.ceil(origin.width)));
    this.#arrows.setAttribute('height', String(Math.ceil(origin.height)));
  }
}

/** From a label: straight on to what lies right of it, over the top to what lies left, and along the side within a rank. */
function arrow(from: DOMRect, source: DOMRect, to: DOMRect, origin: DOMRect): string {
  const [x, y] = [from.right - origin.left, from.top + from.height / 2 - origin.top];
  if (to.left > from.right) {
    const toX = to.left - origin.left;
    const toY = Math.min(Math.max(y, to.top - origin.top + 12), to.bottom - origin.top - 12);
    const bend = Math.max(18, (toX - x) / 2);
    return `M${x},${y}C${x + bend},${y} ${toX - bend},${toY} ${toX},${toY}`;
  }
  const side = Math.max(from.right, source.right) - origin.left + 16;
  if (to.right > source.left) {
    const [toX, toY] = [to.right - origin.left, to.top + to.height / 2 - origin.top];
    const far = Math.max(side, toX + 16);
    return `M${x},${y}C${far},${y} ${far + 6},${toY} ${toX},${toY}`;
  }
  const toX = to.left + to.width * 0.6 - origin.left;
  const [top, toY] = [Math.min(source.top, to.top) - origin.top - 13, to.top - origin.top];
  return `M${x},${y}C${side + 4},${y} ${side + 4},${top} ${side - 16},${top}H${toX + 14}Q${toX},${top} ${toX},${toY}`;
}

function initialMark(): HTMLElement {
  return el('span', { class: 'initial', title: 'the initial state', role: 'img', 'aria-label': 'initial' });
}

function typeMark({ type }: ChartState): HTMLElement[] {
  if (type === 'atomic' || type === 'compound') return [];
  return [el('span', { class: 'type' }, type)];
}
