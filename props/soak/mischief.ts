import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';
import type { Crew } from './crew.ts';
import type { Journal } from './journal.ts';
import { MEMBERS, type FaultKind } from './roster.ts';

/** What is done to the runtime from outside. */
export const ORDERS = ['recycle', 'stop', 'resume'] as const;
export type Order = (typeof ORDERS)[number];

/** How often what is done, to all of them. A hang keeps a core for as long as the watchdog waits. */
const WEIGHTS: readonly (readonly [FaultKind | Order, number])[] = [
  ['exit', 14],
  ['hang', 3],
  ['hang.later', 3],
  ['fill', 6],
  ['reject', 10],
  ['throw.later', 10],
  ['fail', 22],
  ['recycle', 6],
  ['stop', 8],
  ['resume', 18],
];
const ALL: readonly (FaultKind | Order)[] = WEIGHTS.flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind),
);
const VICTIMS: readonly number[] = MEMBERS.flatMap(({ team }, i) => (team.spared ? [] : [i]));
const SMALL: readonly number[] = VICTIMS.filter((i) => MEMBERS[i]?.team.small);
/** Milliseconds in which what was too rare is done again, at most. */
const COMPLETE_MS = 15_000;
/** Milliseconds between two, at most. */
const PAUSE_MS = 500;

/** Does harm at random, all of it from the seed. */
export class Mischief {
  readonly #crew: Crew;
  readonly #journal: Journal;
  readonly #chance: Chance;
  readonly #recycling = new Map<string, Promise<void>>();
  readonly ordered: Record<Order, number> = { recycle: 0, stop: 0, resume: 0 };
  readonly wrong: string[] = [];
  moved = 0;

  constructor(crew: Crew, journal: Journal, chance: Chance) {
    this.#crew = crew;
    this.#journal = journal;
    this.#chance = chance;
  }

  async run(forMs: number): Promise<void> {
    for (const until = performance.now() + forMs; performance.now() < until;) {
      const { below, of } = this.#chance;
      const [kind, victim, waitMs] = [of(ALL), below(2 ** 16), below(PAUSE_MS)];
      this.#do(kind, victim);
      this.#crew.muster();
      await pause(waitMs);
    }
  }

  /** Does again what has not come to anything yet, because whom it hit was not there: all of it is to be seen. */
  async complete(missing: () => readonly (FaultKind | Order)[]): Promise<void> {
    for (const until = performance.now() + COMPLETE_MS; performance.now() < until;) {
      const kinds = missing();
      if (kinds.length === 0) return;
      for (const kind of kinds) this.#do(kind, this.#chance.below(2 ** 16));
      this.#crew.muster();
      await pause(PAUSE_MS);
    }
  }

  #do(kind: FaultKind | Order, victim: number): void {
    const index = among(VICTIMS, victim);
    if (kind === 'recycle') return this.#recycle(MEMBERS[index]?.team.threadId as string);
    if (kind === 'stop' || kind === 'resume') {
      const done = kind === 'stop' ? this.#crew.dismiss(index) : this.#crew.resume(victim);
      if (done) this.ordered[kind] += 1;
      return;
    }
    const ref = this.#crew.at(kind === 'fill' ? among(SMALL, victim) : index);
    if (ref !== undefined) this.#journal.post(ref, { type: kind }, 'send');
  }

  #recycle(threadId: string): void {
    if (this.#recycling.has(threadId)) return;
    this.ordered.recycle += 1;
    const recycled = this.#crew.runtime.recycle(threadId, { timeoutMs: 3000 }).then(
      ({ moved }) => {
        this.moved += moved;
      },
      (error: unknown) => void this.wrong.push(`recycle of ${threadId}: ${String(error)}`),
    );
    this.#recycling.set(
      threadId,
      recycled.finally(() => this.#recycling.delete(threadId)),
    );
  }

  /** Waits for the threads that are being replaced. */
  async idle(): Promise<void> {
    await Promise.all(this.#recycling.values());
  }
}

function among(indices: readonly number[], at: number): number {
  return indices[at % indices.length] as number;
}
