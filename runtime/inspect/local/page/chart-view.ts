import type { Drawing } from './chart-drawing.ts';
import { scaleToFit, type Room } from './chart-layouts.ts';
import type { Area } from './chart-layout.ts';
import { Minimap } from './minimap.ts';

/** A chart that fits at this scale is shown whole; below it, texts of 11 px cannot be read. */
const READABLE = 0.72;
/** Pixels around the state that is shown large. */
const MARGIN = 12;
/** The small map is there when less of a chart is to be seen: else it hides more than it shows. */
const MOSTLY = 0.7;
const LARGEST = 2.5;
const SMALLEST = 0.08;
/** Pixels that a mouse moves before it drags. */
const DRAG = 4;

/** What of a chart is to be seen: zoomed, panned, or fitted and with the active states in view until the reader moves it. */
export class ChartView {
  readonly #container: HTMLElement;
  #drawing: Drawing | undefined;
  #active: ReadonlySet<string> = new Set();
  #scale = 1;
  /** What is shown: the active states, wherever they are; all of it, however small; or what the reader moved to. */
  #mode: 'active' | 'whole' | 'moved' = 'active';
  readonly #minimap: Minimap;
  /** Where this class has scrolled to, and in what room: anywhere else in the same room is the reader's doing. */
  #place = { left: 0, top: 0, width: 0, height: 0 };

  constructor(container: HTMLElement, minimap: SVGSVGElement) {
    this.#container = container;
    this.#minimap = new Minimap(minimap, (x, y) => {
      const { width, height } = this.#room();
      this.#mode = 'moved';
      this.#scrollTo(x * this.#scale - width / 2, y * this.#scale - height / 2);
    });
    new ResizeObserver(() => {
      if (this.#mode === 'active') this.showActive();
      else if (this.#mode === 'whole') this.fit();
      else this.#see();
    }).observe(container);
    container.addEventListener('scroll', () => {
      const { scrollLeft, scrollTop, clientWidth, clientHeight } = container;
      // With less room the browser itself scrolls, before it tells of the room.
      if (clientWidth !== this.#place.width || clientHeight !== this.#place.height) return;
      if (Math.abs(scrollLeft - this.#place.left) > 1 || Math.abs(scrollTop - this.#place.top) > 1)
        this.#mode = 'moved';
      this.#see();
    });
    container.addEventListener(
      'wheel',
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const { left, top } = container.getBoundingClientRect();
        this.zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - left, y: event.clientY - top });
      },
      { passive: false },
    );
    container.addEventListener('pointerdown', (event) => this.#drag(event));
    container.addEventListener('keydown', (event) => {
      const press = {
        '+': () => this.zoom(1.25),
        '-': () => this.zoom(0.8),
        0: () => this.fit(),
        a: () => this.showActive(),
      }[event.key];
      if (press === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      press();
    });
  }

  /** Another chart, or the same one with other states closed: what the reader moved stays where it is. */
  show(drawing: Drawing | undefined): void {
    if (this.#drawing === undefined || drawing === undefined) this.#mode = 'active';
    this.#drawing = drawing;
    if (drawing === undefined) return this.#see();
    this.#minimap.draw(drawing.layout);
    this.#minimap.mark(this.#active);
    this.#container.replaceChildren(drawing.element);
    if (this.#mode === 'active') this.showActive();
    else if (this.#mode === 'whole') this.fit();
    else this.#resize(this.#scale);
    this.#see();
  }

  /** Keeps these states in view, unless the reader has moved. */
  follow(active: ReadonlySet<string>): void {
    this.#active = active;
    this.#minimap.mark(active);
    if (this.#mode === 'active' && !this.#isActiveSeen()) this.#center();
  }

  /** All of it, however small. */
  fit(): void {
    if (this.#drawing === undefined) return;
    this.#mode = 'whole';
    this.#resize(Math.max(SMALLEST, scaleToFit(this.#drawing.layout, this.#room())));
    this.#see();
  }

  /**
   * All of it, if that can be read; else the active states with the one that they are in, as large as that can be. They are
   * followed from now on.
   */
  showActive(): void {
    if (this.#drawing === undefined) return;
    this.#mode = 'active';
    const room = this.#room();
    const whole = scaleToFit(this.#drawing.layout, room);
    const around = scaleToFit(this.#activeArea('around') ?? this.#drawing.layout, room);
    this.#resize(Math.max(READABLE, whole < READABLE ? around : whole));
    this.#center();
  }

  zoom(by: number, at: { readonly x: number; readonly y: number } = this.#middle()): void {
    const { scrollLeft, scrollTop } = this.#container;
    const before = this.#scale;
    const scale = Math.min(LARGEST, Math.max(SMALLEST, before * by));
    this.#mode = 'moved';
    this.#resize(scale);
    this.#scrollTo(
      ((scrollLeft + at.x) * scale) / before - at.x,
      ((scrollTop + at.y) * scale) / before - at.y,
    );
  }

  #center(): void {
    const around = this.#activeArea('around');
    const fits = around !== undefined && scaleToFit(around, this.#room()) >= this.#scale;
    const area = fits ? around : this.#activeArea();
    if (area === undefined) return this.#see();
    const { width, height } = this.#room();
    const [x, y] = [area.x + area.width / 2, area.y + area.height / 2];
    this.#scrollTo(x * this.#scale - width / 2, y * this.#scale - height / 2);
  }

  /** One that changes fast stands still as long as nothing is out of view. */
  #isActiveSeen(): boolean {
    const area = this.#activeArea();
    if (area === undefined) return true;
    const { width, height } = this.#room();
    const { scrollLeft, scrollTop } = this.#container;
    const [left, top] = [area.x * this.#scale, area.y * this.#scale];
    const [right, bottom] = [left + area.width * this.#scale, top + area.height * this.#scale];
    return (
      left >= scrollLeft && top >= scrollTop && right <= scrollLeft + width && bottom <= scrollTop + height
    );
  }

  /** Has the small map show what part of the chart is to be seen, if it is not most of it. */
  #see(): void {
    const { layout } = this.#drawing ?? {};
    const { width, height } = this.#room();
    const seen =
      layout === undefined
        ? 1
        : Math.min(1, width / (layout.width * this.#scale)) *
          Math.min(1, height / (layout.height * this.#scale));
    const { scrollLeft, scrollTop } = this.#container;
    const eye = { x: scrollLeft, y: scrollTop, width, height };
    const inChart = Object.entries(eye).map(([name, pixels]) => [name, pixels / this.#scale]);
    this.#minimap.see(seen > MOSTLY ? undefined : (Object.fromEntries(inChart) as typeof eye));
  }

  /** Of the innermost active states that are drawn, or of those that they are in. */
  #activeArea(of: 'innermost' | 'around' = 'innermost'): Area | undefined {
    const { plan, boxes } = this.#drawing?.layout ?? {};
    if (plan === undefined || boxes === undefined) return undefined;
    const states = Array.from(this.#active, (id) => plan.states.get(id)).filter(
      (state) => state !== undefined,
    );
    const leaves = states.filter(({ children }) => !children.some((child) => this.#active.has(child)));
    const areas = leaves.flatMap(({ id, parent = id }) => boxes.get(of === 'around' ? parent : id) ?? []);
    if (areas.length === 0) return undefined;
    const x = Math.min(...areas.map((area) => area.x));
    const y = Math.min(...areas.map((area) => area.y));
    const width = Math.max(...areas.map((area) => area.x + area.width)) - x;
    const height = Math.max(...areas.map((area) => area.y + area.height)) - y;
    const margin = of === 'around' ? MARGIN : 0;
    return { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin };
  }

  #resize(scale: number): void {
    const drawing = this.#drawing;
    if (drawing === undefined) return;
    this.#scale = scale;
    drawing.element.setAttribute('width', String(Math.floor(drawing.layout.width * scale)));
    drawing.element.setAttribute('height', String(Math.floor(drawing.layout.height * scale)));
    this.#stay();
  }

  #scrollTo(left: number, top: number): void {
    this.#container.scrollTo(left, top);
    this.#stay();
    this.#see();
  }

  #stay(): void {
    const { scrollLeft, scrollTop } = this.#container;
    this.#place = { left: scrollLeft, top: scrollTop, ...this.#room() };
  }

  #room(): Room {
    return { width: this.#container.clientWidth, height: this.#container.clientHeight };
  }

  #middle(): { x: number; y: number } {
    const { width, height } = this.#room();
    return { x: width / 2, y: height / 2 };
  }

  /** With a mouse; fingers scroll. */
  #drag(down: PointerEvent): void {
    if (down.pointerType !== 'mouse' || down.button !== 0) return;
    const container = this.#container;
    const { scrollLeft, scrollTop } = container;
    let isDragged = false;
    const move = (event: PointerEvent): void => {
      const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
      if (!isDragged && Math.hypot(x, y) < DRAG) return;
      if (!isDragged) container.setPointerCapture(down.pointerId);
      isDragged = true;
      this.#mode = 'moved';
      this.#scrollTo(scrollLeft - x, scrollTop - y);
    };
    const up = (): void => {
      container.removeEventListener('pointermove', move);
      container.removeEventListener('pointerup', up);
      container.removeEventListener('pointercancel', up);
    };
    container.addEventListener('pointermove', move);
    container.addEventListener('pointerup', up);
    container.addEventListener('pointercancel', up);
  }
}
