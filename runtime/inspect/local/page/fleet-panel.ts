import type { ChartLayouts } from './chart-layouts.ts';
import { byId, el, say } from './dom.ts';
import { FleetChart } from './fleet-chart.ts';
import { FleetList, sayListed, type RowOrder } from './fleet-list.ts';
import { duration, short } from './figures.ts';
import { ask } from './requests.ts';
import { hueOf, stateLabel } from './state-colours.ts';
import type { Fleet, StateCount } from './told.ts';

/** Milliseconds between two looks at a fleet that nobody scrolls. */
const AGAIN_MS = 1000;

/** The fleet that is looked at. */
export interface FleetChoice extends RowOrder {
  readonly agent: string;
  /** Only the instances in this state. */
  readonly state?: string | undefined;
}

export interface FleetPanelOptions {
  readonly layouts: ChartLayouts;
  /** The machine of an agent, as far as it is known. */
  readonly definitionOf: (agent: string) => string | undefined;
  readonly open: (address: string) => void;
  readonly choose: (choice: FleetChoice) => void;
  /** Something is to be drawn, or asked for. */
  readonly changed: () => void;
}

/** All instances of an agent: how many are in which state, on its chart, and those of one state as a list. */
export class FleetPanel {
  readonly #options: FleetPanelOptions;
  readonly #chart: FleetChart;
  readonly #list: FleetList;
  #choice: FleetChoice | undefined;
  #fleet: Fleet | undefined;
  #asking: AbortController | undefined;
  #askedAt = -Infinity;
  #shown = '';

  constructor(options: FleetPanelOptions) {
    this.#options = options;
    this.#chart = new FleetChart(options.layouts, (state) => this.#drillDown(state));
    this.#list = new FleetList({
      open: options.open,
      reorder: (order) => this.#choice && options.choose({ ...this.#choice, ...order }),
      moved: () => {
        this.#askedAt = -Infinity;
        options.changed();
      },
    });
  }

  /** `undefined`: none is looked at. */
  choose(choice: FleetChoice | undefined): void {
    if (JSON.stringify(choice) === JSON.stringify(this.#choice)) return;
    const isOther = choice?.agent !== this.#choice?.agent;
    this.#choice = choice;
    this.#asking?.abort();
    this.#asking = undefined;
    this.#askedAt = -Infinity;
    if (isOther) this.#fleet = undefined;
    if (choice === undefined) return;
    this.#list.begin(choice.agent, choice);
    if (isOther) byId('fleet-states').replaceChildren();
    this.#shown = '';
  }

  draw(now: number, isPaused: boolean): void {
    const choice = this.#choice;
    if (choice === undefined) return;
    const { agent, state } = choice;
    say(byId('fleet-name'), agent);
    this.#chart.show(this.#options.definitionOf(agent), agent);
    if (this.#fleet !== undefined) this.#drawFleet(this.#fleet, state);
    else say(byId('fleet-listed'), isPaused ? 'Paused.' : 'Looking …');
    if (this.#asking === undefined && !isPaused && now - this.#askedAt >= AGAIN_MS)
      void this.#look(choice, now);
  }

  async #look({ agent, state, order, isReversed }: FleetChoice, now: number): Promise<void> {
    this.#askedAt = now;
    const asking = (this.#asking = new AbortController());
    const question = { agent, state, order, isReversed, ...this.#list.wanted };
    const told = await ask<{ readonly fleet?: Fleet }>('/fleet', question, asking.signal);
    if (this.#asking !== asking) return;
    this.#asking = undefined;
    if (told === undefined) return;
    const isFirst = this.#fleet === undefined;
    this.#fleet = told.fleet ?? { ...nobody, agent };
    this.#list.learn(this.#fleet.matched, this.#fleet.from, this.#fleet.rows);
    // Of the first nothing was known, not even how many rows there is room for.
    if (isFirst) this.#askedAt = -Infinity;
    this.#options.changed();
  }

  #drawFleet({ states, outer, total, matched, threads, medianMs }: Fleet, state: string | undefined): void {
    const [instances, on] = [total === 1 ? 'instance' : 'instances', threads === 1 ? 'thread' : 'threads'];
    say(byId('fleet-total'), `${total.toLocaleString('en')} ${instances} on ${threads} ${on}`);
    sayListed(matched, total, state);
    byId('fleet-none').hidden = matched > 0;
    const all = new Map([...outer, ...states].map((one) => [one.name, one]));
    this.#chart.count(all, total, state);
    const isListed = state === undefined || states.some(({ name }) => name === state);
    const listed = isListed ? states : [...states, all.get(state) ?? { name: state, count: 0 }];
    const names = listed.map(({ name }) => name).join('\n');
    if (names !== this.#shown) {
      this.#shown = names;
      const focused = document.activeElement?.closest<HTMLElement>('#fleet-states [data-state]')?.dataset[
        'state'
      ];
      byId('fleet-states').replaceChildren(...listed.map((one) => this.#stateButton(one)));
      if (focused !== undefined)
        byId('fleet-states')
          .querySelector<HTMLElement>(`[data-state="${CSS.escape(focused)}"]`)
          ?.focus();
    }
    for (const [n, { name, count }] of listed.entries()) {
      const button = byId('fleet-states').children[n]?.firstElementChild;
      if (!(button instanceof HTMLElement)) continue;
      button.setAttribute('aria-pressed', String(name === state));
      const [, , counted, median] = button.children;
      if (counted !== undefined) say(counted, short(count));
      const ms = medianMs[name];
      if (median !== undefined) say(median, ms === undefined ? '' : duration(ms));
    }
  }

  #stateButton(state: StateCount): HTMLElement {
    const button = el(
      'button',
      { type: 'button', 'data-state': state.name },
      el('span', { class: `swatch ${hueOf(state)}`, 'aria-hidden': 'true' }),
      el('span', { class: 'name', title: stateLabel(state.name) }, stateLabel(state.name)),
      el('span', { class: 'counted' }),
      el('span', { class: 'median', title: 'median time in it' }),
    );
    button.addEventListener('click', () => this.#drillDown(state.name));
    return el('li', {}, button);
  }

  /** Into a state, and out of it again. */
  #drillDown(state: string): void {
    const choice = this.#choice;
    if (choice === undefined) return;
    this.#options.choose({ ...choice, state: choice.state === state ? undefined : state });
  }
}

const nobody = {
  total: 0,
  states: [],
  threads: 0,
  outer: [],
  medianMs: {},
  matched: 0,
  from: 0,
  rows: [],
} satisfies Omit<Fleet, 'agent'>;
