import { z } from 'zod';
import { integer, text } from './fields.ts';
import { keyRefSchema } from './grant-schema.ts';

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
  /** Milliseconds for which what became of an event with an id is kept. Default: 86400000, a day. */
  readonly keepIdsMs?: number | undefined;
  /** The most instances that wake in a second because they have something to do. Default: 1000. */
  readonly wakesPerSecond?: number | undefined;
  /** What is done when the store has failed for 30 s or three times in a minute, or another process has it: `wait` or `exit`. Default: `wait`. */
  readonly onFailure?: 'wait' | 'exit' | undefined;
  /** The secrets by which states and events are encrypted. Default: nothing is. */
  readonly encryption?: StoreEncryptionConfig | undefined;
}

type KeyRef = z.input<typeof keyRefSchema>;

/** The secrets whose values are the keys of a store: `'name'`, `'name#field'` or an object. */
export interface StoreEncryptionConfig {
  /** The secret that is the key: at least 32 bytes, in which at least 256 bits are random. */
  readonly key: KeyRef;
  /** Secrets that were the key before, for a provider that keeps no version but the current one. Default: none. */
  readonly previous?: readonly KeyRef[] | undefined;
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
    keepIdsMs: integer(1000)
      .default(86_400_000)
      .describe(
        'Milliseconds for which what became of an event with an id is kept, also of an Idempotency-Key. Default: 86400000, a day.',
      ),
    wakesPerSecond: integer(1, 1_000_000)
      .default(1000)
      .describe('The most instances that wake in a second because they have something to do. Default: 1000.'),
    onFailure: z
      .enum(['wait', 'exit'])
      .default('wait')
      .describe(
        'What is done when the store has failed for 30 s or three times in a minute, or another process has it. wait: commits are tried again; exit: the ' +
          'runtime stops, and the process ends with exit code 1. Default: wait.',
      ),
    encryption: z
      .strictObject({
        key: keyRefSchema.describe(
          'The secret that is the key: name, name#field, or an object with id and, optionally, provider, jsonKey, stage and ' +
            'role. At least 32 bytes, in which at least 256 bits are random.',
        ),
        previous: z
          .array(keyRefSchema)
          .readonly()
          .optional()
          .describe(
            'Secrets that were the key before, for a provider that keeps no version but the current one. Default: none.',
          ),
      })
      .optional()
      .describe(
        'The secrets by which states, events, answers, steps and letters are encrypted; addresses, ids and times are not. Default: nothing is encrypted.',
      ),
  })
  .describe('Where agents outlive the process: each turn is committed before it is told. Default: nowhere.');
