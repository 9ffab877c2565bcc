import { z } from 'zod';
import { formed, integer, text, meaning } from './fields.ts';
import { keyRefSchema } from './grant-schema.ts';

/** The store under every turn, as written in a config; see `docs/durability.md`. */
export type StoreConfig = SqliteStoreConfig | PostgresStoreConfig;

interface StoreUseConfig {
  /** Milliseconds for which what became of an event with an id is kept. Default: 86400000, a day. */
  readonly keepIdsMs?: number | undefined;
  /** The most instances that wake in a second because they have something to do. Default: 1000. */
  readonly wakesPerSecond?: number | undefined;
  /** What is done when the store has failed for 30 s or three times in a minute, or another process has it: `wait` or `exit`. Default: `wait`. */
  readonly onFailure?: 'wait' | 'exit' | undefined;
}

/** A SQLite file, for one process at a time. */
export interface SqliteStoreConfig extends StoreUseConfig {
  /** The kind of store. */
  readonly type: 'sqlite';
  /** The file, relative to the config file. */
  readonly path: string;
  /** When a commit counts as written: `disk` or `os`. Default: `disk`. */
  readonly fsync?: 'disk' | 'os' | undefined;
  /** The most bytes that the file may have. Default: no limit but the disk's. */
  readonly maxBytes?: number | undefined;
  /** The secrets by which states and events are encrypted. Default: nothing is. */
  readonly encryption?: StoreEncryptionConfig | undefined;
}

/** A schema of a PostgreSQL database, for one process at a time. */
export interface PostgresStoreConfig extends StoreUseConfig {
  /** The kind of store. */
  readonly type: 'postgres';
  /**
   * The secret that has the url of the database: `'name'`, `'name#field'` or an object. Or the url itself, when no password is
   * in it: `'postgresql://user@host:5432/database'`.
   */
  readonly url: KeyRef;
  /** The schema that has the tables, one for each runtime. Default: `holdfast`. */
  readonly schema?: string | undefined;
  /** Files with PEM texts, relative to the config file; each connection reads them. Default: the authorities that Node knows. */
  readonly tls?:
    | {
        /** The certificates of who may sign for the server. */
        readonly ca?: string | undefined;
        /** The certificate that this side shows, with its chain. */
        readonly cert?: string | undefined;
        /** The key of that. */
        readonly key?: string | undefined;
      }
    | undefined;
}

type KeyRef = z.input<typeof keyRefSchema>;

/** The secrets whose values are the keys of a store: `'name'`, `'name#field'` or an object. */
export interface StoreEncryptionConfig {
  /** The secret that is the key: at least 32 bytes, in which at least 256 bits are random. */
  readonly key: KeyRef;
  /** Secrets that were the key before, for a provider that keeps no version but the current one. Default: none. */
  readonly previous?: readonly KeyRef[] | undefined;
}

/** Which keys a type takes is checked in `store-checks.ts`. */
export const storeSchema = z
  .strictObject({
    type: z
      .enum(['sqlite', 'postgres'])
      .register(
        ...meaning(
          'The kind of store. sqlite: a file; postgres: a database. Each for one process at a time.',
        ),
      ),
    path: text()
      .optional()
      .register(
        ...meaning(
          'For sqlite: the file, relative to the config file. It is created, for its user alone. Required there.',
        ),
      ),
    url: keyRefSchema
      .optional()
      .register(
        ...meaning(
          'For postgres: the secret that has the url of the database: name, name#field, or an object with id and, optionally, ' +
            'provider, jsonKey, stage and role. Or the url itself, when no password is in it. Required there.',
        ),
      ),
    schema: formed(/^[a-z_][a-z0-9_]{0,62}$/i, 'a name of 1 to 63 letters, digits and _')
      .default('holdfast')
      .register(
        ...meaning('For postgres: the schema that has the tables, one for each runtime. Default: holdfast.'),
      ),
    tls: z
      .strictObject({
        ca: text()
          .optional()
          .register(
            ...meaning(
              'The file with the certificates of who may sign for the server, PEM. Default: those that Node knows.',
            ),
          ),
        cert: text()
          .optional()
          .register(...meaning('The file of the certificate that this side shows, with its chain, PEM.')),
        key: text()
          .optional()
          .register(...meaning('The file of the key of cert, PEM.')),
      })
      .optional()
      .register(
        ...meaning(
          'For postgres: files relative to the config file, which each connection reads. Default: the authorities that Node knows.',
        ),
      ),
    fsync: z
      .enum(['disk', 'os'])
      .default('disk')
      .register(
        ...meaning(
          'For sqlite: when a commit counts as written. disk: it outlives a loss of power; os: it outlives the process. Default: disk.',
        ),
      ),
    maxBytes: integer(1_048_576)
      .optional()
      .register(
        ...meaning("For sqlite: the most bytes that the file may have. Default: no limit but the disk's."),
      ),
    keepIdsMs: integer(1000)
      .default(86_400_000)
      .register(
        ...meaning(
          'Milliseconds for which what became of an event with an id is kept, also of an Idempotency-Key. Default: 86400000, a day.',
        ),
      ),
    wakesPerSecond: integer(1, 1_000_000)
      .default(1000)
      .register(
        ...meaning(
          'The most instances that wake in a second because they have something to do. Default: 1000.',
        ),
      ),
    onFailure: z
      .enum(['wait', 'exit'])
      .default('wait')
      .register(
        ...meaning(
          'What is done when the store has failed for 30 s or three times in a minute, or another process has it. wait: commits are tried again; exit: the ' +
            'runtime stops, and the process ends with exit code 1. Default: wait.',
        ),
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
          .register(
            ...meaning(
              'Secrets that were the key before, for a provider that keeps no version but the current one. Default: none.',
            ),
          ),
      })
      .optional()
      .register(
        ...meaning(
          'For sqlite: the secrets by which states, events, answers, steps and letters are encrypted; addresses, ids and times are not. Default: nothing is encrypted.',
        ),
      ),
  })
  .register(
    ...meaning(
      'Where agents outlive the process: each turn is committed before it is told. Default: nowhere.',
    ),
  );
