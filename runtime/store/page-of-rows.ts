import type { DurableStore, MailboxRow } from './durable-store.ts';

/** The rows that are read in one go, while those are looked for that may be handled now. */
export const CHUNK = 1000;

export interface PageOptions {
  readonly store: Pick<DurableStore, 'rows'>;
  readonly address: string;
  /** Whether a row has its place already, or its time has not come: others are taken in spite of it. */
  readonly isElsewhere: (row: MailboxRow) => boolean;
  /** The number of the first row that is not to be taken, as it stands after each read. */
  readonly end: () => number;
  /** Whether a row may be taken with those that were found before it. */
  readonly mayFollow: (found: readonly MailboxRow[], row: MailboxRow) => boolean;
}

/** Reads the oldest rows of an instance that may be taken; `next`: the number of the first that was not, else Infinity. */
export async function pageOfRows({
  store,
  address,
  isElsewhere,
  end,
  mayFollow,
}: PageOptions): Promise<{ readonly found: readonly MailboxRow[]; readonly next: number }> {
  const found: MailboxRow[] = [];
  for (let after = 0, isLast = false; !isLast;) {
    const chunk = await store.rows(address, after, CHUNK);
    isLast = chunk.length < CHUNK;
    after = chunk.at(-1)?.n ?? after;
    const last = end();
    for (const row of chunk) {
      if (isElsewhere(row)) continue;
      if (row.n >= last || !mayFollow(found, row)) return { found, next: row.n };
      found.push(row);
    }
  }
  return { found, next: Infinity };
}
