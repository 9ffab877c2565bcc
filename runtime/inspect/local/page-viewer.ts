import type { Clock } from '../../base/clock.ts';
import type { Shown } from '../../wire/inspection.ts';
import type { InspectionHub, KnownActor } from '../inspection-hub.ts';
import type { Missed, Viewer } from './audience.ts';
import { latestOf } from './latest-of.ts';
import type { Machines } from './machines.ts';

/** Actors that are listed at one time. */
export const mostListed = 1000;
/** Actors that a page may say that it shows: more than there are rows on the largest screen. */
export const mostShown = 300;
/** Definitions of which a page is known to have them. */
const mostTold = 2000;

/** Actors of one parent and one machine that come one after the other. */
export interface Listed {
  readonly parentId?: string;
  /** The number of its definition. */
  readonly machine?: number;
  readonly isInstance?: true;
  /** Of one actor, where it is not its id. */
  readonly name?: string;
  readonly ids: readonly string[];
}

/** What a page is told each second, by name; what is as it was is not told again. */
export type Figures = Readonly<Record<string, unknown>>;

export interface PageViewerOptions {
  /** What the page calls itself by when it says what it shows. */
  readonly name: string;
  readonly hub: Pick<InspectionHub, 'replay' | 'actor' | 'actors' | 'scrub'>;
  readonly clock: Pick<Clock, 'date'>;
  readonly machines: Machines;
  readonly figures: (shown: ReadonlySet<string>) => Figures;
  readonly write: (kind: string, data: string) => void;
  readonly isFull: () => boolean;
}

/**
 * A page that looks on. It gets the names of all actors in parts, each machine once, and what happens; the states and figures of
 * actors that it does not show are asked for when it does.
 */
export class PageViewer implements Viewer {
  readonly #options: PageViewerOptions;
  #shown: ReadonlySet<string> = new Set();
  #listing: Iterator<KnownActor, void> | undefined;
  readonly #machines = new Set<number>();
  /** The JSON of each figure as it was told last. */
  #figures = new Map<string, string>();

  constructor(options: PageViewerOptions) {
    this.#options = options;
  }

  isFull(): boolean {
    return this.#options.isFull();
  }

  begin(): void {
    this.#figures = new Map();
    this.#listing = this.#options.hub.actors();
    this.#list('replay');
    this.#tellStates(this.#shown);
  }

  more(): boolean {
    if (this.#listing !== undefined) this.#list('listed');
    return this.#listing !== undefined;
  }

  recall(recent: string): void {
    this.#options.write('recent', recent);
  }

  tell(events: readonly Shown[]): string {
    return this.#write('events', events);
  }

  catchUp(missed: readonly Missed[]): void {
    const { hub, clock } = this.#options;
    const isShown = ({ id }: Missed): boolean => this.#shown.has(id);
    const events = latestOf(
      hub,
      missed.filter((one) => isShown(one) || hub.actor(one.id) === undefined),
      clock.date(),
    );
    if (events.length > 0) this.#write('events', events);
    const begun = missed.flatMap((one) => (one.hasBegun && !isShown(one) ? (hub.actor(one.id) ?? []) : []));
    if (begun.length > 0) this.#tellListed('begun', begun);
  }

  tick(): void {
    const changed: string[] = [];
    for (const [name, value] of Object.entries(this.#options.figures(this.#shown))) {
      const text = JSON.stringify(value) ?? 'null';
      if (this.#figures.get(name) === text) continue;
      this.#figures.set(name, text);
      changed.push(`${JSON.stringify(name)}:${text}`);
    }
    this.#options.write('status', `{${changed.join()}}`);
  }

  /** What the page shows from now on: of those that it did not show it is told the states and figures. */
  show(ids: readonly string[]): void {
    const before = this.#shown;
    this.#shown = new Set(ids.slice(0, mostShown));
    const come = Array.from(this.#shown).filter((id) => !before.has(id));
    if (come.length === 0 || this.isFull()) return;
    this.#tellStates(come);
    this.tick();
  }

  #tellStates(ids: Iterable<string>): void {
    const events = [...ids].flatMap((id) => this.#options.hub.replay([id]));
    if (events.length > 0) this.#write('states', events);
  }

  #list(kind: 'replay' | 'listed'): void {
    const actors: KnownActor[] = [];
    while (actors.length < mostListed) {
      const next = this.#listing?.next();
      if (next === undefined || next.done === true) {
        this.#listing = undefined;
        break;
      }
      actors.push(next.value);
    }
    this.#tellListed(kind, actors);
  }

  #tellListed(kind: 'replay' | 'listed' | 'begun', actors: readonly KnownActor[]): void {
    const { name, hub, write } = this.#options;
    const listed: Listed[] = [];
    const ids: string[][] = [];
    let group = '';
    for (const { id, name, parentId, isInstance, definition } of actors) {
      const machine = this.#machineOf(definition);
      const key = `${parentId}\n${machine}\n${isInstance}`;
      if (name !== id || key !== group) {
        const its: string[] = [];
        ids.push(its);
        listed.push({
          ...(parentId !== undefined && { parentId }),
          ...(machine !== undefined && { machine }),
          ...(isInstance && { isInstance: true as const }),
          ...(name !== id && { name }),
          ids: its,
        });
        // One with a name of its own stands alone.
        group = name === id ? key : '';
      }
      ids.at(-1)?.push(id);
    }
    const isLast = this.#listing === undefined;
    write(kind, JSON.stringify(hub.scrub({ ...(kind === 'replay' && { page: name }), listed, isLast })));
  }

  #write(kind: 'events' | 'states', events: readonly Shown[]): string {
    const told = events.map((event) => {
      if (event.type !== '@xstate.actor' || event.definition === undefined) return event;
      const { definition, ...rest } = event;
      return { ...rest, machine: this.#machineOf(definition) };
    });
    const text = JSON.stringify(told);
    this.#options.write(kind, text);
    return text;
  }

  /** Its number; the page is told the definition before the number for the first time. */
  #machineOf(definition: string | undefined): number | undefined {
    if (definition === undefined) return undefined;
    const { machines, hub, write } = this.#options;
    const machine = machines.numberOf(definition);
    if (this.#machines.has(machine)) return machine;
    if (this.#machines.size >= mostTold) this.#machines.clear();
    this.#machines.add(machine);
    write('machine', JSON.stringify({ machine, definition: hub.scrub(definition) }));
    return machine;
  }
}
