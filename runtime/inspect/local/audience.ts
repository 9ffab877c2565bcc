import type { Clock } from '../../base/clock.ts';
import { contained } from '../../base/contained.ts';
import type { InspectionEvent } from '../../wire/inspection.ts';
import type { InspectionHub } from '../inspection-hub.ts';

/** Of each 100 ms of the host so many go into telling viewers; beyond them only latest states, a moment later. */
const windowMs = 100;
const budgetMs = 8;
/** Between two pictures of everything for one that is slow, and between two of the status. */
const tickMs = 1000;

/** One who looks on. */
export interface Viewer {
  /** All that there is, instead of what it had; or what came since. */
  tell(kind: 'replay' | 'events', events: string): void;
  /** `undefined`: it has no use for that. */
  readonly tellStatus?: (status: string) => void;
  /** It has not taken what it was told. */
  readonly isFull: () => boolean;
}

export interface AudienceOptions {
  readonly hub: Pick<InspectionHub, 'listen' | 'replay'>;
  readonly clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
  /** Milliseconds, for the budget. */
  readonly now: () => number;
  /** JSON of what changes by itself. */
  readonly status: () => string;
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
  /** Actors of which something was left out. */
  readonly #missed = new Set<string>();
  #leave: (() => void) | undefined;
  #tick: unknown;
  #catchUp: unknown;
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
    const { hub } = this.#options;
    viewer.tell('replay', JSON.stringify(hub.replay()));
    viewer.tellStatus?.(this.#options.status());
    this.#leave ??= hub.listen((events) => this.#take(events));
    this.#viewers.add(viewer);
    this.#wait();
    return () => {
      this.#viewers.delete(viewer);
      this.#behind.delete(viewer);
      if (this.#viewers.size === 0) this.end();
    };
  }

  end(): void {
    const { clock } = this.#options;
    this.#leave?.();
    clock.clearTimeout(this.#tick);
    clock.clearTimeout(this.#catchUp);
    this.#leave = this.#tick = this.#catchUp = undefined;
    this.#viewers.clear();
    this.#behind.clear();
    this.#missed.clear();
  }

  #take(events: readonly InspectionEvent[]): void {
    if (this.#isBusy()) {
      this.#leftOut += events.length;
      for (const { sessionId } of events) this.#missed.add(sessionId);
      this.#catchUp ??= this.#later(() => this.#tellMissed(), windowMs);
      return;
    }
    this.#spend(() => this.#tell(events));
  }

  #tell(events: readonly InspectionEvent[]): void {
    const text = JSON.stringify(events);
    for (const viewer of this.#viewers) {
      if (viewer.isFull() || this.#behind.has(viewer)) this.#behind.add(viewer);
      else viewer.tell('events', text);
    }
  }

  #tellMissed(): void {
    this.#catchUp = undefined;
    const missed = [...this.#missed];
    this.#missed.clear();
    this.#spend(() => this.#tell(this.#options.hub.replay(missed)));
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
    const { hub, status } = this.#options;
    const ready = [...this.#viewers].filter((viewer) => !viewer.isFull());
    if (ready.length === 0) return;
    this.#spend(() => {
      const text = ready.some(({ tellStatus }) => tellStatus !== undefined) ? status() : '';
      for (const viewer of ready) viewer.tellStatus?.(text);
      const late = ready.filter((viewer) => this.#behind.has(viewer));
      if (late.length === 0) return;
      const all = JSON.stringify(hub.replay());
      for (const viewer of late) {
        this.#behind.delete(viewer);
        viewer.tell('replay', all);
      }
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
