import type { Actor, Actors } from './actors.ts';
import { valueText } from './chart-graph.ts';
import { el } from './dom.ts';
import { percent } from './figures.ts';
import type { Instance, Pool, Status, Thread } from './told.ts';
import { isFilter, treeRows, type Filter, type Row } from './tree-rows.ts';
import { errorText, failureText } from './wrong.ts';

const ROW = 28;
/** Rows that are drawn beyond those to be seen, above and below. */
const BEYOND = 6;

/** `chosen`: by the reader; `moved`: on the way to another one; `given`: by the page. */
export type Choosing = 'chosen' | 'moved' | 'given';

const everything: Filter = { text: '' };

/** What the status has to say, by the id of the actor. */
interface Known {
  readonly pools: ReadonlyMap<string, Pool>;
  readonly threads: ReadonlyMap<string, Thread>;
  readonly instances: ReadonlyMap<string, Instance>;
}

const nothing: Known = { pools: new Map(), threads: new Map(), instances: new Map() };

/** The tree of actors: only the rows to be seen are there, so it holds thousands. */
export class Tree {
  readonly #actors: Actors;
  readonly #container: HTMLElement;
  readonly #space: HTMLElement;
  readonly #choose: (id: string, how: Choosing) => void;
  readonly #opened = new Map<string, boolean>();
  #filter: Filter = everything;
  #rows: Row[] = [];
  #shape = -1;
  #known = nothing;
  #selected: string | undefined;
  #drawn: readonly string[] = [];

  constructor(container: HTMLElement, actors: Actors, choose: (id: string, how: Choosing) => void) {
    this.#actors = actors;
    this.#container = container;
    this.#choose = choose;
    this.#space = el('div', { class: 'rows', role: 'presentation' });
    container.append(this.#space);
    container.addEventListener('scroll', () => this.draw());
    container.addEventListener('mousedown', (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      container.focus({ preventScroll: true });
      this.#clicked(event.target as Element);
    });
    // The press counts: a row may be drawn anew before the button is let go, and then there is no click. One without a
    // press comes from assistive technology.
    container.addEventListener('click', (event) => {
      if (event.detail === 0) this.#clicked(event.target as Element);
    });
    container.addEventListener('keydown', (event) => this.#pressed(event));
    new ResizeObserver(() => this.draw()).observe(container);
  }

  /** The ids of the rows that are there. */
  get drawn(): readonly string[] {
    return this.#drawn;
  }

  get selected(): string | undefined {
    return this.#selected;
  }

  set filter(filter: Filter) {
    this.#filter = filter;
    this.#shape = -1;
    this.draw();
  }

  learn({ pools, instances }: Status): void {
    this.#known = {
      pools: new Map(pools.map((pool) => [`supervisor/pool:${pool.threadId}`, pool])),
      threads: new Map(
        pools.flatMap(({ threadId, threads }) =>
          threads.map((thread) => [`supervisor/pool:${threadId}/thread:${thread.n}`, thread]),
        ),
      ),
      instances: new Map(instances.map((instance) => [instance.address, instance])),
    };
  }

  poolOf(id: string): Pool | undefined {
    return this.#known.pools.get(id);
  }

  threadOf(id: string): Thread | undefined {
    return this.#known.threads.get(id);
  }

  instanceOf(id: string): Instance | undefined {
    return this.#known.instances.get(id);
  }

  select(id: string, how: Choosing = 'chosen'): void {
    this.#selected = id;
    this.#reveal();
    this.draw();
    this.#choose(id, how);
  }

  /** Selects one that may be out of sight: what it is in is opened. */
  show(id: string, how: Choosing = 'chosen'): void {
    for (const { id: above } of this.#actors.lineage(id).slice(1)) this.#opened.set(above, true);
    this.#shape = -1;
    this.draw();
    this.select(id, how);
  }

  /** None is selected. */
  leave(): void {
    this.#selected = undefined;
    this.draw();
  }

  draw(): void {
    if (this.#shape !== this.#actors.shape) {
      this.#shape = this.#actors.shape;
      this.#rows = treeRows(this.#actors, { filter: this.#filter, opened: this.#opened });
      this.#space.style.height = `${this.#rows.length * ROW}px`;
    }
    const { scrollTop, clientHeight } = this.#container;
    const from = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const to = Math.min(this.#rows.length, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND);
    const rows = this.#rows.slice(from, to);
    this.#drawn = rows.map(({ actor }) => actor.id);
    const drawn = rows.map((row, n) => this.#row(row, from + n));
    this.#space.replaceChildren(...drawn);
    const at = this.#rows.findIndex(({ actor }) => actor.id === this.#selected);
    if (at >= from && at < to) this.#container.setAttribute('aria-activedescendant', `row-${at}`);
    else this.#container.removeAttribute('aria-activedescendant');
  }

  #row({ actor, level, isOpen, place, siblings }: Row, n: number): HTMLElement {
    const { id, kind, endedAt } = actor;
    const row = el(
      'div',
      {
        id: `row-${n}`,
        class: `row ${kind}${endedAt === undefined ? '' : ` ${this.#ending(actor)}`}`,
        role: 'treeitem',
        'aria-level': level,
        'aria-posinset': place,
        'aria-setsize': siblings,
        'aria-expanded': isOpen === undefined ? undefined : String(isOpen),
        'aria-selected': String(id === this.#selected),
        'data-id': id,
      },
      el('span', { class: 'twist', 'aria-hidden': 'true' }, twist(isOpen)),
      el('span', { class: 'name', title: id }, nameOf(actor)),
      ...this.#figures(actor),
    );
    row.style.top = `${n * ROW}px`;
    row.style.paddingInlineStart = `${8 + (level - 1) * 14}px`;
    return row;
  }

  #figures(actor: Actor): HTMLElement[] {
    const { id, kind, snapshot, endedAt } = actor;
    const pool = this.#known.pools.get(id);
    if (pool !== undefined) {
      const instances = pool.threads.reduce((sum, { instances }) => sum + instances, 0);
      const threads = `${pool.threads.length}/${pool.maxThreads}`;
      return [
        ...(pool.health === 'open' ? [] : [el('span', { class: 'badge bad' }, pool.health)]),
        ...(pool.waiting === 0 ? [] : [el('span', { class: 'badge warn' }, `${pool.waiting} wait`)]),
        el('span', { class: 'count', title: `${threads} threads, ${instances} instances` }, threads),
        el('span', { class: 'count' }, String(instances)),
      ];
    }
    const thread = this.#known.threads.get(id);
    if (thread !== undefined && endedAt === undefined) {
      const { utilization = 0, state, instances } = thread;
      return [
        ...(state === 'ready' ? [] : [el('span', { class: 'badge warn' }, state)]),
        meter(utilization, `event loop ${percent(utilization)} busy`),
        el('span', { class: 'count', title: 'instances' }, String(instances)),
      ];
    }
    const ended = snapshot.status !== undefined && snapshot.status !== 'active';
    const text = ended ? snapshot.status : valueText(snapshot.value);
    const known = this.#known.instances.get(id);
    const problem = this.problemOf(actor);
    if (problem !== undefined && endedAt !== undefined) {
      const mark = known?.state ?? 'failed';
      return [
        el('span', { class: `badge ${mark === 'restarting' ? 'warn' : 'bad'}` }, mark),
        el('span', { class: 'state problem', title: problem }, problem),
      ];
    }
    return [
      ...(known !== undefined && known.state !== 'running'
        ? [el('span', { class: `badge ${known.state === 'quarantined' ? 'bad' : 'warn'}` }, known.state)]
        : []),
      ...(known !== undefined && known.mailbox > 0
        ? [el('span', { class: 'badge', title: 'events in its mailbox' }, String(known.mailbox))]
        : []),
      ...(text === '' || kind === 'thread' ? [] : [el('span', { class: 'state' }, text)]),
    ];
  }

  /** The error of one that failed. */
  problemOf({ id, kind, snapshot, endedAt }: Actor): string | undefined {
    const known = this.#known.instances.get(id);
    const told = known && failureText(known);
    if (told !== undefined || kind !== 'instance' || endedAt === undefined) return told;
    const { status, error } = snapshot;
    if (status !== 'error') return undefined;
    const { name, code, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
    const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
    const what = text(code);
    return errorText({
      name: text(name) ?? 'Error',
      message: text(message) ?? 'it threw something that is not an Error',
      ...(what !== undefined && { code: what }),
    });
  }

  /** How one that has ended is drawn. */
  #ending(actor: Actor): string {
    return this.problemOf(actor) === undefined ? 'ended' : 'failed';
  }

  #clicked(target: Element): void {
    const id = target.closest<HTMLElement>('.row')?.dataset['id'];
    if (id === undefined) return;
    if (target.closest('.twist') !== null) this.#toggle(id);
    this.select(id);
  }

  #toggle(id: string, open?: boolean): void {
    const row = this.#rows.find(({ actor }) => actor.id === id);
    if (row?.isOpen === undefined || row.isOpen === open) return;
    this.#opened.set(id, !row.isOpen);
    this.#shape = -1;
    this.draw();
  }

  #pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#rows.findIndex(({ actor }) => actor.id === this.#selected);
    const row = this.#rows[at];
    const go = (to: number): void => {
      const { actor } = this.#rows[Math.max(0, Math.min(this.#rows.length - 1, to))] ?? {};
      if (actor !== undefined) this.select(actor.id, 'moved');
    };
    const page = Math.max(1, Math.floor(this.#container.clientHeight / ROW) - 1);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(this.#rows.length - 1),
      ArrowRight: () => (row?.isOpen === true ? go(at + 1) : row && this.#toggle(row.actor.id, true)),
      ArrowLeft: () => this.#outwards(row),
      Enter: () => row && this.#toggle(row.actor.id),
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }

  #outwards(row: Row | undefined): void {
    if (row === undefined) return;
    if (row.isOpen === true && !isFilter(this.#filter)) return this.#toggle(row.actor.id, false);
    const { parentId } = row.actor;
    if (parentId !== undefined && this.#actors.byId.has(parentId)) this.select(parentId, 'moved');
  }

  /** Scrolls only if it is not to be seen. */
  #reveal(): void {
    const at = this.#rows.findIndex(({ actor }) => actor.id === this.#selected);
    if (at === -1) return;
    const { scrollTop, clientHeight } = this.#container;
    const [top, bottom] = [at * ROW, (at + 1) * ROW];
    if (top < scrollTop) this.#container.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.#container.scrollTop = bottom - clientHeight;
  }
}

/** Of what is in its parent's id the rest; an instance has its address. */
export function nameOf({ id, name, kind, parentId }: Actor): string {
  if (kind === 'pool') return name.replace(/^pool:/, '');
  if (kind === 'thread') return name.replace(':', ' ');
  return kind === 'child' && name === id && parentId !== undefined ? id.slice(parentId.length + 1) : name;
}

function twist(isOpen: boolean | undefined): string {
  if (isOpen === undefined) return '';
  return isOpen ? '▾' : '▸';
}

/** A bar of a share. */
export function meter(share: number, title: string): HTMLElement {
  const bar = el('span', { class: 'bar' });
  bar.style.inlineSize = percent(Math.max(0, Math.min(1, share))).replace(' ', '');
  const level = share > 0.9 ? ' high' : '';
  return el('span', { class: `meter${level}`, role: 'img', 'aria-label': title, title }, bar);
}
