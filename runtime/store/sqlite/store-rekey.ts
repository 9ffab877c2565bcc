import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../base/errors.ts';
import { aloneWithStore, settleLog, takePlace } from './alone.ts';
import type { Column } from '../columns/checksum.ts';
import { resealed, TABLES } from '../columns/forms.ts';
import { type KeysData, onlyKey, readKeys } from './key-ring.ts';
import { metaTable } from './meta-table.ts';
import { written } from './new-file.ts';
import { Owner } from './owner.ts';
import type { Seals } from '../columns/seals.ts';
import { corrupt } from '../columns/corrupt.ts';
import { checkStore, type StoreReport } from './store-check.ts';
import { openFile, writeFile } from './store-file.ts';

/**
 * Writes a store that nobody has open anew, with all that it keeps encrypted with a key of which nothing was encrypted
 * before, and what was plain as well; returns how many rows of each table it has. The store stays as it was until the new
 * file has its name.
 */
export function rekeyStore(data: KeysData, temporary: string): StoreReport['counts'] {
  const { path, now, encryption } = data;
  if (encryption === undefined)
    throw new HoldfastError('OPTION_INVALID', 'encryption: no key is given to encrypt the store with');
  return aloneWithStore(path, temporary, () => {
    const db = openFile({ path, fsync: 'disk' });
    try {
      const before = readKeys(db, metaTable(db), data);
      // Whoever has it open by a way that the lock does not see writes nothing from here on.
      new Owner(db, path, now).leave();
      settleLog(db, path);
      db.exec('begin immediate');
      let counts: StoreReport['counts'] = {};
      const write = (draft: string): void => {
        writeFile(draft, (to) => copyAll([db, before], to, data));
        const report = checkStore(draft);
        if (report.problems.length > 0)
          throw corrupt(`the store ${path} is damaged, and stays as it is: ${report.problems[0]}`);
        ({ counts } = report);
      };
      written(path, write, () => {
        db.exec('rollback');
        takePlace(db, path);
      });
      return counts;
    } finally {
      if (db.isOpen) db.close();
    }
  });
}

function copyAll([from, before]: readonly [DatabaseSync, Seals], to: DatabaseSync, data: KeysData): void {
  const after = onlyKey(to, from, data);
  const put = to.prepare('insert into meta(key, value, crc) values(?, ?, ?)');
  for (const { key, value, crc } of from.prepare('select key, value, crc from meta').all())
    put.run(key as string, value as string, crc as number);
  const meta = metaTable(to);
  meta.set('sealed', true);
  meta.set('kept', null);
  const select = from.prepare('select address from records where id = ?');
  const addressOf = (record: number): string => String(select.get(record)?.['address']);
  for (const form of TABLES) {
    const { table, columns } = form;
    const all = from.prepare(`select ${columns} from ${table} not indexed`);
    all.setReturnArrays(true);
    const add = to.prepare(`insert into ${table}(${columns}) values(${columns.replaceAll(/\w+/g, '?')})`);
    for (const found of all.iterate())
      add.run(...resealed(found as unknown as Column[], form, [before, after], addressOf));
  }
}
