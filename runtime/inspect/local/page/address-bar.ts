/** What is looked at, as the address of the page says it. */
export type Place = Readonly<Partial<Record<(typeof parts)[number], string | undefined>>>;

/** An actor, at a moment, or the fleet of an agent; beside them what is searched for, and which table is shown. */
const parts = ['actor', 'moment', 'agent', 'state', 'order', 'find', 'tab'] as const;

/**
 * A search for what is in contexts is about people and their business. It is not written into the address, which is copied, seen by
 * others and synchronized; the tab itself keeps it in its history, so that going back and loading again have it.
 */
const isPrivate = (find: string | undefined): find is string => find?.includes('context.') === true;

/** Characters of a part that are read: an address, or a search, has fewer. */
const mostCharacters = 1000;

/** The address bar: each choice is an entry of the history, so one goes back to it, loads it again, or sends it to somebody. */
export class AddressBar {
  #place: Place = here();

  /** `changed` is called when the reader went back, forward, or wrote an address. */
  constructor(changed: (place: Place) => void) {
    addEventListener('popstate', () => {
      const place = here();
      if (isSame(place, this.#place)) return;
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
    if (isSame(place, this.#place)) return;
    const { find } = place;
    const hash = hashOf(place);
    this.#place = { ...placeOf(hash), ...(isPrivate(find) && { find }) };
    history[how](isPrivate(find) ? { find } : null, '', hash === '' ? location.pathname : hash);
  }
}

function here(): Place {
  const { find } = (history.state ?? {}) as { readonly find?: unknown };
  const place = placeOf(location.hash);
  return typeof find === 'string' ? { ...place, find } : place;
}

function isSame(one: Place, other: Place): boolean {
  return parts.every((part) => (one[part] ?? '') === (other[part] ?? ''));
}

/** In the order of the parts; what is empty, or not for the address, is left out. */
export function hashOf(place: Place): string {
  const isShown = (part: (typeof parts)[number]): boolean => part !== 'find' || !isPrivate(place.find);
  const given = parts.flatMap((part) => (place[part] && isShown(part) ? [[part, place[part]]] : []));
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
