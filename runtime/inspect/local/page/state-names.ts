import type { ChartState } from './chart-graph.ts';
import { el } from './dom.ts';

/** The states of a machine by name, until its chart is laid out. */
export function stateNames(state: ChartState): HTMLElement {
  const item = (state: ChartState): HTMLElement => {
    const children = state.ranks.flat();
    const name = el('span', { 'data-name': state.id }, state.key);
    return el('li', {}, name, ...(children.length === 0 ? [] : [el('ul', {}, ...children.map(item))]));
  };
  return el('ul', { class: 'chart-names' }, item(state));
}
