import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';
import type { Crew } from './crew.ts';
import type { Journal, Manner, Order } from './journal.ts';
import { MEMBERS } from './roster.ts';

/** Milliseconds between two rounds. */
const EVERY_MS = 5;
/** Asks and deliveries under way at most: beyond that it only sends. */
const OPEN = 2000;
const MANNERS: readonly Manner[] = ['send', 'send', 'send', 'deliver', 'ask'];

/** Events from the host to all members in bursts, and from members to each other, until it is told to end. */
export class Load {
  readonly #crew: Crew;
  readonly #journal: Journal;
  readonly #chance: Chance;
  #over = false;
  readonly #running: Promise<void>;

  constructor(crew: Crew, journal: Journal, chance: Chance) {
    this.#crew = crew;
    this.#journal = journal;
    this.#chance = chance;
    this.#running = this.#run();
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      this.#burst();
      await pause(EVERY_MS);
    }
  }

  #burst(): void {
    const { below, of, next } = this.#chance;
    const ref = this.#crew.at(below(MEMBERS.length));
    const manner = of(MANNERS);
    const times = 1 + below(24);
    const share = next();
    const first = below(MEMBERS.length);
    const between = of(MANNERS);
    const hurried = next() < 0.1;
    if (ref === undefined) return;
    const calm = this.#journal.open > OPEN ? 'send' : manner;
    const post = (event: Order): boolean => this.#journal.post(ref, event, calm, hurried ? 5 : 5000);
    if (share < 0.25) post({ type: 'relay', first, times, manner: between });
    else for (let i = 0; i < times; i++) if (!post({ type: share > 0.97 ? 'slow' : 'note' })) return;
  }
}
