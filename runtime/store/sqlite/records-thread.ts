import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { StoredRecord } from '../durable-store.ts';
import type { Column } from '../columns/checksum.ts';
import { RECORD_FORM, toRecord } from '../columns/forms.ts';
import { readKeys } from './key-ring.ts';
import { metaTable } from './meta-table.ts';
import type { Seals } from '../columns/seals.ts';
import { storeError } from './sqlite-error.ts';
import { openToRead } from './store-file.ts';
import { textsIn, type TextsOf } from './stored-texts.ts';
import type { RecordsPage, RecordsThreadData } from './stored-records.ts';
import { toWire } from './wire-store-error.ts';

/** The records that are read at a time. */
const PAGE = 200;

const data = workerData as RecordsThreadData;
let open: { readonly db: DatabaseSync; readonly seals: Seals; readonly pages: Page[] } | undefined;

/** The addresses before its first record and of its last, with which it ends; undefined: it is the last page. */
interface Page {
  readonly after: string;
  readonly last: string | undefined;
  readonly count: number;
}

parentPort?.on('message', () => {
  try {
    parentPort?.postMessage(next());
  } catch (error) {
    parentPort?.postMessage({ error: toWire(storeError(error, data.path)) });
  }
});

function next(): RecordsPage {
  if (open === undefined) {
    const db = openToRead(data.path);
    open = { db, seals: readKeys(db, metaTable(db), data), pages: pagesOf(db) };
  }
  const { db, seals, pages } = open;
  const page = pages.shift();
  if (page === undefined) return { records: [], isLast: true, left: 0 };
  const select = db.prepare(
    `select ${RECORD_FORM} from records where address > ?1 and (?2 is null or address <= ?2) order by address`,
  );
  select.setReturnArrays(true);
  const textsOf = textsIn(db);
  // Texts are of the same moment as their records, while the owner goes on.
  db.exec('begin');
  try {
    const found = select.all(page.after, page.last ?? null) as unknown as Column[][];
    const records = found.flatMap((columns) => intact(columns, seals, textsOf));
    const left = pages.reduce((sum, { count }) => sum + count, 0);
    return { records, isLast: pages.length === 0, left };
  } finally {
    db.exec('rollback');
  }
}

function pagesOf(db: DatabaseSync): Page[] {
  const select = db.prepare(
    `select address from (select address, row_number() over (order by address) n from records) where n % ${PAGE} = 0`,
  );
  const ends = select.all().map(({ address }) => String(address));
  const [{ count }] = db.prepare('select count(*) count from records').all() as [{ count: number }];
  const pages = ['', ...ends].map((after, i) => {
    const last = ends[i];
    return { after, last, count: last === undefined ? count - ends.length * PAGE : PAGE };
  });
  return data.order === 'address' ? pages : spread(pages);
}

/** The first, that in the middle, those at the quarters, and so on. */
function spread<T>(all: readonly T[]): T[] {
  const digits = (all.length - 1).toString(2).length;
  const turned = (n: number): number => {
    let turn = 0;
    for (let digit = 0; digit < digits; digit++) turn = 2 * turn + ((n >> digit) & 1);
    return turn;
  };
  return [...all.entries()].toSorted(([a], [b]) => turned(a) - turned(b)).map(([, one]) => one);
}

function intact(columns: Column[], seals: Seals, textsOf: TextsOf): readonly StoredRecord[] {
  try {
    return [toRecord(columns, seals, textsOf)];
  } catch (error) {
    if ((error as { code?: unknown }).code === 'STORE_CORRUPT') return [];
    throw error;
  }
}
