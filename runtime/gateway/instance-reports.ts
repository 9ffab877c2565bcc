import type { RuntimeEvents } from '../runtime.ts';
import { NAMED } from './known-instances.ts';
import type { InstancesChanged } from './messages.ts';

/** Milliseconds between two reports, so that a storm of starts costs few of them. */
const EVERY_MS = 100;

/**
 * Tells the front which instances this process has, as they come and go. The last report counts when the process dies.
 */
export class InstanceReports {
  readonly #tell: (changed: InstancesChanged) => void;
  readonly #outlives: (address: string) => boolean;
  readonly #live = new Set<string>();
  /** Instances that outlive the process. */
  readonly #lasting = new Set<string>();
  /** Instances whose names the front has, or is about to have. */
  readonly #named = new Set<string>();
  /** The last change of each named instance since the last report. */
  #changes = new Map<string, 'begun' | 'ended'>();
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isOver = false;

  /** `outlives`: whether an instance outlives the process. */
  constructor(tell: (changed: InstancesChanged) => void, outlives: (address: string) => boolean) {
    this.#tell = tell;
    this.#outlives = outlives;
  }

  readonly record = ({ address, state }: RuntimeEvents['agent']): void => {
    if (this.#isOver) return;
    if (state === 'running') this.#began(address);
    else if (state === 'ended' || state === 'passive') this.#wentAway(address);
  };

  /** Later changes are no loss. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #began(address: string): void {
    if (this.#live.has(address)) return;
    this.#live.add(address);
    if (this.#outlives(address)) this.#lasting.add(address);
    else if (this.#named.size < NAMED) {
      this.#named.add(address);
      this.#changes.set(address, 'begun');
    }
    this.#changed();
  }

  #wentAway(address: string): void {
    if (!this.#live.delete(address)) return;
    this.#lasting.delete(address);
    if (this.#named.delete(address)) this.#changes.set(address, 'ended');
    this.#changed();
  }

  /** The first change is reported at once, later ones a little later. */
  #changed(): void {
    this.#isDue = true;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#later(), EVERY_MS).unref();
    queueMicrotask(() => this.#report());
  }

  #later(): void {
    this.#timer = undefined;
    if (!this.#isDue) return;
    this.#timer = setTimeout(() => this.#later(), EVERY_MS).unref();
    this.#report();
  }

  #report(): void {
    if (this.#isOver || !this.#isDue) return;
    this.#isDue = false;
    const changes = [...this.#changes];
    this.#changes = new Map();
    const those = (what: string): string[] =>
      changes.filter(([, change]) => change === what).map(([address]) => address);
    const [count, lasting] = [this.#live.size, this.#lasting.size];
    this.#tell({ type: 'instances', begun: those('begun'), ended: those('ended'), count, lasting });
  }
}
