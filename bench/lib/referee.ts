import type { Place } from './turns.ts';

/** The two builds of a run: the working tree, and the one that it is compared with. */
export type Side = 'this' | 'ref';

/**
 * Lets one of two processes measure at a time, and nothing while one prepares: both must wait, or have ended. What comes
 * first in a run goes first, and where both wait for the same they take turns in who does.
 */
export class Referee {
  readonly #grant: (side: Side) => void;
  readonly #waiting = new Map<Side, Place>();
  readonly #here = new Set<Side>(['this', 'ref']);
  #measuring: Side | undefined;

  constructor(grant: (side: Side) => void) {
    this.#grant = grant;
  }

  waits(side: Side, place: Place): void {
    this.#waiting.set(side, place);
    this.#next();
  }

  over(side: Side): void {
    if (this.#measuring === side) this.#measuring = undefined;
    this.#next();
  }

  ended(side: Side): void {
    this.#here.delete(side);
    this.#waiting.delete(side);
    this.over(side);
  }

  #next(): void {
    if (this.#measuring !== undefined || this.#here.size === 0) return;
    if ([...this.#here].some((side) => !this.#waiting.has(side))) return;
    const [side] = [...this.#waiting].reduce((a, b) => (isBefore(b, a) ? b : a));
    this.#waiting.delete(side);
    this.#measuring = side;
    this.#grant(side);
  }
}

function isBefore([side, place]: [Side, Place], [, other]: [Side, Place]): boolean {
  const differs = place.findIndex((part, i) => part !== other[i]);
  if (differs >= 0) return (place[differs] as number) < (other[differs] as number);
  const [, , round, row] = place;
  return (side === 'ref') === ((round + row) % 2 === 0);
}
