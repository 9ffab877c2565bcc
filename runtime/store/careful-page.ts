import type { Ticket } from '../base/ticket.ts';
import { CAREFUL_ROWS, type CarefulStart } from './careful-start.ts';
import type { MailboxRow } from './durable-store.ts';
import type { KeptRow } from './kept-row.ts';

/** Whether a row may be handed over with those before it in a careful start: a suspect is alone. */
export function isSafeBehind(before: readonly MailboxRow[], row: MailboxRow): boolean {
  const [first] = before;
  if (first === undefined) return true;
  return before.length < CAREFUL_ROWS && !isSuspect(first) && !isSuspect(row);
}

/**
 * In a careful start: writes down that the rows are in hand, before they are; resolves when that is committed. One that was
 * in hand at a crash has to be the only such one. `count`: writes down the next crash of a row that is noted.
 */
export async function noteInHand(
  rows: readonly KeptRow[],
  careful: Pick<CarefulStart, 'alone'>,
  count: (row: KeptRow) => Ticket,
): Promise<void> {
  const [first] = rows;
  if (first === undefined || first.isPoison) return;
  if (isSuspect(first.row)) first.over = await careful.alone();
  let ticket: Ticket | undefined;
  for (const row of rows) {
    row.isNoted = true;
    ticket = count(row);
  }
  await ticket?.wait();
}

function isSuspect({ attempts }: MailboxRow): boolean {
  return attempts > 0;
}
