import { byId, el, say } from './dom.ts';
import { duration, short } from './figures.ts';
import { stateLabel } from './state-colours.ts';
import type { FleetRow } from './told.ts';

const ROW = 28;
/** Rows that are drawn beyond those to be seen, above and below; so many more are asked for. */
const BEYOND = 6;
const AHEAD = 40;
/** What one answer holds at most. */
const mostRows = 200;

/** A column, and how a click on its heading orders the rows. */
const columns = [
  ['address', 'Instance'],
  ['state', 'State'],
  ['time', 'For'],
  ['mailbox', 'Mailbox'],
  ['restarts', 'Restarts'],
  ['failure', 'Last failure'],
] as const;

/** What rows are ordered by. */
export const orders = ['worst', ...columns.map(([column]) => column)] as const;

export interface RowOrder {
  readonly order: (typeof orders)[number];
  readonly isReversed: boolean;
}

export interface FleetListOptions {
  readonly open: (address: string) => void;
  readonly reorder: (order: RowOrder) => void;
  /** Others are to be seen now. */
  readonly moved: () => void;
}

/** Instances of an agent as rows, of which those to be seen, and some around them, are there: the rest is asked for. */
export class FleetList {
  readonly #options: FleetListOptions;
  readonly #scroller = byId('fleet-list');
  readonly #space = byId('fleet-rows');
  readonly #headings = new Map<string, HTMLElement>();
  #rows: readonly FleetRow[] = [];
  #from = 0;
  #total = 0;
  #cursor = 0;
  #agent = '';
  /** The row with the cursor is to be opened when it is there. */
  #isAwaited = false;

  constructor(options: FleetListOptions) {
    this.#options = options;
    for (const [order, name] of columns) {
      const button = el('button', { type: 'button', tabindex: -1 }, name);
      const heading = el('span', { role: 'columnheader', class: `col-${order}` }, button);
      button.addEventListener('click', () => this.#reorder(order));
      this.#headings.set(order, heading);
    }
    byId('fleet-headings').replaceChildren(...this.#headings.values());
    this.#scroller.addEventListener('scroll', () => {
      this.draw();
      if (!this.#isThere()) options.moved();
    });
    new ResizeObserver(() => {
      this.draw();
      options.moved();
    }).observe(this.#scroller);
    // The press counts: a row may be drawn anew before the button is let go.
    this.#space.addEventListener('mousedown', (event) => {
      if (event.button === 0) this.#clicked(event.target as Element);
    });
    this.#space.addEventListener('click', (event) => {
      if (event.detail === 0) this.#clicked(event.target as Element);
    });
    this.#scroller.addEventListener('keydown', (event) => this.#pressed(event));
  }

  /** The rows that are wanted. */
  get wanted(): { readonly from: number; readonly count: number } {
    const [first, last] = this.#seen();
    const from = Math.max(0, first - AHEAD);
    return { from, count: Math.min(mostRows, last - from + AHEAD) };
  }

  /** Others from now on: from the first one, and none is known of them. */
  begin(agent: string, { order, isReversed }: RowOrder): void {
    this.#agent = agent;
    [this.#rows, this.#from, this.#total, this.#cursor, this.#isAwaited] = [[], 0, 0, 0, false];
    this.#scroller.scrollTop = 0;
    for (const [name, heading] of this.#headings) {
      const numbers = name !== 'address' && name !== 'state';
      const falls = numbers !== isReversed;
      if (name === order) heading.setAttribute('aria-sort', falls ? 'descending' : 'ascending');
      else heading.removeAttribute('aria-sort');
    }
    this.draw();
  }

  learn(total: number, from: number, rows: readonly FleetRow[]): void {
    [this.#total, this.#from, this.#rows] = [total, from, rows];
    this.#cursor = Math.max(0, Math.min(this.#cursor, total - 1));
    this.#space.style.height = `${total * ROW}px`;
    this.#scroller.setAttribute('aria-rowcount', String(total + 1));
    this.draw();
    this.#openAwaited();
  }

  draw(): void {
    const [first, last] = this.#seen();
    const drawn: HTMLElement[] = [];
    for (let n = first; n < last; n += 1) drawn.push(this.#row(n));
    this.#space.replaceChildren(...drawn);
    const isDrawn = this.#cursor >= first && this.#cursor < last;
    if (isDrawn) this.#scroller.setAttribute('aria-activedescendant', `fleet-row-${this.#cursor}`);
    else this.#scroller.removeAttribute('aria-activedescendant');
  }

  #row(n: number): HTMLElement {
    const row = this.#rows[n - this.#from];
    const { address = '', states = [], forMs, mailbox = 0, restarts = 0, failure } = row ?? {};
    const state = states.map(stateLabel).join(' · ');
    const level = states[0]?.startsWith('is:') === true ? states[0].slice(3) : '';
    const prefix = `${this.#agent}/`;
    const name = address.startsWith(prefix) ? address.slice(prefix.length) : address;
    const texts: Readonly<Record<(typeof columns)[number][0], string>> = {
      address: row === undefined ? '…' : name,
      state,
      time: forMs === undefined ? '' : duration(forMs),
      mailbox: mailbox === 0 ? '' : short(mailbox),
      restarts: restarts === 0 ? '' : short(restarts),
      failure: failure?.text ?? '',
    };
    const made = el(
      'div',
      {
        id: `fleet-row-${n}`,
        role: 'row',
        class: `fleet-row ${level}`.trim(),
        'aria-rowindex': n + 2,
        'aria-selected': String(n === this.#cursor),
        'data-address': address,
      },
      ...columns.map(([column]) =>
        el(
          'span',
          { role: 'gridcell', class: `col-${column}`, title: texts[column] || undefined },
          texts[column],
        ),
      ),
    );
    made.style.top = `${n * ROW}px`;
    return made;
  }

  /** Rows that are drawn, from and up to. */
  #seen(): [first: number, last: number] {
    const { scrollTop, clientHeight } = this.#scroller;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    return [first, Math.min(this.#total, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND)];
  }

  #isThere(): boolean {
    const [first, last] = this.#seen();
    return first >= this.#from && last <= this.#from + this.#rows.length;
  }

  #reorder(order: (typeof orders)[number]): void {
    const sorted = this.#headings.get(order)?.getAttribute('aria-sort');
    const natural = order === 'address' || order === 'state' ? 'ascending' : 'descending';
    // Once, the other way round, and back to the worst first.
    if (sorted === null || sorted === undefined) this.#options.reorder({ order, isReversed: false });
    else if (sorted === natural) this.#options.reorder({ order, isReversed: true });
    else this.#options.reorder({ order: 'worst', isReversed: false });
  }

  #clicked(target: Element): void {
    const address = target.closest<HTMLElement>('.fleet-row')?.dataset['address'] ?? '';
    if (address !== '') this.#options.open(address);
  }

  #pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.#scroller) return;
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / ROW) - 2);
    const to: number | undefined = {
      ArrowDown: this.#cursor + 1,
      ArrowUp: this.#cursor - 1,
      PageDown: this.#cursor + page,
      PageUp: this.#cursor - page,
      Home: 0,
      End: this.#total - 1,
    }[event.key];
    if (to !== undefined) this.#moveTo(Math.max(0, Math.min(this.#total - 1, to)));
    else if (event.key === 'Enter') {
      this.#isAwaited = true;
      this.#openAwaited();
    } else return;
    event.preventDefault();
  }

  #openAwaited(): void {
    const address = this.#rows[this.#cursor - this.#from]?.address;
    if (!this.#isAwaited || address === undefined) return;
    this.#isAwaited = false;
    this.#options.open(address);
  }

  #moveTo(cursor: number): void {
    this.#cursor = cursor;
    this.#isAwaited = false;
    const { scrollTop, clientHeight } = this.#scroller;
    // The headings stay above them.
    const high = clientHeight - byId('fleet-headings').offsetHeight;
    const [top, bottom] = [cursor * ROW, (cursor + 1) * ROW];
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (bottom > scrollTop + high) this.#scroller.scrollTop = bottom - high;
    this.draw();
  }
}

/** How many of how many are listed, in words. */
export function sayListed(matched: number, total: number, state: string | undefined): void {
  const all = `${short(total)} ${total === 1 ? 'instance' : 'instances'}`;
  say(
    byId('fleet-listed'),
    state === undefined ? all : `${short(matched)} of ${all} in ${stateLabel(state)}`,
  );
}
