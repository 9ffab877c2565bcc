import type { ChartLayout } from './chart-layout.ts';
import { svg } from './dom.ts';

/** Pixels that it has at most. */
const WIDEST = 110;
const HIGHEST = 72;

/** The whole of a chart in small, with what of it is to be seen; a click or drag shows another part. */
export class Minimap {
  readonly #element: SVGSVGElement;
  readonly #eye = svg('rect', { class: 'eye' });
  readonly #boxes = new Map<string, SVGElement>();

  /** `look` is called with the point of the chart that is to be in the middle. */
  constructor(element: SVGSVGElement, look: (x: number, y: number) => void) {
    this.#element = element;
    element.toggleAttribute('hidden', true);
    const there = (event: PointerEvent): void => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const box = element.viewBox.baseVal;
      look(((event.clientX - left) / width) * box.width, ((event.clientY - top) / height) * box.height);
    };
    element.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      there(event);
    });
    element.addEventListener('pointermove', (event) => {
      if (element.hasPointerCapture(event.pointerId)) there(event);
    });
  }

  draw({ plan, width, height, boxes }: ChartLayout): void {
    const scale = Math.min(WIDEST / width, HIGHEST / height);
    this.#element.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#element.setAttribute('width', String(Math.ceil(width * scale)));
    this.#element.setAttribute('height', String(Math.ceil(height * scale)));
    this.#boxes.clear();
    for (const { id, children } of plan.states.values()) {
      const area = boxes.get(id);
      if (area !== undefined)
        this.#boxes.set(id, svg('rect', { class: children.length === 0 ? 'leaf' : 'outer', ...area }));
    }
    this.#element.replaceChildren(...this.#boxes.values(), this.#eye);
  }

  mark(active: ReadonlySet<string>): void {
    for (const [id, box] of this.#boxes) box.classList.toggle('active', active.has(id));
  }

  /** What is to be seen now; undefined: all of it, or nothing. */
  see(
    eye:
      | { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
      | undefined,
  ): void {
    this.#element.toggleAttribute('hidden', eye === undefined);
    if (eye === undefined) return;
    for (const [name, value] of Object.entries(eye)) this.#eye.setAttribute(name, String(value));
  }
}
