import { TableDeeds, type Offer } from './deeds.ts';
import { byId, el, say } from './dom.ts';
import { duration } from './figures.ts';
import type { Wrong } from './wrong.ts';

/** Rows that are drawn: the worst. */
const mostRows = 50;

interface Row {
  readonly line: HTMLElement;
  readonly badge: HTMLElement;
  readonly name: HTMLButtonElement;
  readonly why: HTMLElement;
  readonly advice: HTMLElement;
  readonly since: HTMLElement;
  readonly deeds: HTMLElement;
}

/** The list of what is wrong now, and the header, which is red as long as there is something and says nothing otherwise. */
export class WrongList {
  readonly #choose: (id: string) => void;
  readonly #list = byId('wrong-list');
  readonly #deeds = new TableDeeds(this.#list);
  /** By the key of what is wrong: a row that has the focus keeps it. */
  #rows = new Map<string, Row>();
  #count = 0;

  constructor(choose: (id: string) => void) {
    this.#choose = choose;
    this.#list.addEventListener('keydown', (event) => this.#pressed(event));
  }

  /** `left`: how many more there are. `isThere`: whether an id is in the tree, so that it can be chosen. `offers`: what may be done about something. */
  draw(
    all: readonly Wrong[],
    {
      isThere,
      offers,
      now,
      left = 0,
    }: {
      readonly isThere: (id: string) => boolean;
      readonly offers: (wrong: Wrong) => readonly Offer[];
      readonly now: number;
      readonly left?: number;
    },
  ): void {
    this.#sayCount(all, all.length + left);
    if (this.#deeds.isPressed) return;
    const drawn = all.slice(0, mostRows);
    const more = all.length + left - drawn.length;
    say(byId('wrong-more'), more > 0 ? `${more} more are not shown` : '');
    const rows = new Map(drawn.map((wrong) => [wrong.key, this.#rows.get(wrong.key) ?? this.#row()]));
    for (const wrong of drawn) {
      const row = rows.get(wrong.key) as Row;
      fill(row, wrong, isThere, now);
      this.#offer(row.deeds, offers(wrong));
    }
    const isSame = [...rows.keys()].join('\n') === [...this.#rows.keys()].join('\n');
    this.#rows = rows;
    if (isSame) return;
    const focused = document.activeElement;
    this.#list.replaceChildren(...Array.from(rows.values(), ({ line }) => line));
    this.#deeds.sweep();
    // A row that is put elsewhere loses it, and gets it back; when it is gone the first row gets it.
    if (!(focused instanceof HTMLElement) || focused === document.activeElement) return;
    if (this.#list.contains(focused)) focused.focus({ preventScroll: true });
    else this.focus();
  }

  /** To the first that can be chosen, or else to the list. */
  focus(): void {
    if (this.#count === 0) return;
    (this.#buttons()[0] ?? this.#list).focus();
  }

  #sayCount(all: readonly Wrong[], count: number): void {
    document.querySelector('header')?.classList.toggle('wrong', count > 0);
    byId('wrong').hidden = byId('wrong-total').hidden = count === 0;
    say(byId('wrong-count'), count === 0 ? '' : String(count));
    document.title = `${count === 0 ? '' : `(${count}) `}Holdfast inspector`;
    if (count === this.#count) return;
    const [first] = all;
    const worst = first === undefined ? '' : `: ${first.kind} ${first.name}${count > 1 ? ' and others' : ''}`;
    say(
      byId('wrong-said'),
      first === undefined ? 'Nothing is wrong any more' : `Wrong now, ${count}${worst}`,
    );
    this.#count = count;
  }

  #offer(place: HTMLElement, offers: readonly Offer[]): void {
    const buttons = offers.map((offered) => this.#deeds.button(offered));
    const isSame =
      buttons.length === place.children.length && buttons.every((button, n) => button === place.children[n]);
    if (!isSame) place.replaceChildren(...buttons);
  }

  #row(): Row {
    const badge = el('span', { class: 'badge' });
    const name = el('button', { type: 'button' });
    const [why, advice, since, deeds] = [
      el('span', { class: 'why' }),
      el('span', { class: 'advice' }),
      el('span', { class: 'since' }),
      el('span', { class: 'deeds' }),
    ];
    name.addEventListener('click', () => this.#choose(name.dataset['id'] ?? ''));
    return {
      line: el('li', {}, badge, name, why, advice, since, deeds),
      badge,
      name,
      why,
      advice,
      since,
      deeds,
    };
  }

  #buttons(): HTMLButtonElement[] {
    return Array.from(this.#rows.values(), ({ name }) => name).filter(({ disabled }) => !disabled);
  }

  #pressed(event: KeyboardEvent): void {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = this.#buttons();
    const at = buttons.findIndex((button) => button === document.activeElement);
    const next = buttons[at === -1 ? 0 : at + by];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  }
}

function fill(row: Row, wrong: Wrong, isThere: (id: string) => boolean, now: number): void {
  const { kind, level, name, id, why, advice, since } = wrong;
  row.badge.className = `badge ${level}`;
  say(row.badge, kind);
  say(row.name, name);
  row.name.dataset['id'] = id ?? '';
  row.name.disabled = id === undefined || !isThere(id);
  say(row.why, why);
  if (row.why.title !== why) row.why.title = why;
  say(row.advice, advice);
  say(row.since, since === undefined ? '' : `${duration(Math.max(0, now - since))} ago`);
}
