import type { DatabaseSync } from 'node:sqlite';
import { type Columns, textIds, TEXT_COLUMNS } from '../columns/forms.ts';

/** Gives the columns of the parts of a record's long texts. */
export type TextsOf = (record: number) => readonly Columns[];

export function textsIn(db: DatabaseSync): TextsOf {
  const select = db.prepare(`select ${TEXT_COLUMNS} from texts where id > ? and id < ?`);
  select.setReturnArrays(true);
  return (record) => select.all(...textIds(record)) as unknown as Columns[];
}
