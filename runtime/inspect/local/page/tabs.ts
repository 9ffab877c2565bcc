import { byId } from './dom.ts';

/** The tabs of a part of the page, of which one shows its panel. */
export class Tabs {
  readonly #tabs: readonly HTMLElement[];
  readonly #changed: () => void;

  /** `within`: a selector of the part. */
  constructor(within: string, changed: () => void) {
    this.#changed = changed;
    this.#tabs = [...document.querySelectorAll<HTMLElement>(`${within} [role=tab]`)];
    for (const [n, tab] of this.#tabs.entries()) {
      tab.addEventListener('click', () => this.choose(n));
      tab.addEventListener('keydown', ({ key }) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (by === undefined) return;
        const next = (n + by + this.#tabs.length) % this.#tabs.length;
        this.choose(next);
        this.#tabs[next]?.focus();
      });
    }
  }

  /** The nth, from 0. */
  choose(n: number): void {
    for (const [at, tab] of this.#tabs.entries()) {
      tab.setAttribute('aria-selected', String(at === n));
      tab.tabIndex = at === n ? 0 : -1;
      byId(`panel-${tab.dataset['tab']}`).hidden = at !== n;
    }
    this.#changed();
  }
}
