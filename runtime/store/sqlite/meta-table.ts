import type { DatabaseSync } from 'node:sqlite';
import { checksum } from '../columns/checksum.ts';
import { corrupt } from '../columns/corrupt.ts';

/** What a store knows of itself. */
export interface MetaValues {
  readonly storeId: string;
  /** The number of the opening that owns the store. */
  readonly epoch: number;
  /** Who writes: that opening, and the number of its thread. */
  readonly writer: readonly [epoch: number, thread: number];
  /** When that opening was, in milliseconds since the epoch; null after a close. */
  readonly openedAt: number | null;
  readonly uncleanEnds: readonly number[];
  readonly restored: boolean;
  /** Rows of the next opening have numbers from here on. */
  readonly nextRow: number;
  /** The last group that ended an instance, and what came of it. */
  readonly last: { readonly id: string; readonly result: unknown } | null;
  /** Whether all that can be encrypted is. */
  readonly sealed: boolean;
  /** About the bytes of ids and letters; null: nobody has counted them. */
  readonly kept: { readonly ids: number; readonly letters: number } | null;
}

type Key = keyof MetaValues;

export interface MetaTable {
  get<K extends Key>(key: K): MetaValues[K];
  set<K extends Key>(key: K, value: MetaValues[K]): void;
}

export function metaTable(db: DatabaseSync): MetaTable {
  const select = db.prepare('select value, crc from meta where key = ?');
  select.setReturnArrays(true);
  const replace = db.prepare('insert or replace into meta(key, value, crc) values(?, ?, ?)');
  return {
    get<K extends Key>(key: K) {
      const found = select.get(key) as unknown as readonly [string, number] | undefined;
      if (found === undefined) throw corrupt(`the store does not say its ${key}`);
      const [value, crc] = found;
      if (checksum([key, value]) !== crc) throw corrupt(`what the store says of its ${key} is damaged`);
      return JSON.parse(value) as MetaValues[K];
    },
    set(key, given) {
      const value = JSON.stringify(given);
      replace.run(key, value, checksum([key, value]));
    },
  };
}
