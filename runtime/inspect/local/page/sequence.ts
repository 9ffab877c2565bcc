import type { Actor, Actors, Message } from './actors.ts';
import { el, svg } from './dom.ts';
import { timeOfDay } from './figures.ts';

const ROW = 26;
const HEAD = 44;
const TIME = 92;
const mostRows = 60;
/** Pixels that a line of life takes at least. */
const LANE = 88;
const OUTSIDE = '\0outside';

/**
 * The latest messages, the oldest first, between few enough actors that each has a line of its own; what is said over and
 * over is one arrow.
 */
export function sequenceOf(
  messages: readonly Message[],
  mostLanes: number,
  seen: (message: Message) => Message | undefined,
): Sequence {
  const lanes = new Set<string>();
  const shown: Arrow[] = [];
  for (let n = messages.length - 1; n >= 0 && shown.length < mostRows; n -= 1) {
    const sent = messages[n];
    const message = sent === undefined || sent.type === 'xstate.init' ? undefined : seen(sent);
    if (message === undefined) continue;
    const ends = [message.from ?? OUTSIDE, message.to];
    const next = shown.at(-1);
    if (next?.from === message.from && next?.to === message.to && next.type === message.type) {
      shown[shown.length - 1] = { ...message, times: next.times + 1 };
      continue;
    }
    const more = ends.filter((end) => !lanes.has(end));
    if (lanes.size + new Set(more).size > mostLanes) continue;
    for (const end of more) lanes.add(end);
    shown.push({ ...message, times: 1 });
  }
  // What threads tell comes a batch at a time.
  const rows = shown.toReversed().toSorted((a, b) => a.at - b.at);
  // In the order of their first message, which is how one reads.
  const order = new Set(rows.flatMap(({ from, to }) => [from ?? OUTSIDE, to]));
  return { lanes: Array.from(order), rows };
}

/** The same message so many times in a row, the first of them at that time. */
export interface Arrow extends Message {
  readonly times: number;
}

export interface Sequence {
  readonly lanes: readonly string[];
  readonly rows: readonly Arrow[];
}

/** Draws messages as arrows between the lines of actors. */
export class SequenceView {
  readonly #container: HTMLElement;
  readonly #actors: Actors;
  readonly #nameOf: (actor: Actor) => string;

  constructor(container: HTMLElement, actors: Actors, nameOf: (actor: Actor) => string) {
    this.#container = container;
    this.#actors = actors;
    this.#nameOf = nameOf;
  }

  /** So many lines of life have room. */
  get mostLanes(): number {
    return Math.max(2, Math.floor((this.#container.clientWidth - TIME) / LANE));
  }

  draw({ lanes, rows }: Sequence): void {
    if (rows.length === 0) {
      this.#container.replaceChildren(el('p', { class: 'empty' }, 'No event yet.'));
      return;
    }
    const width = Math.max(this.#container.clientWidth - 4, TIME + lanes.length * LANE);
    const height = rows.length * ROW + 8;
    const step = (width - TIME) / lanes.length;
    const x = (id: string): number => TIME + (lanes.indexOf(id) + 0.5) * step;
    const heads = lanes.map((id) => this.#head(id, x(id), step));
    const lines = lanes.map((id) => svg('line', { class: 'life', x1: x(id), x2: x(id), y1: 0, y2: height }));
    const arrows = rows.map((message, n) => this.#message(message, x, n * ROW + ROW / 2, { step, width }));
    const picture = svg('svg', {
      width,
      height,
      role: 'img',
      'aria-label': 'the latest events between actors',
    });
    picture.append(svg('defs', {}, tip()), ...lines, ...arrows);
    const head = svg('svg', { class: 'heads', width, height: HEAD, 'aria-hidden': 'true' }, ...heads);
    const { scrollTop, scrollHeight, clientHeight } = this.#container;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - 2 * ROW;
    this.#container.replaceChildren(head, picture);
    if (isAtEnd) this.#container.scrollTop = this.#container.scrollHeight;
  }

  #head(id: string, x: number, step: number): SVGElement {
    const actor = this.#actors.byId.get(id);
    const name = id === OUTSIDE ? 'outside' : (actor && this.#nameOf(actor)) || id;
    const text = svg('text', { class: 'lane', x, y: 18 }, ...lines(name, Math.floor(step / 6.6), x));
    text.append(svg('title', {}, id === OUTSIDE ? 'everything that is not an actor of this runtime' : id));
    return text;
  }

  #message(
    { at, from = OUTSIDE, to, type, times }: Arrow,
    x: (id: string) => number,
    y: number,
    { step, width }: { readonly step: number; readonly width: number },
  ): SVGElement {
    const label = times === 1 ? type : `${type} × ${times}`;
    const [x1, x2] = [x(from), x(to)];
    const group = svg('g', { class: 'message' });
    group.append(svg('text', { class: 'time', x: 4, y: y + 4 }, timeOfDay(at)));
    if (x1 === x2) {
      group.append(
        svg('path', { class: 'wire', d: `M${x1},${y - 5}h14v10h-10`, 'marker-end': 'url(#tip)' }),
        svg('text', { class: 'type', x: x1 + 20, y: y + 4 }, cut(label, Math.floor((width - x1 - 24) / 6.4))),
      );
    } else {
      const end = x2 > x1 ? x2 - 3 : x2 + 3;
      const shown = cut(label, Math.floor((Math.max(Math.abs(x2 - x1), step) - 12) / 6.4));
      group.append(
        svg('line', { class: 'wire', x1, x2: end, y1: y + 4, y2: y + 4, 'marker-end': 'url(#tip)' }),
        svg('text', { class: 'type between', x: (x1 + x2) / 2, y: y - 1 }, shown),
      );
    }
    group.append(svg('title', {}, label));
    return group;
  }
}

function tip(): SVGElement {
  const shape = {
    id: 'tip',
    viewBox: '0 0 8 8',
    refX: 7,
    refY: 4,
    markerWidth: 7,
    markerHeight: 7,
    orient: 'auto',
  };
  return svg('marker', shape, svg('path', { d: 'M0,0L8,4L0,8z' }));
}

/** Two lines at most. */
function lines(name: string, most: number, x: number): SVGElement[] {
  const [first = '', ...rest] = name.split('/');
  const parts = rest.length === 0 ? [first] : [`${first}/`, rest.join('/')];
  return parts.map((part, n) => svg('tspan', { x, dy: n === 0 ? 0 : 14 }, cut(part, most)));
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
}
