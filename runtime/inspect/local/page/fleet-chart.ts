import type { Drawing } from './chart-drawing.ts';
import { drawChart } from './chart-drawing.ts';
import { ChartFolds } from './chart-folds.ts';
import type { ChartGraph } from './chart-graph.ts';
import type { ChartLayouts } from './chart-layouts.ts';
import { ChartView } from './chart-view.ts';
import { stateNames } from './state-names.ts';
import { byId, el, say, svg } from './dom.ts';
import { short } from './figures.ts';
import { hueOf } from './state-colours.ts';
import type { StateCount } from './told.ts';

/** Room for a count beside the name of a state: wider than any, with what is around it. */
const ROOM = '00000000';
const HIGH = 16;

interface Tally {
  readonly group: SVGElement;
  readonly pill: SVGElement;
  readonly text: SVGElement;
  readonly right: number;
}

/** The chart of an agent's machine with the number of its instances in each state, which is pressed to see them. */
export class FleetChart {
  readonly #container = byId('fleet-chart');
  readonly #layouts: ChartLayouts;
  readonly #view: ChartView;
  readonly #choose: (state: string) => void;
  readonly #folds = new ChartFolds();
  #graph: ChartGraph | undefined;
  #asked = '';
  #drawing: Drawing | undefined;
  #tallies = new Map<string, Tally>();
  #counts: ReadonlyMap<string, StateCount> = new Map();
  #total = 0;
  #state: string | undefined;

  constructor(layouts: ChartLayouts, choose: (state: string) => void) {
    this.#layouts = layouts;
    this.#choose = choose;
    const minimap = document.querySelector<SVGSVGElement>('#fleet-map');
    if (minimap === null) throw new Error('the page has no #fleet-map');
    this.#view = new ChartView(this.#container, minimap);
    byId('fleet-fit').addEventListener('click', () => this.#view.fit());
    byId('fleet-smaller').addEventListener('click', () => this.#view.zoom(0.8));
    byId('fleet-larger').addEventListener('click', () => this.#view.zoom(1.25));
  }

  /** `definition`: of a machine, or there is no chart. */
  show(definition: string | undefined, agent: string): void {
    const graph = this.#layouts.graphOf(definition, agent);
    byId('fleet-chart-frame').hidden = byId('fleet-tools').hidden = graph === undefined;
    byId('fleet-chart-cut').hidden = graph?.isCut !== true;
    if (graph === this.#graph) return;
    this.#graph = graph;
    this.#drawing = undefined;
    this.#tallies.clear();
    this.#asked = '';
    this.#view.show(undefined);
    this.#container.replaceChildren(
      graph === undefined
        ? el('p', { class: 'empty' }, 'The chart is being laid out.')
        : stateNames(graph.root),
    );
    if (graph !== undefined) this.#layOut(graph);
  }

  /** `counts` by the keys of states below the machine; `state`: the chosen one. */
  count(counts: ReadonlyMap<string, StateCount>, total: number, state: string | undefined): void {
    [this.#counts, this.#total, this.#state] = [counts, total, state];
    const root = this.#graph?.root.id;
    if (root === undefined || this.#drawing === undefined) return;
    for (const [id, tally] of this.#tallies) {
      const name = id.slice(root.length + 1);
      const told: StateCount | undefined = id === root ? { name, count: total } : counts.get(name);
      sayCount(tally, told?.count ?? 0, id === root ? root : name, id !== root && name === state);
      if (told?.place !== undefined) tally.group.setAttribute('class', `tally ${hueOf(told)}`);
    }
    this.#drawing.mark(new Set(state === undefined ? [] : [`${root}.${state}`]));
  }

  #layOut(graph: ChartGraph): void {
    const closed = this.#folds.closed(graph);
    const asked = JSON.stringify([...closed]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    const { clientWidth, clientHeight } = this.#container;
    const isWanted = (): boolean => this.#graph === graph && this.#asked === asked;
    void this.#layouts
      .best(graph, closed, { width: clientWidth || 560, height: clientHeight || 420 }, ROOM)
      .then(
        (layout) => {
          if (isWanted())
            this.#draw(
              graph,
              drawChart(layout, (id) => this.#toggle(graph, id)),
            );
        },
        (error: Error) => {
          const text = `The chart could not be laid out: ${error.message}.`;
          if (isWanted()) this.#container.replaceChildren(el('p', { class: 'empty' }, text));
        },
      );
  }

  #draw(graph: ChartGraph, drawing: Drawing): void {
    this.#drawing = drawing;
    this.#tallies.clear();
    for (const group of drawing.element.querySelectorAll<SVGElement>('.chart-state:not(.history)')) {
      const id = group.dataset['state'] ?? '';
      const area = drawing.layout.boxes.get(id);
      const name = id.slice(graph.root.id.length + 1);
      const beside = group.querySelector('.key .type');
      if (beside !== null) say(beside, '');
      if (area === undefined) continue;
      const pill = svg('rect', { y: area.y + 5, height: HIGH, rx: HIGH / 2 });
      const text = svg('text', { y: area.y + 17 });
      const attributes = id === graph.root.id ? {} : { role: 'button', tabindex: 0 };
      const tally = svg('g', { class: 'tally', ...attributes, 'data-tally': name }, pill, text);
      this.#tallies.set(id, { group: tally, pill, text, right: area.x + area.width - 6 });
      drawing.element.append(tally);
      if (id === graph.root.id) continue;
      const press = (event: Event): void => {
        event.preventDefault();
        this.#choose(name);
      };
      tally.addEventListener('click', press);
      tally.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' || event.key === ' ') press(event);
      });
      if (group.querySelector('.twist-state') === null) group.addEventListener('click', press);
    }
    this.#view.show(drawing);
    this.count(this.#counts, this.#total, this.#state);
  }

  #toggle(graph: ChartGraph, id: string): void {
    this.#folds.toggle(graph, id);
    this.#layOut(graph);
  }
}

function sayCount({ group, pill, text, right }: Tally, count: number, name: string, isChosen: boolean): void {
  group.toggleAttribute('hidden', count === 0);
  const shown = short(count);
  const width = shown.length * 7 + 12;
  if (text.textContent !== shown) {
    text.textContent = shown;
    pill.setAttribute('x', String(right - width));
    pill.setAttribute('width', String(width));
    text.setAttribute('x', String(right - width / 2));
  }
  group.setAttribute('aria-label', `${name}: ${count} ${count === 1 ? 'instance' : 'instances'}`);
  if (group.hasAttribute('role')) group.setAttribute('aria-pressed', String(isChosen));
  else group.setAttribute('aria-hidden', 'true');
}
