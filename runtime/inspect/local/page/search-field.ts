import { element, byId, say } from './dom.ts';
import { short } from './figures.ts';
import { ask } from './requests.ts';
import type { Filter } from './tree-rows.ts';

/** Milliseconds without a key after which the runtime is asked, and between two times that it is asked the same. */
const REST_MS = 250;
const AGAIN_MS = 3000;
/** What the runtime alone can find: the page has neither all states nor all contexts. */
const ASKED = /(^|\s)-?(state:|tag:|is:|context\.)/;

interface Found {
  readonly ids?: readonly string[];
  readonly total?: number;
  readonly isPartial?: boolean;
  readonly problem?: string;
}

/** The field above the tree: a part of a name is found here, and what is asked of states, tags and contexts by the runtime. */
export class SearchField {
  readonly #field = element('filter', HTMLInputElement);
  readonly #show: (filter: Filter) => void;
  readonly #changed: () => void;
  #asking: AbortController | undefined;
  #askAt = Infinity;

  constructor(show: (filter: Filter) => void, changed: (typed: string) => void) {
    this.#show = show;
    this.#changed = () => changed(this.text);
    this.#field.addEventListener('input', () => {
      this.#read(performance.now() + REST_MS);
      this.#changed();
    });
  }

  get text(): string {
    return this.#field.value.trim();
  }

  set text(text: string) {
    if (text === this.text) return;
    this.#field.value = text;
    this.#read(performance.now());
  }

  focus(): void {
    this.#field.focus();
    this.#field.select();
  }

  /** Asks the runtime when it is time to. */
  draw(now: number, isPaused: boolean): void {
    if (now < this.#askAt || isPaused || this.#asking !== undefined) return;
    void this.#ask(this.text);
  }

  #read(askAt: number): void {
    this.#asking?.abort();
    this.#asking = undefined;
    const isAsked = ASKED.test(this.text);
    this.#askAt = isAsked ? askAt : Infinity;
    if (isAsked) return;
    this.#say('', false);
    this.#show({ text: this.text });
  }

  async #ask(query: string): Promise<void> {
    const asking = (this.#asking = new AbortController());
    const told = await ask<Found>('/search', { query }, asking.signal);
    if (this.#asking !== asking) return;
    this.#asking = undefined;
    this.#askAt = performance.now() + AGAIN_MS;
    if (told === undefined) return this.#say('The runtime does not answer.', true);
    const { ids = [], total = 0, isPartial = false, problem } = told;
    if (problem !== undefined) {
      this.#askAt = Infinity;
      return this.#say(problem, true);
    }
    const shown = ids.length < total ? `, the first ${short(ids.length)} are shown` : '';
    this.#say(`${isPartial ? 'at least ' : ''}${short(total)} found${shown}`, false);
    this.#show({ text: '', found: new Set(ids) });
  }

  #say(text: string, isProblem: boolean): void {
    const said = byId('filter-said');
    said.hidden = text === '';
    said.classList.toggle('problem', isProblem);
    say(said, text);
  }
}
