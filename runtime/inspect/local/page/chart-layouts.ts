import { chartGraph, type ChartGraph } from './chart-graph.ts';
import { layOut, type ChartLayout, type Direction, type Measure } from './chart-layout.ts';
import { planChart, withoutTexts } from './chart-plan.ts';
import { LayoutWorker } from './layout-worker.ts';
import { LevelCache } from './level-cache.ts';

/** Machines whose charts are kept: more than a runtime has agents, mostly. */
const mostMachines = 64;
/** Layouts of one machine, which differ in what is closed. */
const mostLayouts = 32;

export interface Room {
  readonly width: number;
  readonly height: number;
}

/** The charts of machines, each laid out once for all of its instances. */
export class ChartLayouts {
  readonly #worker = new LayoutWorker();
  readonly #levels = new LevelCache((level) => this.#worker.layout(level));
  readonly #measure = measureInCanvas();
  /** The machine that was asked for last stands last. */
  readonly #graphs = new Map<string, ChartGraph | undefined>();
  readonly #layouts = new WeakMap<ChartGraph, Map<string, Promise<ChartLayout>>>();

  graphOf(definition: string | undefined, unnamed: string): ChartGraph | undefined {
    const key = `${unnamed}\n${definition}`;
    const graph = this.#graphs.has(key) ? this.#graphs.get(key) : chartGraph(definition, unnamed);
    this.#graphs.delete(key);
    this.#graphs.set(key, graph);
    dropOldest(this.#graphs, mostMachines);
    return graph;
  }

  /**
   * Of a layout that begins to the right and one that begins downwards the one that can be shown larger in this room; `beside`
   * stands beside the names of states instead of all other texts, if it is given.
   */
  async best(
    graph: ChartGraph,
    closed: ReadonlySet<string>,
    room: Room,
    beside?: string,
  ): Promise<ChartLayout> {
    const across = await this.#laidOut(graph, closed, 'RIGHT', beside);
    if (scaleToFit(across, room) === 1) return across;
    const down = await this.#laidOut(graph, closed, 'DOWN', beside);
    return scaleToFit(down, room) > scaleToFit(across, room) ? down : across;
  }

  #laidOut(
    graph: ChartGraph,
    closed: ReadonlySet<string>,
    direction: Direction,
    beside: string | undefined,
  ): Promise<ChartLayout> {
    const layouts = this.#layouts.get(graph) ?? new Map<string, Promise<ChartLayout>>();
    this.#layouts.set(graph, layouts);
    const key = JSON.stringify([direction, beside, ...Array.from(closed).toSorted()]);
    const known = layouts.get(key);
    if (known !== undefined) return known;
    const whole = planChart(graph, closed);
    const plan = beside === undefined ? whole : withoutTexts(whole, beside);
    const kernel = this.#levels.kernel;
    const made = layOut(plan, { measure: this.#measure, first: direction, kernel });
    layouts.set(key, made);
    dropOldest(layouts, mostLayouts);
    // Whoever looks again tries again.
    made.catch(() => layouts.delete(key));
    return made;
  }
}

/** At most its own size. */
export function scaleToFit({ width, height }: Room, room: Room): number {
  return Math.min(1, room.width / width, room.height / height);
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) break;
    map.delete(key);
  }
}

/** As the style sheet has them: what is measured here is drawn there. */
function measureInCanvas(): Measure {
  const context = document.createElement('canvas').getContext('2d');
  const family = getComputedStyle(document.body).fontFamily;
  const fonts = { key: `650 12.5px ${family}`, note: `11px ${family}`, label: `11px ${family}` };
  return (text, kind) => {
    if (context === null) return text.length * 7;
    context.font = fonts[kind];
    return context.measureText(text).width;
  };
}
