import { openSync, closeSync, writeSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { Column } from '../columns/checksum.ts';
import { TABLES, toId, toLetter, toRecord, toRow, toStep } from '../columns/forms.ts';
import { type KeysData, readKeys } from './key-ring.ts';
import { metaTable } from './meta-table.ts';
import type { Seals } from '../columns/seals.ts';
import { openToRead } from './store-file.ts';
import { textsIn, type TextsOf } from './stored-texts.ts';

/** What a line is made of, by the table. */
const LINES: Readonly<Record<(typeof TABLES)[number]['table'], LineOf | undefined>> = {
  records: toRecord,
  // They stand in the states of their records.
  texts: undefined,
  rows: toRow,
  ids: toId,
  steps: (columns, seals) => ({ address: columns[0], ...toStep(columns, seals) }),
  letters: toLetter,
};

type LineOf = (columns: Column[], seals: Seals, textsOf: TextsOf) => object;

/** Characters that are gathered for one write. */
const CHUNK = 1024 * 1024;

/**
 * Writes all that a store has at this moment as lines of JSON, each with the table it is of, also while its owner goes on.
 * Bytes are `{ "base64": … }`. What is damaged is a line that says so. Returns the number of lines.
 *
 * @param to A file that is not there yet, for its user alone
 */
export function exportStore(data: KeysData, to: string): number {
  const db = openToRead(data.path);
  const file = openSync(to, 'wx', 0o600);
  let lines = 0;
  let chunk = '';
  try {
    db.exec('begin');
    for (const line of linesOf(db, readKeys(db, metaTable(db), data))) {
      chunk += `${line}\n`;
      lines++;
      if (chunk.length < CHUNK) continue;
      writeAll(file, chunk);
      chunk = '';
    }
    writeAll(file, chunk);
    return lines;
  } finally {
    closeSync(file);
    db.close();
  }
}

function* linesOf(db: DatabaseSync, seals: Seals): Generator<string> {
  const textsOf = textsIn(db);
  for (const { table, columns } of TABLES) {
    const lineOf = LINES[table];
    if (lineOf === undefined) continue;
    const select = db.prepare(`select ${columns} from ${table}`);
    select.setReturnArrays(true);
    for (const found of select.iterate()) {
      const row = found as unknown as Column[];
      let line: object;
      try {
        line = lineOf(row, seals, textsOf);
      } catch (error) {
        line = { damaged: (error as Error).message };
      }
      yield JSON.stringify({ table, ...line }, (_key, value: unknown) =>
        value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
      );
    }
  }
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
