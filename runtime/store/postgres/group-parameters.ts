import { partitionOf } from '../../base/partition.ts';
import type { CommitGroup, EncodedState, TurnCommit } from '../durable-store.ts';
import type { PlacedTurn, RowOfLetter } from '../partitioned-store.ts';
import type { Column } from '../columns/checksum.ts';
import {
  type Columns,
  idColumns,
  letterColumns,
  recordColumns,
  rowColumns,
  stepColumns,
} from '../columns/forms.ts';
import type { Seals } from '../columns/seals.ts';
import { COMMIT_PARAMETERS, type CommitParameter, SECOND_TURNS } from './commit-function.ts';
import { toText, toValue } from './values.ts';

/** A group as the parameters of the function that writes it, but for those that say who writes. */
export type GroupParameters = Readonly<Record<Exclude<CommitParameter, OwnerParameter>, unknown>>;
type OwnerParameter = 'node' | 'epoch' | 'number' | 'follows' | 'most_rows' | 'crowded_from';

export interface PreparedGroup {
  readonly parameters: GroupParameters;
  /** The addresses of the turns by the numbers that they have in the parameters. */
  readonly addresses: ReadonlyMap<number, string>;
}

const NO_TEXTS = { count: 0, since: null } as const;
const KIND = { none: 0, record: 1, end: 2 } as const;

/** Gathers large values behind each other, as one parameter that crosses as it is. */
class Blob {
  readonly #values: EncodedState[] = [];
  #length = 0;

  /** The place of a value. */
  add(value: Column): readonly [offset: number, length: number] | readonly [null, null] {
    if (value === null) return [null, null];
    const given = value as EncodedState;
    const offset = this.#length;
    const length = 1 + (typeof given === 'string' ? Buffer.byteLength(given) : given.byteLength);
    this.#values.push(given);
    this.#length += length;
    return [offset, length];
  }

  get bytes(): Buffer {
    const all = Buffer.allocUnsafe(this.#length);
    let offset = 0;
    for (const value of this.#values) offset += toValue(value, all, offset);
    return all;
  }
}

type Item = Record<string, string | number | boolean | null>;

/** Makes the parameters of a group. What is in them is copied. */
export function prepareGroup(group: CommitGroup, seals: Seals): PreparedGroup {
  const blob = new Blob();
  const lists: Record<
    'turns' | 'handled' | 'ids' | 'steps' | 'ended' | 'letters' | 'rows' | 'attempts',
    Item[]
  > = {
    turns: [],
    handled: [],
    ids: [],
    steps: [],
    ended: [],
    letters: [],
    rows: [],
    attempts: [],
  };
  const addresses = new Map<number, string>();
  const ended = new Set<string>();
  const place = (value: Column, o = 'o', l = 'l'): Item => {
    const [offset, length] = blob.add(value);
    return { [o]: offset, [l]: length };
  };
  const add = (list: Item[], item: Item): void => void list.push({ ...item, p: list.length });
  const addIds = (i: number | null, ids: CommitGroup['ids']): void => {
    for (const one of ids ?? []) {
      const [address, caller, id, hash, outcome, until, keyId, crc, value] = idColumns(one, seals);
      add(
        lists.ids,
        texts({ i, address, caller, id, hash, outcome, until, key_id: keyId, crc }, place(value as Column)),
      );
    }
  };
  const addLetters = (i: number | null, letters: CommitGroup['letters']): void => {
    for (const one of letters ?? []) {
      const [id, at, address, reason, keyId, crc, meta, event] = letterColumns(one, seals);
      const places = { ...place(meta as Column, 'mo', 'ml'), ...place(event as Column) };
      add(lists.letters, texts({ i, id, at, address, reason, key_id: keyId, crc }, places));
    }
  };
  let [nextRow, part] = [0, 0];
  let inPart = new Set<number>();
  const addRows = (i: number | null, rows: readonly RowOfLetter[] | undefined): void => {
    for (const one of rows ?? []) {
      const [n, address, , dueAt, sender, id, caller, keyId, crc, event, attempts] = rowColumns(
        one,
        group.at,
        seals,
      );
      // A number that comes twice is looked for among what is written by then.
      if (inPart.has(one.n)) [part, inPart] = [part + 1, new Set()];
      inPart.add(one.n);
      const activate = one.activate === true;
      const small = {
        i,
        part,
        n,
        address,
        due_at: dueAt,
        sender,
        id,
        caller,
        attempts,
        activate,
        letter: one.letter,
        key_id: keyId,
        crc,
      };
      add(lists.rows, texts(small, place(event as Column)));
      nextRow = Math.max(nextRow, one.n + 1);
    }
  };
  const addTurn = (turn: TurnCommit, i: number): void => {
    const { address } = turn;
    lists.turns.push(turnItem(turn, i, group, seals, place));
    for (const n of turn.handled ?? []) lists.handled.push(texts({ i, n, address }));
    addIds(i, turn.ids);
    addLetters(i, turn.letters);
    for (const one of turn.steps ?? []) {
      const [, start, key, keyId, crc, value] = stepColumns(address, one, seals);
      add(lists.steps, texts({ i, address, start, key, key_id: keyId, crc }, place(value as Column)));
    }
    for (const start of turn.endedStarts ?? []) lists.ended.push(texts({ i, address, start }));
    addRows(i, turn.sends);
  };
  for (const [at, turn] of group.turns.entries()) {
    const i = at + (ended.has(turn.address) ? SECOND_TURNS : 0);
    if (turn.end === true) ended.add(turn.address);
    addresses.set(i, turn.address);
    addTurn(turn, i);
  }
  addIds(null, group.ids);
  addLetters(null, group.letters);
  addRows(null, group.rows);
  for (const [n, attempts] of new Map(group.attempts)) lists.attempts.push({ n, attempts });
  const { removedLetters: removed } = group;
  const json = (list: readonly unknown[] | undefined): string | null =>
    list === undefined || list.length === 0 ? null : JSON.stringify(list);
  return {
    addresses,
    parameters: {
      group: toText(group.id),
      at: group.at,
      next_row: nextRow,
      replay: removed !== undefined && removed.length > 0,
      turns: json(lists.turns),
      handled: json(lists.handled),
      ids: json(lists.ids),
      steps: json(lists.steps),
      ended: json(lists.ended),
      letters: json(lists.letters),
      rows: json(lists.rows),
      row_parts: part + 1,
      removed: json(removed?.map(toText)),
      attempts: json(lists.attempts),
      blob: blob.bytes,
    },
  };
}

/** The values of all parameters, in their order. */
export function parameterValues(given: Readonly<Record<CommitParameter, unknown>>): unknown[] {
  return COMMIT_PARAMETERS.map(([name]) => given[name]);
}

function turnItem(
  turn: TurnCommit,
  i: number,
  { id, at }: CommitGroup,
  seals: Seals,
  place: (value: Column, o: string, l: string) => Item,
): Item {
  const { address, record, end, epoch }: PlacedTurn = turn;
  const after = turn.after ?? null;
  const head = { i, address, after, ...(epoch !== undefined && { part: partitionOf(address), epoch }) };
  if (end === true) return texts({ ...head, kind: KIND.end });
  if (record === undefined) return texts({ ...head, kind: KIND.none });
  const whole = { ...record, parts: undefined };
  const columns: Columns = recordColumns(whole, [id, at, NO_TEXTS], seals);
  const [, , , incarnation, seq, due_at, wakes, quarantined, version, , , key_id, crc, meta, state] = columns;
  const small = {
    ...head,
    kind: KIND.record,
    incarnation,
    seq,
    due_at,
    wakes,
    quarantined,
    version,
    key_id,
    crc,
  };
  return texts(small, { ...place(meta as Column, 'mo', 'ml'), ...place(state as Column, 'so', 'sl') });
}

/** The small columns of something, with texts as the database takes them. */
function texts(small: Readonly<Record<string, unknown>>, places: Item = {}): Item {
  const item: Item = { ...places };
  for (const [name, value] of Object.entries(small))
    if (value !== null && value !== undefined)
      item[name] = typeof value === 'string' ? toText(value) : (value as number | boolean);
  return item;
}
