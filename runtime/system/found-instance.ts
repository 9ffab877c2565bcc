import { partsOf } from '../base/address.ts';
import type { Instance } from '../instance/instance.ts';
import type { DurableStore } from '../store/durable-store.ts';

/** What is known of an instance, in memory or in the store. */
export interface FoundInstance {
  /** The address, `agent/id`, with the id percent-encoded. */
  readonly address: string;
  readonly agent: string;
  readonly id: string;
  /** Whether it is in memory. One that is not wakes with its next event, or when its time comes. */
  readonly resident: boolean;
  /** The incarnation that runs or waits, or the last one. */
  readonly incarnation: number;
  /** Whether it is quarantined: it takes nothing until `resume`. */
  readonly quarantined: boolean;
  /** The number of events that wait for it; of one that is not in memory 1000 at most. */
  readonly waiting: number;
  /**
   * When its earliest timer is due, in milliseconds since the epoch; only of an instance that is not in memory, and has a
   * timer.
   */
  readonly dueAt?: number;
}

/** The rows that are counted. */
const COUNTED = 1000;

export function foundInMemory({
  address,
  agent,
  id,
  incarnation,
  mailbox,
  quarantine,
}: Instance): FoundInstance {
  const [quarantined, waiting] = [quarantine !== undefined, mailbox.depth];
  return { address, agent: agent.name, id, resident: true, incarnation, quarantined, waiting };
}

/** Looks an instance up in the store, and wakes nobody. */
export async function foundInStore(
  store: Pick<DurableStore, 'load' | 'rows'>,
  address: string,
): Promise<FoundInstance | undefined> {
  const parts = partsOf(address);
  const record = parts && (await store.load(address));
  if (record === undefined) return undefined;
  const { incarnation, quarantined, dueAt } = record;
  const waiting = (await store.rows(address, 0, COUNTED)).length;
  return {
    address,
    ...(parts as { agent: string; id: string }),
    resident: false,
    incarnation,
    quarantined,
    waiting,
    ...(dueAt !== undefined && { dueAt }),
  };
}
