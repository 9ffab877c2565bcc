import { ask } from './requests.ts';

/** Actors that the server is told of at most, and characters of their ids. */
const mostShown = 300;
const mostCharacters = 40_000;
/** Milliseconds after which the server is told the same again, when it did not answer. */
const AGAIN_MS = 2000;

/** Tells the server which actors the page shows, whose states and figures it needs. */
export class Shown {
  #page: string | undefined;
  #told = '';
  #isAsking = false;
  #askAt = -Infinity;

  /** A stream has begun, which the server knows by this name, and which shows nothing yet. */
  begin(page: string | undefined): void {
    this.#page = page;
    this.#told = '';
    this.#askAt = -Infinity;
  }

  /** Those that are shown now, the most important first. */
  say(ids: Iterable<string>, now: number): void {
    const page = this.#page;
    if (page === undefined || this.#isAsking || now < this.#askAt) return;
    const shown: string[] = [];
    let left = mostCharacters;
    for (const id of new Set(ids)) {
      left -= id.length;
      if (shown.length === mostShown || left < 0) break;
      if (id !== '') shown.push(id);
    }
    const text = shown.toSorted().join('\n');
    if (text === this.#told) return;
    this.#isAsking = true;
    void ask('/shown', { page, ids: shown }).then((done) => {
      this.#isAsking = false;
      // Meanwhile another stream may have begun.
      if (this.#page !== page) return;
      if (done === undefined) this.#askAt = now + AGAIN_MS;
      else this.#told = text;
    });
  }
}
