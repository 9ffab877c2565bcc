import { metaTable } from './meta-table.ts';
import type { WaitingInStore } from './store-care.ts';
import { openToRead } from './store-file.ts';

/** Counts the rows of a store that may be handled at `now`, and the timers that are due, also while its owner goes on. */
export function waiting(path: string, now: number): WaitingInStore {
  const db = openToRead(path);
  try {
    const found = db
      .prepare(
        `select (select count(*) from rows where since <= ?1) rows, (select min(since) from rows where since <= ?1) rowsSince,
         (select count(*) from records where quarantined = 0 and due_at <= ?1) timers,
         (select min(due_at) from records where quarantined = 0 and due_at <= ?1) timersSince`,
      )
      .get(now);
    return { ...found, restored: metaTable(db).get('restored') } as unknown as WaitingInStore;
  } finally {
    db.close();
  }
}
