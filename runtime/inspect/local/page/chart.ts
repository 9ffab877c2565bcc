import { activeStates, type ChartGraph } from './chart-graph.ts';
import { drawChart, type Drawing } from './chart-drawing.ts';
import { ChartFolds } from './chart-folds.ts';
import type { ChartLayouts, Room } from './chart-layouts.ts';
import { chartMermaid } from './chart-mermaid.ts';
import { planChart } from './chart-plan.ts';
import { standaloneSvg } from './chart-svg.ts';
import { ChartView } from './chart-view.ts';
import { byId, el, say } from './dom.ts';
import { stateNames } from './state-names.ts';

/** A change of a state's value that was seen. */
export interface Change {
  readonly before: unknown;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The state chart of a machine, which opens where its active states are. */
export class Chart {
  readonly #container: HTMLElement;
  readonly #view: ChartView;
  readonly #layouts: ChartLayouts;
  readonly #folds = new ChartFolds();
  #graph: ChartGraph | undefined;
  #active: ReadonlySet<string> = new Set();
  /** When those were entered of which that was seen. */
  #entered = new Map<string, number>();
  #value: unknown;
  /** States that were active since this chart is shown: they stay open. */
  #visited = new Set<string>();
  #drawing: Drawing | undefined;
  /** The closed states of the layout that is drawn or under way. */
  #asked = '';

  constructor(container: HTMLElement, layouts: ChartLayouts) {
    this.#container = container;
    this.#layouts = layouts;
    const minimap = document.querySelector<SVGSVGElement>('#minimap');
    if (minimap === null) throw new Error('the page has no #minimap');
    this.#view = new ChartView(container, minimap);
    const press: Readonly<Record<string, () => void>> = {
      'chart-active': () => this.#view.showActive(),
      'chart-fit': () => this.#view.fit(),
      'chart-smaller': () => this.#view.zoom(0.8),
      'chart-larger': () => this.#view.zoom(1.25),
      'chart-mermaid': () =>
        this.#copy('Mermaid', this.#graph && chartMermaid(planChart(this.#graph, new Set()))),
      'chart-svg': () => this.#copy('SVG', this.#drawing && standaloneSvg(this.#drawing.element)),
    };
    for (const [id, pressed] of Object.entries(press)) byId(id).addEventListener('click', pressed);
  }

  /** The chart of a definition, or a sentence where there is none. */
  show(definition: string | undefined, unnamed: string, otherwise: string): void {
    const graph = this.#layouts.graphOf(definition, unnamed);
    this.#graph = graph;
    this.#drawing = undefined;
    this.#active = new Set();
    this.#entered = new Map();
    this.#value = undefined;
    this.#visited = new Set();
    this.#asked = '';
    this.#view.show(undefined);
    byId('chart-tools').hidden = graph === undefined;
    byId('chart-cut').hidden = graph?.isCut !== true;
    say(byId('chart-said'), '');
    this.#container.replaceChildren(
      graph === undefined ? el('p', { class: 'empty' }, otherwise) : stateNames(graph.root),
    );
  }

  /** The value of a machine's snapshot; and which one it came from, and when, if that was seen. */
  mark(value: unknown, change: Change | undefined, now: number): void {
    const graph = this.#graph;
    if (graph === undefined) return;
    if (value !== this.#value || this.#active.size === 0) {
      this.#value = value;
      const active = activeStates(value, graph.root.id);
      const isFirst = this.#active.size === 0;
      const before = isFirst ? change && activeStates(change.before, graph.root.id) : this.#active;
      // It has begun anew, with its delays.
      if (change === undefined) this.#entered.clear();
      for (const id of this.#entered.keys()) if (!active.has(id)) this.#entered.delete(id);
      if (before !== undefined && change !== undefined)
        for (const id of active) if (!before.has(id)) this.#entered.set(id, change.at);
      if (!isSame(active, this.#active)) this.#activate(graph, active);
    }
    this.#drawing?.tick(this.#entered, now);
  }

  #activate(graph: ChartGraph, active: ReadonlySet<string>): void {
    this.#active = active;
    for (const id of active) this.#visited.add(id);
    this.#drawing?.mark(active);
    for (const name of this.#container.querySelectorAll<HTMLElement>('[data-name]'))
      name.classList.toggle('active', active.has(name.dataset['name'] ?? ''));
    this.#view.follow(active);
    this.#layOut(graph);
  }

  #layOut(graph: ChartGraph): void {
    const closed = this.#folds.closed(graph, this.#visited);
    const asked = JSON.stringify([...closed]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    const isWanted = (): boolean => this.#graph === graph && this.#asked === asked;
    void this.#layouts.best(graph, closed, this.#room()).then(
      (layout) => {
        if (isWanted()) this.#draw(drawChart(layout, (id) => this.#toggle(graph, id)));
      },
      (error: Error) => {
        if (!isWanted()) return;
        this.#container.prepend(
          el('p', { class: 'empty' }, `The chart could not be laid out: ${error.message}. Its states:`),
        );
      },
    );
  }

  #draw(drawing: Drawing): void {
    const focused = document.activeElement?.getAttribute('data-toggle');
    this.#drawing = drawing;
    drawing.mark(this.#active);
    this.#view.show(drawing);
    this.#view.follow(this.#active);
    if (focused !== null && focused !== undefined)
      drawing.element.querySelector<SVGElement>(`[data-toggle="${CSS.escape(focused)}"]`)?.focus();
  }

  #copy(what: string, text: string | undefined): void {
    const said = byId('chart-said');
    if (text === undefined) return say(said, 'It is not drawn yet.');
    void navigator.clipboard.writeText(text).then(
      () => say(said, `Copied as ${what}.`),
      () => say(said, 'The browser does not let the page copy.'),
    );
  }

  #toggle(graph: ChartGraph, id: string): void {
    this.#folds.toggle(graph, id, this.#visited);
    this.#layOut(graph);
  }

  #room(): Room {
    return { width: this.#container.clientWidth || 900, height: this.#container.clientHeight || 560 };
  }
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && Array.from(a).every((id) => b.has(id));
}
