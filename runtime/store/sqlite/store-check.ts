import { openToRead } from './store-file.ts';
import type { Column } from '../columns/checksum.ts';
import { isIntact, TABLES } from '../columns/forms.ts';
import { keptKeys } from './key-ring.ts';
import { lastingLogDamage, sayLogDamage } from './log-check.ts';
import { metaTable } from './meta-table.ts';
import { isDamage } from './sqlite-error.ts';

export interface StoreReport {
  /** What is wrong, at most {@link MOST_PROBLEMS}; empty: every page and every row is as it was written. */
  readonly problems: readonly string[];
  /** How many rows of each table were looked at. */
  readonly counts: Readonly<Record<string, number>>;
}

const MOST_PROBLEMS = 100;

/** Looks at every page and every row of a store, also while its owner goes on; it needs no key. */
export function checkStore(path: string): StoreReport {
  const log = lastingLogDamage(path);
  const db = openToRead(path);
  const problems = log === undefined ? [] : [`log: ${sayLogDamage(path, log)}`];
  const counts: Record<string, number> = {};
  const trying = (what: string, look: () => void): void => {
    try {
      look();
    } catch (error) {
      if (!isDamage(error)) throw error;
      problems.push(`${what}: ${(error as Error).message}`);
    }
  };
  try {
    db.exec('begin');
    trying('pages', () => {
      for (const { integrity_check: found } of db.prepare(`pragma integrity_check(${MOST_PROBLEMS})`).all())
        if (found !== 'ok') problems.push(`pages: ${String(found)}`);
    });
    const meta = metaTable(db);
    for (const key of ['storeId', 'epoch', 'writer', 'nextRow', 'last', 'sealed'] as const)
      trying('meta', () => meta.get(key));
    trying('keys', () => keptKeys(db));
    for (const { table, columns, ...form } of TABLES) {
      counts[table] = 0;
      // Not by an index: a row that its index has lost is there all the same.
      const select = db.prepare(`select ${columns} from ${table} not indexed`);
      select.setReturnArrays(true);
      trying(table, () => {
        for (const found of select.iterate()) {
          counts[table] = (counts[table] ?? 0) + 1;
          const row = found as unknown as Column[];
          if (!isIntact(row, form)) problems.push(`${table}: what was written of ${nameOf(row)} is damaged`);
        }
      });
    }
    const lost = db.prepare(
      'select count(*) count from rows where not exists(select 1 from records where records.address = rows.address)',
    );
    trying('rows', () => {
      const count = lost.get()?.['count'] as number;
      if (count > 0) problems.push(`rows: ${count} are of addresses that have no record`);
    });
    return { problems: problems.slice(0, MOST_PROBLEMS), counts };
  } finally {
    db.close();
  }
}

/** What it is in its table: the keys come first. */
function nameOf(row: readonly Column[]): string {
  return row
    .slice(0, 3)
    .filter((one) => typeof one !== 'object')
    .map((one) => JSON.stringify(one).slice(0, 200))
    .join(' ');
}
