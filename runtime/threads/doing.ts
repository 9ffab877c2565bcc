import { typeOf } from '../dead-letters/dead-letters.ts';
import type { Deactivations } from './deactivations.ts';
import type { Seats } from './seats.ts';

/** The current work of a thread, in words and as fields of a log. */
export interface Doing {
  readonly what: string;
  /** The instance whose turn or cleanup it is. */
  readonly address?: string;
  readonly fields: object;
}

/** Describes the current work of a thread with `slot` in hand, as far as the host can know it. */
export function doing(
  slot: number,
  seats: Pick<Seats, 'at' | 'countedBy' | 'handled'>,
  deactivations: Pick<Deactivations, 'stopping'>,
): Doing {
  const stopping = deactivations.stopping(slot);
  const seat = stopping === undefined ? seats.countedBy(slot) : seats.at(stopping);
  if (seat === undefined)
    return { what: 'something outside of any turn, such as a timer or an import', fields: {} };
  const { instance, attachment } = seat;
  const { address, agent } = instance;
  if (stopping !== undefined)
    return {
      what: `the cleanup of ${address}`,
      address,
      fields: { agent: agent.name, address, stopping: true },
    };
  const behind = seats.handled(seat) - (attachment?.acked ?? 0);
  const type = slot === seat.slot ? typeOf(instance.mailbox.peek(behind)) : undefined;
  const event = type === undefined ? 'an event of another agent' : `"${type}"`;
  return { what: `${event} for ${address}`, address, fields: { agent: agent.name, address, type } };
}
