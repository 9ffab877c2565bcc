import type { RuntimeEvents } from '../runtime.ts';
import { NAMED } from './known-instances.ts';
import type { InstancesChanged } from './messages.ts';

/** Between two reports, so that a storm of starts costs a few. */
const EVERY_MS = 100;

/** Tells the front which instances this process has, as they come and go: what it said last is known when it dies. */
export class InstanceReports {
  readonly #tell: (changed: InstancesChanged) => void;
  readonly #live = new Set<string>();
  /** The front has their names, or is about to. */
  readonly #named = new Set<string>();
  /** Since the last report, of those with names: what each did last. */
  #changes = new Map<string, 'begun' | 'ended'>();
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isOver = false;

  constructor(tell: (changed: InstancesChanged) => void) {
    this.#tell = tell;
  }

  readonly record = ({ address, state }: RuntimeEvents['agent']): void => {
    if (this.#isOver) return;
    if (state === 'running') this.#began(address);
    else if (state === 'ended') this.#wentAway(address);
  };

  /** What happens from here on is no loss. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #began(address: string): void {
    if (this.#live.has(address)) return;
    this.#live.add(address);
    if (this.#named.size < NAMED) {
      this.#named.add(address);
      this.#changes.set(address, 'begun');
    }
    this.#changed();
  }

  #wentAway(address: string): void {
    if (!this.#live.delete(address)) return;
    if (this.#named.delete(address)) this.#changes.set(address, 'ended');
    this.#changed();
  }

  /** The first change is told at once, what follows a little later. */
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
    this.#tell({ type: 'instances', begun: those('begun'), ended: those('ended'), count: this.#live.size });
  }
}
