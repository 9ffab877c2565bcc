import { byId, el, element, say } from './dom.ts';
import { duration, short, timeOfDay, took } from './figures.ts';
import type { ActorRecord, Entry } from './record.ts';
import {
  carriedText,
  eventText,
  lineText,
  matches,
  stateText,
  timelineRows,
  type TimelineRow,
} from './timeline-rows.ts';

const ROW = 26;
/** Rows that are drawn beyond those to be seen, above and below. */
const BEYOND = 6;
const longestGist = 200;

/**
 * The record of the chosen actor, the newest first, and the way back in it: a line that is chosen is a moment, which the chart and
 * the context show. Only the rows to be seen are there.
 */
export class Timeline {
  readonly #choose: (entry: Entry | undefined) => void;
  readonly #list = byId('timeline');
  readonly #space = el('div', { class: 'rows', role: 'presentation' });
  readonly #scrub = element('scrub', HTMLInputElement);
  readonly #search = element('timeline-search', HTMLInputElement);
  readonly #opened = new Set<number>();
  #record: ActorRecord | undefined;
  #version = -1;
  #rows: TimelineRow[] = [];
  /** The number of the chosen entry. */
  #chosen: number | undefined;
  /** The name of the moment that the address asks for, until it is found. */
  #sought: string | undefined;

  /** `choose` is told of the moment; undefined: now. */
  constructor(choose: (entry: Entry | undefined) => void) {
    this.#choose = choose;
    this.#list.append(this.#space);
    this.#list.addEventListener('scroll', () => this.#drawRows());
    this.#list.addEventListener('mousedown', (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      this.#list.focus({ preventScroll: true });
      this.#clicked(event.target as Element);
    });
    // The press counts, as in the tree; a click without one comes from assistive technology.
    this.#list.addEventListener('click', (event) => {
      if (event.detail === 0) this.#clicked(event.target as Element);
    });
    this.#list.addEventListener('keydown', (event) => this.#pressed(event));
    this.#scrub.addEventListener('input', () => {
      const { value, max } = this.#scrub;
      if (value === max) this.live();
      else this.#chooseEntry(this.#record?.at(Number(value)));
    });
    this.#search.addEventListener('input', () => this.#refresh());
    byId('moment-live').addEventListener('click', () => this.live());
    new ResizeObserver(() => this.#drawRows()).observe(this.#list);
  }

  /** The moment; undefined: now. */
  get chosen(): Entry | undefined {
    return this.#chosen === undefined ? undefined : this.#record?.at(this.#chosen);
  }

  /** Goes to the moment of that name as soon as it is in the record; undefined: to what is now. */
  seek(name: string | undefined): void {
    this.#sought = name;
    byId('moment-gone').hidden = true;
    if (this.#chosen === undefined) return;
    this.#chosen = undefined;
    this.#refresh();
  }

  /** `isWhole`: all that is remembered is in the record. */
  draw(record: ActorRecord | undefined, isWhole: boolean): void {
    if (record !== this.#record) {
      this.#record = record;
      this.#opened.clear();
      this.#version = -1;
      this.#list.scrollTop = 0;
      if (this.#chosen !== undefined) this.live();
    }
    if (record !== undefined && this.#sought !== undefined) this.#find(record, this.#sought, isWhole);
    // The moment is no longer kept: the oldest that is takes its place.
    if (this.#chosen !== undefined && record !== undefined && this.#chosen < record.dropped)
      this.#chooseEntry(record.entries[0]);
    if (this.#version === (record?.version ?? 0)) return;
    this.#refresh();
  }

  #find(record: ActorRecord, name: string, isWhole: boolean): void {
    const found = record.named(name);
    if (found === undefined && !isWhole) return;
    this.#sought = undefined;
    byId('moment-gone').hidden = found !== undefined;
    if (found === undefined) return;
    this.#refresh();
    this.#chooseEntry(found);
  }

  /** To what is now. */
  live(): void {
    this.#chosen = undefined;
    this.#choose(undefined);
    this.#refresh();
  }

  /** Goes so many rows back, or forward; forward from the newest is now. */
  step(by: number): void {
    const at = this.#rows.findIndex((row) => this.#isChosen(row));
    let next = at === -1 ? (by > 0 ? -1 : 0) : at;
    do next += by;
    while (this.#rows[next] !== undefined && this.#rows[next]?.kind !== 'entry');
    const row = this.#rows[next];
    if (row?.kind === 'entry') this.#chooseEntry(row.entry);
    else if (next < 0) this.live();
  }

  search(): void {
    this.#search.focus();
  }

  #refresh(): void {
    const record = this.#record;
    this.#version = record?.version ?? 0;
    const entries = record?.entries ?? [];
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filter = words.length === 0 ? undefined : (entry: Entry) => matches(entry, words);
    const before = this.#rows.length;
    this.#rows = timelineRows(entries, { dropped: record?.dropped ?? 0, filter, opened: this.#opened });
    this.#space.style.height = `${this.#rows.length * ROW}px`;
    // Who has scrolled back goes on reading the same lines.
    const more = this.#rows.length - before;
    if (this.#list.scrollTop > 0 && more > 0 && before > 0 && filter === undefined)
      this.#list.scrollTop += more * ROW;
    const matching = filter === undefined ? entries.length : entries.filter(filter).length;
    say(
      byId('timeline-count'),
      filter === undefined
        ? `${short(entries.length)} events`
        : `${short(matching)} of ${short(entries.length)} match`,
    );
    byId('no-timeline').hidden = this.#rows.length > 0;
    say(
      byId('no-timeline'),
      filter === undefined ? 'Nothing has happened since the page was opened.' : 'Nothing matches.',
    );
    this.#list.hidden = this.#rows.length === 0;
    this.#sayMoment();
    this.#drawRows();
  }

  #sayMoment(): void {
    const { entries = [], dropped = 0 } = this.#record ?? {};
    const last = dropped + entries.length;
    this.#scrub.min = String(dropped);
    this.#scrub.max = String(last);
    this.#scrub.value = String(this.#chosen ?? last);
    this.#scrub.disabled = entries.length === 0;
    const moment = this.chosen;
    const text = moment === undefined ? 'now' : `${timeOfDay(moment.at)}, ${eventText(moment)}`;
    this.#scrub.setAttribute('aria-valuetext', text);
    byId('moment-live').hidden = moment === undefined;
    document.body.classList.toggle('past', moment !== undefined);
  }

  #chooseEntry(entry: Entry | undefined): void {
    if (entry === undefined) return;
    this.#chosen = entry.n;
    byId('moment-gone').hidden = true;
    this.#choose(entry);
    this.#sayMoment();
    this.#reveal();
    this.#drawRows();
  }

  #reveal(): void {
    const at = this.#rows.findIndex((row) => this.#isChosen(row));
    if (at === -1) return;
    const { scrollTop, clientHeight } = this.#list;
    if (at * ROW < scrollTop) this.#list.scrollTop = at * ROW;
    else if ((at + 1) * ROW > scrollTop + clientHeight) this.#list.scrollTop = (at + 1) * ROW - clientHeight;
  }

  /** A folded row stands for all of them. */
  #isChosen(row: TimelineRow): boolean {
    if (this.#chosen === undefined || row.kind !== 'entry') return false;
    const { entry, first, times } = row;
    if (entry.n === this.#chosen) return true;
    return times > 1 && !this.#opened.has(first) && this.#chosen >= first && this.#chosen < entry.n;
  }

  #drawRows(): void {
    const { scrollTop, clientHeight } = this.#list;
    const from = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const to = Math.min(this.#rows.length, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND);
    const drawn = this.#rows.slice(from, to).map((row, n) => this.#row(row, from + n));
    this.#space.replaceChildren(...drawn);
    const at = this.#rows.findIndex((row) => this.#isChosen(row));
    if (at >= from && at < to) this.#list.setAttribute('aria-activedescendant', `moment-${at}`);
    else this.#list.removeAttribute('aria-activedescendant');
  }

  #row(row: TimelineRow, at: number): HTMLElement {
    const drawn = row.kind === 'entry' ? this.#entry(row, at) : note(row);
    drawn.style.top = `${at * ROW}px`;
    return drawn;
  }

  #entry(row: TimelineRow & { readonly kind: 'entry' }, at: number): HTMLElement {
    const { entry, times, first } = row;
    const isFold = times > 2;
    const isFolded = isFold && !this.#opened.has(first);
    const name = el('span', { class: 'what' }, eventText(entry));
    if (isFold)
      name.append(' ', el('span', { class: 'twist', 'data-fold': first }, isFolded ? `▸ × ${times}` : '▾'));
    const below = entry.kind === 'sent' ? '' : entry.actor.slice((this.#record?.id ?? '').length + 1);
    const drawn = el(
      'div',
      {
        id: `moment-${at}`,
        class: `moment ${entry.kind}${level(entry)}${isFailure(entry) ? ' failure' : ''}${below === '' ? '' : ' below'}`,
        role: 'option',
        'data-n': entry.n,
        'aria-selected': String(this.#isChosen(row)),
      },
      el('time', {}, timeOfDay(entry.at)),
      name,
      el('span', { class: 'states' }, ...states(entry, below)),
      el('span', { class: 'gist' }, gist(entry).slice(0, longestGist)),
      figure('waited', entry.waitedMs),
      figure('took', entry.tookMs),
    );
    return drawn;
  }

  #clicked(target: Element): void {
    const fold = target.closest<HTMLElement>('[data-fold]')?.dataset['fold'];
    if (fold !== undefined) return this.#toggle(Number(fold));
    const n = target.closest<HTMLElement>('[data-n]')?.dataset['n'];
    if (n !== undefined) this.#chooseEntry(this.#record?.at(Number(n)));
  }

  #toggle(first: number): void {
    if (!this.#opened.delete(first)) this.#opened.add(first);
    this.#refresh();
  }

  #pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#rows.findLast(({ kind }) => kind === 'entry');
    const press: Readonly<Record<string, () => void>> = {
      ArrowDown: () => this.step(1),
      ArrowUp: () => this.step(-1),
      PageDown: () => this.step(10),
      Home: () => this.live(),
      End: () => last?.kind === 'entry' && this.#chooseEntry(last.entry),
      Escape: () => this.live(),
      Enter: () => {
        const row = this.#rows.find((row) => this.#isChosen(row));
        if (row?.kind === 'entry' && row.times > 2) this.#toggle(row.first);
      },
    };
    const pressed = press[event.key];
    if (pressed === undefined) return;
    event.preventDefault();
    pressed();
  }
}

function note(row: Exclude<TimelineRow, { kind: 'entry' }>): HTMLElement {
  const text =
    row.kind === 'pause'
      ? `${duration(row.ms)}, nothing`
      : `${short(row.count)} older events are not kept any more`;
  return el('div', { class: 'moment note', 'aria-hidden': 'true' }, text);
}

/** Who sees it knows it by its place. */
function figure(what: 'waited' | 'took', ms: number | undefined): HTMLElement {
  const said = ms === undefined ? [] : [el('span', { class: 'unseen' }, `${what} `), took(ms)];
  return el('span', { class: what, title: what }, ...said);
}

/** Lines that are no news have the colour of the page. */
function level({ kind, type }: Entry): string {
  return kind === 'log' && (type === 'warn' || type === 'error') ? ` ${type}` : '';
}

function isFailure({ type, after }: Entry): boolean {
  return after?.status === 'error' || type.startsWith('xstate.error.');
}

/** Where it led, or where it went. */
function states({ kind, to, before, after }: Entry, below: string): (string | Node)[] {
  if (kind === 'sent') return ['to ', el('b', {}, to ?? '')];
  const where = below === '' ? [] : [el('i', {}, below), ' '];
  if (kind === 'log') return where;
  const [was, is] = [stateText(before), stateText(after)];
  if (after === undefined) return [...where, was];
  if (was === is || kind === 'began' || was === '') return [...where, el('span', { class: 'stays' }, is)];
  return [...where, was, ' → ', el('b', {}, is)];
}

function gist(entry: Entry): string {
  const { kind, event, after, from } = entry;
  if (kind === 'log') return lineText(entry);
  if (kind === 'missed') return 'too much happened at once; this is the state after it';
  if (after?.status === 'error') {
    const { message } = Object(after.error) as { message?: unknown };
    if (typeof message === 'string') return message;
  }
  const carried = carriedText(event);
  return carried === '' && from !== undefined ? `from ${from}` : carried;
}
