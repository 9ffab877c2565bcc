import type {
  DurableRecord,
  EncodedState,
  KeptId,
  KeptLetter,
  KeptStep,
  MailboxRow,
  StoredRecord,
} from '../durable-store.ts';
import { ALL_NUMBERS, withoutMarks } from '../../base/marked-text.ts';
import { checksum, type Column } from './checksum.ts';
import { fromNameColumn, toNameColumn } from './name-column.ts';
import type { Seals } from './seals.ts';
import { corrupt } from './corrupt.ts';

/** How something stands in its table, as the statements of this folder name the columns. */
export type Columns = Column[];

export const RECORD_COLUMNS =
  'address, commit_id, at, incarnation, seq, due_at, wakes, quarantined, version, texts, texts_commit, key_id, crc, meta, state';
/** As a record is read. */
export const RECORD_FORM = `${RECORD_COLUMNS}, id`;

/** The parts of the long texts of a record that are kept on their own. */
export interface KeptTexts {
  readonly count: number;
  /** The group in which their numbers began anew: with it, a number is of one part for ever. `null` when there are none. */
  readonly since: string | null;
}

export function recordColumns(
  record: DurableRecord,
  [commit, at, texts]: readonly [commit: string, at: number, texts: KeptTexts],
  seals: Seals,
): Columns {
  const { address, incarnation, seq, dueAt = null, version = null } = record;
  const [wakes, quarantined] = [Number(record.wakes), Number(record.quarantined)];
  const of = recordName(address, seq);
  const small = [
    address,
    commit,
    at,
    incarnation,
    seq,
    dueAt,
    wakes,
    quarantined,
    version,
    texts.count,
    texts.since,
    seals.keyId,
  ];
  const meta = seals.seal(record.meta, `${of} meta`);
  const state = seals.seal(record.parts?.text ?? record.state, stateName(of, texts));
  return [...small, checksum(small, meta, state), meta, state];
}

/** `textsOf`: gives the columns of the parts of a record's long texts. */
export function toRecord(
  columns: Columns,
  seals: Seals,
  textsOf: (record: number) => readonly Columns[],
): StoredRecord {
  const [address, commit, at, incarnation, seq, dueAt, wakes, quarantined, version] = columns as never as [
    string,
    string,
    number,
    number,
    number,
    number | null,
    number,
    number,
    string | null,
  ];
  const [count, since, keyId, crc, meta, state, id] = columns.slice(9) as never as [
    number,
    string | null,
    number | null,
    number,
    EncodedState,
    EncodedState,
    number,
  ];
  check(columns.slice(0, 12), crc, [meta, state], `the record of ${address}`);
  const of = recordName(address, seq);
  const texts = { count, since };
  const opened = seals.open(state, keyId, stateName(of, texts));
  return {
    address,
    incarnation,
    seq,
    ...(version !== null && { version }),
    state: since === null ? opened : wholeText(opened as string, [address, id], textsOf(id), texts, seals),
    meta: seals.open(meta, keyId, `${of} meta`) as string,
    ...(dueAt !== null && { dueAt }),
    wakes: wakes === 1,
    quarantined: quarantined === 1,
    commit,
    at,
  };
}

function wholeText(
  marked: string,
  [address, record]: readonly [address: string, id: number],
  found: readonly Columns[],
  { count, since }: KeptTexts,
  seals: Seals,
): string {
  const parts = new Map<number, string>();
  for (const columns of found) {
    const [id, from, keyId, crc, value] = columns as never as [
      number,
      string,
      number | null,
      number,
      EncodedState,
    ];
    check(columns.slice(0, 3), crc, [value], `a text of ${address}`);
    if (from !== since) throw corrupt(`a text of ${address} is of another state`);
    const number = id - firstText(record);
    parts.set(number, seals.open(value, keyId, textName(address, from, number)) as string);
  }
  // Others came ahead of a state that did not follow, or has not yet.
  const used = new Set<number>();
  const whole = withoutMarks(marked, (number) => {
    const part = parts.get(number);
    used.add(number);
    if (part === undefined) throw corrupt(`a text of ${address} is gone`);
    return part;
  });
  if (used.size !== count) throw corrupt(`a text of ${address} is gone`);
  return whole;
}

export const TEXT_COLUMNS = 'id, since, key_id, crc, value';

/** The ids of the parts of a record's long texts are from here on, by their numbers, to before the next record's. */
export function firstText(record: number): number {
  return record * ALL_NUMBERS;
}

/** What the ids of a record's long texts are between. */
export function textIds(record: number): [after: number, before: number] {
  return [firstText(record), firstText(record + 1)];
}

/** `since`: the group in which the numbers of the record's parts began anew. */
export function textColumns(
  [address, record]: readonly [address: string, id: number],
  since: string,
  [number, part]: readonly [number: number, part: string],
  seals: Seals,
): Columns {
  const small = [firstText(record) + number, since, seals.keyId];
  const value = seals.seal(part, textName(address, since, number));
  return [...small, checksum(small, value), value];
}

export const ROW_COLUMNS = 'n, address, since, due_at, sender, id, caller, key_id, crc, event, attempts';

export function rowColumns(row: MailboxRow, at: number, seals: Seals): Columns {
  const { n, to, from = null, dueAt, caller = null, attempts } = row;
  const id = row.id === undefined ? null : toNameColumn(row.id);
  const small = [n, to, dueAt === 0 ? at : dueAt, dueAt, from, id, caller, seals.keyId];
  const event = seals.seal(row.event, rowName(n, to));
  // Attempts are counted on their own.
  return [...small, checksum(small, event), event, attempts];
}

export function toRow(columns: Columns, seals: Seals): MailboxRow {
  const [n, to, , dueAt, from, id, caller, keyId, crc, event, attempts] = columns as never as [
    number,
    string,
    number,
    number,
    string | null,
    string | null,
    string | null,
    number | null,
    number,
    EncodedState,
    number,
  ];
  check(columns.slice(0, 8), crc, [event], `row ${n} of ${to}`);
  return {
    n,
    to,
    ...(from !== null && { from }),
    event: seals.open(event, keyId, rowName(n, to)),
    dueAt,
    ...(id !== null && { id: fromNameColumn(id) }),
    ...(caller !== null && { caller }),
    attempts,
  };
}

export const ID_COLUMNS = 'address, caller, id, hash, outcome, until, key_id, crc, value';

export function idColumns(kept: KeptId, seals: Seals): Columns {
  const { address, caller, outcome, until } = kept;
  const id = toNameColumn(kept.id);
  const name = idName(address, caller, id);
  const value = kept.value === undefined ? null : seals.seal(kept.value, name);
  const small = [address, caller, id, sealedHash(kept.hash, name, seals), outcome, until, seals.keyId];
  return [...small, checksum(small, value), value];
}

export function toId(columns: Columns, seals: Seals): KeptId {
  const [address, caller, id, hash, outcome, until, keyId, crc, value] = columns as never as [
    string,
    string,
    string,
    string,
    KeptId['outcome'],
    number,
    number | null,
    number,
    EncodedState | null,
  ];
  check(columns.slice(0, 7), crc, [value], `an id of ${address}`);
  const name = idName(address, caller, id);
  const opened = openedHash(hash, keyId, name, seals);
  const kept = { address, caller, id: fromNameColumn(id), hash: opened, outcome, until };
  return value === null ? kept : { ...kept, value: seals.open(value, keyId, name) };
}

/** The place of the hash among the columns of an id. */
const HASH_AT = 3;
/** Begins a hash that is sealed; no other begins so. */
const SEALED = '*';

/** With the hash of an event as it is, a guess at that event could be tried. */
function sealedHash(hash: string, of: string, seals: Seals): string {
  const sealed = seals.seal(hash, `${of} hash`);
  return typeof sealed === 'string' ? sealed : SEALED + Buffer.from(sealed).toString('base64url');
}

/** Those of before hashes were sealed are as they were. */
function openedHash(hash: string, keyId: number | null, of: string, seals: Seals): string {
  if (!hash.startsWith(SEALED)) return hash;
  return seals.open(Buffer.from(hash.slice(1), 'base64url'), keyId, `${of} hash`) as string;
}

export const STEP_COLUMNS = 'address, start, key, key_id, crc, value';

export function stepColumns(
  address: string,
  { start, key: name, value: given }: KeptStep,
  seals: Seals,
): Columns {
  const key = toNameColumn(name);
  const small = [address, start, key, seals.keyId];
  const value = seals.seal(given, stepName(address, start, key));
  return [...small, checksum(small, value), value];
}

export function toStep(columns: Columns, seals: Seals): KeptStep {
  const [address, start, key, keyId, crc, value] = columns as never as [
    string,
    string,
    string,
    number | null,
    number,
    EncodedState,
  ];
  check(columns.slice(0, 4), crc, [value], `a step of ${address}`);
  return { start, key: fromNameColumn(key), value: seals.open(value, keyId, stepName(address, start, key)) };
}

export const LETTER_COLUMNS = 'id, at, address, reason, key_id, crc, meta, event';

export function letterColumns(letter: KeptLetter, seals: Seals): Columns {
  const { id, at, address, reason } = letter;
  const small = [id, at, address, reason, seals.keyId];
  const meta = seals.seal(letter.meta, `${letterName(id)} meta`);
  const event = seals.seal(letter.event, letterName(id));
  return [...small, checksum(small, meta, event), meta, event];
}

export function toLetter(columns: Columns, seals: Seals): KeptLetter {
  const [id, at, address, reason, keyId, crc, meta, event] = columns as never as [
    string,
    number,
    string,
    string,
    number | null,
    number,
    EncodedState,
    EncodedState,
  ];
  check(columns.slice(0, 5), crc, [meta, event], `the letter ${id} of ${address}`);
  return {
    id,
    address,
    reason,
    event: seals.open(event, keyId, letterName(id)),
    meta: seals.open(meta, keyId, `${letterName(id)} meta`) as string,
    at,
  };
}

function check(small: Columns, crc: number, large: Columns, what: string): void {
  if (checksum(small, ...large) !== crc) throw corrupt(`${what} is damaged`);
}

const recordName = (address: string, seq: number): string => `record ${address} ${seq}`;
/** A state is bound to its texts. */
const stateName = (of: string, { count, since }: KeptTexts): string =>
  since === null ? of : `${of} texts ${count} ${since}`;
const textName = (address: string, since: string, number: number): string =>
  `text ${JSON.stringify([address, since, number])}`;
const rowName = (n: number, to: string): string => `row ${n} ${to}`;
const idName = (...key: readonly string[]): string => `id ${JSON.stringify(key)}`;
const stepName = (...key: readonly string[]): string => `step ${JSON.stringify(key)}`;
const letterName = (id: string): string => `letter ${id}`;

/** The tables whose rows have checksums: first what is small, then the checksum, then what may be large. */
export const TABLES = [
  { table: 'records', columns: RECORD_FORM, small: 12, large: 2 },
  { table: 'texts', columns: TEXT_COLUMNS, small: 3, large: 1 },
  { table: 'rows', columns: ROW_COLUMNS, small: 8, large: 1 },
  { table: 'ids', columns: ID_COLUMNS, small: 7, large: 1 },
  { table: 'steps', columns: STEP_COLUMNS, small: 4, large: 1 },
  { table: 'letters', columns: LETTER_COLUMNS, small: 5, large: 2 },
] as const;

type Table = (typeof TABLES)[number];

/** What the large values of a row are bound to. */
const BOUND: {
  readonly [T in Table['table']]: (columns: Columns, addressOf: (record: number) => string) => string[];
} = {
  records([address, , , , seq, , , , , count, since]) {
    const of = recordName(address as string, seq as number);
    return [`${of} meta`, stateName(of, { count, since } as KeptTexts)];
  },
  texts([id, since], addressOf) {
    const record = Math.floor((id as number) / ALL_NUMBERS);
    return [textName(addressOf(record), since as string, (id as number) - firstText(record))];
  },
  rows: ([n, to]) => [rowName(n as number, to as string)],
  ids: (columns) => [idName(...(columns.slice(0, 3) as string[]))],
  steps: (columns) => [stepName(...(columns.slice(0, 3) as string[]))],
  letters: ([id]) => [`${letterName(id as string)} meta`, letterName(id as string)],
};

/**
 * A row of a table as it is written with other seals. `addressOf`: gives the address of a record.
 *
 * @throws {HoldfastError} `STORE_CORRUPT` when it is not as it was written
 */
export function resealed(
  columns: Columns,
  form: Table,
  [from, to]: readonly [from: Seals, to: Seals],
  addressOf: (record: number) => string,
): Columns {
  const { table, small, large } = form;
  const names = BOUND[table](columns, addressOf);
  if (!isIntact(columns, form)) throw corrupt(`the ${names[0]} is damaged`);
  const keyId = columns[small - 1] as number | null;
  const values = columns
    .slice(small + 1, small + 1 + large)
    .map((value, i) =>
      value === null
        ? null
        : to.seal(from.open(value as EncodedState, keyId, names[i] as string), names[i] as string),
    );
  const head = [...columns.slice(0, small - 1), to.keyId];
  if (table === 'ids') {
    const of = names[0] as string;
    head[HASH_AT] = sealedHash(openedHash(head[HASH_AT] as string, keyId, of, from), of, to);
  }
  return [...head, checksum(head, ...values), ...values, ...columns.slice(small + 1 + large)];
}

/** Whether a row of a table is as it was written. */
export function isIntact(
  columns: Columns,
  { small, large }: Pick<(typeof TABLES)[number], 'small' | 'large'>,
): boolean {
  return checksum(columns.slice(0, small), ...columns.slice(small + 1, small + 1 + large)) === columns[small];
}
