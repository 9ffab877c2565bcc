import type { InstanceFigures, InstanceStatus } from '../telling/status.ts';

type Phase = InstanceFigures['state'];
type Counted = Pick<InstanceStatus, 'agent' | 'state' | 'handled' | 'mailbox' | 'capacity'>;

/** Counts instances, without a word about each. */
export class InstanceSums {
  readonly #figures = new Map<
    string,
    Map<Phase, { -readonly [K in keyof InstanceFigures]: InstanceFigures[K] }>
  >();
  /** In the order in which the first of each came. */
  readonly #all: InstanceFigures[] = [];

  static of(instances: Iterable<Counted>): readonly InstanceFigures[] {
    const sums = new InstanceSums();
    for (const { agent, state, handled, mailbox, capacity } of instances)
      sums.add(agent, state, handled, mailbox, capacity);
    return sums.all;
  }

  get all(): readonly InstanceFigures[] {
    return this.#all;
  }

  add(agent: string, state: Phase, handled: number, mailbox: number, capacity: number): void {
    let states = this.#figures.get(agent);
    if (states === undefined) this.#figures.set(agent, (states = new Map()));
    const figures = states.get(state);
    if (figures === undefined) {
      const first = { agent, state, instances: 1, handled, mailbox, capacity };
      states.set(state, first);
      this.#all.push(first);
      return;
    }
    figures.instances += 1;
    figures.handled += handled;
    figures.mailbox += mailbox;
    figures.capacity += capacity;
  }
}
