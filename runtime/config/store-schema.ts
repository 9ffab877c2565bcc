import { z } from 'zod';
import { integer, text } from './fields.ts';

/** The store under every turn, as written in a config; see `docs/durability.md`. */
export interface StoreConfig {
  /** The kind of store. */
  readonly type: 'sqlite';
  /** The file, relative to the config file. */
  readonly path: string;
  /** When a commit counts as written: `disk` or `os`. Default: `disk`. */
  readonly fsync?: 'disk' | 'os' | undefined;
  /** The most bytes that the file may have. Default: no limit but the disk's. */
  readonly maxBytes?: number | undefined;
}

export const storeSchema = z
  .strictObject({
    type: z.literal('sqlite').describe('The kind of store: a SQLite file for one process at a time.'),
    path: text().describe('The file, relative to the config file. It is created, for its user alone.'),
    fsync: z
      .enum(['disk', 'os'])
      .default('disk')
      .describe(
        'When a commit counts as written. disk: it outlives a loss of power; os: it outlives the process. Default: disk.',
      ),
    maxBytes: integer(1_048_576)
      .optional()
      .describe("The most bytes that the file may have. Default: no limit but the disk's."),
  })
  .describe('Where agents outlive the process: each turn is committed before it is told. Default: nowhere.');
