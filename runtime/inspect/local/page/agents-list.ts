import { byId, el, say } from './dom.ts';
import { short } from './figures.ts';
import { hueOf, stateLabel } from './state-colours.ts';
import type { FleetSummary } from './told.ts';

interface Row {
  readonly button: HTMLButtonElement;
  readonly bar: HTMLElement;
  readonly count: HTMLElement;
}

/** The agents that have instances, each with a bar of the states that these are in; one that is chosen shows its fleet. */
export class AgentsList {
  readonly #list = byId('agents');
  readonly #choose: (agent: string) => void;
  #rows = new Map<string, Row>();

  constructor(choose: (agent: string) => void) {
    this.#choose = choose;
  }

  draw(fleets: readonly FleetSummary[], chosen: string | undefined): void {
    const rows = new Map(fleets.map(({ agent }) => [agent, this.#rows.get(agent) ?? this.#row(agent)]));
    // In the order in which they came: a list that moves cannot be clicked.
    const order = [...this.#rows.keys()].filter((agent) => rows.has(agent));
    for (const agent of rows.keys()) if (!this.#rows.has(agent)) order.push(agent);
    for (const fleet of fleets) fill(rows.get(fleet.agent) as Row, fleet, fleet.agent === chosen);
    const isSame = order.join('\n') === [...this.#rows.keys()].join('\n');
    this.#rows = new Map(order.map((agent) => [agent, rows.get(agent) as Row]));
    if (isSame) return;
    const focused = document.activeElement;
    this.#list.replaceChildren(...Array.from(this.#rows.values(), ({ button }) => el('li', {}, button)));
    if (focused instanceof HTMLElement && this.#list.contains(focused))
      focused.focus({ preventScroll: true });
  }

  #row(agent: string): Row {
    const bar = el('span', { class: 'shares', 'aria-hidden': 'true' });
    const count = el('span', { class: 'count' });
    const button = el(
      'button',
      { type: 'button', 'data-agent': agent },
      el('span', { class: 'name', title: agent }, agent),
      bar,
      count,
    );
    button.addEventListener('click', () => this.#choose(agent));
    return { button, bar, count };
  }
}

function fill({ button, bar, count }: Row, { total, states }: FleetSummary, isChosen: boolean): void {
  say(count, short(total));
  button.setAttribute('aria-pressed', String(isChosen));
  const text = states.map(({ name, count }) => `${count} ${stateLabel(name)}`).join(', ');
  if (button.title === text) return;
  button.title = text;
  bar.replaceChildren(
    ...states.map((state) => {
      const share = el('span', { class: hueOf(state) });
      share.style.flexGrow = String(state.count);
      return share;
    }),
  );
}
