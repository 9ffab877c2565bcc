import type { MailboxSum } from '../mailbox/mailbox-sum.ts';
import type { InstancePhase } from './life.ts';

/** The instances of one agent, counted as they change. */
export class AgentTally implements MailboxSum {
  depth = 0;
  capacity = 0;
  handled = 0;
  readonly #states = new Map<InstancePhase, number>();
  #size = 0;

  /** The instances that are counted. */
  get size(): number {
    return this.#size;
  }

  /** How many there are in each state in which there are any. */
  get states(): Partial<Record<InstancePhase, number>> {
    return Object.fromEntries([...this.#states].filter(([, count]) => count > 0));
  }

  came(state: InstancePhase): void {
    this.#size += 1;
    this.#count(state, 1);
  }

  left(state: InstancePhase): void {
    this.#size -= 1;
    this.#count(state, -1);
  }

  moved(from: InstancePhase, to: InstancePhase): void {
    this.#count(from, -1);
    this.#count(to, 1);
  }

  #count(state: InstancePhase, by: 1 | -1): void {
    this.#states.set(state, (this.#states.get(state) ?? 0) + by);
  }
}
