import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { corrupt } from '../columns/corrupt.ts';

/** One of the entries next to the place of an address, when it is not that of its record. */
const NEIGHBOUR = (than: string, order: string): string =>
  `select 1 from (select address, id from records where address ${than} ?1 order by address ${order} limit 1) entry
   where entry.address is not (select address from records where id = entry.id)`;

/**
 * The index by which a record is found. One bit of it that flips hides a record: the address that stands there is another one
 * then. Whoever looks for the hidden one is led to the place of that entry all the same, so the two entries where an address would stand
 * say whether it is missing: each has to be that of its record.
 */
export class AddressIndex {
  readonly #wrong: StatementSync;

  constructor(db: DatabaseSync) {
    this.#wrong = db.prepare(`${NEIGHBOUR('<', 'desc')} union all ${NEIGHBOUR('>', 'asc')}`);
  }

  /** An address was not found. Throws `STORE_CORRUPT` where it may be there all the same. */
  assertAbsent(address: string): void {
    if (this.#wrong.get(address) === undefined) return;
    throw corrupt(
      `whether the store has ${address} cannot be said, because its index of addresses is damaged: see \`holdfast store check\``,
    );
  }
}
