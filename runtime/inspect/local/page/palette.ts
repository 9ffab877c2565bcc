import { byId, el, element, say } from './dom.ts';
import { short } from './figures.ts';
import { matching, type Choice } from './palette-choices.ts';

/** Everything that can be gone to, or done, by its name: a field with a list below it, in a dialog. */
export class Palette {
  readonly #dialog = element('palette', HTMLDialogElement);
  readonly #field = element('palette-field', HTMLInputElement);
  readonly #list = byId('palette-list');
  readonly #choices: () => Iterable<Choice>;
  #shown: readonly Choice[] = [];
  #at = 0;

  /** `choices`: those of the moment, the likeliest first. */
  constructor(choices: () => Iterable<Choice>) {
    this.#choices = choices;
    this.#field.addEventListener('input', () => this.#match());
    this.#field.addEventListener('keydown', (event) => this.#pressed(event));
    // The field keeps the focus.
    this.#list.addEventListener('mousedown', (event) => event.preventDefault());
    this.#list.addEventListener('click', ({ target }) => {
      const option = (target as Element).closest('[role=option]');
      if (option !== null) this.#take([...this.#list.children].indexOf(option));
    });
  }

  open(): void {
    // What asks for a decision is not covered.
    if (document.querySelector('dialog:modal') !== null) return;
    this.#field.value = '';
    this.#dialog.showModal();
    this.#match();
  }

  #match(): void {
    const { shown, total } = matching(this.#choices(), this.#field.value);
    this.#shown = shown;
    const more = total - shown.length;
    const said = total === 0 ? 'Nothing is called that.' : more > 0 ? `and ${short(more)} more` : '';
    say(byId('palette-said'), said);
    this.#list.replaceChildren(
      ...shown.map(({ kind, text, key }, n) =>
        el(
          'div',
          { id: `choice-${n}`, role: 'option' },
          el('span', { class: 'kind' }, kind),
          el('span', { class: 'name' }, text),
          ...(key === undefined ? [] : [el('kbd', { 'aria-hidden': 'true' }, key)]),
        ),
      ),
    );
    this.#go(0);
  }

  #go(to: number): void {
    this.#at = Math.max(0, Math.min(this.#shown.length - 1, to));
    for (const [n, option] of [...this.#list.children].entries())
      option.setAttribute('aria-selected', String(n === this.#at));
    const chosen = this.#list.children[this.#at];
    chosen?.scrollIntoView({ block: 'nearest' });
    if (chosen === undefined) this.#field.removeAttribute('aria-activedescendant');
    else this.#field.setAttribute('aria-activedescendant', chosen.id);
  }

  #take(n: number): void {
    const choice = this.#shown[n];
    if (choice === undefined) return;
    // First, so that what is chosen may have the focus.
    this.#dialog.close();
    choice.run();
  }

  #pressed(event: KeyboardEvent): void {
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => this.#go(this.#at + 1),
      ArrowUp: () => this.#go(this.#at - 1),
      PageDown: () => this.#go(this.#at + 10),
      PageUp: () => this.#go(this.#at - 10),
      Enter: () => this.#take(this.#at),
    };
    const move = event.isComposing ? undefined : moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }
}
