/** What is looked at, as the address of the page says it. */
export type Place = Readonly<Partial<Record<(typeof parts)[number], string | undefined>>>;

/** An actor, or the fleet of an agent; beside them what is searched for, and which table is shown. */
const parts = ['actor', 'agent', 'state', 'order', 'find', 'tab'] as const;

/** Characters of a part that are read: an address, or a search, has fewer. */
const mostCharacters = 1000;

/** The address bar: each choice is an entry of the history, so one goes back to it, loads it again, or sends it to somebody. */
export class AddressBar {
  #place: Place = placeOf(location.hash);

  /** `changed` is called when the reader went back, forward, or wrote an address. */
  constructor(changed: (place: Place) => void) {
    addEventListener('popstate', () => {
      const place = placeOf(location.hash);
      if (hashOf(place) === hashOf(this.#place)) return;
      this.#place = place;
      changed(place);
    });
  }

  get place(): Place {
    return this.#place;
  }

  /** A choice that one can go back from. */
  go(place: Place): void {
    this.#show(place, 'pushState');
  }

  /** Something beside the choice, or one of many in a row: nobody wants to go back to each. */
  amend(part: Place): void {
    this.#show({ ...this.#place, ...part }, 'replaceState');
  }

  #show(place: Place, how: 'pushState' | 'replaceState'): void {
    const hash = hashOf(place);
    if (hash === hashOf(this.#place)) return;
    this.#place = placeOf(hash);
    history[how](null, '', hash === '' ? location.pathname : hash);
  }
}

/** In the order of the parts; what is empty is left out. */
export function hashOf(place: Place): string {
  const given = parts.flatMap((part) => (place[part] ? [[part, place[part]]] : []));
  // Slashes stay as they are: an address is to be read.
  const text = new URLSearchParams(given).toString().replaceAll('%2F', '/');
  return text === '' ? '' : `#${text}`;
}

export function placeOf(hash: string): Place {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  return Object.fromEntries(
    parts.flatMap((part) => {
      const value = given.get(part);
      return value === null || value === '' || value.length > mostCharacters ? [] : [[part, value]];
    }),
  );
}
