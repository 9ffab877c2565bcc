import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Due } from '../durable-store.ts';
import type { Column } from '../columns/checksum.ts';
import { isDamage } from './sqlite-error.ts';

/** The addresses that are looked at in one go. */
const PAGE = 1000;

/**
 * Finds what is due where the lists of it cannot be read, because a page is damaged: looks at each instance by itself. One
 * that cannot be looked at counts as due, so that whoever wakes it finds the damage.
 */
export class DueByAddress {
  readonly #addresses: StatementSync;
  readonly #record: StatementSync;
  readonly #row: StatementSync;

  constructor(db: DatabaseSync) {
    const prepare = (sql: string): StatementSync => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    // The index has all that this needs, and so no page of the table is read.
    this.#addresses = prepare(
      'select address, id from records indexed by sqlite_autoindex_records_1 where address > ? order by address limit ?',
    );
    this.#record = prepare('select due_at, wakes, quarantined from records where id = ?');
    this.#row = prepare('select 1 from rows where address = ? and due_at <= ? limit 1');
  }

  /** What is due at `now` behind an address, in the order of addresses, at most `limit`; all of it has the same `since`. */
  find(now: number, limit: number, after: string, since: number): Due[] {
    const due: Due[] = [];
    for (let last = after, isLast = false; !isLast;) {
      const page = this.#addresses.all(last, PAGE) as unknown as [string, number][];
      isLast = page.length < PAGE;
      for (const [address, id] of page) {
        last = address;
        const why = this.#why(now, address, id);
        if (why !== undefined) due.push({ address, since, why });
        if (due.length === limit) return due;
      }
    }
    return due;
  }

  #why(now: number, address: string, id: number): Due['why'] | undefined {
    try {
      const [dueAt, wakes, quarantined] = (this.#record.get(id) ?? []) as unknown as Column[];
      if (quarantined !== 0) return undefined;
      if (this.#row.get(address, now) !== undefined) return 'row';
      if (dueAt !== null && (dueAt as number) <= now) return 'timer';
      return wakes === 1 ? 'child' : undefined;
    } catch (error) {
      if (isDamage(error)) return 'row';
      throw error;
    }
  }
}
