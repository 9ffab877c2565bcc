import type { DeadLetterReason } from '../base/dead-letter-reason.ts';
import type { KeptLetter, MailboxRow } from './durable-store.ts';

/** The letter that a row becomes which was not handled, with the evidence against it, if there is any. */
export function rowLetter(
  row: MailboxRow,
  reason: DeadLetterReason,
  at: number,
  evidence?: object,
): KeptLetter {
  const { n, to: address, from, event, dueAt, id, caller, attempts, activate } = row;
  const meta = JSON.stringify({ n, from, dueAt, id, caller, attempts, activate, evidence });
  return { id: letterIdOf(n), address, reason, event, meta, at };
}

export function letterIdOf(n: number): string {
  return `row-${n}`;
}

/** The row as it is kept for a recipient that is there. */
export function plainRow(row: MailboxRow): MailboxRow {
  const { activate: _, ...plain } = row;
  return plain;
}
