import type { InstanceStatus, RuntimeStatus } from '../../telling/status.ts';
import type { Figures } from './page-viewer.ts';

/** Instances with something wrong that a page is told of; the others are counted. */
export const mostWrong = 200;

/** The instances of a runtime, counted. */
export interface InstanceCounts {
  readonly total: number;
  /** Events that those that there are have handled. */
  readonly handled: number;
  /** Turns on each thread, by Node's id of it, since somebody looked first. */
  readonly turns: Readonly<Record<string, number>>;
  /** Those with something wrong that are not among the instances that are told of. */
  readonly wrongLeft: number;
}

interface Counted {
  readonly counts: InstanceCounts;
  readonly wrong: readonly InstanceStatus[];
  readonly byAddress: ReadonlyMap<string, InstanceStatus>;
}

/** What pages are told of the status: of the instances those that they show, or that something is wrong with, and counts of all. */
export class PageFigures {
  #status: RuntimeStatus | undefined;
  #counted: Counted | undefined;
  #handled = new Map<string, number>();
  readonly #turns = new Map<number, number>();

  of(status: RuntimeStatus, shown: ReadonlySet<string>): Figures {
    const { counts, wrong, byAddress } = this.#count(status);
    const { instances: _, ...others } = status;
    const told = new Set(wrong);
    for (const address of shown) {
      const instance = byAddress.get(address);
      if (instance !== undefined) told.add(instance);
    }
    return { ...others, counts, instances: [...told] };
  }

  /** Once for each status, however many pages there are. */
  #count(status: RuntimeStatus): Counted {
    if (this.#counted !== undefined && this.#status === status) return this.#counted;
    const handledBy = new Map<string, number>();
    const byAddress = new Map<string, InstanceStatus>();
    const wrong: InstanceStatus[] = [];
    let sum = 0;
    for (const instance of status.instances) {
      const { address, thread, handled } = instance;
      sum += handled;
      byAddress.set(address, instance);
      handledBy.set(address, handled);
      // What one did before it was seen first was long ago.
      const more = handled - (this.#handled.get(address) ?? handled);
      if (thread >= 0 && more > 0) this.#turns.set(thread, (this.#turns.get(thread) ?? 0) + more);
      if (severity(instance) < fine) wrong.push(instance);
    }
    this.#handled = handledBy;
    for (const thread of this.#turns.keys())
      if (!status.pools.some(({ threads }) => threads.some((one) => one.thread === thread)))
        this.#turns.delete(thread);
    const worst = wrong.toSorted((a, b) => severity(a) - severity(b) || failedAt(b) - failedAt(a));
    const counts = {
      total: status.instances.length,
      handled: sum,
      turns: Object.fromEntries(this.#turns),
      wrongLeft: Math.max(0, wrong.length - mostWrong),
    };
    this.#status = status;
    this.#counted = { counts, wrong: worst.slice(0, mostWrong), byAddress };
    return this.#counted;
  }
}

const fine = 4;

/** The worst is the least. */
function severity({ state, failure, mailbox, capacity }: InstanceStatus): number {
  if (state === 'quarantined') return 0;
  if (state === 'restarting') return 1;
  if (failure !== undefined) return 2;
  return capacity > 0 && mailbox >= capacity ? 3 : fine;
}

function failedAt({ quarantine, failure }: InstanceStatus): number {
  return quarantine?.failures.at(-1)?.at ?? failure?.at ?? 0;
}
