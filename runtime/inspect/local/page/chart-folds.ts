import type { ChartGraph, ChartState } from './chart-graph.ts';
import { statesIn } from './chart-plan.ts';

/** A chart with more states opens with those closed that are not active, and so can be read. */
const MOST_OPEN = 30;
const none: ReadonlySet<string> = new Set();

/** What of a chart is closed: by its size, and by what the reader closed and opened, for each machine. */
export class ChartFolds {
  readonly #toggled = new WeakMap<ChartGraph, Map<string, boolean>>();

  /** Opens what is closed, or closes it; `visited` as in {@link closed}. */
  toggle(graph: ChartGraph, id: string, visited = none): void {
    const toggled = this.#toggled.get(graph) ?? new Map<string, boolean>();
    this.#toggled.set(graph, toggled.set(id, this.closed(graph, visited).has(id)));
  }

  /** The outermost states that are closed. `visited`: those that are open in a large chart too, until the reader closes them. */
  closed(graph: ChartGraph, visited = none): Set<string> {
    const isLarge = statesIn(graph.root) > MOST_OPEN;
    const toggled = this.#toggled.get(graph);
    const closed = new Set<string>();
    const visit = (state: ChartState): void => {
      if (state.ranks.length === 0) return;
      const isOpen = state === graph.root || (toggled?.get(state.id) ?? (!isLarge || visited.has(state.id)));
      if (isOpen) for (const child of state.ranks.flat()) visit(child);
      else closed.add(state.id);
    };
    visit(graph.root);
    return closed;
  }
}
