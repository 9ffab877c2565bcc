import type { KeptLetter, MailboxRow } from './durable-store.ts';

/** The letter that a row becomes which nobody takes. */
export function rowLetter(row: MailboxRow, reason: 'stopped' | 'unknown-address', at: number): KeptLetter {
  const { n, to: address, from, event, dueAt, id, caller, attempts } = row;
  const meta = JSON.stringify({ n, from, dueAt, id, caller, attempts });
  return { id: letterIdOf(n), address, reason, event, meta, at };
}

export function letterIdOf(n: number): string {
  return `row-${n}`;
}
