import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { StoredRecord } from '../durable-store.ts';
import type { Column } from './checksum.ts';
import { RECORD_FORM, toRecord } from './forms.ts';
import { readKeys } from './key-ring.ts';
import { metaTable } from './meta-table.ts';
import type { Seals } from './seals.ts';
import { storeError } from './sqlite-error.ts';
import { openToRead } from './store-file.ts';
import { textsIn, type TextsOf } from './stored-texts.ts';
import type { RecordsPage, RecordsThreadData } from './stored-records.ts';
import { toWire } from './wire-store-error.ts';

/** The records that are read at a time. */
const PAGE = 200;

const data = workerData as RecordsThreadData;
let open: { readonly db: DatabaseSync; readonly seals: Seals } | undefined;

parentPort?.on('message', (after: string) => {
  try {
    parentPort?.postMessage(page(after));
  } catch (error) {
    parentPort?.postMessage({ error: toWire(storeError(error, data.path)) });
  }
});

function page(after: string): RecordsPage {
  if (open === undefined) {
    const db = openToRead(data.path);
    open = { db, seals: readKeys(db, metaTable(db), data) };
  }
  const { db, seals } = open;
  const select = db.prepare(
    `select ${RECORD_FORM} from records where address > ? order by address limit ${PAGE}`,
  );
  select.setReturnArrays(true);
  const textsOf = textsIn(db);
  // Texts are of the same moment as their records, while the owner goes on.
  db.exec('begin');
  try {
    const found = select.all(after) as unknown as Column[][];
    const records = found.flatMap((columns) => intact(columns, seals, textsOf));
    return { records, last: found.length < PAGE ? undefined : String(found.at(-1)?.[0]) };
  } finally {
    db.exec('rollback');
  }
}

function intact(columns: Column[], seals: Seals, textsOf: TextsOf): readonly StoredRecord[] {
  try {
    return [toRecord(columns, seals, textsOf)];
  } catch (error) {
    if ((error as { code?: unknown }).code === 'STORE_CORRUPT') return [];
    throw error;
  }
}
