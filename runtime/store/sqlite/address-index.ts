import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { corrupt } from '../columns/corrupt.ts';

/** The tables that are searched by address, with the key of their rows. */
const KEYS = { records: 'id', rows: 'n' } as const;

/**
 * One of the entries next to the place of an address, when it is not that of its row, and leads whoever looks for the
 * address to the wrong side of it.
 */
const neighbour = (table: keyof typeof KEYS, than: '<' | '>'): string => {
  const key = KEYS[table];
  const order = than === '<' ? 'desc' : 'asc';
  return `select 1 from (
      select address shown, (select address from ${table} not indexed where ${key} = entry.${key}) own
      from (select address, ${key} from ${table} where address ${than} ?1 order by address ${order} limit 1) entry)
    where shown is not own and (own is null or not own ${than} ?1)`;
};

/**
 * An index by which what an address has is found. One bit of it that flips hides a row: the address that stands there is
 * another one then. Whoever looks for the hidden one is led to the place of that entry all the same, so the two entries where
 * an address would stand say whether any is missing: each has to be that of its row.
 */
export class AddressIndex {
  readonly #table: keyof typeof KEYS;
  readonly #wrong: StatementSync;

  constructor(db: DatabaseSync, table: keyof typeof KEYS) {
    this.#table = table;
    this.#wrong = db.prepare(`${neighbour(table, '<')} union all ${neighbour(table, '>')}`);
  }

  /** No more was found of an address. Throws `STORE_CORRUPT` where there may be more all the same. */
  assertNoMore(address: string): void {
    if (this.#wrong.get(address) === undefined) return;
    const what = this.#table === 'records' ? address : `all events for ${address}`;
    throw corrupt(
      `whether the store has ${what} cannot be said, because an index of addresses is damaged: see \`holdfast store check\``,
    );
  }
}
