import { close, closeSync, constants, fstatSync, openSync, write } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { within, type Clock } from '../base/clock.ts';
import { callUser } from '../base/user-call.ts';
import { HoldfastError, type HoldfastErrorCode } from '../base/errors.ts';

/** The record of one use of a secret, or of one call of a tool, also of a refused one. Never the value, its hash or its length. */
export interface AuditRecord {
  /** The start of the use: ISO 8601 in UTC, with milliseconds. */
  readonly at: string;
  /** The address of the instance, `agent/id`. */
  readonly address: string;
  readonly incarnation: number;
  /** The `threadId` of its pool; agents that share a pool share its grants. */
  readonly pool: string;
  /** The label of the secret, as the instance asked for it; for `tool` the name of the MCP server. */
  readonly label: string;
  /** The provider's name for the version that was used; absent when none was. */
  readonly versionId?: string;
  readonly mode: 'capability' | 'inject' | 'reveal' | 'handle' | 'tool';
  /** The capability's or the tool's name; for `inject` the method and host, such as `POST api.stripe.com`. */
  readonly through?: string;
  /**
   * `ok`, `cancelled` when the agent did not wait for it any more, the code of the error, or `ERROR` for an error that is
   * not Holdfast's own.
   */
  readonly outcome: 'ok' | 'cancelled' | HoldfastErrorCode | 'ERROR';
  /** The duration in milliseconds, rounded; for a `head` until that had come. */
  readonly ms: number;
  /**
   * A request of `boundFetch` that is answered has two records with the same `at`: `head` when the answer has begun,
   * and `body` when all of it was given out, or what cut it off. One that has no answer has a single record without it.
   */
  readonly part?: 'head' | 'body';
  /** For `inject`: the status of the answer, if one came. */
  readonly status?: number;
  /** For `inject`: the bytes of the answer's body that the agent was given. Absent in a `head`. */
  readonly bytes?: number;
}

/** The target of the audit trail: a file to append JSON lines to, or a function that gets each record. */
export type AuditTarget = string | URL | ((record: AuditRecord) => void);

export interface AuditOptions {
  readonly clock: Clock;
  readonly warn: (fields: object, message: string) => void;
  /** Takes values out of the names that an instance gave, which may be anything. Default: names stay as they are. */
  readonly scrubText?: (text: string) => string;
}

/** The audit trail: who used which secret. Recording never throws, waits, or fails a call. */
export interface Audit {
  record(record: AuditRecord): void;
  /** The number of records that did not reach the target. */
  readonly lost: number;
  /** Resolves when everything recorded before is written or lost, after 2 s at the latest. */
  flush(): Promise<void>;
  /** Flushes and closes the file. Later records are lost. Idempotent. */
  close(): Promise<void>;
}

/** The most records that wait for a slow disk, about 3 MB; later ones are lost. */
const WAITING = 10_000;
/** The longest time that `flush` takes, in milliseconds: a small part of the 8 s of a stop. */
const FLUSH_MS = 2000;
/** The most characters of a name that an instance gave. */
const NAMED = 200;

/**
 * Opens the audit trail. A file is created with mode 0600 when it is missing, and appended to; it is never truncated
 * or renamed. The user limits its growth: rotate it with `copytruncate`, since it is opened once.
 *
 * @throws {HoldfastError} `CONFIG_INVALID`: the file cannot be opened for appending, or is a link or a folder
 */
export function createAudit(target: AuditTarget | undefined, options: AuditOptions): Audit {
  if (target === undefined) return noAudit;
  const trail = typeof target === 'function' ? tellEach(target) : new AuditFile(target, options);
  const { warn, scrubText = (text) => text } = options;
  let told = 0;
  let warned = false;
  const named = (text: string): string => scrubText(text).slice(0, NAMED);
  const lose = (error: unknown): void => {
    told += 1;
    if (!warned) warn({ error }, 'the audit trail is not complete: its function failed');
    warned = true;
  };
  return {
    record(record) {
      const { label, through } = record;
      const shown = {
        ...record,
        label: named(label),
        ...(through !== undefined && { through: named(through) }),
      };
      trail.record(shown, lose);
    },
    get lost() {
      return told + trail.lost;
    },
    flush: () => trail.flush(),
    close: () => trail.close(),
  };
}

interface Trail extends Omit<Audit, 'record'> {
  record(record: AuditRecord, lose: (error: unknown) => void): void;
}

const noAudit: Audit = { record() {}, lost: 0, flush: async () => {}, close: async () => {} };

function tellEach(tell: (record: AuditRecord) => unknown): Trail {
  return {
    record(record, lose) {
      callUser(() => tell(Object.freeze(record)), lose);
    },
    lost: 0,
    flush: async () => {},
    close: async () => {},
  };
}

/** Writes lines to a file, one write at a time, in order; lines that come in the meantime go with the next write. */
class AuditFile implements Trail {
  readonly #path: string;
  readonly #fd: number;
  readonly #options: AuditOptions;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #lost = 0;
  /** Lost records that the file does not mention yet. */
  #gap = 0;
  #midLine = false;
  #warned = false;

  constructor(target: string | URL, options: AuditOptions) {
    this.#path = pathOf(target);
    this.#fd = openForAppending(this.#path);
    this.#options = options;
  }

  get lost(): number {
    return this.#lost;
  }

  record(record: AuditRecord): void {
    if (this.#closing !== undefined || this.#waiting.length >= WAITING) return this.#lose(1);
    this.#waiting.push(`${JSON.stringify(record)}\n`);
    this.#writing ??= this.#write();
  }

  async flush(): Promise<void> {
    try {
      await within(this.#options.clock, FLUSH_MS, this.#writing ?? Promise.resolve(), late);
    } catch (error) {
      this.#warn(error);
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    if (this.#gap > 0) this.#writing ??= this.#write();
    await this.flush();
    const writing = this.#writing;
    // A write that hangs keeps the file, so lines behind it are not written any more.
    if (writing !== undefined) this.#lose(this.#waiting.splice(0).length);
    const closed = (writing ?? Promise.resolve()).then(() => closeFile(this.#fd)).catch(() => {});
    if (writing === undefined) await closed;
  }

  async #write(): Promise<void> {
    // Records of the same turn go together.
    await Promise.resolve();
    do {
      const lines = this.#waiting.splice(0);
      const gap = this.#gap;
      const before = gap > 0 ? `${JSON.stringify({ at: this.#now(), lost: gap })}\n` : '';
      const bytes = Buffer.from(`${this.#midLine ? '\n' : ''}${before}${lines.join('')}`);
      let written = 0;
      try {
        while (written < bytes.length) written += await writeTo(this.#fd, bytes, written);
        this.#gap -= gap;
        this.#midLine = false;
      } catch (error) {
        // Whole lines that did get there count as lost too: a failing disk does not say what it kept.
        this.#lose(lines.length, error);
        this.#midLine = written > 0 ? bytes[written - 1] !== 10 : this.#midLine;
      }
    } while (this.#waiting.length > 0);
    this.#writing = undefined;
  }

  #now(): string {
    return new Date(this.#options.clock.date()).toISOString();
  }

  #lose(records: number, error?: unknown): void {
    this.#lost += records;
    this.#gap += records;
    if (records > 0) this.#warn(error);
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const { warn } = this.#options;
    const why = error === undefined ? {} : { error };
    warn(
      { file: this.#path, ...why },
      'the audit trail is not complete: its file cannot be written to, or not fast enough; check the disk',
    );
  }
}

function late(): HoldfastError {
  return new HoldfastError('STORE_FAILED', `the audit file took no line within ${FLUSH_MS} ms`);
}

function pathOf(target: string | URL): string {
  try {
    return target instanceof URL ? fileURLToPath(target) : target;
  } catch {
    throw refused(String(target), 'is not a file: URL');
  }
}

function openForAppending(path: string): number {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd;
  try {
    // Not blocking, because a pipe without a reader would hold the start for ever.
    fd = openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refused(
      path,
      code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened for appending (${String(code)})`,
    );
  }
  const stat = fstatSync(fd);
  if (stat.isFile() || stat.isCharacterDevice()) return fd;
  closeSync(fd);
  throw refused(path, 'is not a regular file');
}

function refused(path: string, why: string): HoldfastError {
  return new HoldfastError(
    'CONFIG_INVALID',
    `the audit file ${path} ${why}; give \`audit\` the path of a regular file in a folder that exists, or a function`,
  );
}

const closeFile = promisify(close);

function writeTo(fd: number, bytes: Buffer, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, (error, written) => (error ? reject(error) : resolve(written)));
  });
}
