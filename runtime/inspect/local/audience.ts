import type { Clock } from '../../base/clock.ts';
import { contained } from '../../base/contained.ts';
import type { Shown } from '../../wire/inspection.ts';
import type { InspectionHub } from '../inspection-hub.ts';

/** Of each 100 ms of the host so many go into telling viewers; beyond them only latest states, a moment later. */
const windowMs = 100;
const budgetMs = 8;
/** Between two pictures of everything for one that is slow, and between two of the status. */
const tickMs = 1000;
/** Actors of which something was left out that are told of at one time; the others have their turn in the next window. */
const mostAtOnce = 500;
/** Characters of what was told last that are kept for who comes later, or loads the page again. */
const mostRecent = 2_000_000;
/** Nobody was told what happened then. */
const GAP = 'null';

/** An actor of which something was left out. */
export interface Missed {
  readonly id: string;
  /** That it began is among it. */
  readonly hasBegun: boolean;
}

/** One who looks on. */
export interface Viewer {
  /** Tells all that there is, instead of what it had, or a first part of it. */
  begin(): void;
  /** Tells the next part of what it began. Returns whether there is more. */
  more?(): boolean;
  /** Tells what others were told before it came: a list of batches as JSON, with null where nobody was told. */
  recall?(recent: string): void;
  /** Tells what came since. Returns it as JSON where those who come later are to be told it, too. */
  tell(events: readonly Shown[]): string | undefined;
  /** Tells what is now of actors of which something was left out. */
  catchUp(missed: readonly Missed[]): void;
  /** Each second: tells what changes by itself. */
  tick?(): void;
  /** It has not taken what it was told. */
  isFull(): boolean;
}

export interface AudienceOptions {
  readonly hub: Pick<InspectionHub, 'listen' | 'scrub'>;
  readonly clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
  /** Milliseconds, for the budget. */
  readonly now: () => number;
  /** All that was ever told, in batches of JSON: of a record, after which nothing comes. Default: what was told last. */
  readonly recorded?: readonly string[] | undefined;
  /** Is told what could not be shown; the viewers get the latest states when it goes better. */
  readonly failed: (error: unknown) => void;
}

/**
 * Those who look on. What is too much for the host, or for one of them, is left out: only the latest states follow. While
 * there is nobody, nothing is done.
 */
export class Audience {
  readonly #options: AudienceOptions;
  readonly #viewers = new Set<Viewer>();
  /** Those that have missed something. */
  readonly #behind = new Set<Viewer>();
  /** Those that were not told all yet that there was when they came. */
  readonly #beginning = new Set<Viewer>();
  /** Actors of which something was left out; whether that they began is among it. */
  readonly #missed = new Map<string, boolean>();
  /** What was told last, the oldest first. */
  readonly #recent: string[] = [];
  #recentSize = 0;
  #leave: (() => void) | undefined;
  #tick: unknown;
  #next: unknown;
  #from = -Infinity;
  #spent = 0;
  #leftOut = 0;

  constructor(options: AudienceOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#viewers.size;
  }

  /** Events that were left out. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Returns the end of it. */
  join(viewer: Viewer): () => void {
    this.#begin(viewer);
    viewer.tick?.();
    viewer.recall?.(`[${(this.#options.recorded ?? this.#before()).join(',')}]`);
    this.#leave ??= this.#options.hub.listen((events) => this.#take(events));
    this.#viewers.add(viewer);
    this.#wait();
    return () => {
      this.#viewers.delete(viewer);
      this.#behind.delete(viewer);
      this.#beginning.delete(viewer);
      if (this.#viewers.size === 0) this.end();
    };
  }

  end(): void {
    const { clock } = this.#options;
    this.#leave?.();
    clock.clearTimeout(this.#tick);
    clock.clearTimeout(this.#next);
    this.#leave = this.#tick = this.#next = undefined;
    this.#viewers.clear();
    this.#behind.clear();
    this.#beginning.clear();
    this.#missed.clear();
  }

  #begin(viewer: Viewer): void {
    viewer.begin();
    if (viewer.more === undefined) return;
    this.#beginning.add(viewer);
    this.#goOn();
  }

  #take(events: readonly Shown[]): void {
    if (this.#isBusy()) {
      this.#leftOut += events.length;
      this.#noteGap();
      for (const { type, sessionId } of events)
        if (type === '@xstate.actor') this.#missed.set(sessionId, true);
        else if (!this.#missed.has(sessionId)) this.#missed.set(sessionId, false);
      this.#goOn();
      return;
    }
    this.#spend(() => {
      let told: string | undefined;
      this.#each((viewer) => {
        const text = viewer.tell(events);
        told ??= text;
      });
      if (told === undefined) this.#noteGap();
      else this.#remember(told);
    });
  }

  /** Each that has room and has missed nothing. */
  #each(tell: (viewer: Viewer) => void): void {
    for (const viewer of this.#viewers)
      if (viewer.isFull() || this.#behind.has(viewer)) this.#behind.add(viewer);
      else tell(viewer);
  }

  /** What there was no room for at once follows in the next windows. */
  #goOn(): void {
    this.#next ??= this.#later(() => {
      this.#next = undefined;
      this.#tellMissed();
      for (const viewer of this.#beginning) {
        if (this.#isBusy()) break;
        if (!viewer.isFull()) this.#spend(() => viewer.more?.() === true || this.#beginning.delete(viewer));
      }
      if (this.#missed.size + this.#beginning.size > 0) this.#goOn();
    }, windowMs);
  }

  #before(): readonly string[] {
    if (this.#viewers.size === 0) this.#noteGap();
    return this.#recent.map((text) => this.#clean(text));
  }

  /** Without the values that were none of a secret when it was told. */
  #clean(text: string): string {
    const { hub } = this.#options;
    return hub.scrub(text) === text ? text : JSON.stringify(hub.scrub(JSON.parse(text)));
  }

  #noteGap(): void {
    if (this.#recent.length > 0 && this.#recent.at(-1) !== GAP) this.#remember(GAP);
  }

  #remember(text: string): void {
    this.#recent.push(text);
    this.#recentSize += text.length;
    let gone = 0;
    while (this.#recentSize > mostRecent) this.#recentSize -= this.#recent[gone++]?.length ?? 0;
    // By many at a time: each time moves all that stay.
    if (gone > 0) this.#recent.splice(0, gone);
  }

  #tellMissed(): void {
    if (this.#missed.size === 0) return;
    const missed: Missed[] = [];
    for (const [id, hasBegun] of this.#missed) {
      if (missed.length === mostAtOnce) break;
      missed.push({ id, hasBegun });
      this.#missed.delete(id);
    }
    this.#spend(() => this.#each((viewer) => viewer.catchUp(missed)));
  }

  #wait(): void {
    this.#tick ??= this.#later(() => {
      this.#tick = undefined;
      if (this.#viewers.size > 0) this.#wait();
      this.#tellStatus();
    }, tickMs);
  }

  /** Nobody is above a timer; what one could not tell is missed by all. */
  #later(run: () => void, ms: number): unknown {
    const { clock, failed } = this.#options;
    const missed = (error: unknown): void => {
      for (const viewer of this.#viewers) this.#behind.add(viewer);
      failed(error);
    };
    return clock.setTimeout(contained(run, missed), ms);
  }

  #tellStatus(): void {
    const ready = [...this.#viewers].filter((viewer) => !viewer.isFull());
    if (ready.length === 0) return;
    this.#spend(() => {
      for (const viewer of ready) if (this.#behind.delete(viewer)) this.#begin(viewer);
      for (const viewer of ready) viewer.tick?.();
    });
  }

  #isBusy(): boolean {
    const now = this.#options.now();
    if (now - this.#from >= windowMs) [this.#from, this.#spent] = [now, 0];
    return this.#spent >= budgetMs;
  }

  #spend(work: () => void): void {
    const began = this.#options.now();
    this.#isBusy();
    work();
    this.#spent += this.#options.now() - began;
  }
}
