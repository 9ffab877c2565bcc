/** In the storage of the browser: the same for all runtimes. */
const KEY = 'holdfast-sizes';
/** Pixels of a step by key. */
const STEP = 16;

/** What a reader gives a size: the handle's id without `size-`, the property that the style sheet reads, and which way it grows. */
const parts = {
  nav: { axis: 'x', grows: 1 },
  events: { axis: 'x', grows: -1 },
  fleet: { axis: 'x', grows: -1 },
  dock: { axis: 'y', grows: -1 },
} as const;

type Part = keyof typeof parts;

/** Lets the reader give columns and the dock a size, by mouse, finger or key, and keeps it. */
export function sizeColumns(): void {
  const sizes = kept();
  const root = document.documentElement;
  for (const [part, { axis, grows }] of Object.entries(parts) as [Part, (typeof parts)[Part]][]) {
    const handle = document.getElementById(`size-${part}`);
    const box = document.getElementById(handle?.getAttribute('aria-controls') ?? '');
    if (!handle || !box) continue;
    const now = (): number => Math.round(box.getBoundingClientRect()[axis === 'x' ? 'width' : 'height']);
    const show = (): void => {
      const size = sizes[part];
      if (size === undefined) root.style.removeProperty(`--size-${part}`);
      else root.style.setProperty(`--size-${part}`, `${size}px`);
    };
    const keep = (size: number | undefined): void => {
      if (size === undefined) delete sizes[part];
      else sizes[part] = Math.max(40, Math.round(size));
      show();
      // What the style sheet allows it.
      if (size !== undefined) sizes[part] = now();
      handle.setAttribute('aria-valuenow', String(now()));
      remember(sizes);
    };
    show();
    new ResizeObserver(() => {
      handle.setAttribute('aria-valuenow', String(now()));
      handle.setAttribute('aria-valuemax', String(axis === 'x' ? innerWidth : innerHeight));
    }).observe(box);
    handle.addEventListener('pointerdown', (down) => {
      if (down.button !== 0) return;
      down.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(down.pointerId);
      const from = now();
      const begun = axis === 'x' ? down.clientX : down.clientY;
      const move = (event: PointerEvent): void => {
        keep(from + grows * ((axis === 'x' ? event.clientX : event.clientY) - begun));
      };
      handle.addEventListener('pointermove', move);
      handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', move), {
        once: true,
      });
    });
    handle.addEventListener('dblclick', () => keep(undefined));
    handle.addEventListener('keydown', (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (by !== undefined) keep(now() + grows * by * STEP);
      else if (event.key === 'Enter') keep(undefined);
      else return;
      event.preventDefault();
    });
  }
}

/** What a browser keeps may be anything, or it keeps nothing. */
function kept(): Partial<Record<Part, number>> {
  try {
    const found = Object(JSON.parse(localStorage.getItem(KEY) ?? '{}')) as Record<string, unknown>;
    const sizes = Object.entries(found).filter(
      ([part, size]) => Object.hasOwn(parts, part) && Number.isFinite(size) && Number(size) > 0,
    );
    return Object.fromEntries(sizes);
  } catch {
    return {};
  }
}

function remember(sizes: object): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(sizes));
  } catch {
    // It lasts as long as the page.
  }
}
